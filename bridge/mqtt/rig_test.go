package mqtt_test

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
	"go.uber.org/goleak"

	"github.com/espcam-bridge/espcam-bridge/bridge"
	"github.com/espcam-bridge/espcam-bridge/bridge/mqtt"
	"github.com/espcam-bridge/espcam-bridge/bridge/mqtt/fakeha"
)

func TestMain(m *testing.M) {
	// Nearly all of the time is waiting for brokers.
	if err := flag.Set("test.parallel", "8"); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m)
}

// clock is a time that passes only while a test waits for something.
type clock struct {
	mu      sync.Mutex
	now     time.Time
	waiting []waiting
}

type waiting struct {
	at time.Time
	ch chan time.Time
}

func newClock() *clock { return &clock{now: time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) After(d time.Duration) <-chan time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	ch := make(chan time.Time, 1)
	if d <= 0 {
		ch <- c.now
		return ch
	}
	c.waiting = append(c.waiting, waiting{c.now.Add(d), ch})
	return ch
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
	c.waiting = slices.DeleteFunc(c.waiting, func(w waiting) bool {
		due := !w.at.After(c.now)
		if due {
			w.ch <- c.now
		}
		return due
	})
}

// memory is a store in memory.
type memory struct {
	mu   sync.Mutex
	m    map[string]string
	fail error
}

func newMemory() *memory { return &memory{m: map[string]string{}} }

func (s *memory) Get(key string) (string, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v, ok := s.m[key]
	return v, ok, s.fail
}

func (s *memory) Put(key, value string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fail == nil {
		s.m[key] = value
	}
	return s.fail
}

func (s *memory) Delete(key string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fail == nil {
		delete(s.m, key)
	}
	return s.fail
}

func (s *memory) copy() *memory {
	s.mu.Lock()
	defer s.mu.Unlock()
	return &memory{m: maps.Clone(s.m)}
}

// rig is a home: a broker, a bridge, a Home Assistant.
type rig struct {
	*testing.T
	broker testBroker
	clock  *clock
	step   time.Duration // of the clock at each look, while waiting
	schema *fakeha.Schema
	answer time.Duration // how long probes wait, in real time

	homes     []*fakeha.HA
	bridges   []*running
	published uint64
}

func newRig(t *testing.T, b testBroker) *rig {
	t.Helper()
	s, err := fakeha.Load("testdata/ha-mqtt-schema-2026.9.json")
	if err != nil {
		t.Fatal(err)
	}
	return &rig{T: t, broker: b, clock: newClock(), step: 100 * time.Millisecond, schema: s, answer: time.Second}
}

func (r *rig) url() string { return "mqtt://" + r.broker.address() }

// await waits for cond; the clock runs meanwhile.
func (r *rig) await(what string, cond func() bool) {
	r.Helper()
	poll(r.T, what, func() bool {
		if cond() {
			return true
		}
		if r.quiet() {
			r.clock.advance(r.step)
		}
		return false
	})
}

// quiet reports whether nothing is on its way, as far as can be seen: on a busy
// machine time would otherwise run away from those who work.
func (r *rig) quiet() bool {
	before := r.published
	r.published = 0
	for _, b := range r.bridges {
		r.published += b.Status().Published
	}
	return r.published == before && !slices.ContainsFunc(r.homes, func(ha *fakeha.HA) bool { return !ha.Idle() })
}

// pass lets time pass, and some real time with it.
func (r *rig) pass(d time.Duration) {
	r.Helper()
	end := r.clock.Now().Add(d)
	poll(r.T, "time passes", func() bool {
		if r.quiet() {
			r.clock.advance(500 * time.Millisecond)
		}
		return r.clock.Now().After(end)
	})
}

// running is a bridge's MQTT client.
type running struct {
	*mqtt.Client
	fleet *fleet
	watch *watch
	store *memory
	log   *lines
	stop  func()
}

func (r *rig) config() mqtt.Config { return mqttConfig(r.url()) }

func mqttConfig(url string) mqtt.Config {
	return mqtt.Config{Broker: url, DiscoveryPrefix: fakeha.Prefix, Name: "home", Version: "0.1.0", ConnectTimeout: 5 * time.Second,
		PageURL: func(camera string) string { return "http://bridge.local:8080/#" + camera }}
}

// bridge starts a bridge; the test's end or stop ends it.
func (r *rig) bridge(cfg mqtt.Config, store *memory, f *fleet) *running {
	r.Helper()
	b := r.build(cfg, store, f)
	r.run(b)
	return b
}

// build makes a bridge that does not run yet.
func (r *rig) build(cfg mqtt.Config, store *memory, f *fleet, change ...func(*mqtt.Deps)) *running {
	r.Helper()
	b := &running{fleet: f, watch: newWatch(), store: store, log: &lines{}}
	deps := mqtt.Deps{
		Fleet: f, Pictures: f, Motion: b.watch, Store: store, Clock: r.clock, Rand: func() float64 { return 0.5 },
		Placeholder: func(c bridge.Camera) []byte { return []byte("placeholder of " + c.ID) },
		Log:         slog.New(slog.NewTextHandler(b.log, nil)),
	}
	for _, do := range change {
		do(&deps)
	}
	c, err := mqtt.New(cfg, deps)
	if err != nil {
		r.Fatal(err)
	}
	c.AnswerWithin(r.answer)
	b.Client = c
	return b
}

