package mqtt_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge"
	"github.com/espcam-bridge/espcam-bridge/bridge/mqtt"
	"github.com/espcam-bridge/espcam-bridge/bridge/mqtt/fakeha"
)

// The cases of what the bridge itself is told.

// managed is a home whose bridge runs under a supervisor and can change its log.
func (r *rig) managed(level *slog.LevelVar, restarts *atomic.Int64, cameras ...bridge.Camera) (*running, *fakeha.HA) {
	r.Helper()
	r.broker.start(r.T)
	ha := r.homeAssistant()
	b := r.build(r.config(), newMemory(), newFleet(cameras...), func(d *mqtt.Deps) {
		d.LogLevel, d.Restart = level, func() { restarts.Add(1) }
	})
	r.run(b)
	r.await("the bridge is there", func() bool { return ha.Entity("espcam_bridge_version").Available })
	return b, ha
}

func bridgeCommands(r *rig) {
	level, restarts := &slog.LevelVar{}, &atomic.Int64{}
	b, ha := r.managed(level, restarts, porch())
	r.is(ha, "espcam_bridge_log_level", "info")
	ha.Operate("espcam_bridge_log_level", "debug")
	r.is(ha, "espcam_bridge_log_level", "debug")
	if level.Level() != slog.LevelDebug {
		r.Errorf("the level is %v", level.Level())
	}

	ha.Operate("espcam_bridge_permit_join", "ON")
	r.is(ha, "espcam_bridge_permit_join", "on")
	if d := b.fleet.Permitted(); d != 5*time.Minute {
		r.Errorf("permitted for %v", d)
	}
	ha.Operate("espcam_bridge_permit_join", "OFF")
	r.is(ha, "espcam_bridge_permit_join", "off")
	ha.Operate("espcam_bridge_permit_join", "ON")
	r.is(ha, "espcam_bridge_permit_join", "on")
	b.fleet.PermitJoin(0) // its time is over
	r.pass(5 * time.Minute)
	r.is(ha, "espcam_bridge_permit_join", "off")

	all := r.anyone("espcam/bridge/#")
	for _, tt := range []struct{ property, send, say string }{
		{"log_level", "loud", "log_level takes debug, info, warn, error"},
		{"permit_join", "perhaps", "permit_join takes ON or OFF"},
		{"restart", "now", "restart takes PRESS"},
		{"volume", "11", `the bridge has no "volume"; it takes permit_join`},
		{"log_level", strings.Repeat("x", 5000), "at most 4096 bytes"},
	} {
		all.forget()
		ha.Publish("espcam/bridge/"+tt.property+"/set", tt.send, false)
		r.await(tt.property+" is refused", func() bool { return len(all.heard("espcam/bridge/error")) == 1 })
		if f := all.failures("espcam/bridge/error")[0]; f.Property != tt.property || !strings.Contains(f.Reason, tt.say) {
			r.Errorf("%+v", f)
		}
		r.await("the level is published again", func() bool { return slices.Contains(all.heard("espcam/bridge/log_level"), "debug") })
	}
	if n := restarts.Load(); n > 0 {
		r.Error("restarted without being asked")
	}
	ha.Operate("espcam_bridge_restart", "PRESS")
	r.await("restart", func() bool { return restarts.Load() == 1 })

	// Without a supervisor there is no button, not even one of an earlier start.
	b.stop()
	b2 := r.bridge(r.config(), b.store, newFleet(porch()))
	r.await("the button is gone", func() bool {
		return ha.Entity("espcam_bridge_restart").Platform == "" && ha.Entity("espcam_bridge_log_level").Platform == ""
	})
	all.forget()
	ha.Publish("espcam/bridge/restart/set", "PRESS", false)
	r.await("it says why", func() bool { return len(all.heard("espcam/bridge/error")) == 1 })
	if f := all.failures("espcam/bridge/error")[0]; !strings.Contains(f.Reason, "only under a supervisor") {
		r.Errorf("%+v", f)
	}
	if got := b2.fleet.heard(""); len(got) != 1 {
		r.Errorf("the page heard %q", got)
	}
	r.await("the document forgets it", func() bool {
		return !strings.Contains(r.retained()["homeassistant/device/espcam_bridge/config"], `"restart"`)
	})
}

// answer is what a request gets.
type answer struct {
	Status, Error string
	Data          map[string]any
	Transaction   any
}

// request sends one and waits for its answer.
func (a *anyone) request(action, payload string) answer {
	a.rig.Helper()
	topic := "espcam/bridge/response/" + action
	before := len(a.heard(topic))
	a.publish("espcam/bridge/request/"+action, payload, false)
	a.rig.await("an answer to "+action, func() bool { return len(a.heard(topic)) > before })
	var out answer
	if err := json.Unmarshal([]byte(a.heard(topic)[before]), &out); err != nil {
		a.rig.Fatal(err)
	}
	return out
}

