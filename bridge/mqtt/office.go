package mqtt

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge"
)

// What the bridge itself is told: on <base>/bridge/<property>/set like a camera,
// with errors on <base>/bridge/error, and as a request on
// <base>/bridge/request/<action>, a JSON object that is answered on
// <base>/bridge/response/<action> with {"status", "data", "error", "transaction"}.
//
//	rename       {"camera", "name"}
//	remove       {"camera"}
//	permit_join  {"value": true, "time": seconds}
//	rediscover   {} or {"camera"}: one that was removed in Home Assistant comes back
//	log_level    {"value": "debug"}
//	restart      {}
//	adopt        {"camera"}

const (
	// permitTime is how long unknown cameras may come in after the switch was put
	// on; a request may ask for up to permitMax.
	permitTime = 5 * time.Minute
	permitMax  = 15 * time.Minute
	// restartDelay lets the answer leave before the end begins.
	restartDelay = 300 * time.Millisecond
)

// errand is something for the fleet that may wait for the disk.
type errand struct {
	do   func() error
	then func(error)
}

// ask lets the fleet do one thing after the other, and runs then afterwards.
func (c *Client) ask(do func() error, then func(error)) {
	c.errands = append(c.errands, errand{do, then})
	if len(c.errands) == 1 {
		c.nextErrand()
	}
}

func (c *Client) nextErrand() {
	e := c.errands[0]
	c.async(func() func() {
		err := e.do()
		return func() {
			e.then(err)
			if c.errands = c.errands[1:]; len(c.errands) > 0 {
				c.nextErrand()
			}
		}
	})
}

// onBridgeCommand carries out what is set of the bridge, and publishes its state
// again either way.
func (c *Client) onBridgeCommand(property string, m incoming) {
	if m.retained {
		c.clear(m.topic)
		c.ignore("retained", retainedWords, m)
	} else {
		c.counts.commands.Add(1)
	}
	if err := c.control(property, m); err != nil {
		c.complain(fault{"bridge", property, m.text(), bridge.CodeOf(err), err.Error()})
	}
	c.putOwn(true)
}

// control reads and does one command of the bridge.
func (c *Client) control(property string, m incoming) error {
	text := strings.TrimSpace(m.text())
	known := slices.ContainsFunc(bridgeRows, func(r row[overview]) bool { return r.key == property && (r.state != nil || r.action != "") })
	pressed := strings.EqualFold(text, "PRESS")
	switch {
	case m.retained:
		return bridge.Errorf(bridge.CodeInvalid, retainedWords)
	case m.long:
		return bridge.Errorf(bridge.CodeTooLarge, "a command has at most %d bytes", maxCommand)
	case !known:
		return bridge.Errorf(bridge.CodeUnsupported, "the bridge has no %.64q; it takes permit_join, log_level, rediscover, restart", property)
	case property == "permit_join":
		on, err := parseSwitch(text)
		if err != nil {
			return bridge.Errorf(bridge.CodeInvalid, "permit_join takes ON or OFF")
		}
		c.permit(on, permitTime)
		return nil
	case property == "log_level":
		return c.setLevel(text)
	case !pressed:
		return bridge.Errorf(bridge.CodeInvalid, "%s takes PRESS", property)
	case property == "restart":
		return c.restart()
	}
	return c.rediscover("")
}

// permit lets unknown cameras come in for a while. The fleet ends it by itself.
func (c *Client) permit(on bool, d time.Duration) {
	if !on {
		d = 0
	}
	c.deps.Fleet.PermitJoin(d)
	c.agenda.in(d, "permit", func() { c.putOwn(false) })
}

// levels are the levels of the log, in words.
func levels() []string { return []string{"debug", "info", "warn", "error"} }

func (c *Client) setLevel(text string) error {
	var l slog.Level
	switch {
	case c.deps.LogLevel == nil:
		return bridge.Errorf(bridge.CodeUnsupported, "this bridge's log level cannot be changed while it runs")
	case !slices.Contains(levels(), text) || l.UnmarshalText([]byte(text)) != nil:
		return bridge.Errorf(bridge.CodeInvalid, "log_level takes %s", strings.Join(levels(), ", "))
	}
	c.deps.LogLevel.Set(l)
	return nil
}

// restart ends the program, where somebody starts it again.
func (c *Client) restart() error {
	if c.deps.Restart == nil {
		return bridge.Errorf(bridge.CodeUnsupported, "nobody would start the bridge again: it restarts only under a supervisor such as systemd, a container or the Home Assistant app")
	}
	c.agenda.soon(restartDelay, "restart", c.deps.Restart)
	return nil
}