// run starts what build made.
func (r *rig) run(b *running) {
	r.Helper()
	c := b.Client
	r.bridges = append(r.bridges, b)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := c.Run(ctx); err != nil {
			r.Errorf("Run: %v", err)
		}
	}()
	b.stop = sync.OnceFunc(func() {
		cancel()
		select {
		case <-done:
		case <-time.After(10 * time.Second):
			r.Error("Run does not end")
		}
	})
	r.Cleanup(b.stop)
}

// home starts a broker, a bridge with cameras, and a Home Assistant, and waits
// until all is announced.
func (r *rig) home(cameras ...bridge.Camera) (*running, *fakeha.HA) {
	r.Helper()
	r.broker.start(r.T)
	ha := r.homeAssistant()
	b := r.bridge(r.config(), newMemory(), newFleet(cameras...))
	r.await("the bridge is there", func() bool { return ha.Entity("espcam_bridge_version").Available })
	for _, c := range cameras {
		want := c.State == bridge.Online
		r.await(c.ID+" is announced", func() bool { return ha.Entity("espcam_"+c.ID+"_camera").Available == want })
	}
	return b, ha
}

// homeAssistant starts one; at the test's end it must have nothing to complain
// of.
func (r *rig) homeAssistant() *fakeha.HA {
	r.Helper()
	ha, err := fakeha.Start(r.schema, r.url(), "", "")
	if err != nil {
		r.Fatal(err)
	}
	r.homes = append(r.homes, ha)
	r.Cleanup(func() {
		ha.Stop()
		for _, p := range ha.Problems() {
			r.Errorf("Home Assistant: %s", p)
		}
	})
	return ha
}

// known waits until every entity that has a state has told it.
func (r *rig) known(ha *fakeha.HA) {
	r.Helper()
	r.await("all states are known", func() bool {
		return !slices.ContainsFunc(ha.Entities(), func(e fakeha.Entity) bool {
			silent := []string{"camera", "button", "image", "event"}
			return !e.Available || e.State == fakeha.Unknown && !slices.Contains(silent, e.Platform) && !slices.Contains([]string{"last_motion", "last_error", "pan", "tilt"}, e.Key)
		})
	})
}

// is waits until an entity is available with that state.
func (r *rig) is(ha *fakeha.HA, unique, state string) {
	r.Helper()
	var e fakeha.Entity
	defer func() {
		if r.Failed() {
			r.Logf("%s is %q, available %v", unique, e.State, e.Available)
		}
	}()
	r.await(unique+" is "+state, func() bool { e = ha.Entity(unique); return e.Available && e.State == state })
}

// settle waits until the bridge has worked through all that was published and
// all that is due.
func (r *rig) settle(b *running) {
	r.Helper()
	a := r.anyone("nothing")
	n := b.Status().Ignored
	for i := range uint64(2) { // what the first round plans, the second finds done
		a.publish("espcam/nobody/settle/set", "x", false)
		poll(r.T, "the bridge is idle", func() bool { return b.Status().Ignored == n+i+1 })
	}
	a.client.Disconnect(250)
}

// anyone is a plain client that hears everything.
type anyone struct {
	rig    *rig
	client paho.Client

	mu       sync.Mutex
	messages []paho.Message
}

func (r *rig) anyone(filter string) *anyone {
	r.Helper()
	return r.anyoneAs("", "", filter)
}

func (r *rig) anyoneAs(user, password, filter string) *anyone {
	r.Helper()
	a := &anyone{rig: r}
	a.client = paho.NewClient(paho.NewClientOptions().AddBroker(r.url()).SetClientID(fmt.Sprintf("any-%p", a)).
		SetUsername(user).SetPassword(password).
		SetProtocolVersion(4).SetAutoReconnect(false).SetWriteTimeout(5 * time.Second).
		SetDefaultPublishHandler(func(_ paho.Client, m paho.Message) {
			a.mu.Lock()
			defer a.mu.Unlock()
			a.messages = append(a.messages, m)
		}))
	if t := a.client.Connect(); !t.WaitTimeout(5*time.Second) || t.Error() != nil {
		r.Fatal(t.Error())
	}
	if t := a.client.Subscribe(filter, 1, nil); !t.WaitTimeout(5*time.Second) || t.Error() != nil {
		r.Fatal(t.Error())
	}
	r.Cleanup(func() { a.client.Disconnect(250) })
	return a
}

func (a *anyone) publish(topic string, payload any, retain bool) {
	a.rig.Helper()
	if t := a.client.Publish(topic, 1, retain, payload); !t.WaitTimeout(5*time.Second) || t.Error() != nil {
		a.rig.Fatal(t.Error())
	}
}

// heard returns the payloads of a topic, in order.
func (a *anyone) heard(topic string) []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	var list []string
	for _, m := range a.messages {
		if m.Topic() == topic {
			list = append(list, string(m.Payload()))
		}
	}
	return list
}

func (a *anyone) forget() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.messages = nil
}

// retained asks the broker for all that is retained, without $SYS.
func (r *rig) retained() map[string]string {
	r.Helper()
	a := r.anyone("#")
	a.publish("end/of/retained", "x", false)
	r.await("all that is retained has come", func() bool { return len(a.heard("end/of/retained")) > 0 })
	a.mu.Lock()
	defer a.mu.Unlock()
	out := map[string]string{}
	for _, m := range a.messages {
		if m.Retained() && !strings.HasPrefix(m.Topic(), "$") {
			out[m.Topic()] = string(m.Payload())
		}
	}
	a.client.Disconnect(250)
	return out
}