func requests(r *rig) {
	level, restarts := &slog.LevelVar{}, &atomic.Int64{}
	b, ha := r.managed(level, restarts, porch(), yard())
	all := r.anyone("espcam/bridge/#")
	for _, tt := range []struct{ action, send, err string }{
		{"rename", `{"camera":"porch","name":"Gate","transaction":7}`, ""},
		{"permit_join", `{"value":true,"time":900}`, ""},
		{"permit_join", `{"value":false}`, ""},
		{"log_level", `{"value":"warn"}`, ""},
		{"rediscover", `{}`, ""},
		{"rediscover", `{"camera":"porch"}`, ""},
		{"remove", `{"camera":"yard","transaction":"x"}`, ""},
		{"rename", `{"camera":"nobody","name":"x"}`, `there is no camera "nobody"`},
		{"remove", `{"camera":"yard"}`, `there is no camera "yard"`},
		{"rediscover", `{"camera":"Porch"}`, `there is no camera "Porch"`},
		{"permit_join", `{"value":true,"time":901}`, `"time": 1 to 900`},
		{"permit_join", `{"value":"yes"}`, `"value": true or false`},
		{"permit_join", `{}`, `"value": true or false`},
		{"log_level", `{"value":"loud"}`, "log_level takes debug, info, warn, error"},
		{"log_level", `{"value":3}`, "log_level takes debug"},
		{"adopt", `{"camera":"porch"}`, "no camera waits to be adopted"},
		{"dance", `{}`, `there is no request "dance": use rename`},
		{"remove", `{"cam":"porch"}`, "must be a JSON object of camera"},
		{"remove", `porch`, "must be a JSON object of camera"},
		{"remove", `null`, "must be a JSON object of camera"},
		{"remove", "\xff\xfe", "must be a JSON object of camera"},
		{"remove", `{"camera":"` + strings.Repeat("x", 5000) + `"}`, "at most 4096 bytes"},
		{"restart", `{}`, ""},
	} {
		got := all.request(tt.action, tt.send)
		status := map[bool]string{true: "ok", false: "error"}[tt.err == ""]
		if got.Status != status || !strings.Contains(got.Error, tt.err) || got.Data == nil {
			r.Errorf("%s %.40s: %+v", tt.action, tt.send, got)
		}
		if strings.Contains(tt.send, "transaction") != (got.Transaction != nil) {
			r.Errorf("transaction %v of %s", got.Transaction, tt.send)
		}
	}
	want := []string{"porch name Gate", "yard removed"}
	if got := b.fleet.settings(); !slices.Equal(got, want) {
		r.Errorf("done %v, want %v", got, want)
	}
	if level.Level() != slog.LevelWarn || b.fleet.Permitted() != 0 {
		r.Errorf("level %v, permitted %v", level.Level(), b.fleet.Permitted())
	}
	r.await("the device has its new name", func() bool { return slices.Contains(ha.Devices(), fakeha.Device{ID: "espcam_porch", Name: "Gate"}) })
	r.await("yard is gone", func() bool { return ha.Entity("espcam_yard_camera").Platform == "" })
	r.await("restart", func() bool { return restarts.Load() == 1 })

	// What the file holds is told as the API does.
	b.fleet.behave(nil, bridge.Errorf(bridge.CodeConflict, "the name of porch stands in bridge.yaml:12: change it there"))
	if got := all.request("rename", `{"camera":"porch","name":"x"}`); !strings.Contains(got.Error, "bridge.yaml:12") {
		r.Errorf("%+v", got)
	}
	// A retained request is for another time.
	all.publish("espcam/bridge/request/restart", `{}`, true)
	r.await("that is one like any other, as it was not retained before", func() bool { return restarts.Load() == 2 })
	b.stop()
	r.bridge(r.config(), b.store, newFleet(porch()))
	r.await("the retained request is cleared", func() bool { return r.retained()["espcam/bridge/request/restart"] == "" })
}

// lastError: what failed last is kept for those who look later.
func lastError(r *rig) {
	b, ha := r.home(porch())
	r.is(ha, "espcam_bridge_last_error", "unknown")
	ha.Publish("espcam/porch/jpeg_quality/set", "99", false)
	r.await("the error is kept", func() bool { return strings.Contains(ha.Entity("espcam_bridge_last_error").State, "from 4 to 63") })
	a := ha.Entity("espcam_bridge_last_error").Attributes
	if a["camera"] != "porch" || a["property"] != "jpeg_quality" || a["code"] != "invalid" || a["time"] == nil {
		r.Errorf("attributes %v", a)
	}
	if got := b.fleet.heard("porch"); len(got) != 1 || !strings.Contains(got[0], "from 4 to 63") {
		r.Errorf("the page heard %q", got)
	}
	b.fleet.notify(bridge.Notice{Camera: "porch", Code: bridge.CodeBusy, Message: strings.Repeat("ö", 300)})
	r.is(ha, "espcam_bridge_last_error", strings.Repeat("ö", 252)+"...")
	b.fleet.notify(bridge.Notice{Code: bridge.CodeUnavailable, Message: "the disk is full"})
	r.is(ha, "espcam_bridge_last_error", "the disk is full")
	b.fleet.notify(bridge.Notice{Camera: "porch", Message: "A new camera was taken in."}) // nothing is wrong
	r.settle(b)
	r.is(ha, "espcam_bridge_last_error", "the disk is full")
}

