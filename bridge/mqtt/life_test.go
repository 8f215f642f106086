package mqtt_test

import (
	"slices"
	"strings"
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge"
	"github.com/espcam-bridge/espcam-bridge/bridge/mqtt/fakeha"
)

// The cases of cameras, brokers, bridges and Home Assistants that come and go.

func rename(r *rig) {
	b, ha := r.home(porch())
	r.known(ha)
	before := ha.Entities()
	b.fleet.change("porch", func(c *bridge.Camera) { c.Name = "Back porch" })
	r.await("the device has its new name", func() bool {
		return slices.Contains(ha.Devices(), fakeha.Device{ID: "espcam_porch", Name: "Back porch"})
	})
	after := ha.Entities()
	same := slices.EqualFunc(before, after, func(a, b fakeha.Entity) bool {
		return a.UniqueID == b.UniqueID && a.Name == b.Name && a.State == b.State && a.Available == b.Available
	})
	if !same {
		r.Errorf("entities changed with the name:\n%v\n%v", before, after)
	}
}

// capabilities: another board under the same id takes entities away and brings
// others, and none stays behind.
func capabilities(r *rig) {
	b, ha := r.home(porch())
	less := bridge.Capabilities{FrameSizes: []string{"QVGA", "UXGA"}, LED: 1, Settings: map[string]bridge.Limit{"brightness": {Range: &bridge.Range{-1, 1}}}}
	document := func() string { return r.retained()["homeassistant/device/espcam_porch/config"] }
	r.step = 0
	b.fleet.change("porch", func(c *bridge.Camera) {
		c.Offer = bridge.NewOffer(bridge.Native, less, 15)
		c.Reported = bridge.Settings{"framesize": "UXGA", "quality": 12, "led": 1, "brightness": 0}
	})
	r.await("contrast is gone", func() bool { return ha.Entity("espcam_porch_contrast").Platform == "" })
	r.is(ha, "espcam_porch_resolution", "UXGA")
	r.await("the light is gone", func() bool { return ha.Entity("espcam_porch_flash").Platform == "" })
	if d := document(); !strings.Contains(d, `"contrast":{"platform":"number"}`) {
		r.Errorf("the document does not take contrast away: %s", d)
	}
	r.step = 100 * time.Millisecond
	r.pass(3 * time.Second)
	r.await("the document forgets contrast", func() bool { return !strings.Contains(document(), "contrast") })
	r.is(ha, "espcam_porch_flash", "on")
	if p := ha.Entity("espcam_porch_flash").Platform; p != "switch" {
		r.Errorf("a flash that is only on or off is a %s", p)
	}
	if n := len(ha.Entities()); n != 13+31 {
		r.Errorf("%d entities", n)
	}

	// Back again, over a restart of the bridge: the store knows what there was.
	b.stop()
	f := newFleet(porch())
	b2 := r.bridge(r.config(), b.store, f)
	r.is(ha, "espcam_porch_contrast", "1")
	r.is(ha, "espcam_porch_flash", "off")
	if p := ha.Entity("espcam_porch_flash").Platform; p != "light" {
		r.Errorf("a flash that can be dimmed is a %s", p)
	}
	b2.stop()
	f = newFleet(func() bridge.Camera {
		c := porch()
		c.Offer = bridge.NewOffer(bridge.Native, less, 15)
		return c
	}())
	r.bridge(r.config(), b.store, f)
	r.await("contrast is gone again", func() bool { return ha.Entity("espcam_porch_contrast").Platform == "" })
}

