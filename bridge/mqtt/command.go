package mqtt

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/espcam-bridge/espcam-bridge/bridge"
)

const (
	// commandTimeout bounds one command, with its wait for the camera's turn.
	commandTimeout = 15 * time.Second
	// pressAgain is how long the same press is taken for a repetition: with QoS 1
	// a message may come twice.
	pressAgain = time.Second
	// pictureTime is how long a snapshot waits for a picture newer than the wish.
	pictureTime = 2 * time.Second
)

// onCommand looks at a message under the command topics. What is no command, or
// was meant for another time, is only counted; what is one is carried out or
// answered with an error, and its state is published again either way.
func (c *Client) onCommand(m incoming) {
	camera, property, ok := c.topics.command(m.topic)
	switch {
	case !ok:
		c.ignore("topic", "an MQTT message is no command", m)
		return
	case len(m.payload) == 0:
		c.counts.ignored.Add(1) // often the echo of a topic that was just cleared
		return
	case camera == "bridge":
		c.onBridgeCommand(property, m)
		return
	}
	cam, err := c.deps.Fleet.Camera(camera)
	switch known := err == nil && cam.ID == camera; {
	case m.retained:
		c.clear(m.topic)
		c.ignore("retained", retainedWords, m)
		if known {
			c.refuse(c.entry(cam), job{property: property, text: m.text()}, bridge.Errorf(bridge.CodeInvalid, retainedWords))
		}
	case !known:
		c.ignore("unknown", "an MQTT command is for a camera that is not known", m)
	default:
		c.counts.commands.Add(1)
		c.take(c.entry(cam), property, m)
	}
}

const retainedWords = "a retained MQTT command is ignored and cleared: whoever sends it must not set the retain flag"

func (c *Client) ignore(why, msg string, m incoming) {
	c.counts.ignored.Add(1)
	c.log.Limited(why, msg, "topic", shorten(m.topic))
}

// take reads the command and puts it into the camera's lane.
func (c *Client) take(e *entry, property string, m incoming) {
	j, err := c.read(e, property, m)
	if err == nil {
		err = e.laneOf(j).add(j)
	}
	if err != nil {
		c.refuse(e, j, err)
		return
	}
	c.dispatch(e, e.laneOf(j))
}

// refuse tells why, and what holds instead.
func (c *Client) refuse(e *entry, j job, err error) {
	c.complain(fault{e.camera.ID, j.property, j.text, bridge.CodeOf(err), err.Error()})
	c.echo(e, j)
	c.report(e.camera.ID, j, err)
}

// report tells whoever does not listen to MQTT that a command failed.
func (c *Client) report(camera string, j job, err error) {
	if c.deps.Refused == nil {
		return
	}
	c.deps.Refused(bridge.Notice{
		Time: c.deps.Clock.Now(), Camera: camera, Code: bridge.CodeOf(err),
		Message: "Over MQTT: " + err.Error(), Property: j.property, Value: shorten(j.text),
	})
}

// echo publishes the value of what a command was about, changed or not: a switch
// in Home Assistant jumps to what is true.
func (c *Client) echo(e *entry, j job) {
	if !c.visible(e) {
		return
	}
	for _, r := range c.rows {
		switch {
		case r.key != j.property && !slices.Contains(j.keys, r.key):
		case r.motion != "":
			c.putMotionSetting(e, r, true)
		default:
			c.putValue(e, r, true)
		}
	}
}

// read makes a job of a message. The job names the property even if there is an
// error.
func (c *Client) read(e *entry, property string, m incoming) (job, error) {
	j := job{property: property, text: m.text()}
	switch {
	case m.long:
		return j, bridge.Errorf(bridge.CodeTooLarge, "a command has at most %d bytes", maxCommand)
	case !utf8.Valid(m.payload):
		return j, bridge.Errorf(bridge.CodeInvalid, "the command is not valid UTF-8")
	case property == "":
		return c.readMany(e, j, m.payload)
	}
	return j, c.add(&j, e, property, m.payload)
}