// deletion: a person removes a device in Home Assistant, and means it.
func deletion(r *rig) {
	b, ha := r.home(porch(), yard())
	r.known(ha)
	ha.Delete("espcam_porch")
	r.await("it is gone", func() bool { return ha.Entity("espcam_porch_camera").Platform == "" })
	r.await("the fleet knows", func() bool { return slices.Contains(b.fleet.settings(), "porch hidden true") })
	stays := func(b *running, when string) {
		r.Helper()
		r.settle(b)
		r.pass(15 * time.Second)
		for topic := range r.retained() {
			if strings.Contains(topic, "porch") {
				r.Errorf("%s: %s is retained", when, topic)
			}
		}
	}
	stays(b, "after the deletion")
	if got := b.fleet.settings(); len(got) != 1 {
		r.Errorf("%d wishes: %v", len(got), got)
	}
	b.fleet.change("porch", func(c *bridge.Camera) { c.Reported = c.Reported.With(bridge.Settings{"quality": 20}) })
	b.watch.tell(b.watch.event("porch", "a thief"))
	ha.Birth()
	stays(b, "after news, motion and a birth message")
	b.stop()
	b2 := r.bridge(r.config(), b.store, b.fleet)
	r.await("the bridge is back", func() bool { return b2.Status().Connected })
	stays(b2, "after a restart of the bridge")

	all := r.anyone("espcam/bridge/#")
	if got := all.request("rediscover", `{"camera":"porch"}`); got.Status != "ok" {
		r.Errorf("%+v", got)
	}
	r.is(ha, "espcam_porch_jpeg_quality", "20")
	r.is(ha, "espcam_porch_connection", "on")

	// The button means all of them, and the page's is the fleet's.
	ha.Delete("espcam_porch")
	ha.Delete("espcam_yard")
	r.await("both are gone", func() bool { return len(ha.Devices()) == 1 })
	r.pass(3 * time.Second)
	ha.Operate("espcam_bridge_rediscover", "PRESS")
	r.is(ha, "espcam_porch_jpeg_quality", "20")
	r.is(ha, "espcam_yard_connection", "on")
	ha.Delete("espcam_yard")
	r.await("yard is gone", func() bool { return len(ha.Devices()) == 2 })
	r.pass(3 * time.Second)
	if err := b2.fleet.SetHidden("yard", false); err != nil {
		r.Fatal(err)
	}
	r.is(ha, "espcam_yard_connection", "on")

	// Our own removal is no wish of a person, and a camera that returns is new.
	b2.fleet.change("yard", nil)
	r.await("yard is gone", func() bool { return len(ha.Devices()) == 2 })
	b2.fleet.change("yard", func(c *bridge.Camera) { *c = yard() })
	r.is(ha, "espcam_yard_connection", "on")
	if n := strings.Count(fmt.Sprint(b2.fleet.settings()), "yard hidden true"); n != 2 {
		r.Errorf("%v", b2.fleet.settings())
	}
}

// privacy: a camera can be switched off in Home Assistant, also while it is away.
func privacy(r *rig) {
	b, ha := r.home(porch())
	r.is(ha, "espcam_porch_enabled", "on")
	ha.Operate("espcam_porch_enabled", "OFF")
	r.is(ha, "espcam_porch_enabled", "off")
	r.await("all else is unavailable", func() bool { return !ha.Entity("espcam_porch_jpeg_quality").Available })
	r.await("a placeholder is shown", func() bool { return string(ha.Entity("espcam_porch_camera").Picture) == "placeholder of porch" })
	ha.Operate("espcam_porch_enabled", "ON")
	r.is(ha, "espcam_porch_enabled", "on")
	r.is(ha, "espcam_porch_jpeg_quality", "12")
	b.fleet.change("porch", func(c *bridge.Camera) { c.State, c.Connected = bridge.Offline, false })
	r.await("it is away", func() bool { return !ha.Entity("espcam_porch_jpeg_quality").Available })

	// It does not wait for a camera that hangs.
	hold := make(chan struct{})
	b.fleet.behave(hold, nil)
	ha.Publish("espcam/porch/jpeg_quality/set", "20", false)
	r.await("one command hangs", func() bool { return slices.Contains(b.fleet.settings(), "porch map[quality:20]") })
	if !ha.Operate("espcam_porch_enabled", "OFF") {
		r.Error("it cannot be switched off while it is away")
	}
	r.is(ha, "espcam_porch_enabled", "off")
	close(hold)
}

