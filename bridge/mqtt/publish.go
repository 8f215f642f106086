package mqtt

import (
	"bytes"
	"encoding/json"
	"maps"
	"runtime/metrics"
	"slices"
	"time"

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
		c.putValue(e, r, false)
	}
	c.putMotion(e)
	c.putTelemetry(e)
	c.putFirmware(e)
	c.putRetained(c.topics.camera(cam.ID, "info"), encode(c.facts(cam)), 1, false)
}

// putValue publishes the value of a row that has a topic of its own, if the camera
// has it. Motion's settings are published with what is seen (putMotion).
func (c *Client) putValue(e *entry, r row[subject], force bool) {
	switch {
	case r.setting != "":
		c.putSetting(e, r, force)
	case r.state != nil && offered(r, e):
		c.putRetained(c.topics.camera(e.camera.ID, r.key), []byte(r.state(e.subject())), 1, force)
	}
}

// putFirmware publishes which firmware the camera has. There is no newer one to
// give it, so that is also the newest.
func (c *Client) putFirmware(e *entry) {
	if v := clean(e.camera.Device.Firmware); v != "" {
		c.putRetained(c.topics.camera(e.camera.ID, "update"), encode(versions(v, v)), 1, false)
	}
}

// versions are what an update entity reads.
func versions(installed, latest string) map[string]any {
	return map[string]any{"installed_version": installed, "latest_version": latest}
}

// putSetting publishes one setting, if the camera has it.
func (c *Client) putSetting(e *entry, r row[subject], force bool) {
	p, ok := e.camera.Offer.Property(r.setting)
	platform := platformFor(r, e.camera.Offer)
	if was := e.parts[r.key]; !ok || was != "" && was != platform {
		return // the entity of the other platform could not read it; slim comes back to it
	}
	v, known := e.camera.Setting(r.setting)
	if !known && r.setting == "fps" { // then the bridge's limit holds
		v, known = p.Max, true
	}
	c.putRetained(c.topics.camera(e.camera.ID, r.key), show(platform, p, v, known), 1, force)
}

// putTelemetry publishes the figures: once a minute, and at once when something
// changed that does not change all the time.
func (c *Client) putTelemetry(e *entry) {
	s := e.subject()
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

// fault is why something failed, for T/error and for the bridge's last error.
type fault struct {
	camera   string // "bridge" for its own
	property string // as in the topic
	value    string // as it came
	code     bridge.Code
	reason   string
}

// complain tells that a command failed: who sent it, and the page.
func (c *Client) complain(f fault) {
	c.putError(f)
	n := bridge.Notice{Camera: f.camera, Code: f.code, Message: f.reason, Property: f.property, Value: shorten(f.value), Told: true}
	if n.Camera == "bridge" {
		n.Camera = ""
	}
	c.deps.Fleet.Tell(n)
}

// putError tells that a command failed, or that something is wrong. It is not
// retained: who was not there did not ask. The newest one of all is, for those who
// look later.
func (c *Client) putError(f fault) {
	at := c.deps.Clock.Now().UTC().Format(time.RFC3339)
	c.out.event(message{topic: c.topics.camera(f.camera, "error"), qos: 1, payload: encode(map[string]any{
		"property": f.property, "value": shorten(f.value), "reason": f.reason, "code": f.code, "time": at,
	})})
	c.putRetained(c.topics.bridge("last_error"), encode(map[string]any{
		"message": cut(f.reason, maxState), "camera": f.camera, "property": f.property, "code": f.code, "time": at,
	}), 1, false)
}

// maxState is the longest state that Home Assistant takes, in characters.
const maxState = 255

// cut is s with at most that many characters.
func cut(s string, limit int) string {
	r := []rune(s)
	if len(r) <= limit {
		return s
	}
	return string(r[:limit-3]) + "..."
}

// shorten makes what somebody sent fit for a message.
func shorten(s string) string { return cut(s, 256) }

// putInfo publishes what the bridge is. Others on the same base topic read
// instance and run (rival.go).
func (c *Client) putInfo(force bool) {
	info := figures(bridgeRows, "info", c.overview())
	info["name"], info["instance"], info["run"] = c.self.Name, c.self.Instance, c.self.Run
	c.putRetained(c.topics.bridge("info"), encode(info), 1, force)
}

// putBridgeStats publishes the bridge's figures: once a minute, and at once when
// the number of cameras or of plugins that run changed.
func (c *Client) putBridgeStats(due bool) {
	o := c.overview()
	if !due && o.online == c.told.online && o.total == c.told.total && o.plugins == c.told.plugins {
		return
	}
	c.told = o
	c.putRetained(c.topics.bridge("stats"), encode(figures(bridgeRows, "stats", o)), 0, false)
}

func (c *Client) overview() overview {
	o := overview{version: c.cfg.Version, started: c.started, permit: c.deps.Fleet.Permitted() > 0, supervised: c.deps.Restart != nil}
	if l := c.deps.LogLevel; l != nil {
		o.adjustable, o.level = true, bridge.LevelName(l.Level())
	}
	o.memory, o.goroutines = resources()
	o.plugged, o.plugins = c.deps.Plugins != nil, c.running()
	for _, e := range c.entries {
		if e.camera.State == bridge.Pending {
			continue
		}
		o.total++
		o.viewers += e.camera.Stats.Viewers
		o.bytes += e.camera.Stats.BytesPerSecond
		if e.camera.State == bridge.Online {
			o.online++
		}
	}
	return o
}

// resources are what the program uses now: the memory that it has from the system,
// in bytes, and goroutines.
func resources() (memory uint64, goroutines int) {
	s := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}, {Name: "/sched/goroutines:goroutines"}}
	metrics.Read(s)
	return s[0].Value.Uint64() - s[1].Value.Uint64(), int(s[2].Value.Uint64())
}

// putOwn publishes what can be set of the bridge itself, and its version.
func (c *Client) putOwn(force bool) {
	o := c.overview()
	for _, r := range c.ownRows() {
		if r.state != nil {
			c.putRetained(c.topics.bridge(r.key), []byte(r.state(o)), 1, force)
		}
	}
	c.putRetained(c.topics.bridge("update"), encode(versions(c.cfg.Version, c.cfg.Version)), 1, false)
}

func (c *Client) putOnline(force bool) {
	if c.live {
		c.putRetained(c.topics.bridge("state"), []byte("online"), 1, force)
	}
}
