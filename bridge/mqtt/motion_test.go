package mqtt_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge"
	"github.com/espcam-bridge/espcam-bridge/bridge/mqtt"
	"github.com/espcam-bridge/espcam-bridge/bridge/mqtt/fakeha"
)

// watch is the watch over cameras that see what a test says.
type watch struct {
	mu        sync.Mutex
	listeners []*bridge.EventListener
	active    map[string]bridge.Event // by camera
	n         uint16
}

func newWatch() *watch { return &watch{active: map[string]bridge.Event{}} }

func (w *watch) Subscribe() (*bridge.EventListener, func()) {
	l := bridge.NewEventListener()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.listeners = append(w.listeners, l)
	return l, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.listeners = slices.DeleteFunc(w.listeners, func(o *bridge.EventListener) bool { return o == l })
	}
}

func (w *watch) Active() []bridge.Event {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Collect(maps.Values(w.active))
}

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// event is a new one that nobody was told of. An empty picture is none.
func (w *watch) event(camera, picture string) bridge.Event {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.n++
	begin := noon.Add(time.Duration(w.n) * time.Second)
	return bridge.Event{
		ID: bridge.NewEventID(begin, w.n), Camera: camera, Sources: []string{bridge.SourcePixels},
		Begin: begin, Last: begin, Score: 0.25, Picture: frame(picture),
	}
}

func frame(text string) bridge.Frame {
	if text == "" {
		return bridge.Frame{}
	}
	return bridge.NewBuffer([]byte(text)).Frame(len(text), bridge.Frame{Camera: "porch", Seq: 1, Received: noon})
}

// over is the event's last state.
func over(ev bridge.Event) bridge.Event {
	ev.End, ev.Ending, ev.Score, ev.Now = ev.Begin.Add(1500*time.Millisecond), bridge.EndQuiet, 0.75, nil
	return ev
}

func (w *watch) tell(ev bridge.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.active[ev.Camera] = ev
	if ev.Over() {
		delete(w.active, ev.Camera)
	}
	for _, l := range w.listeners {
		l.Tell(ev)
	}
}

// story is what was published of a camera's motion, in order.
func (a *anyone) story(camera string) []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	var list []string
	for _, m := range a.messages {
		switch topic := strings.TrimPrefix(m.Topic(), "espcam/"+camera+"/"); topic {
		case "motion", "motion/image", "motion/last":
			list = append(list, topic+" "+string(m.Payload()))
		case "event":
			list = append(list, "event "+string(m.Payload()))
		}
	}
	return list
}

// started and ended are T/event.
func started(ev bridge.Event) string { return told("motion_start", ev, ev.Begin) }
func ended(ev bridge.Event) string   { return told("motion_end", ev, ev.End) }

func told(kind string, ev bridge.Event, at time.Time) string {
	return fmt.Sprintf(`event {"event_type":"%s","id":"%s","score":%g,"time":"%s"}`, kind, ev.ID, ev.Score, at.Format("2006-01-02T15:04:05.000Z"))
}

