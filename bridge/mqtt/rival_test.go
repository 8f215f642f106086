package mqtt_test

import (
	"strings"
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge"
	"github.com/espcam-bridge/espcam-bridge/bridge/mqtt/fakeha"
)

// named is a porch of that name, to see whose document Home Assistant has.
func named(name string) *fleet {
	c := porch()
	c.Name = name
	return newFleet(c)
}

func (r *rig) owner(ha *fakeha.HA) string {
	for _, d := range ha.Devices() {
		if d.ID == "espcam_porch" {
			return d.Name
		}
	}
	return ""
}

// secondBridge: the second one with the same base topic says so and stays off,
// until the first one is gone.
func secondBridge(r *rig) {
	r.broker.start(r.T)
	ha := r.homeAssistant()
	first := r.bridge(r.config(), newMemory(), named("first"))
	r.is(ha, "espcam_porch_jpeg_quality", "12")
	all := r.anyone("#")
	cfg := r.config()
	cfg.Name = "shed"
	second := r.bridge(cfg, newMemory(), named("second"))
	r.await("the second one says why it is off", func() bool {
		return strings.Contains(second.Status().LastError, `the bridge "home" (instance `) &&
			strings.Contains(second.Status().LastError, `base topic "espcam"`) && strings.Contains(second.Status().LastError, "mqtt.base_topic")
	})
	r.pass(2 * time.Minute)
	if second.Status().Connected || second.Status().Published != 0 || !first.Status().Connected {
		r.Errorf("first %+v, second %+v", first.Status(), second.Status())
	}
	if n := strings.Count(second.log.String(), "mqtt.base_topic"); n != 1 {
		r.Errorf("said %d times:\n%s", n, second.log)
	}
	for _, topic := range []string{"espcam/bridge/state", "espcam/porch/availability"} {
		for _, text := range all.heard(topic) {
			if text != "online" {
				r.Errorf("%s was %s while the second one asked", topic, text)
			}
		}
	}
	ha.Operate("espcam_porch_jpeg_quality", "20")
	r.is(ha, "espcam_porch_jpeg_quality", "20")
	if got := second.fleet.settings(); len(got) > 0 {
		r.Errorf("the second one carried out %v", got)
	}
	first.stop()
	r.await("the second one takes over", func() bool { return second.Status().Connected && r.owner(ha) == "second" })
	r.is(ha, "espcam_porch_jpeg_quality", "12")
}

// deadRival: what a bridge left that died together with its broker locks nobody
// out.
func deadRival(r *rig) {
	r.broker.start(r.T)
	left := r.anyone("espcam/#")
	left.publish("espcam/bridge/info", `{"instance":"dead","run":"0000000000000001-dead","name":"old"}`, true)
	left.publish("espcam/bridge/state", "online", true)
	b := r.bridge(r.config(), newMemory(), newFleet(porch()))
	r.await("the bridge is there", func() bool { return b.Status().Connected && b.Status().LastError == "" })
	// Nor does a message that pretends to be an older bridge: it does not answer.
	instance, _, _ := b.store.Get("instance")
	infos := func() []string { return left.heard("espcam/bridge/info") }
	r.await("the bridge told what it is", func() bool { return strings.Contains(infos()[len(infos())-1], instance) })
	told := len(infos())
	left.publish("espcam/bridge/info", `{"instance":"dead","run":"0000000000000001-dead","name":"old"}`, true)
	r.await("the bridge puts that right", func() bool {
		return len(infos()) >= told+2 && strings.Contains(infos()[len(infos())-1], instance)
	})
	// What is no info at all is nobody's.
	left.publish("espcam/bridge/info", "[]", true)
	left.publish("espcam/bridge/claim", "{", false)
	r.settle(b)
	if !b.Status().Connected {
		r.Error("nonsense on the bridge's own topics ends the connection")
	}
}

// copiedDirectory: two bridges with the same state directory have the same client
// id, so the broker throws out one for the other.
func copiedDirectory(r *rig) {
	r.answer = 3 * time.Second // the one that is thrown out must come back within it
	r.broker.start(r.T)
	ha := r.homeAssistant()
	first := r.bridge(r.config(), newMemory(), named("first"))
	r.is(ha, "espcam_porch_jpeg_quality", "12")
	second := r.bridge(r.config(), first.store.copy(), named("second"))
	r.oneStays(ha, first, second, "a copy of this one's state directory")
}

// sameMoment: both see an empty broker.
func sameMoment(r *rig) {
	first := r.bridge(r.config(), newMemory(), named("first"))
	second := r.bridge(r.config(), newMemory(), named("second"))
	r.await("both wait for the broker", func() bool { return first.Status().LastError != "" && second.Status().LastError != "" })
	r.broker.start(r.T)
	ha := r.homeAssistant()
	r.oneStays(ha, first, second, "uses base topic")
}

// oneStays waits until one of two bridges is connected, the other says why it is
// not, and that lasts.
func (r *rig) oneStays(ha *fakeha.HA, first, second *running, say string) {
	r.Helper()
	settled := func() bool {
		a, b := first.Status(), second.Status()
		if b.Connected {
			a, b = b, a
		}
		return a.Connected && a.LastError == "" && !b.Connected && strings.Contains(b.LastError, say)
	}
	defer func() {
		if r.Failed() {
			r.Logf("first %+v %s\nsecond %+v %s", first.Status(), first.log, second.Status(), second.log)
		}
	}()
	r.await("one stays", settled)
	r.pass(30 * time.Second)
	r.await("one stays", settled)
	for range 12 {
		r.pass(10 * time.Second)
		if !settled() {
			r.Fatal("they still fight")
		}
	}
	owner, loser := first, second
	if second.Status().Connected {
		owner, loser = second, first
	}
	cam, err := owner.fleet.Camera("porch")
	if err != nil {
		r.Fatal(err)
	}
	r.await("the device is the owner's", func() bool { return r.owner(ha) == cam.Name })
	r.is(ha, "espcam_porch_jpeg_quality", "12")
	owner.fleet.change("porch", func(c *bridge.Camera) { c.Reported = c.Reported.With(bridge.Settings{"quality": 50}) })
	r.is(ha, "espcam_porch_jpeg_quality", "50")
	owner.stop()
	r.await("the other one takes over", func() bool { return loser.Status().Connected })
}
