package mqtt_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge"
	"github.com/espcam-bridge/espcam-bridge/bridge/mqtt"
	"github.com/espcam-bridge/espcam-bridge/bridge/mqtt/fakeha"
)

// The cases of what is told of plugins, and what they tell.

// plugins are instances in memory.
type plugins struct {
	mu   sync.Mutex
	all  []bridge.Plugin
	bell chan struct{}
}

func newPlugins(all ...bridge.Plugin) *plugins {
	return &plugins{all: all, bell: make(chan struct{}, 1)}
}

func (p *plugins) List() []bridge.Plugin {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.all)
}

func (p *plugins) Subscribe() (<-chan struct{}, func()) { return p.bell, func() {} }

func (p *plugins) become(all ...bridge.Plugin) {
	p.mu.Lock()
	p.all = all
	p.mu.Unlock()
	select {
	case p.bell <- struct{}{}:
	default:
	}
}

func phone(state bridge.PluginState, problem string) bridge.Plugin {
	return bridge.Plugin{Instance: "phone", Type: "ntfy", State: state, Problem: problem, Log: []string{"a line"}}
}

func mail(state bridge.PluginState) bridge.Plugin {
	return bridge.Plugin{Instance: "mail", Type: "smtp", State: state}
}

// plugged is a home with plugins.
func (r *rig) plugged(p *plugins, store *memory) (*running, *fakeha.HA) {
	r.Helper()
	ha := r.homeAssistant()
	b := r.build(r.config(), store, newFleet(porch()), func(d *mqtt.Deps) { d.Plugins = p })
	r.run(b)
	r.await("the bridge is there", func() bool { return ha.Entity("espcam_bridge_version").Available })
	return b, ha
}

func pluginsRun(r *rig) {
	p := newPlugins(phone(bridge.PluginReady, ""), mail(bridge.PluginDisabled))
	r.broker.start(r.T)
	_, ha := r.plugged(p, newMemory())
	r.is(ha, "espcam_bridge_plugins", "1")
	r.is(ha, "espcam_bridge_plugin_problem", "off")
	if got := r.retained()["espcam/bridge/plugins"]; got != `{"failed":[],"problem":false,"running":1}` {
		r.Errorf("published %s", got)
	}
	p.become(phone(bridge.PluginBackoff, "it ended with code 3\nand <more>"), mail(bridge.PluginReady))
	r.is(ha, "espcam_bridge_plugin_problem", "on")
	if got := r.retained()["espcam/bridge/plugins"]; got != `{"failed":[{"instance":"phone","state":"backoff","problem":"it ended with code 3and <more>"}],"problem":true,"running":1}` {
		r.Errorf("published %s", got)
	}
	if a := ha.Entity("espcam_bridge_plugin_problem").Attributes; !strings.Contains(fmt.Sprint(a["failed"]), "phone") {
		r.Errorf("attributes %v", a)
	}
	p.become(phone(bridge.PluginDegraded, strings.Repeat("ö", 400)), mail(bridge.PluginReady))
	r.is(ha, "espcam_bridge_plugins", "2")
	if got := r.retained()["espcam/bridge/plugins"]; len(got) > 600 || !strings.Contains(got, "öö") {
		r.Errorf("published %s", got)
	}
	p.become(phone(bridge.PluginReady, ""))
	r.is(ha, "espcam_bridge_plugin_problem", "off")
	r.is(ha, "espcam_bridge_plugins", "1")
}

// pluginStates: kept over an outage, told once more, gone with their instance.
func pluginStates(r *rig) {
	p := newPlugins(phone(bridge.PluginReady, ""), mail(bridge.PluginReady))
	r.broker.start(r.T)
	b, _ := r.plugged(p, newMemory())
	all := r.anyone("espcam/plugin/#")
	set := func(instance, name, value string) {
		r.Helper()
		if err := b.SetState(instance, name, value); err != nil {
			r.Errorf("%s %s: %v", instance, name, err)
		}
	}
	kept := func(want string) func() bool {
		return func() bool {
			var list []string
			for topic, value := range r.retained() {
				if strings.HasPrefix(topic, "espcam/plugin/") {
					list = append(list, strings.TrimPrefix(topic, "espcam/plugin/")+" "+value)
				}
			}
			slices.Sort(list)
			return strings.Join(list, ", ") == want
		}
	}
	set("phone", "level", "7")
	set("phone", "mood", "good")
	set("mail", "level", "9")
	r.await("states", kept("mail/level 9, phone/level 7, phone/mood good"))
	if err := b.Publish("phone", "sent", []byte(`{"to":"cams"}`)); err != nil {
		r.Error(err)
	}
	r.await("a message", func() bool {
		return slices.Equal(all.heard("espcam/plugin/phone/event/sent"), []string{`{"to":"cams"}`})
	})
	set("phone", "mood", "")
	r.await("one is taken away", kept("mail/level 9, phone/level 7"))

	r.broker.stop(r.T)
	r.await("the bridge notices", func() bool { return !b.Status().Connected })
	if err := b.Publish("phone", "sent", nil); bridge.CodeOf(err) != bridge.CodeUnavailable {
		r.Errorf("published into nothing: %v", err)
	}
	set("phone", "level", "8")
	set("mail", "level", "")
	r.broker.start(r.T)
	r.await("it is back", func() bool { return b.Status().Connected })
	r.await("and so are the states", kept("phone/level 8"))
	r.broker.stop(r.T)
	r.broker.forget(r.T)
	r.broker.start(r.T)
	r.await("they are told to a broker that forgot them", kept("phone/level 8"))

	p.become(mail(bridge.PluginReady))
	r.await("they end with their instance", kept(""))
	r.pass(15 * time.Second)
	if !kept("")() {
		r.Error("a state came back")
	}
}