func removal(r *rig) {
	b, ha := r.home(yard())
	kept := r.retained()
	b.fleet.change("porch", func(c *bridge.Camera) { *c = porch() })
	r.await("porch is there", func() bool { return ha.Entity("espcam_porch_camera").Available })
	r.is(ha, "espcam_bridge_cameras_total", "2")
	r.step = 0
	b.fleet.change("porch", nil)
	r.await("porch is gone", func() bool { return ha.Entity("espcam_porch_camera").Platform == "" })
	if got := r.retained(); got["homeassistant/device/espcam_porch/config"] != "" || got["espcam/porch/availability"] == "" {
		r.Error("first the document goes, then the topics")
	}
	r.clock.advance(1900 * time.Millisecond)
	if got := r.retained(); got["espcam/porch/availability"] == "" {
		r.Error("the topics are gone before Home Assistant is done")
	}
	r.clock.advance(200 * time.Millisecond)
	r.is(ha, "espcam_bridge_cameras_total", "1")
	r.await("nothing is left", func() bool {
		got := r.retained()
		for topic := range got {
			if _, ok := kept[topic]; !ok {
				return false
			}
		}
		return len(got) == len(kept)
	})
	if devices := ha.Devices(); len(devices) != 2 {
		r.Errorf("devices %v", devices)
	}
}

func removalAndReturn(r *rig) {
	b, ha := r.home(porch())
	all := r.anyone("homeassistant/#")
	r.step = 0
	b.fleet.change("porch", nil)
	r.await("porch is gone", func() bool { return ha.Entity("espcam_porch_camera").Platform == "" })
	b.fleet.change("porch", func(c *bridge.Camera) { *c = porch() })
	ha.Birth()
	r.settle(b)
	r.clock.advance(1900 * time.Millisecond) // the birth's announcement is at 1.5 s
	r.await("the bridge announced itself", func() bool { return len(all.heard("homeassistant/device/espcam_bridge/config")) > 1 })
	if e := ha.Entity("espcam_porch_camera"); e.Platform != "" {
		r.Error("porch came back before Home Assistant was done with its removal")
	}
	r.step = 100 * time.Millisecond
	r.is(ha, "espcam_porch_jpeg_quality", "12")
}

// firstSeen: a camera of the configuration file has no entities until it was
// there once.
func firstSeen(r *rig) {
	known := bridge.Camera{ID: "shed", Room: "shed", Name: "Shed", State: bridge.Offline, Enabled: true, Offer: bridge.NewOffer("", bridge.Capabilities{}, 15), Motion: bridge.DefaultMotion()}
	waiting := bridge.Camera{ID: "stranger", Name: "?", State: bridge.Pending, Enabled: true, Connected: true, LastFrame: time.Unix(1, 0)}
	b, ha := r.home(yard())
	b.fleet.change("shed", func(c *bridge.Camera) { *c = known })
	b.fleet.change("stranger", func(c *bridge.Camera) { *c = waiting })
	r.is(ha, "espcam_bridge_cameras_total", "1") // it is told once a minute otherwise
	b.fleet.change("shed", func(c *bridge.Camera) { c.Connected, c.State, c.Dialect = true, bridge.Online, bridge.StreamHub })
	b.fleet.change("yard", func(c *bridge.Camera) { c.Name = "Yard 2" })
	r.await("the news of yard was heard", func() bool { return slices.Contains(ha.Devices(), fakeha.Device{ID: "espcam_yard", Name: "Yard 2"}) })
	if e := ha.Entity("espcam_shed_camera"); e.Platform != "" {
		r.Error("a camera that sent nothing is announced")
	}
	// Its first frame is no news of its own.
	b.fleet.mu.Lock()
	c := b.fleet.cameras["shed"]
	c.LastFrame = time.Unix(2, 0)
	b.fleet.cameras["shed"] = c
	b.fleet.mu.Unlock()
	r.await("shed is announced", func() bool { return ha.Entity("espcam_shed_camera").Available })
	if e := ha.Entity("espcam_shed_rssi"); e.Platform != "" {
		r.Error("a camera without signal strength has an entity for it")
	}
	b.fleet.change("shed", func(c *bridge.Camera) { c.Stats.RSSI = ptr(-70) })
	r.is(ha, "espcam_shed_rssi", "-70")
	if e := ha.Entity("espcam_stranger_camera"); e.Platform != "" {
		r.Error("a camera that nobody adopted is announced")
	}
}

