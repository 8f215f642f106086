package hatest_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"syscall"
	"time"
)

// all cameras of the house.
var all = []string{"gate", "porch", "yard"}

// bound is how long Home Assistant's picture may be wrong after a restart.
const bound = 10 * time.Second

// view is all that Home Assistant shows of us, by unique id, less what changes by
// itself.
type view map[string]string

// lasting are the platforms whose states stay over restarts.
var lasting = []string{"binary_sensor", "light", "number", "select", "switch", "text", "update"}

func (h *house) view() view {
	h.Helper()
	v := view{}
	for _, e := range h.ha.ours(h, "espcam_") {
		switch {
		case e.domain() == "text" && e.known && e.State == "":
			v[e.Unique] = "an empty text"
		case slices.Contains(lasting, e.domain()):
			v[e.Unique] = e.State
		case e.State == "unavailable":
			v[e.Unique] = "unavailable"
		case e.domain() == "sensor" && e.State == "unknown" && !silent(e.Unique):
			v[e.Unique] = "unknown"
		default:
			v[e.Unique] = "there"
		}
	}
	return v
}

// silent reports whether the entity has nothing to say as long as nothing happened:
// where a servo stands is not known before it was moved.
func silent(unique string) bool {
	return slices.ContainsFunc([]string{"_last_motion", "_last_error", "_pan", "_tilt"}, func(key string) bool { return strings.HasSuffix(unique, key) })
}

// without is what must be seen while cameras are away.
func (v view) without(cameras ...string) view {
	v = maps.Clone(v)
	for unique := range v {
		for _, c := range cameras {
			switch {
			case unique == "espcam_"+c+"_connection":
				v[unique] = "off"
			case unique == "espcam_"+c+"_enabled": // privacy can be switched on for one who is away
			case strings.HasPrefix(unique, "espcam_"+c+"_"):
				v[unique] = "unavailable"
			}
		}
	}
	return v
}

// differs lists what is otherwise in the other view, a few of it.
func (v view) differs(o view) (out []string) {
	for _, unique := range slices.Sorted(maps.Keys(v)) {
		if o[unique] != v[unique] {
			out = append(out, fmt.Sprintf("%s is %q instead of %q", unique, o[unique], v[unique]))
		}
	}
	for _, unique := range slices.Sorted(maps.Keys(o)) {
		if _, ok := v[unique]; !ok {
			out = append(out, unique+" is a ghost")
		}
	}
	return out[:min(12, len(out))]
}

// becomes waits until Home Assistant shows that, and a picture of each camera named
// that was sent since then; that is when the time begins to run.
func (h *house) becomes(want view, since time.Time, fresh ...string) {
	h.Helper()
	var wrong, last []string
	_, ok := within(patience, func() bool {
		if wrong = want.differs(h.view()); len(wrong) == 0 {
			wrong = h.stale(fresh, since)
		}
		if len(wrong) > 0 {
			last = wrong
		}
		return len(wrong) == 0
	})
	took := time.Since(since)
	if !ok {
		h.Errorf("never right: %s", strings.Join(wrong, "; "))
	} else if h.figure("right after %.1f s", took.Seconds()); took > bound {
		h.Errorf("it took %v until Home Assistant's picture was right; the last that was wrong: %s; heard since: %s", took, strings.Join(last, "; "), h.mqtt.story(since))
	}
	h.noGhosts()
}

// stale lists the cameras that Home Assistant shows no picture of that was sent since
// then.
func (h *house) stale(cameras []string, since time.Time) (out []string) {
	for _, name := range cameras {
		if !h.fresh(name, since) {
			out = append(out, name+" has no fresh picture")
		}
	}
	return out
}

// noGhosts checks that there are no devices but ours.
func (h *house) noGhosts() {
	h.Helper()
	for _, d := range h.ha.devices(h) {
		if id := fmt.Sprint(d["identifiers"]); !slices.ContainsFunc(devices, func(own string) bool { return id == "[[mqtt "+own+"]]" }) {
			h.Errorf("a ghost: %s, called %v", id, d["name"])
		}
	}
}

// whole waits until nothing is missing.
func (h *house) whole(what string, look func() view) {
	h.Helper()
	var missing []string
	if _, ok := within(patience, func() bool { missing = look().missing(); return len(missing) == 0 }); !ok {
		h.Fatalf("never: %s: %s", what, strings.Join(missing, "; "))
	}
}

// steady is the view before a part begins.
func (h *house) steady() (v view) {
	h.Helper()
	h.whole("all is well", func() view { v = h.view(); return v })
	eventually(h, "nothing moves", func() bool { v = h.view(); return v["espcam_porch_motion"] != "on" })
	return v
}

// missing lists what has no state.
func (v view) missing() (out []string) {
	for _, unique := range slices.Sorted(maps.Keys(v)) {
		if s := v[unique]; s == "" || s == "unavailable" || s == "unknown" && !silent(unique) {
			out = append(out, fmt.Sprintf("%s is %q", unique, s))
		}
	}
	return out
}