// pluginsLeft: what an earlier process left of instances that are gone is swept
// away, and nothing else.
func pluginsLeft(r *rig) {
	r.broker.start(r.T)
	left := r.anyone("nothing")
	gone := []string{"espcam/plugin/old/level", "espcam/plugin/old/mood"}
	keep := []string{"espcam/plugin/phone/level", "espcam2/plugin/old/level", "espcam/plugin", "espcam/plugin/old", "espcam/plugin/old/a/b"}
	for _, topic := range slices.Concat(gone, keep) {
		left.publish(topic, "7", true)
	}
	b, _ := r.plugged(newPlugins(phone(bridge.PluginReady, "")), newMemory())
	r.await("they are gone", func() bool {
		kept := r.retained()
		return !slices.ContainsFunc(gone, func(topic string) bool { return kept[topic] != "" })
	})
	r.pass(10 * time.Second)
	kept := r.retained()
	for _, topic := range keep {
		if kept[topic] != "7" {
			r.Errorf("%s is %q", topic, kept[topic])
		}
	}
	// The sweep listens no more: what is put there now is somebody else's.
	left.publish(gone[0], "8", true)
	r.pass(10 * time.Second)
	if got := r.retained()[gone[0]]; got != "8" {
		r.Errorf("swept without being asked: %q", got)
	}
	if n := strings.Count(b.log.String(), "plugin that is gone"); n != len(gone) {
		r.Errorf("%d in the log: %s", n, b.log)
	}
}

// withoutPlugins: they were configured once and are not any more.
func withoutPlugins(r *rig) {
	r.broker.start(r.T)
	b, ha := r.plugged(newPlugins(phone(bridge.PluginReady, "")), newMemory())
	r.is(ha, "espcam_bridge_plugins", "1")
	if err := b.SetState("phone", "level", "7"); err != nil {
		r.Fatal(err)
	}
	r.await("a state", func() bool { return r.retained()["espcam/plugin/phone/level"] == "7" })
	b.stop()
	r.bridge(r.config(), b.store, b.fleet)
	r.await("nothing of it is left", func() bool {
		kept := r.retained()
		return ha.Entity("espcam_bridge_plugins").Platform == "" && ha.Entity("espcam_bridge_plugin_problem").Platform == "" &&
			kept["espcam/plugin/phone/level"] == "" && kept["espcam/bridge/plugins"] == "" &&
			!strings.Contains(kept["homeassistant/device/espcam_bridge/config"], "plugin")
	})
}

// TestPluginBounds: a plugin stays in its branch, and small.
func TestPluginBounds(t *testing.T) {
	c := client(t)
	for _, instance := range []string{"", "..", "a/b", "+", "#", "A", "phone/event", strings.Repeat("a", 65), "ph one"} {
		for _, err := range []error{c.SetState(instance, "x", "1"), c.Publish(instance, "x", nil)} {
			if bridge.CodeOf(err) != bridge.CodeInvalid {
				t.Errorf("instance %q: %v", instance, err)
			}
		}
	}
	for _, name := range []string{"", "a/b", "..", "+", "#", "A", "ä", "a\x00", strings.Repeat("a", 33), "x/set"} {
		for _, err := range []error{c.SetState("phone", name, "1"), c.Publish("phone", name, nil)} {
			if bridge.CodeOf(err) != bridge.CodeInvalid {
				t.Errorf("name %q: %v", name, err)
			}
		}
	}
	for _, name := range []string{"set", "event"} { // the one would be heard as a command
		if err := c.SetState("phone", name, "1"); bridge.CodeOf(err) != bridge.CodeInvalid {
			t.Errorf("name %q: %v", name, err)
		}
	}
	for n, want := range map[int]bridge.Code{4096: "", 4097: bridge.CodeTooLarge} {
		if err := c.SetState("phone", "x", strings.Repeat("x", n)); bridge.CodeOf(err) != want {
			t.Errorf("%d bytes of state: %v", n, err)
		}
	}
	for n, want := range map[int]bridge.Code{64 << 10: bridge.CodeUnavailable, 64<<10 + 1: bridge.CodeTooLarge} {
		if err := c.Publish("phone", "x", make([]byte, n)); bridge.CodeOf(err) != want {
			t.Errorf("%d bytes of message: %v", n, err)
		}
	}
	var err error
	for n := 0; err == nil && n < 1000; n++ {
		err = c.SetState("phone", fmt.Sprint("state", n), "1")
	}
	var e *bridge.Error
	if !errors.As(err, &e) || e.Code != bridge.CodeTooLarge || !strings.Contains(e.Message, "64 states") {
		t.Errorf("too many states: %v", err)
	}
	if err := c.SetState("phone", "x", "2"); err != nil {
		t.Errorf("one of them changes: %v", err)
	}
}