func switchedOff(r *rig) {
	f := newFleet(porch())
	f.shoot("porch", "real")
	r.broker.start(r.T)
	ha := r.homeAssistant()
	b := r.bridge(r.config(), newMemory(), f)
	picture := func(want string) {
		r.Helper()
		r.await("it shows "+want, func() bool { return string(ha.Entity("espcam_porch_camera").Picture) == want })
	}
	picture("real")
	b.fleet.change("porch", func(c *bridge.Camera) { c.Enabled, c.State = false, bridge.Disabled })
	picture("placeholder of porch")
	r.await("it is unavailable", func() bool { return !ha.Entity("espcam_porch_camera").Available })
	// Whatever is asked for, the real picture stays inside.
	all := r.anyone("espcam/porch/image")
	ha.Birth()
	r.await("a placeholder again", func() bool { return slices.Equal(all.heard("espcam/porch/image"), []string{"placeholder of porch"}) })
	all.publish("espcam/porch/snapshot/set", "PRESS", false)
	r.await("a placeholder for the snapshot", func() bool { return len(all.heard("espcam/porch/image")) == 2 })
	if got := all.heard("espcam/porch/image"); slices.ContainsFunc(got, func(p string) bool { return p != "placeholder of porch" }) {
		r.Errorf("pictures of a camera that is off: %v", got)
	}
}

const foreignDocument = `{"device":{"identifiers":["other"],"name":"Other"},"origin":{"name":"other"},"components":{"x":{"platform":"sensor","unique_id":"other_x","state_topic":"other/x"}}}`

// orphanDocument is what a bridge with that base topic and id prefix left.
func orphanDocument(base, prefix, camera string) string {
	id := prefix + "_" + camera
	return `{"device":{"identifiers":["` + id + `"],"name":"X"},"origin":{"name":"espcam-bridge"},` +
		`"availability":[{"topic":"` + base + `/bridge/state"},{"topic":"` + base + `/` + camera + `/availability"}],"availability_mode":"all",` +
		`"components":{"camera":{"platform":"camera","unique_id":"` + id + `_camera","name":null,"topic":"` + base + `/` + camera + `/image"}}}`
}

func sweep(r *rig) {
	r.broker.start(r.T)
	left := r.anyone("nothing")
	keep := map[string]string{
		"homeassistant/device/other/config":         foreignDocument,
		"homeassistant/device/cams2_door/config":    orphanDocument("cams2", "cams2", "door"),
		"homeassistant/device/espcam_mine/config":   `{"origin":{"name":"somebody"},"availability":[{"topic":"espcam/bridge/state"}]}`,
		"homeassistant/device/espcam_broken/config": `{"espcam/bridge/state`,
		"espcam/note": "of somebody", "cams2/bridge/state": "online",
	}
	gone := map[string]string{
		"homeassistant/device/espcam_door/config": orphanDocument("espcam", "espcam", "door"),
		"espcam/door/availability":                "online", "espcam/door/telemetry": "{}", "espcam/door/jpeg_quality": "12", "espcam/door/info": "{}",
		"homeassistant/device/old_porch/config": orphanDocument("espcam", "old", "porch"), // another id prefix of a known camera
	}
	for topic, text := range keep {
		left.publish(topic, text, true)
	}
	for topic, text := range gone {
		left.publish(topic, text, true)
	}
	b := r.bridge(r.config(), newMemory(), newFleet(porch(), bridge.Camera{ID: "shed", Name: "Shed", State: bridge.Offline, Enabled: true}))
	left.publish("homeassistant/device/espcam_shed/config", orphanDocument("espcam", "espcam", "shed"), true) // known, but away
	r.await("the orphans are gone", func() bool {
		kept := r.retained()
		for topic := range gone {
			if kept[topic] != "" {
				return false
			}
		}
		return true
	})
	r.pass(10 * time.Second)
	kept := r.retained()
	for topic, text := range keep {
		if kept[topic] != text {
			r.Errorf("%s is %q now", topic, kept[topic])
		}
	}
	for _, topic := range []string{"homeassistant/device/espcam_porch/config", "homeassistant/device/espcam_bridge/config", "homeassistant/device/espcam_shed/config", "espcam/porch/availability", "espcam/porch/jpeg_quality"} {
		if kept[topic] == "" {
			r.Errorf("%s was swept away", topic)
		}
	}
	if n := strings.Count(b.log.String(), "camera that is gone"); n != 2 {
		r.Errorf("%d orphans in the log:\n%s", n, b.log)
	}
}

