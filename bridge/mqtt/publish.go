package mqtt

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/espcam-bridge/espcam-bridge/bridge"
)

// encode is JSON with sorted keys and without HTML escapes: the same value always
// gives the same bytes, which is how Home Assistant and the outbox see that
// nothing changed.
func encode(v any) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic("mqtt: " + err.Error()) // only for values that the tables of this package never hold
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

func (c *Client) putRetained(topic string, payload []byte, qos byte, force bool) {
	c.out.state(message{topic: topic, payload: payload, qos: qos, retain: true}, force)
}

// putStates publishes the value of every setting, the figures and the facts.
func (c *Client) putStates(e *entry) {
	cam := e.camera
	for _, r := range c.rows {
		if r.setting != "" {
			c.putSetting(e, r, false)
		}
	}
	c.putMotion(e)
	c.putTelemetry(e)
	c.putRetained(c.topics.camera(cam.ID, "info"), encode(c.facts(cam)), 1, false)
}

// putSetting publishes one setting, if the camera has it.
func (c *Client) putSetting(e *entry, r row[subject], force bool) {
	p, ok := e.camera.Offer.Property(r.setting)
	if !ok {
		return
	}
	v, known := e.camera.Setting(r.setting)
	if !known && r.setting == "fps" { // then the bridge's limit holds
		v, known = p.Max, true
	}
	c.putRetained(c.topics.camera(e.camera.ID, r.key), show(r.platform, p, v, known), 1, force)
}

// putTelemetry publishes the figures: once a minute, and at once when something
// changed that does not change all the time.
func (c *Client) putTelemetry(e *entry) {
	s := subject{e.camera, e.booted}
	now := string(encode(steadyFigures(cameraRows, "telemetry", s))) + string(e.camera.State)
	if now == e.steadily {
		return
	}
	e.steadily = now
	c.putRetained(c.topics.camera(e.camera.ID, "telemetry"), encode(figures(cameraRows, "telemetry", s)), 0, false)
}

// facts are T/info.
func (c *Client) facts(cam bridge.Camera) map[string]any {
	path := "/live/" + c.cfg.App + "/" + cam.ID
	return map[string]any{
		"name": cam.Name, "room": cam.Room, "dialect": cam.Dialect,
		"model": cam.Device.Board, "sensor": cam.Device.Sensor, "firmware": cam.Device.Firmware, "mac": cam.Device.MAC,
		"capabilities": cam.Offer, "stream": path + "/mjpeg", "snapshot": path + "/frame.jpg",
	}
}

func (c *Client) putAvailability(e *entry) {
	state := "offline"
	if e.camera.State == bridge.Online {
		state = "online"
	}
	c.putRetained(c.topics.camera(e.camera.ID, "availability"), []byte(state), 1, false)
}

// putPicture sends the newest picture, unless it was sent before. A camera that
// is switched off gets its placeholder, never a picture.
func (c *Client) putPicture(e *entry, again bool) {
	cam := e.camera
	topic := c.topics.camera(cam.ID, "image")
	if !cam.Enabled {
		e.cover = false
		if c.deps.Placeholder != nil {
			c.out.image(message{topic: topic, payload: c.deps.Placeholder(cam)})
		}
		return
	}
	f := c.deps.Pictures.Latest(cam.ID)
	if f.IsZero() || cam.State != bridge.Online || f.Seq == e.picture && !again {
		return
	}
	if c.out.image(message{topic: topic, payload: f.JPEG()}) {
		e.picture = f.Seq
	}
}

// putError tells that a command failed. It is not retained: who was not there
// did not ask.
func (c *Client) putError(camera, property, value string, code bridge.Code, reason string) {
	c.out.event(message{topic: c.topics.camera(camera, "error"), qos: 1, payload: encode(map[string]any{
		"property": property, "value": shorten(value), "reason": reason, "code": code,
		"time": c.deps.Clock.Now().UTC().Format(time.RFC3339),
	})})
}

// shorten makes what somebody sent fit for a message.
func shorten(s string) string {
	const limit = 256
	for i, n := 0, 0; i < len(s); n++ {
		if n == limit {
			return s[:i] + "..."
		}
		_, size := utf8.DecodeRuneInString(s[i:])
		i += size
	}
	return s
}

// putInfo publishes what the bridge is. Others on the same base topic read
// instance and run (rival.go).
func (c *Client) putInfo(force bool) {
	info := figures(bridgeRows, "info", c.overview())
	info["name"], info["instance"], info["run"] = c.self.Name, c.self.Instance, c.self.Run
	c.putRetained(c.topics.bridge("info"), encode(info), 1, force)
}

// putBridgeStats publishes the bridge's figures: once a minute, and at once when
// the number of cameras changed.
func (c *Client) putBridgeStats(due bool) {
	o := c.overview()
	if !due && o.online == c.told.online && o.total == c.told.total {
		return
	}
	c.told = o
	c.putRetained(c.topics.bridge("stats"), encode(figures(bridgeRows, "stats", o)), 0, false)
}

func (c *Client) overview() overview {
	o := overview{version: c.cfg.Version, started: c.started}
	for _, e := range c.entries {
		if e.camera.State == bridge.Pending {
			continue
		}
		o.total++
		o.viewers += e.camera.Stats.Viewers
		if e.camera.State == bridge.Online {
			o.online++
		}
	}
	return o
}

func (c *Client) putOnline(force bool) {
	if c.live {
		c.putRetained(c.topics.bridge("state"), []byte("online"), 1, force)
	}
}
