package hatest_test

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge"
	"github.com/espcam-bridge/espcam-bridge/bridge/fakecam"
	"github.com/espcam-bridge/espcam-bridge/bridge/wire"
)

// id is the entity id of a key of a device, such as ("porch", "flash").
func (h *house) id(camera, key string) string {
	if id := h.ids["espcam_"+camera+"_"+key]; id != "" {
		return id
	}
	h.ids = map[string]string{}
	for _, e := range h.ha.ours(h, "espcam_") {
		h.ids[e.Unique] = e.ID
	}
	return h.ids["espcam_"+camera+"_"+key]
}

// operate calls a service of an entity.
func (h *house) operate(camera, key, service string, data object) {
	h.Helper()
	h.ha.service(h, service, h.id(camera, key), data)
}

// order is a service call, and what must come of it.
type order struct {
	device, key, service string
	data                 object
	state                string // in Home Assistant
	value                any    // in the camera
}

// commands operates every entity of the camera that can be: each order reaches the
// camera, whose answer is Home Assistant's state within 2 s.
func (h *house) commands() {
	var took []time.Duration
	for range 3 {
		for _, e := range h.operable() {
			for _, o := range orders(e) {
				if d := h.obeys(o); d > 0 {
					took = append(took, d)
				}
			}
		}
	}
	slices.Sort(took)
	p50, p99 := took[len(took)/2], took[len(took)*99/100]
	h.figure("service call to state: %d calls, p50 %.1f ms, p99 %.1f ms, at most %.1f ms", len(took), ms(p50), ms(p99), ms(took[len(took)-1]))
	if p99 > 200*time.Millisecond {
		h.Errorf("p99 from a service call to the state is %v", p99)
	}
	h.buttons()
	h.privacy()
}