// sweepElsewhere: two bridges with base topics of their own share a broker and a
// Home Assistant.
func sweepElsewhere(r *rig) {
	_, ha := r.home(porch())
	cfg := r.config()
	cfg.BaseTopic = "home/Cams 2"
	second := r.bridge(cfg, newMemory(), newFleet(func() bridge.Camera { c := porch(); c.Device.MAC = ""; return c }()))
	r.await("both are there", func() bool {
		return ha.Entity("espcam_porch_camera").Available && ha.Entity("home__ams_2_porch_camera").Available
	})
	r.pass(15 * time.Second)
	ha.Operate("home__ams_2_porch_jpeg_quality", "25")
	r.is(ha, "home__ams_2_porch_jpeg_quality", "25")
	r.is(ha, "espcam_porch_jpeg_quality", "12")
	second.fleet.change("porch", nil)
	r.await("one porch is gone", func() bool { return ha.Entity("home__ams_2_porch_camera").Platform == "" })
	r.pass(5 * time.Second)
	r.is(ha, "espcam_porch_jpeg_quality", "12")
	if !second.Status().Connected || second.Status().LastError != "" {
		r.Errorf("%+v", second.Status())
	}
}

func haRestarts(r *rig) {
	b, ha := r.home(porch(), yard())
	r.known(ha)
	before := ha.Entities()
	if err := ha.Restart(); err != nil {
		r.Fatal(err)
	}
	r.await("retained documents are back", func() bool { return ha.Entity("espcam_yard_camera").Available })
	r.pass(5 * time.Second)
	r.step = 0
	const document = "homeassistant/device/espcam_bridge/config"
	all := r.anyone("homeassistant/#")
	r.await("the retained document", func() bool { return len(all.heard(document)) == 1 })
	ha.Birth()
	ha.Birth()
	r.settle(b)
	r.clock.advance(1400 * time.Millisecond)
	r.settle(b)
	if n := len(all.heard(document)); n != 1 {
		r.Error("announced before the jitter of the birth message is over")
	}
	r.clock.advance(200 * time.Millisecond) // 0.5 * 3 s
	r.await("it is announced again", func() bool { return len(all.heard(document)) == 2 })
	r.step = 100 * time.Millisecond
	for _, e := range before {
		if e.Key != "memory" && e.Key != "goroutines" {
			r.is(ha, e.UniqueID, e.State)
		}
	}
	r.pass(10 * time.Second)
	ha.Publish("homeassistant/status", "offline", false)
	r.settle(b)
	r.pass(10 * time.Second)
	if n := len(all.heard(document)); n != 2 {
		r.Errorf("%d announcements for two birth messages and an end", n-1)
	}
}

// brokerRestarts: what is retained comes back with it.
func brokerRestarts(r *rig) { restartBroker(r, false) }

// brokerForgets: nothing does.
func brokerForgets(r *rig) { restartBroker(r, true) }

func restartBroker(r *rig, forget bool) {
	b, ha := r.home(porch(), yard())
	since := b.Status().Since
	r.pass(time.Second)
	r.broker.stop(r.T)
	r.await("the bridge notices", func() bool { return !b.Status().Connected })
	if s := b.Status(); !strings.Contains(s.LastError, "MQTT broker") || s.Since.Equal(since) {
		r.Errorf("%+v", s)
	}
	b.fleet.change("porch", func(c *bridge.Camera) {
		c.Name = "Renamed meanwhile"
		c.Reported = c.Reported.With(bridge.Settings{"quality": 44})
	})
	b.fleet.change("yard", nil)
	b.fleet.notify(bridge.Notice{Camera: "porch", Code: bridge.CodeBusy, Message: "lost: nobody can hear it"})
	r.pass(5 * time.Second)
	if forget {
		r.broker.forget(r.T)
	}
	r.broker.start(r.T)
	r.await("the bridge is back", func() bool { return b.Status().Connected && b.Status().LastError == "" })
	r.is(ha, "espcam_porch_jpeg_quality", "44")
	r.await("the name is right", func() bool {
		return slices.Contains(ha.Devices(), fakeha.Device{ID: "espcam_porch", Name: "Renamed meanwhile"})
	})
	r.pass(40 * time.Second)
	for topic := range r.retained() {
		if strings.Contains(topic, "yard") {
			r.Errorf("%s of a camera that was removed meanwhile is left", topic)
		}
	}
	if e := ha.Entity("espcam_yard_camera"); e.Platform != "" {
		r.Error("Home Assistant still has a camera that was removed meanwhile")
	}
	if b.Status().Dropped == 0 {
		r.Error("the dropped notice is not counted")
	}
	ha.Operate("espcam_porch_jpeg_quality", "45")
	r.is(ha, "espcam_porch_jpeg_quality", "45")
}

