package hatest_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

const (
	examples   = "../../../configs/homeassistant"
	blueprints = "blueprints/automation/espcam-bridge"
)

// prepare puts our examples into the folder of a Home Assistant, as the README tells
// people to.
func prepare(t testing.TB, config string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(examples, blueprints, "*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("there are no blueprints: %v", err)
	}
	for _, f := range append(files, filepath.Join(examples, "lovelace.yaml")) {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		name, err := filepath.Rel(examples, f)
		if err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(config, name), string(b))
	}
}

// automation is a blueprint filled in, how it is set off, and what it then does.
type automation struct {
	input object
	begin func()
	does  func(call) bool
}

// call is a service call of somebody's.
type call struct {
	at              time.Time
	domain, service string
	data            object
}

// calls returns the service calls from then on.
func (s *socket) calls(then time.Time) (out []call) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.called {
		if !c.at.Before(then) {
			out = append(out, c)
		}
	}
	return out
}

// automations are all blueprints, by file.
func (h *house) automations() map[string]automation {
	notified := func(words ...string) func(call) bool {
		return func(c call) bool {
			said := fmt.Sprint(c.data)
			return c.domain == "notify" && c.service == "phone" && !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(said, w) })
		}
	}
	return map[string]automation{
		"motion_notification": {
			input: object{"motion_event": h.id("porch", "event"), "picture": h.id("porch", "motion_image"), "notify_action": "notify.phone"},
			begin: h.porch.drive,
			does:  notified("Front porch", "/api/image_proxy/"+h.id("porch", "motion_image")),
		},
		"night_flash": {
			input: object{"motion": h.id("porch", "event"), "flash": h.id("porch", "flash"), "duration": 1, "elevation": 90},
			begin: h.porch.drive,
			does: func(c call) bool {
				return c.service == "turn_on" && strings.Contains(fmt.Sprint(c.data), h.id("porch", "flash"))
			},
		},
		"camera_offline": {
			input: object{"connection": h.id("gate", "connection"), "minutes": 0.02, "notify_action": "notify.phone"},
			begin: func() { h.unplug("gate") },
			does:  notified("Back yard", "offline"),
		},
	}
}

// examplesWork fills in each blueprint as its owner does, and sets it off.
func (h *house) examplesWork() {
	known := h.automations()
	loaded, _ := h.ha.socket.call(h, "blueprint/list", object{"domain": "automation"}).(object)
	for path, b := range loaded {
		if strings.HasPrefix(path, "espcam-bridge/") && known[strings.TrimSuffix(filepath.Base(path), ".yaml")].input == nil || at(b, "error") != nil {
			h.Errorf("the blueprint %s is not tried: %v", path, at(b, "error"))
		}
	}
	for name, a := range known {
		if at(loaded["espcam-bridge/"+name+".yaml"], "metadata") == nil {
			h.Errorf("Home Assistant does not know the blueprint %s", name)
			continue
		}
		h.fires(name, a)
	}
	h.plug("gate", h.kinds["gate"])
}

// fires fills in one blueprint, sets it off, and takes it away again, because the
// next one may wait for the same.
func (h *house) fires(name string, a automation) {
	h.Helper()
	path := "/api/config/automation/config/" + name
	h.ha.client.call(h, "POST", path, object{"alias": name, "use_blueprint": object{"path": "espcam-bridge/" + name + ".yaml", "input": a.input}})
	eventually(h, name+" is on", func() bool { return h.ha.state("automation."+name).State == "on" })
	h.learned()
	began := time.Now()
	a.begin()
	if _, ok := within(patience, func() bool { return slices.ContainsFunc(h.ha.socket.calls(began), a.does) }); !ok {
		h.Errorf("%s does nothing: it is %v, its traces are %.4000v", name, h.ha.state("automation."+name), h.traces(name))
	} else if name == "night_flash" {
		eventually(h, "the flash is lit, and goes out", func() bool { return h.lit(began) })
	}
	h.ha.client.call(h, "DELETE", path, nil)
}

// traces are what an automation did, as Home Assistant remembers it.
func (h *house) traces(name string) (out []any) {
	h.Helper()
	list, _ := h.ha.socket.call(h, "trace/list", object{"domain": "automation", "item_id": name}).([]any)
	for _, t := range list {
		run := h.ha.socket.call(h, "trace/get", object{"domain": "automation", "item_id": name, "run_id": at(t, "run_id")})
		out = append(out, at(t, "script_execution"), at(run, "trace"))
	}
	return out
}

// lit reports whether the camera was told to switch its flash on, and off again.
func (h *house) lit(since time.Time) bool {
	var on, off bool
	for _, c := range h.ha.since(since, h.id("porch", "flash")) {
		on = on || c.State == "on"
		off = on && c.State == "off"
	}
	return off
}

// dashboard checks that Home Assistant loads the example, and has what is on it.
func (h *house) dashboard() {
	config := h.ha.socket.call(h, "lovelace/config", object{"url_path": "espcam-cameras"})
	var entities []string
	collect(config, &entities)
	if len(entities) < 6 {
		h.Errorf("the dashboard shows %v", entities)
	}
	for _, id := range entities {
		if h.ha.state(id).ID == "" {
			h.Errorf("the dashboard shows %s, which is not there", id)
		}
	}
}

// collect finds the entities of a dashboard.
func collect(v any, out *[]string) {
	switch v := v.(type) {
	case []any:
		for _, x := range v {
			collect(x, out)
		}
	case object:
		for key, x := range v {
			if id, ok := x.(string); ok && (key == "entity" || key == "camera_image") {
				*out = append(*out, id)
			} else {
				collect(x, out)
			}
		}
	}
}