// readMany reads {"property": value, ...} on T/set.
func (c *Client) readMany(e *entry, j job, payload []byte) (job, error) {
	var many map[string]json.RawMessage
	if err := json.Unmarshal(payload, &many); err != nil || len(many) == 0 {
		return j, bridge.Errorf(bridge.CodeInvalid, `the command must be a JSON object such as {"max_fps": 5}`)
	}
	for _, property := range sortedKeys(many) {
		text := []byte(many[property])
		var s string
		if json.Unmarshal(text, &s) == nil {
			text = []byte(s)
		}
		if err := c.add(&j, e, property, text); err != nil {
			j.property = property
			return j, err
		}
		if j.action != "" {
			j.property = property
			return j, bridge.Errorf(bridge.CodeInvalid, "%s is no setting: send it to %s", property, c.topics.camera(e.camera.ID, property+"/set"))
		}
	}
	return j, nil
}

// add reads one property by the table.
func (c *Client) add(j *job, e *entry, property string, payload []byte) error {
	for _, r := range c.rows {
		if r.key == property && operable(r, e.camera.Offer) {
			j.keys = append(j.keys, r.key)
			return addRow(j, e, r, payload)
		}
	}
	return bridge.Errorf(bridge.CodeUnsupported, "this camera has no %.64q; it takes %s", property, strings.Join(c.takes(e.camera.Offer), ", "))
}

func addRow(j *job, e *entry, r row[subject], payload []byte) error {
	text := strings.TrimSpace(string(payload))
	switch p, ok := e.camera.Offer.Property(r.setting); {
	case ok:
		v, err := parse(platformFor(r, e.camera.Offer), p, payload, e.bright)
		j.settings = j.settings.With(bridge.Settings{r.setting: v})
		return err
	case r.motion != "":
		change, err := parseMotion(r, payload)
		j.motion = j.motion.Merge(change)
		return err
	case r.set != nil:
		return r.set(j, text)
	case !strings.EqualFold(text, "PRESS"):
		return bridge.Errorf(bridge.CodeInvalid, "%s takes PRESS", r.key)
	}
	j.action = r.action
	return nil
}

// operable reports whether a camera that can do what the offer says takes commands
// for the row.
func operable(r row[subject], o bridge.Offer) bool {
	_, ok := o.Property(r.setting)
	return ok || o.Can(r.action) || r.motion != "" || r.set != nil && r.action == ""
}

// takes lists the properties and actions of a camera by their names on MQTT.
func (c *Client) takes(o bridge.Offer) []string {
	var names []string
	for _, r := range c.rows {
		if operable(r, o) {
			names = append(names, r.key)
		}
	}
	return names
}

// enable, setInterval, turn and drive read the commands of rows that are no
// settings of the camera. Ranges of actions are left to the fleet.
func enable(j *job, text string) error {
	on, err := parseSwitch(text)
	if err != nil {
		return bridge.Errorf(bridge.CodeInvalid, "enabled takes ON or OFF")
	}
	j.enabled = &on
	return nil
}

func setInterval(j *job, text string) error {
	n, ok := parseWhole(text)
	d := time.Duration(n) * time.Second
	if !ok || d != 0 && (d < minPreview || d > maxInterval) {
		return bridge.Errorf(bridge.CodeInvalid, "snapshot_interval takes 0 or a whole number of seconds from %d to %d", int(minPreview.Seconds()), int(maxInterval.Seconds()))
	}
	j.interval = &d
	return nil
}

func turn(action string) func(*job, string) error {
	return func(j *job, text string) error {
		n, ok := parseWhole(text)
		if !ok {
			return bridge.Errorf(bridge.CodeInvalid, "%s takes a whole number of degrees", action)
		}
		j.action, j.args = action, map[string]any{"angle": n}
		return nil
	}
}

func drive(j *job, text string) error {
	args := map[string]any{}
	if err := json.Unmarshal([]byte(text), &args); err != nil || args == nil {
		return bridge.Errorf(bridge.CodeInvalid, `drive takes {"x": -1 to 1, "y": -1 to 1, "ttl_ms": 50 to %d}`, bridge.MaxTTL.Milliseconds())
	}
	j.action, j.args = "drive", args
	return nil
}