// intervals: how often a camera's picture is sent is asked for per camera, and kept.
func intervals(r *rig) {
	r.broker.start(r.T)
	ha := r.homeAssistant()
	f := newFleet(porch(), yard())
	cfg := r.config()
	cfg.Preview = 10 * time.Second
	b := r.bridge(cfg, newMemory(), f)
	r.is(ha, "espcam_porch_snapshot_interval", "10")
	ha.Operate("espcam_porch_snapshot_interval", "60")
	r.is(ha, "espcam_porch_snapshot_interval", "60")
	ha.Operate("espcam_yard_snapshot_interval", "0")
	r.is(ha, "espcam_yard_snapshot_interval", "0")
	count := func(id string, d time.Duration) int {
		r.Helper()
		before := ha.Entity("espcam_" + id + "_camera").Pictures
		r.step = 0 // time passes only here
		for passed := time.Duration(0); passed < d; passed += time.Second {
			f.shoot(id, fmt.Sprint("after ", passed))
			r.clock.advance(time.Second)
			r.settle(b)
		}
		r.await("all pictures came", func() bool { return r.quiet() })
		r.step = 100 * time.Millisecond
		return ha.Entity("espcam_"+id+"_camera").Pictures - before
	}
	for _, id := range []string{"porch", "yard"} { // the first is sent whatever the interval
		f.shoot(id, "first")
		r.await("the first picture", func() bool { return string(ha.Entity("espcam_"+id+"_camera").Picture) == "first" })
	}
	r.pass(5 * time.Second)
	if n := count("porch", 122*time.Second); n != 2 {
		r.Errorf("%d pictures in two minutes at one a minute", n)
	}
	if n := count("yard", 30*time.Second); n != 0 {
		r.Errorf("%d pictures where there should be none but on demand", n)
	}
	b.stop()
	b = r.bridge(cfg, b.store, f)
	r.is(ha, "espcam_porch_snapshot_interval", "60")
	r.is(ha, "espcam_yard_snapshot_interval", "0")

	// A camera that was away shows a new one soon, whatever the interval.
	shown := ha.Entity("espcam_yard_camera").Pictures
	f.change("yard", func(c *bridge.Camera) { c.State, c.Connected = bridge.Offline, false })
	r.await("it is away", func() bool { return !ha.Entity("espcam_yard_camera").Available })
	f.change("yard", func(c *bridge.Camera) { c.State, c.Connected = bridge.Online, true })
	f.shoot("yard", "back again")
	r.await("a new picture", func() bool { return string(ha.Entity("espcam_yard_camera").Picture) == "back again" })
	if n := ha.Entity("espcam_yard_camera").Pictures; n != shown+1 {
		r.Errorf("%d pictures for one return", n-shown)
	}

	// Home Assistant starts: one picture each, whatever the interval.
	r.pass(5 * time.Second)
	before := []int{ha.Entity("espcam_porch_camera").Pictures, ha.Entity("espcam_yard_camera").Pictures}
	ha.Birth()
	r.await("one of each", func() bool {
		return ha.Entity("espcam_porch_camera").Pictures == before[0]+1 && ha.Entity("espcam_yard_camera").Pictures == before[1]+1
	})
	r.pass(5 * time.Second)
	if n := ha.Entity("espcam_yard_camera").Pictures - before[1]; n != 1 {
		r.Errorf("%d pictures after one birth message", n)
	}
}

// flood: a thousand commands in a moment that cannot be obeyed.
func flood(r *rig) {
	b, ha := r.home(porch())
	all := r.anyone("espcam/porch/+")
	sender := r.anyone("nothing")
	for i := range 1000 {
		sender.client.Publish("espcam/porch/jpeg_quality/set", 1, false, fmt.Sprint(1000+i))
	}
	r.await("all arrived", func() bool { return b.Status().Commands == 1000 })
	r.await("the last one is answered", func() bool {
		f := all.failures("espcam/porch/error")
		return len(f) > 0 && f[len(f)-1].Value == "1999" && strings.Contains(f[len(f)-1].Reason, "from 4 to 63")
	})
	r.await("what holds is told", func() bool {
		heard := all.heard("espcam/porch/jpeg_quality")
		return len(heard) > 1 && heard[len(heard)-1] == "12"
	})
	ha.Operate("espcam_porch_jpeg_quality", "20")
	r.is(ha, "espcam_porch_jpeg_quality", "20")
}