func bridgeRestarts(r *rig) {
	b, ha := r.home(porch())
	b.stop()
	r.await("all is unavailable", func() bool {
		return !ha.Entity("espcam_porch_camera").Available && !ha.Entity("espcam_bridge_version").Available
	})
	r.is(ha, "espcam_bridge_connection", "off")
	if kept := r.retained(); kept["espcam/bridge/state"] != "offline" || kept["espcam/porch/availability"] != "online" {
		r.Errorf("after a clean stop: %v", kept)
	}
	if s := b.Status(); s.Connected || s.LastError != "" {
		r.Errorf("%+v", s)
	}
	// The base topic may change; the ids may not.
	cfg := r.config()
	cfg.BaseTopic = "moved"
	r.bridge(cfg, b.store, b.fleet)
	r.await("the same entity lives on another topic", func() bool {
		e := ha.Entity("espcam_porch_jpeg_quality")
		return e.Available && e.CommandTopic == "moved/porch/jpeg_quality/set"
	})
}

// bridgeDies: the cable is cut, and a new process starts while the old one is
// still trying.
func bridgeDies(r *rig) {
	r.broker.start(r.T)
	cable := newProxy(r.T, r.broker.address(), 0)
	ha := r.homeAssistant()
	cfg := r.config()
	cfg.Broker = cable.url()
	old := r.bridge(cfg, newMemory(), newFleet(porch()))
	r.is(ha, "espcam_porch_jpeg_quality", "12")
	cable.cut()
	r.await("the will says offline", func() bool { return !ha.Entity("espcam_porch_camera").Available })
	r.is(ha, "espcam_bridge_connection", "off")
	b := r.bridge(r.config(), old.store, newFleet(porch()))
	r.is(ha, "espcam_porch_jpeg_quality", "12")
	r.is(ha, "espcam_bridge_connection", "on")
	old.stop()
	r.pass(5 * time.Second)
	if !b.Status().Connected || !ha.Entity("espcam_porch_camera").Available {
		r.Error("the end of the old process disturbs the new one")
	}
}

func brokerComesLate(r *rig) {
	b := r.bridge(r.config(), newMemory(), newFleet(porch()))
	r.await("the bridge tried", func() bool { return b.Status().LastError != "" })
	r.pass(2 * time.Minute)
	if s := b.Status(); s.Connected || !strings.Contains(s.LastError, "cannot reach the MQTT broker at "+r.url()+": ") || s.Published != 0 {
		r.Errorf("%+v", s)
	}
	if n := strings.Count(b.log.String(), "cannot reach"); n != 1 {
		r.Errorf("%d lines about an absent broker:\n%s", n, b.log)
	}
	r.broker.start(r.T)
	ha := r.homeAssistant()
	r.is(ha, "espcam_porch_jpeg_quality", "12")
	if s := b.Status(); !s.Connected || s.LastError != "" {
		r.Errorf("%+v", s)
	}
}

// staleWill: the will of a connection that the broker found dead only now.
func staleWill(r *rig) {
	_, ha := r.home(porch())
	all := r.anyone("espcam/bridge/state")
	all.publish("espcam/bridge/state", "offline", true)
	r.await("the bridge says otherwise", func() bool {
		heard := all.heard("espcam/bridge/state")
		return len(heard) > 1 && heard[len(heard)-1] == "online" && slices.Contains(heard, "offline")
	})
	r.await("all is available", func() bool { return ha.Entity("espcam_porch_camera").Available })
}