// laneOf is the queue that a job waits in. Privacy does not wait for a camera that
// is slow to answer.
func (e *entry) laneOf(j job) *lane {
	if j.enabled != nil {
		return &e.guard
	}
	return &e.lane
}

// dispatch begins the next job of a lane, when its last one is done and not too
// soon after it.
func (c *Client) dispatch(e *entry, l *lane) {
	id, now := e.camera.ID, c.deps.Clock.Now()
	if l.busy || len(l.queue) == 0 {
		return
	}
	if wait := l.next.Sub(now); wait > 0 {
		name := "lane/" + id
		if l == &e.guard {
			name = "guard/" + id
		}
		c.agenda.in(wait, name, func() { c.dispatch(e, l) })
		return
	}
	j := l.take(now)
	if l.again(j, now) {
		c.counts.ignored.Add(1)
		l.busy = false
		c.dispatch(e, l)
		return
	}
	ctx := c.ctx
	c.async(func() func() {
		r := c.execute(ctx, id, j)
		return func() { c.onResult(r) }
	})
}

// async runs work beside Run's goroutine, which then runs what work returned.
func (c *Client) async(work func() (then func())) {
	ctx := c.ctx
	c.wg.Go(func() {
		then := work()
		select {
		case c.results <- then:
		case <-ctx.Done():
		}
	})
}

// result is how a job ended.
type result struct {
	camera string
	job    job
	err    error
}

// execute asks the fleet. It runs in a goroutine of its own, one per camera.
func (c *Client) execute(ctx context.Context, id string, j job) result {
	ctx, cancel := context.WithTimeout(ctx, commandTimeout)
	defer cancel()
	var err error
	switch j.action {
	case "":
		err = c.apply(ctx, id, j)
	case "snapshot":
		before := c.deps.Pictures.Latest(id).Seq
		if err = c.deps.Fleet.Do(ctx, id, bridge.Action{Name: j.action}); err == nil {
			err = c.newer(ctx, id, before)
		}
	default:
		err = c.deps.Fleet.Do(ctx, id, bridge.Action{Name: j.action, Args: j.args})
	}
	return result{id, j, err}
}

// apply sets what is to be set.
func (c *Client) apply(ctx context.Context, id string, j job) (err error) {
	if j.enabled != nil {
		err = c.deps.Fleet.SetEnabled(id, *j.enabled)
	}
	if err == nil && len(j.motion) > 0 {
		_, err = c.deps.Fleet.SetMotion(id, j.motion)
	}
	if err == nil && len(j.settings) > 0 {
		_, err = c.deps.Fleet.Set(ctx, id, j.settings)
	}
	return err
}

// newer waits for a picture that is newer than the one before. An older one is
// better than none.
func (c *Client) newer(ctx context.Context, id string, before uint64) error {
	clock := c.deps.Clock
	for end := clock.Now().Add(pictureTime); clock.Now().Before(end); {
		if f := c.deps.Pictures.Latest(id); !f.IsZero() && f.Seq != before {
			return nil
		}
		select {
		case <-clock.After(50 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if c.deps.Pictures.Latest(id).IsZero() {
		return bridge.Errorf(bridge.CodeUnavailable, "%s has sent no picture yet", id)
	}
	return nil
}

func (c *Client) onResult(r result) {
	e := c.entries[r.camera]
	if e == nil {
		return // removed in the meantime
	}
	l := e.laneOf(r.job)
	l.busy = false
	if cam, err := c.deps.Fleet.Camera(r.camera); err == nil && cam.ID == r.camera {
		e = c.entry(cam)
	}
	if r.err == nil && r.job.interval != nil {
		r.err = c.setInterval(e, *r.job.interval)
	}
	switch {
	case r.err != nil:
		c.refuse(e, r.job, r.err)
	case r.job.action == "snapshot":
		c.putPicture(e, true)
	default:
		c.echo(e, r.job)
	}
	c.dispatch(e, l)
}
