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
	case m.retained:
		c.ignore("retained", "a retained MQTT command is ignored and cleared: whoever sends it must not set the retain flag", m)
		c.clear(m.topic)
		return
	case len(m.payload) == 0:
		c.counts.ignored.Add(1) // often the echo of a topic that was just cleared
		return
	case camera == "bridge":
		c.onBridgeCommand(property, m)
		return
	}
	cam, err := c.deps.Fleet.Camera(camera)
	if err != nil || cam.ID != camera {
		c.ignore("unknown", "an MQTT command is for a camera that is not known", m)
		return
	}
	c.counts.commands.Add(1)
	c.take(c.entry(cam), property, m)
}

func (c *Client) ignore(why, msg string, m incoming) {
	c.counts.ignored.Add(1)
	c.log.Limited(why, msg, "topic", shorten(m.topic))
}

func (c *Client) onBridgeCommand(property string, m incoming) {
	if property != "rediscover" || !strings.EqualFold(strings.TrimSpace(string(m.payload)), "PRESS") {
		c.ignore("bridge", "an MQTT command is not one that the bridge knows", m)
		return
	}
	c.counts.commands.Add(1)
	c.agenda.soon(0, "announce", c.announce)
}

// take reads the command and puts it into the camera's lane.
func (c *Client) take(e *entry, property string, m incoming) {
	j, err := c.read(e, property, m)
	if err == nil {
		err = e.lane.add(j)
	}
	if err != nil {
		c.refuse(e, j, err)
		return
	}
	c.dispatch(e)
}

// refuse tells why, and what holds instead.
func (c *Client) refuse(e *entry, j job, err error) {
	c.putError(e.camera.ID, j.property, j.text, bridge.CodeOf(err), err.Error())
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
		_, set := j.settings[r.setting]
		_, judged := j.motion[r.motion]
		switch {
		case !set && !judged && r.key != j.property:
		case r.setting != "":
			c.putSetting(e, r, true)
		case r.motion != "":
			c.putMotionSetting(e, r, true)
		}
	}
}

// read makes a job of a message. The job names the property even if there is an
// error.
func (c *Client) read(e *entry, property string, m incoming) (job, error) {
	j := job{property: property, text: strings.ToValidUTF8(string(m.payload), "?")}
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
			return j, bridge.Errorf(bridge.CodeInvalid, "%s is no setting: press it with PRESS on %s", property, c.topics.camera(e.camera.ID, property+"/set"))
		}
	}
	return j, nil
}

// add reads one property by the table.
func (c *Client) add(j *job, e *entry, property string, payload []byte) error {
	offer := e.camera.Offer
	for _, r := range c.rows {
		switch p, ok := offer.Property(r.setting); {
		case r.key != property:
		case r.motion != "":
			change, err := parseMotion(r, payload)
			if err == nil {
				j.motion = j.motion.Merge(change)
			}
			return err
		case ok:
			v, err := parse(r.platform, p, payload, e.bright)
			if err != nil {
				return err
			}
			if j.settings == nil {
				j.settings = bridge.Settings{}
			}
			j.settings[r.setting] = v
			return nil
		case offer.Can(r.action):
			if !strings.EqualFold(strings.TrimSpace(string(payload)), "PRESS") {
				return bridge.Errorf(bridge.CodeInvalid, "%s takes PRESS", property)
			}
			j.action = r.action
			return nil
		}
	}
	return bridge.Errorf(bridge.CodeUnsupported, "this camera has no %.64q; it takes %s", property, strings.Join(c.takes(offer), ", "))
}

// takes lists the properties and actions of a camera by their names on MQTT.
func (c *Client) takes(o bridge.Offer) []string {
	var names []string
	for _, r := range c.rows {
		if _, ok := o.Property(r.setting); ok || o.Can(r.action) || r.motion != "" {
			names = append(names, r.key)
		}
	}
	return names
}

// dispatch begins the camera's next job, when the last one is done and not too
// soon after it.
func (c *Client) dispatch(e *entry) {
	id := e.camera.ID
	if e.lane.busy || len(e.lane.queue) == 0 {
		return
	}
	if wait := e.lane.next.Sub(c.deps.Clock.Now()); wait > 0 {
		c.agenda.in(wait, "lane/"+id, func() { c.dispatch(e) })
		return
	}
	j := e.lane.take(c.deps.Clock.Now())
	if j.action != "" && e.lane.again(j.action, c.deps.Clock.Now()) {
		c.counts.ignored.Add(1)
		e.lane.busy = false
		c.dispatch(e)
		return
	}
	ctx := c.ctx
	c.wg.Go(func() {
		r := c.execute(ctx, id, j)
		select {
		case c.results <- r:
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
		if len(j.motion) > 0 {
			_, err = c.deps.Fleet.SetMotion(id, j.motion)
		}
		if err == nil && len(j.settings) > 0 {
			_, err = c.deps.Fleet.Set(ctx, id, j.settings)
		}
	case "snapshot":
		before := c.deps.Pictures.Latest(id).Seq
		if err = c.deps.Fleet.Do(ctx, id, bridge.Action{Name: j.action}); err == nil {
			err = c.newer(ctx, id, before)
		}
	default:
		err = c.deps.Fleet.Do(ctx, id, bridge.Action{Name: j.action})
	}
	return result{id, j, err}
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
	e.lane.busy = false
	if cam, err := c.deps.Fleet.Camera(r.camera); err == nil && cam.ID == r.camera {
		e = c.entry(cam)
	}
	switch {
	case r.err != nil:
		c.refuse(e, r.job, r.err)
	case r.job.action == "snapshot":
		c.putPicture(e, true)
	default:
		c.echo(e, r.job)
	}
	c.dispatch(e)
}

const (
	// maxJobs is how many commands may wait for one camera; more are refused.
	maxJobs = 16
	// laneGap is the time between two commands of one camera.
	laneGap = 50 * time.Millisecond
)

// job is one command.
type job struct {
	property string // as in the topic; empty for many
	text     string // as it came, for errors
	settings bridge.Settings
	motion   bridge.MotionChange
	action   string
}

// about names what the job sets.
func (j job) about() []string { return append(j.settings.Names(), sortedKeys(j.motion)...) }

// lane is a camera's queue of commands: one at a time, in order, but a newer
// value of the same settings takes the place of an older one that still waits,
// as a slider sends many.
type lane struct {
	queue   []job
	busy    bool
	next    time.Time            // not before
	pressed map[string]time.Time // by action
}

func (l *lane) add(j job) error {
	for i, old := range l.queue {
		if j.action == "" && old.action == "" && slices.Equal(old.about(), j.about()) {
			l.queue[i] = j
			return nil
		}
	}
	if len(l.queue) >= maxJobs {
		return bridge.Errorf(bridge.CodeRateLimited, "%d commands already wait for this camera: send fewer", maxJobs)
	}
	l.queue = append(l.queue, j)
	return nil
}

func (l *lane) take(now time.Time) job {
	j := l.queue[0]
	l.queue = l.queue[1:]
	l.busy, l.next = true, now.Add(laneGap)
	return j
}

// again reports whether an action was pressed a moment ago, and notes the press.
func (l *lane) again(action string, now time.Time) bool {
	last, pressed := l.pressed[action]
	if l.pressed == nil {
		l.pressed = map[string]time.Time{}
	}
	l.pressed[action] = now
	return pressed && now.Sub(last) < pressAgain
}