func (r *rig) tells(a *anyone, camera string, want ...string) {
	r.Helper()
	defer func() {
		if got := a.story(camera); r.Failed() || len(got) > len(want) {
			r.Errorf("%s told\n%s\nwant\n%s", camera, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}()
	r.await(fmt.Sprintf("%d messages of motion", len(want)), func() bool { return slices.Equal(a.story(camera), want) })
}

// motion is one event from its begin to its end.
func motion(r *rig) {
	b, ha := r.home(porch(), yard())
	all := r.anyone("espcam/#")
	r.await("retained states", func() bool { return len(all.story("porch")) == 1 && len(all.story("yard")) == 1 })
	all.forget()

	ev := b.watch.event("porch", "best so far")
	b.watch.tell(ev)
	lit := []string{"motion/image best so far", "motion/last 2026-11-21T12:00:01Z", "motion ON", started(ev)}
	r.tells(all, "porch", lit...)
	r.is(ha, "espcam_porch_motion", "on")
	r.is(ha, "espcam_porch_last_motion", "2026-11-21T12:00:01Z")
	r.is(ha, "espcam_porch_event", "motion_start")
	if e := ha.Entity("espcam_porch_motion_image"); string(e.Picture) != "best so far" || e.Pictures != 1 {
		r.Errorf("picture %q, %d came", e.Picture, e.Pictures)
	}

	// Updates are nobody's business but the page's.
	for i := range 5 {
		ev.Score, ev.Picture, ev.Last = 0.3+float64(i)/10, frame("better"), ev.Begin.Add(time.Duration(i)*time.Second)
		b.watch.tell(ev)
	}
	b.fleet.change("porch", func(c *bridge.Camera) { c.Reported = c.Reported.With(bridge.Settings{"quality": 13}) })
	r.is(ha, "espcam_porch_jpeg_quality", "13")
	ev = over(ev)
	b.watch.tell(ev)
	r.tells(all, "porch", append(lit, "motion OFF", ended(ev))...)
	r.is(ha, "espcam_porch_motion", "off")
	r.is(ha, "espcam_porch_event", "motion_end")
	b.watch.tell(ev) // once more: it is over
	r.settle(b)
	r.tells(all, "porch", append(lit, "motion OFF", ended(ev))...)
	if got := all.story("yard"); len(got) > 0 {
		r.Errorf("yard told %v", got)
	}
	if e := ha.Entity("espcam_porch_event"); len(e.Events) != 2 || e.Events[0]["score"] != 0.25 || e.Events[1]["score"] != 0.75 || len(e.Events[1]) != 4 {
		r.Errorf("events %v", e.Events)
	}
	kept := r.retained()
	if kept["espcam/porch/motion"] != "OFF" || kept["espcam/porch/motion/image"] != "best so far" || kept["espcam/porch/event"] != "" {
		r.Errorf("kept: %v", kept)
	}
	if s := b.Status(); s.Dropped != 0 || s.Failed != 0 {
		r.Errorf("%+v", s)
	}
}

// quickMotion: events that nobody looked at while they went on, one after the
// other, without a picture, and with an odd score.
func quickMotion(r *rig) {
	b, _ := r.home(porch())
	all := r.anyone("espcam/porch/#")
	r.await("retained states", func() bool { return len(all.story("porch")) == 1 })
	all.forget()
	first, second, third := b.watch.event("porch", "one"), b.watch.event("porch", "two"), b.watch.event("porch", "")
	first = over(first)
	third.Score = -1
	b.fleet.mu.Lock() // the client stands still at the first
	b.watch.tell(first)
	b.watch.tell(second)
	second = over(second)
	b.watch.tell(second)
	b.watch.tell(third)
	b.fleet.mu.Unlock()
	third.Score = 0
	want := []string{
		"motion/image one", "motion/last 2026-11-21T12:00:01Z", "motion ON", started(first), "motion OFF", ended(first),
		"motion/image two", "motion/last 2026-11-21T12:00:02Z", "motion ON", started(second), "motion OFF", ended(second),
		"motion/last 2026-11-21T12:00:03Z", "motion ON", started(third),
	}
	r.tells(all, "porch", want...)
	third.Picture = frame("at last") // the sensor was faster than the camera
	b.watch.tell(third)
	r.tells(all, "porch", append(want, "motion/image at last")...)
	third.Picture = frame("late")
	third = over(third)
	b.watch.tell(third)
	r.tells(all, "porch", append(want, "motion/image at last", "motion OFF", ended(third))...)
}

// motionSwitchedOff: by the switch for motion, by the one for the camera, by
// removal.
func motionSwitchedOff(r *rig) {
	b, ha := r.home(porch())
	all := r.anyone("espcam/porch/#")
	r.await("retained states", func() bool { return len(all.story("porch")) == 1 })
	all.forget()
	ev := b.watch.event("porch", "first")
	b.watch.tell(ev)
	r.is(ha, "espcam_porch_motion", "on")
	ha.Operate("espcam_porch_motion_detection", "OFF")
	r.is(ha, "espcam_porch_motion_detection", "off")
	r.is(ha, "espcam_porch_motion", "off")
	b.watch.tell(over(ev)) // the watch says so a moment later
	b.watch.tell(b.watch.event("porch", "nobody wants it"))
	r.settle(b)
	if got := all.story("porch"); len(got) != 6 || got[4] != "motion OFF" || !strings.Contains(got[5], `"motion_end"`) {
		r.Errorf("told %v", got)
	}
	if string(ha.Entity("espcam_porch_motion_image").Picture) != "first" {
		r.Error("the picture went with the switch for motion")
	}
	b.watch.tell(over(b.watch.active["porch"]))
	ha.Operate("espcam_porch_motion_detection", "ON")
	r.is(ha, "espcam_porch_motion_detection", "on")

	ev = b.watch.event("porch", "second")
	b.watch.tell(ev)
	r.is(ha, "espcam_porch_motion", "on")
	b.fleet.change("porch", func(c *bridge.Camera) { c.Enabled, c.State = false, bridge.Disabled })
	r.await("the picture is cleared", func() bool { return len(ha.Entity("espcam_porch_motion_image").Picture) == 0 })
	if kept := r.retained(); kept["espcam/porch/motion"] != "OFF" || kept["espcam/porch/motion/image"] != "" {
		r.Errorf("kept: %v", kept)
	}
	b.watch.tell(over(ev))
	before := len(all.story("porch"))
	ha.Birth()
	r.pass(10 * time.Second)
	if got := all.story("porch")[before:]; slices.ContainsFunc(got, func(s string) bool { return strings.HasPrefix(s, "motion/image") }) {
		r.Errorf("cleared once more: %v", got)
	}
	b.fleet.change("porch", func(c *bridge.Camera) { c.Enabled, c.State = true, bridge.Online })
	ev = b.watch.event("porch", "third")
	b.watch.tell(ev)
	r.is(ha, "espcam_porch_motion", "on")

	b.fleet.change("porch", nil)
	b.watch.tell(over(ev))
	r.await("porch is gone", func() bool { return ha.Entity("espcam_porch_motion").Platform == "" })
	r.await("nothing is left", func() bool {
		return !slices.ContainsFunc(slices.Collect(maps.Keys(r.retained())), func(t string) bool { return strings.Contains(t, "porch") })
	})
	r.alternates(all)
}

// alternates checks each ON and OFF, each motion_start and motion_end.
func (r *rig) alternates(a *anyone) {
	r.Helper()
	state, open := "", ""
	for _, line := range a.story("porch") {
		topic, text, _ := strings.Cut(line, " ")
		switch topic {
		case "motion":
			if text == "ON" && state == "ON" {
				r.Error("ON after ON")
			}
			state = text
		case "event":
			var ev struct{ Event_type, ID string }
			if err := json.Unmarshal([]byte(text), &ev); err != nil {
				r.Fatal(err)
			}
			if (ev.Event_type == "motion_start") != (open == "") || open != "" && open != ev.ID {
				r.Errorf("%s of %s while %q is open", ev.Event_type, ev.ID, open)
			}
			if open = ""; ev.Event_type == "motion_start" {
				open = ev.ID
			}
		}
	}
	if state == "ON" || open != "" {
		r.Errorf("left %s, with %q open:\n%s", state, open, strings.Join(a.story("porch"), "\n"))
	}
}

// motionAway: one event ends while the broker is away, one comes and goes, one
// goes on.
func motionAway(r *rig) {
	b, ha := r.home(porch())
	first, second, third := b.watch.event("porch", "one"), b.watch.event("porch", "two"), b.watch.event("porch", "three")
	b.watch.tell(first)
	r.is(ha, "espcam_porch_event", "motion_start")
	r.settle(b)
	r.broker.stop(r.T)
	r.await("the bridge notices", func() bool { return !b.Status().Connected })
	first, second = over(first), over(second)
	b.watch.tell(first)
	b.watch.tell(second)
	b.watch.tell(third)
	began := third
	r.broker.start(r.T)
	again := r.anyone("espcam/porch/#")
	r.await("the bridge is back", func() bool { return b.Status().Connected })
	r.is(ha, "espcam_porch_motion", "on")
	r.is(ha, "espcam_porch_last_motion", "2026-11-21T12:00:03Z")
	r.await("the newest picture", func() bool { return string(ha.Entity("espcam_porch_motion_image").Picture) == "three" })
	r.await("all was told late", func() bool { return len(ha.Entity("espcam_porch_event").Events) >= 5 })
	third = over(third)
	b.watch.tell(third)
	r.is(ha, "espcam_porch_motion", "off")
	r.settle(b)

	after := again.story("porch")
	after = after[max(slices.Index(after, "motion OFF"), 0):] // before it comes what the broker kept
	want := []string{"motion OFF", "motion/image three", "motion ON", "motion/last 2026-11-21T12:00:03Z",
		ended(first), started(second), ended(second), started(began), "motion OFF", ended(third)}
	if !slices.Equal(after, want) {
		r.Errorf("after the interruption it told\n%s\nwant\n%s", strings.Join(after, "\n"), strings.Join(want, "\n"))
	}
	// Home Assistant heard each once, with its own time.
	var heard []string
	for _, o := range ha.Entity("espcam_porch_event").Events {
		heard = append(heard, fmt.Sprint(o["event_type"], " ", o["id"]))
	}
	var once []string
	for _, ev := range []bridge.Event{first, second, third} {
		once = append(once, "motion_start "+ev.ID, "motion_end "+ev.ID)
	}
	if !slices.Equal(heard, once) {
		r.Errorf("Home Assistant heard %v, want %v", heard, once)
	}
}

// motionRestarts: the bridge stops, and another starts, while something moves.
func motionRestarts(r *rig) {
	b, ha := r.home(porch())
	all := r.anyone("espcam/porch/#")
	r.await("retained states", func() bool { return len(all.story("porch")) == 1 })
	all.forget()
	ev := b.watch.event("porch", "one")
	b.watch.tell(ev)
	r.is(ha, "espcam_porch_motion", "on")
	b.stop()
	r.await("it is over", func() bool { return len(all.story("porch")) == 6 })
	if kept := r.retained(); kept["espcam/porch/motion"] != "OFF" || kept["espcam/bridge/state"] != "offline" {
		r.Errorf("after a clean stop: %v", kept)
	}
	r.alternates(all)

	// A stop that nobody told of: ON is what the dead one left.
	all.publish("espcam/porch/motion", "ON", true)
	all.forget()
	second := r.bridge(r.config(), b.store, newFleet(porch()))
	r.is(ha, "espcam_porch_motion", "off")
	second.stop()

	// What goes on when the bridge starts is announced with everything else.
	all.forget()
	third := r.build(r.config(), b.store, newFleet(porch()))
	ev = third.watch.event("porch", "three")
	third.watch.tell(ev)
	r.run(third)
	r.is(ha, "espcam_porch_motion", "on")
	r.await("it began", func() bool { return slices.Contains(all.story("porch"), started(ev)) })
	ev = over(ev)
	third.watch.tell(ev)
	r.is(ha, "espcam_porch_motion", "off")
	r.settle(third)
	r.alternates(all)
}

// lostMotion: more happened than a mailbox holds.
func lostMotion(r *rig) {
	b, ha := r.home(porch(), yard())
	ev, gone := b.watch.event("porch", "one"), b.watch.event("yard", "yard")
	b.watch.tell(gone)
	r.is(ha, "espcam_yard_motion", "on")
	b.fleet.mu.Lock()
	asked := b.fleet.asked.Load()
	b.watch.tell(over(b.watch.event("porch", "")))
	r.await("the client stands still at it", func() bool { return b.fleet.asked.Load() > asked })
	b.watch.tell(over(gone)) // is dropped
	b.watch.tell(ev)         // this too
	for range 1024 {
		b.watch.tell(over(b.watch.event("nobody", "")))
	}
	b.watch.mu.Lock()
	b.watch.active["porch"] = ev
	b.watch.mu.Unlock()
	b.fleet.mu.Unlock()
	r.is(ha, "espcam_yard_motion", "off")
	r.is(ha, "espcam_porch_motion", "on")
	if n := b.Status().Dropped; n != 2 {
		r.Errorf("%d dropped, want 2", n)
	}
}

// taken reports whether all mailboxes are empty; it looks by putting nothing in.
func (w *watch) taken() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return !slices.ContainsFunc(w.listeners, func(l *bridge.EventListener) bool { return len(l.Ready()) > 0 })
}

// TestMotionLatency: from the watch to another client, through a real broker.
func TestMotionLatency(t *testing.T) {
	r := newRig(t, newEmbedded(t))
	b, _ := r.home(porch())
	all := r.anyone("espcam/porch/motion")
	r.await("the retained state has come", func() bool { return len(all.heard("espcam/porch/motion")) == 1 })
	picture := strings.Repeat("x", 20<<10)
	var took []time.Duration
	for i := range 20 {
		ev := b.watch.event("porch", picture)
		start := time.Now()
		b.watch.tell(ev)
		poll(t, "ON", func() bool { return countOf(all.heard("espcam/porch/motion"), "ON") == i+1 })
		took = append(took, time.Since(start))
		b.watch.tell(over(ev))
		poll(t, "OFF", func() bool { return countOf(all.heard("espcam/porch/motion"), "OFF") == i+2 })
	}
	slices.Sort(took)
	t.Logf("median %v, longest %v, looked at every 5 ms", took[10], took[19])
	if took[10] > 100*time.Millisecond {
		t.Errorf("ON after %v", took)
	}
}

func countOf(list []string, s string) int {
	return len(slices.DeleteFunc(slices.Clone(list), func(o string) bool { return o != s }))
}

// TestMotionOfSlowBroker: one that takes nothing any more, while there is motion
// without end.
func TestMotionOfSlowBroker(t *testing.T) {
	t.Parallel()
	r := newRig(t, newEmbedded(t))
	r.broker.start(t)
	cable := newProxy(t, r.broker.address(), 0)
	cfg := r.config()
	cfg.Broker = cable.url()
	b := r.bridge(cfg, newMemory(), newFleet(porch()))
	r.await("connected", func() bool { return b.Status().Connected })
	r.settle(b)
	cable.freeze()
	dropped := uint64(0)
	big := strings.Repeat("x", 100<<10)
	for range 12 {
		for range 100 {
			b.watch.tell(over(b.watch.event("porch", big)))
		}
		poll(t, "all was heard", b.watch.taken)
	}
	r.await("the connection is given up", func() bool { return !b.Status().Connected })
	r.await("nothing more is dropped", func() bool {
		before := dropped
		dropped = b.Status().Dropped
		return dropped > 0 && dropped == before
	})
	if s := b.Status(); s.Dropped < 200 || !strings.Contains(b.log.String(), "it takes messages too slowly") {
		t.Errorf("%+v", s)
	}
	b.stop()
}

// TestWithoutMotion: a bridge that judges no pictures speaks of none.
func TestWithoutMotion(t *testing.T) {
	f := newFleet()
	c, err := mqtt.New(mqtt.Config{Broker: "mqtt://127.0.0.1:1", DiscoveryPrefix: fakeha.Prefix}, mqtt.Deps{Fleet: f, Pictures: f, Store: newMemory(), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	doc := accepted(t, schema(t), c.Document(porch()))
	for key := range doc.Components {
		if strings.Contains(key, "motion") || key == "event" {
			t.Errorf("there is %s", key)
		}
	}
	for topic := range c.States(porch()) {
		if strings.Contains(topic, "motion") {
			t.Errorf("%s is published", topic)
		}
	}
	if _, _, _, err := c.Read(porch(), "motion_detection", []byte("ON")); bridge.CodeOf(err) != bridge.CodeUnsupported {
		t.Errorf("motion_detection: %v", err)
	}
}

// TestUrgent is the part of the outbox that motion uses.
func TestUrgent(t *testing.T) {
	o := mqtt.NewOutbox()
	if !o.Put("urgent", "u", "nobody is there, and it is made anew") || len(o.Drain()) != 0 || o.Lost() != 0 {
		t.Error("a closed one keeps something")
	}
	o.Open(true)
	small, big := strings.Repeat("s", 200<<10), strings.Repeat("b", 512<<10+1)
	o.Put("state", "motion", "OFF")
	o.Put("event", "error", "1")
	o.Put("proof", "p1", small)
	o.Put("proof", "p2", small)
	o.Put("urgent state", "motion", "ON")
	o.Put("state", "motion", "ON") // the broker is about to have it
	o.Put("proof", "p3", small)    // too much before the next ON
	o.Put("proof", "p4", big)
	o.Put("proof", "p3", small+"!") // the newer of two
	o.Put("urgent", "start", "1")
	want := []string{"p1 " + small, "p2 " + small, "motion ON", "start 1", "error 1", "p4 " + big, "p3 " + small + "!"}
	got := o.Drain()
	if !slices.Equal(got, want) {
		t.Errorf("got %.20q, want %.20q", got, want)
	}
	if o.Lost() != 1 {
		t.Errorf("%d lost, want the old picture", o.Lost())
	}
	o.Put("proof", "p1", big)
	o.Put("clear", "p1", "")
	if got := o.Drain(); !slices.Equal(got, []string{"p1 "}) {
		t.Errorf("after the end of a topic: %.20q", got)
	}
	o.Put("proof", "p1", small)
	o.Put("proof", "p2", small)
	o.Open(false)
	o.Open(true)
	o.Put("proof", "p1", small)
	o.Put("proof", "p2", small)
	o.Put("urgent", "u", "1")
	if got := o.Drain(); len(got) != 3 || got[2] != "u 1" {
		t.Errorf("a new session begins with the pictures of the old: %.20q", got)
	}
	for i := range 4096 {
		if !o.Put("urgent", "u", fmt.Sprint(i)) {
			t.Fatalf("full after %d", i)
		}
	}
	if o.Put("urgent", "u", "one too many") {
		t.Error("without end")
	}
	if got := o.Drain(); len(got) != 4096 || got[4095] != "u 4095" {
		t.Errorf("%d urgent messages", len(got))
	}
}

// TestStrictHomeAssistant: the one of these tests notices what the real one
// would, in documents and in messages.
func TestStrictHomeAssistant(t *testing.T) {
	t.Parallel()
	document := func(component string) string {
		return `{"device":{"identifiers":["x"],"name":"X"},"origin":{"name":"x"},"components":{"c":{"unique_id":"x_c","name":"C",` + component + `}}}`
	}
	s := schema(t)
	for component, right := range map[string]bool{
		`"platform":"image","image_topic":"x/i"`:                                                     true,
		`"platform":"image"`:                                                                         false,
		`"platform":"image","image_topic":"x/i","url_topic":"x/u"`:                                   false,
		`"platform":"image","url_topic":"x/u","content_type":"image/jpeg"`:                           false,
		`"platform":"image","image_topic":"x/i","content_type":"text/html"`:                          false,
		`"platform":"image","image_topic":"x/i","device_class":"motion"`:                             false,
		`"platform":"event","state_topic":"x/e","event_types":["a","b"],"device_class":"motion"`:     true,
		`"platform":"event","state_topic":"x/e"`:                                                     false,
		`"platform":"event","state_topic":"x/e","event_types":[]`:                                    false,
		`"platform":"event","state_topic":"x/e","event_types":["a","a"]`:                             false,
		`"platform":"event","state_topic":"x/e","event_types":["a"],"device_class":"movement"`:       false,
		`"platform":"binary_sensor","state_topic":"x/m","device_class":"motion"`:                     true,
		`"platform":"binary_sensor","state_topic":"x/m","device_class":"movement"`:                   false,
		`"platform":"binary_sensor","state_topic":"x/m","entity_category":"config"`:                  false,
		`"platform":"binary_sensor","state_topic":"x/m","device_class":"motion","state_class":"one"`: false,
	} {
		if _, faults := s.Parse([]byte(document(component))); (len(faults) == 0) != right {
			t.Errorf("%s: %v", component, faults)
		}
	}

	r := newRig(t, newEmbedded(t))
	r.broker.start(t)
	ha, err := fakeha.Start(s, r.url(), "", "")
	if err != nil {
		t.Fatal(err)
	}
	defer ha.Stop()
	ha.Publish("x/e", `{"event_type":"a"}`, true)
	ha.Publish("homeassistant/device/x/config", document(`"platform":"event","state_topic":"x/e","event_types":["a"]`), true)
	r.await("the entity is there", func() bool { return ha.Entity("x_c").Platform == "event" && ha.Idle() })
	for _, payload := range []string{"", "motion", "[1]", `{"type":"a"}`, `{"event_type":"b"}`, `{"event_type":"a","id":"1"}`} {
		ha.Publish("x/e", payload, false)
	}
	r.await("the last one came", func() bool { return len(ha.Entity("x_c").Events) > 0 })
	if e := ha.Entity("x_c").Events; len(e) != 1 || e[0]["id"] != "1" {
		t.Errorf("events %v, want one: a replayed one is none", e)
	}
	if p := ha.Problems(); len(p) != 4 {
		t.Errorf("problems %v, want four", p)
	}
}