// rediscover announces everything again, with the cameras that were removed in
// Home Assistant; or only one of these.
func (c *Client) rediscover(camera string) error {
	if camera != "" {
		if cam, err := c.deps.Fleet.Camera(camera); err != nil || cam.ID != camera {
			return bridge.Errorf(bridge.CodeNotFound, "there is no camera %.64q", camera)
		}
	}
	for _, cam := range c.deps.Fleet.Cameras() {
		if cam.Hidden && (camera == "" || camera == cam.ID) {
			id := cam.ID
			c.ask(func() error { return c.deps.Fleet.SetHidden(id, false) }, func(err error) {
				if err != nil {
					c.complain(fault{id, "", "", bridge.CodeOf(err), err.Error()})
				}
			})
		}
	}
	c.agenda.soon(0, "announce", c.announce)
	return nil
}

// request is what one may say.
type request struct {
	Camera      string          `json:"camera"`
	Name        string          `json:"name"`
	Value       any             `json:"value"`
	Time        *float64        `json:"time"` // seconds
	Transaction json.RawMessage `json:"transaction"`
}

// onRequest answers a request, perhaps after a while.
func (c *Client) onRequest(m incoming) {
	action := strings.TrimPrefix(m.topic, c.topics.bridge("request/"))
	if len(m.payload) == 0 {
		c.counts.ignored.Add(1)
		return
	}
	if m.retained {
		c.clear(m.topic)
		c.ignore("retained", retainedWords, m)
		return
	}
	c.counts.commands.Add(1)
	q, err := readRequest(m)
	answer := func(err error) { c.respond(action, q, err) }
	switch {
	case err != nil:
	case len(c.errands) >= maxJobs:
		err = bridge.Errorf(bridge.CodeRateLimited, "%d requests already wait: send fewer", maxJobs)
	case action == "rename":
		c.ask(func() error { return c.deps.Fleet.Rename(q.Camera, q.Name) }, answer)
		return
	case action == "remove":
		c.ask(func() error { return c.deps.Fleet.Remove(q.Camera) }, answer)
		return
	default:
		err = c.grant(action, q)
		c.putOwn(false)
	}
	answer(err)
}

func readRequest(m incoming) (q request, err error) {
	if m.long {
		return q, bridge.Errorf(bridge.CodeTooLarge, "a request has at most %d bytes", maxCommand)
	}
	d := json.NewDecoder(bytes.NewReader(m.payload))
	d.DisallowUnknownFields()
	if err := d.Decode(&q); err != nil || m.payload[0] != '{' {
		return q, bridge.Errorf(bridge.CodeInvalid, `a request must be a JSON object of camera, name, value, time and transaction, such as {"camera": "porch"}`)
	}
	return q, nil
}

// grant does what is done at once.
func (c *Client) grant(action string, q request) error {
	switch action {
	case "rediscover":
		return c.rediscover(q.Camera)
	case "restart":
		return c.restart()
	case "log_level":
		level, _ := q.Value.(string)
		return c.setLevel(level)
	case "permit_join":
		on, ok := q.Value.(bool)
		s := permitTime.Seconds()
		if q.Time != nil {
			s = *q.Time
		}
		if !ok || s < 1 || s > permitMax.Seconds() {
			return bridge.Errorf(bridge.CodeInvalid, `permit_join takes {"value": true or false, "time": 1 to %d}`, int(permitMax.Seconds()))
		}
		c.permit(on, time.Duration(s*float64(time.Second)))
		return nil
	case "adopt":
		return bridge.Errorf(bridge.CodeNotFound, "no camera waits to be adopted: those with a key of their own come in while permit_join is on")
	}
	return bridge.Errorf(bridge.CodeNotFound, "there is no request %.64q: use rename, remove, permit_join, rediscover, log_level, restart, adopt", action)
}

// respond answers a request.
func (c *Client) respond(action string, q request, err error) {
	out := map[string]any{"status": "ok", "data": q.data()}
	if err != nil {
		out = map[string]any{"status": "error", "data": map[string]any{}, "error": err.Error(), "code": bridge.CodeOf(err)}
	}
	if q.Transaction != nil {
		out["transaction"] = q.Transaction
	}
	c.out.event(message{topic: c.topics.bridge("response/" + action), qos: 1, payload: encode(out)})
}

// data repeats what was asked for.
func (q request) data() map[string]any {
	out := map[string]any{}
	for name, v := range map[string]any{"camera": q.Camera, "name": q.Name, "value": q.Value} {
		if v != "" && v != nil {
			out[name] = v
		}
	}
	return out
}