// operable are the entities of the camera with everything, and of the bridge, that
// their documents give a topic for commands.
func (h *house) operable() (out []entity) {
	h.Helper()
	for _, d := range []string{"espcam_porch", "espcam_bridge"} {
		parts, _ := h.mqtt.document(d)["components"].(object)
		for _, e := range h.ha.ours(h, d+"_") {
			if at(parts, e.short(), "command_topic") != nil {
				out = append(out, e)
			}
		}
	}
	return out
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// orders are what one can do with an entity.
func orders(e entity) (out []order) {
	device, key, _ := strings.Cut(strings.TrimPrefix(e.Unique, "espcam_"), "_")
	add := func(service string, data object, state string, value any) {
		out = append(out, order{device, key, service, data, state, value})
	}
	switch e.domain() {
	case "switch":
		if key == "enabled" {
			return nil // see privacy
		}
		add("switch.turn_off", nil, "off", false)
		add("switch.turn_on", nil, "on", true)
		add("switch.turn_off", nil, "off", false)
		add("switch.toggle", nil, "on", true)
	case "number":
		lo, hi := e.Attributes["min"].(float64), e.Attributes["max"].(float64)
		for _, v := range []int{int(lo), int(hi), int(lo+hi) / 2} {
			add("number.set_value", object{"value": v}, strconv.Itoa(v), v)
		}
	case "select":
		options, _ := e.Attributes["options"].([]any)
		for _, o := range append(slices.Clone(options[1:min(4, len(options))]), options[0]) {
			add("select.select_option", object{"option": o}, text(o), o)
		}
	case "text":
		for _, v := range []string{"Hello", "Grüße {{ 1 }}", ""} {
			add("text.set_value", object{"value": v}, v, v)
		}
	case "light":
		add("light.turn_on", object{"brightness": 128}, "on", 128)
		add("light.turn_off", nil, "off", 0)
		add("light.turn_on", nil, "on", 128)
		add("light.turn_off", nil, "off", 0)
	}
	return out
}

// is reports whether the state is what the order wants. Home Assistant writes a
// negative number as -2.0.
func (o order) is(s state) bool {
	brightness := o.key != "flash" || o.state == "off" || fmt.Sprint(s.Attributes["brightness"]) == fmt.Sprint(o.value)
	return strings.TrimSuffix(s.State, ".0") == o.state && brightness
}

// obeys calls the service, and returns how long the state took; 0 if it was so
// before.
func (h *house) obeys(o order) time.Duration {
	h.Helper()
	id := h.id(o.device, o.key)
	same := o.is(h.ha.state(id))
	began := time.Now()
	h.ha.service(h, o.service, id, o.data)
	words := fmt.Sprint(o.service, " ", o.key, " ", o.data)
	wait := eventually(h, words+" reaches the camera", func() bool { return h.inCamera(o) })
	var took time.Duration
	wait += eventually(h, words+" comes back as "+o.state, func() bool {
		if changes := h.ha.since(began, id); len(changes) > 0 && o.is(changes[len(changes)-1].state) {
			took = changes[len(changes)-1].at.Sub(began)
		}
		return o.is(h.ha.state(id))
	})
	if wait > 2*time.Second {
		h.Errorf("%s took %v", words, wait)
	}
	if same {
		return 0
	}
	return took
}

// inCamera reports whether the order is in force there; what is the bridge's own is
// asked of the bridge.
func (h *house) inCamera(o order) bool {
	if o.device == "bridge" {
		return h.inBridge(o)
	}
	report := h.cameras["porch"].Report()
	for _, p := range bridge.Properties() {
		if p.Topic == o.key {
			return report.Settings[p.Name] == o.value
		}
	}
	switch o.key {
	case "pan", "tilt":
		return h.did("porch", o.key, o.value)
	}
	c := h.api.call(h, "GET", "/api/v1/cameras/porch", nil)
	own := map[string]any{
		"motion_detection":   at(c, "motion", "settings", "enabled"),
		"motion_sensitivity": at(c, "motion", "settings", "sensitivity"),
		"snapshot_interval":  o.value, // nobody but MQTT knows it
	}
	v, known := own[o.key]
	if !known {
		h.Fatalf("nobody knows what %s does", o.key)
	}
	return fmt.Sprint(v) == fmt.Sprint(o.value) || o.key == "motion_sensitivity" && fmt.Sprint(v) == map[any]string{25: "low", 50: "medium", 75: "high"}[o.value]
}

// did reports whether the newest action of that name was so.
func (h *house) did(camera, action string, angle any) bool {
	list := h.cameras[camera].Report().Commands
	for _, c := range slices.Backward(list) {
		if do, ok := c.Message.(wire.Do); ok && do.Action == action {
			return c.Result.OK && fmt.Sprint(do.Args["angle"]) == fmt.Sprint(angle)
		}
	}
	return false
}

// inBridge asks the log, which is all that shows what these do.
func (h *house) inBridge(o order) bool {
	switch o.key {
	case "permit_join", "log_level":
		list := h.mqtt.since(time.Time{}, "espcam/bridge/"+o.key)
		return len(list) > 0 && strings.EqualFold(list[len(list)-1].payload, o.state)
	}
	h.Fatalf("nobody knows what %s does", o.key)
	return false
}

// buttons presses all of them.
func (h *house) buttons() {
	announced := func() int { return len(h.mqtt.since(time.Time{}, "homeassistant/device/espcam_porch/config")) }
	documents, began := announced(), time.Now()
	pressed := map[string]func() bool{
		"porch_snapshot":    func() bool { return len(h.mqtt.since(began, "espcam/porch/image")) > 0 },
		"porch_identify":    h.identified,
		"porch_restart":     func() bool { return h.cameras["porch"].Report().Boots == 1 },
		"bridge_rediscover": func() bool { return announced() > documents },
		"bridge_restart":    h.bridge.ended,
	}
	for _, e := range h.operable() {
		name := strings.TrimPrefix(e.Unique, "espcam_")
		if len(orders(e)) > 0 || e.short() == "enabled" {
			continue
		}
		happens := pressed[name]
		if happens == nil {
			h.Fatalf("nobody knows what %s does", name)
		}
		h.ha.service(h, "button.press", e.ID, nil)
		if took := eventually(h, name+" is obeyed", happens); took > 2*time.Second {
			h.Errorf("%s took %v", name, took)
		}
		delete(pressed, name)
		if name == "porch_restart" {
			h.returns("porch")
		}
	}
	if len(pressed) > 0 {
		h.Errorf("there are no buttons for %v", slices.Collect(maps.Keys(pressed)))
	}
	h.startBridge() // as its supervisor does
	h.steady()
}

// returns waits until a camera that restarts is there again.
func (h *house) returns(camera string) {
	h.Helper()
	cam := h.cameras[camera]
	eventually(h, camera+" is admitted again", func() bool { return cam.Report().Connected })
	frames := cam.Report().Frames
	eventually(h, camera+" sends again", func() bool { return cam.Report().Frames > frames+2 })
}

// identified reports whether the camera was told to blink.
func (h *house) identified() bool {
	return slices.ContainsFunc(h.cameras["porch"].Report().Commands, func(c fakecam.Command) bool {
		do, ok := c.Message.(wire.Do)
		return ok && do.Action == "identify" && c.Result.OK
	})
}

// privacy switches the camera off: it is told to send nothing, and all of it is
// unavailable but the switch. Then it comes back.
func (h *house) privacy() {
	id := h.id("porch", "enabled")
	sends := func() bool { return h.cameras["porch"].Report().Settings["stream"] == true }
	real := h.shown("porch")
	h.ha.service(h, "switch.turn_off", id, nil)
	eventually(h, "the camera is told to send nothing", func() bool { return !sends() })
	eventually(h, "Home Assistant knows", func() bool {
		return h.ha.state(id).State == "off" && h.ha.state(h.id("porch", "motion")).State == "unavailable"
	})
	eventually(h, "Home Assistant shows a placeholder", func() bool { p := h.shown("porch"); return p != "" && p != real && len(p) != len(real) })
	h.ha.service(h, "switch.turn_on", id, nil)
	eventually(h, "the camera sends again", sends)
	began := time.Now()
	eventually(h, "Home Assistant has it again", func() bool { return h.ha.state(id).State == "on" && h.fresh("porch", began) })
	h.steady()
}