// set changes a setting through the bridge.
func (h *house) set(camera string, settings object) {
	h.Helper()
	h.api.call(h, "PATCH", "/api/v1/cameras/"+camera, object{"settings": settings})
}

// homeAssistantRestarts: what was enabled meanwhile lives afterwards.
func (h *house) homeAssistantRestarts() {
	before := h.atFirst()
	h.ha.enable(h, h.ha.ours(h, "espcam_"))
	h.ha.stop(h)
	h.set("gate", object{"quality": 23})
	since := h.ha.start(h)
	var want view
	h.whole("what was enabled since is there", func() view { want = h.view(); return want })
	maps.Copy(want, before)
	want["espcam_gate_jpeg_quality"] = "23"
	h.becomes(want, since, all...)
}

// brokerLines are what Home Assistant says when its broker goes.
var brokerLines = []string{
	"Disconnected from MQTT server", "Error returned from MQTT server", "Failed to connect to MQTT server",
	"_async_resubscribe_and_publish_birth_message", // it died while it was told so
	"failed to receive on socket",
}

// reconnected waits until Home Assistant has noticed that the broker went, and is
// with it again. It returns when that was.
func (h *house) reconnected(gone time.Time, back func()) (since time.Time) {
	h.Helper()
	id := h.id("bridge", "connection")
	eventually(h, "Home Assistant misses the broker", func() bool { return h.ha.state(id).State == "unavailable" })
	back()
	h.listens()
	eventually(h, "Home Assistant is with the broker again", func() bool { return h.ha.state(id).State != "unavailable" })
	changes := h.ha.since(gone, id)
	for i, c := range changes {
		if i > 0 && changes[i-1].State == "unavailable" {
			since = c.at
		}
	}
	return since
}

func (h *house) brokerRestarts() { h.brokerEnds(syscall.SIGTERM) }

// brokerForgets: killed, Mosquitto loses what it did not save.
func (h *house) brokerForgets() { h.brokerEnds(syscall.SIGKILL) }

func (h *house) brokerEnds(sig syscall.Signal) {
	h.expected = brokerLines
	want, gone := h.steady(), time.Now()
	h.broker.end(h, sig)
	since := h.reconnected(gone, func() {
		h.set("gate", object{"quality": 31})
		h.broker.start(h)
	})
	want["espcam_gate_jpeg_quality"] = "31"
	h.becomes(want, since, all...)
}

func (h *house) bridgeRestarts() {
	want := h.steady()
	h.bridge.end(h, syscall.SIGTERM)
	eventually(h, "the bridge is missed", func() bool { return h.ha.state(h.id("bridge", "connection")).State == "off" })
	for _, e := range h.ha.ours(h, "espcam_") {
		if e.short() != "connection" && e.State != "unavailable" {
			h.Errorf("while the bridge is away, %s is %s", e.Unique, e.State)
		}
	}
	h.startBridge()
	h.becomes(want, time.Now(), all...)
}

// bridgeIsKilled while something moves: nobody tells the end.
func (h *house) bridgeIsKilled() {
	want := h.steady()
	h.pir(true)
	eventually(h, "motion is on", func() bool { return h.ha.state(h.id("porch", "motion")).State == "on" })
	h.bridge.end(h, syscall.SIGKILL)
	eventually(h, "the bridge is missed", func() bool { return h.ha.state(h.id("bridge", "connection")).State == "off" })
	h.startBridge()
	h.becomes(want, time.Now(), all...)
}

func (h *house) cameraGoesAndComes() {
	want := h.steady()
	h.unplug("gate")
	h.becomes(want.without("gate"), time.Now())
	h.plug("gate", h.kinds["gate"])
	h.becomes(want, time.Now(), "gate")
}

func (h *house) killedWhileAway() {
	want := h.steady()
	h.ha.stop(h)
	h.bridge.end(h, syscall.SIGKILL)
	h.unplug("gate")
	h.startBridge()
	h.becomes(want.without("gate"), h.ha.start(h), "porch", "yard")
	h.plug("gate", h.kinds["gate"])
	h.becomes(want, time.Now(), "gate")
}

// powerFails: everything ends at once, and comes back in the worst order.
func (h *house) powerFails() {
	h.expected = brokerLines
	want := h.steady()
	h.broker.end(h, syscall.SIGKILL)
	h.bridge.end(h, syscall.SIGKILL)
	h.ha.socket.close()
	h.ha.socket = nil
	h.ha.process.end(h, syscall.SIGKILL)
	h.bridge.start(h)
	h.ha.process.start(h)
	h.ha.answers(h)
	h.broker.start(h)
	h.listens()
	h.ha.running(h)
	id := h.id("bridge", "connection")
	eventually(h, "Home Assistant is with the broker", func() bool {
		s := h.ha.state(id).State
		return s != "" && s != "unavailable"
	})
	h.becomes(want, time.Now(), all...)
}
