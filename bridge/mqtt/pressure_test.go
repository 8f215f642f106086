package mqtt_test

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	mochi "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/listeners"
	"github.com/mochi-mqtt/server/v2/packets"

	"github.com/espcam-bridge/espcam-bridge/bridge"
	"github.com/espcam-bridge/espcam-bridge/bridge/mqtt"
)

// TestSlowBroker: cameras that have a new picture more often than the broker takes
// one. Nothing piles up, the newest wins, and what was left out is counted.
func TestSlowBroker(t *testing.T) {
	const cameras, rounds, size = 20, 60, 200 << 10
	r := newRig(t, newEmbedded(t))
	r.broker.start(t)
	cable := newProxy(t, r.broker.address(), 5*time.Millisecond) // 6 MB/s
	cfg := r.config()
	cfg.Broker, cfg.Preview = cable.url(), 2*time.Second
	f := newFleet()
	for i := range cameras {
		c := yard()
		c.ID = fmt.Sprintf("cam-%02d", i)
		f.cameras[c.ID] = c
	}
	all := r.anyone("espcam/+/image")
	b := r.bridge(cfg, newMemory(), f)
	r.await("connected", func() bool { return b.Status().Connected })
	r.settle(b)
	heap := func() int64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	shoot := func(n int) {
		for id := range f.cameras {
			f.shoot(id, fmt.Sprintf("%08d%s", n, strings.Repeat("x", size)))
		}
		r.clock.advance(2 * time.Second)
	}
	shoot(1)
	before, most := heap(), int64(0)
	for n := range rounds {
		shoot(n + 2)
		all.forget()
		most = max(most, heap())
	}
	if grown := most - before; grown > 24<<20 {
		t.Errorf("%d MB of pictures were held: %d cameras have %d MB", grown>>20, cameras, cameras*size>>20)
	} else {
		t.Logf("%.1f MB more at most, of %d MB that were offered", float64(grown)/(1<<20), cameras*rounds*size>>20)
	}
	if n := b.Status().Dropped; n < cameras*rounds/2 {
		t.Errorf("only %d pictures were dropped", n)
	}
	last := strconv.Itoa(rounds + 1)
	poll(t, "every camera shows its newest", func() bool {
		for id := range f.cameras {
			heard := all.heard("espcam/" + id + "/image")
			if len(heard) == 0 || strings.TrimLeft(heard[len(heard)-1][:8], "0") != last {
				return false
			}
		}
		return true
	})
	all.mu.Lock()
	defer all.mu.Unlock()
	newest := map[string]string{}
	for _, m := range all.messages {
		if n := string(m.Payload()[:8]); n < newest[m.Topic()] {
			t.Errorf("%s shows %s after %s", m.Topic(), n, newest[m.Topic()])
		} else {
			newest[m.Topic()] = n
		}
	}
}

// TestRetries: a broker that was away is looked for at least every 5 s, one that
// refuses us seldom.
func TestRetries(t *testing.T) {
	for name, tt := range map[string]struct {
		err      error
		from, to time.Duration // of the longest pause
	}{
		"away":    {bridge.Errorf(bridge.CodeUnavailable, "cannot reach it"), 4 * time.Second, 5 * time.Second},
		"lost":    {errors.New("EOF"), 4 * time.Second, 5 * time.Second},
		"refuses": {bridge.Errorf(bridge.CodeDenied, "wrong password"), 25 * time.Second, 30 * time.Second},
	} {
		for _, chance := range []float64{0, 0.5, 0.999} {
			c := client(t, func(_ *mqtt.Config, d *mqtt.Deps) { d.Rand = func() float64 { return chance } })
			longest := time.Duration(0)
			for range 20 {
				d := c.Backoff(tt.err)
				if longest = max(longest, d); d < time.Second {
					t.Errorf("%s: a pause of %v", name, d)
				}
			}
			if longest > tt.to || chance > 0.9 && longest < tt.from {
				t.Errorf("%s: the longest pause is %v, want %v to %v", name, longest, tt.from, tt.to)
			}
		}
	}
}

// miser is a broker that gives less than it is asked for.
type miser struct {
	mochi.HookBase
	lossy bool // grants QoS 0 alone
	deaf  bool // takes publications and does nothing with them, like one whose disk is full
}

func (*miser) ID() string { return "miser" }

func (*miser) Provides(b byte) bool {
	return b == mochi.OnConnectAuthenticate || b == mochi.OnACLCheck || b == mochi.OnSubscribe || b == mochi.OnPublish
}

func (*miser) OnConnectAuthenticate(*mochi.Client, packets.Packet) bool { return true }

func (*miser) OnACLCheck(*mochi.Client, string, bool) bool { return true }

func (m *miser) OnSubscribe(_ *mochi.Client, p packets.Packet) packets.Packet {
	for i := range p.Filters {
		if m.lossy {
			p.Filters[i].Qos = 0
		}
	}
	return p
}

func (m *miser) OnPublish(_ *mochi.Client, p packets.Packet) (packets.Packet, error) {
	if m.deaf && strings.HasSuffix(p.TopicName, "/config") {
		return p, packets.ErrRejectPacket
	}
	return p, nil
}

func (m *miser) start(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := mochi.New(&mochi.Options{Logger: slog.New(slog.DiscardHandler)})
	if err := errors.Join(s.AddHook(m, nil), s.AddListener(listeners.NewNet("x", l)), s.Serve()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() }) // its clients are gone by then
	return l.Addr().String()
}

// TestLowQoS: a broker that grants less than we want works, and is told of.
func TestLowQoS(t *testing.T) {
	r := newRig(t, nil)
	b := r.bridge(mqttConfig("mqtt://"+(&miser{lossy: true}).start(t)), newMemory(), newFleet(porch()))
	r.await("connected all the same", func() bool { return b.Status().Connected && b.Status().Published > 15 })
	if s := b.Status().LastError; !strings.Contains(s, "lower QoS than 1") || !strings.Contains(b.log.String(), "lower QoS") {
		t.Errorf("it says %q; log:\n%s", s, b.log)
	}
	b.stop()
}

// TestBrokerWithoutRoom: one that takes messages and does not keep them, as with a
// full disk, is told of and tried again, and costs nothing meanwhile.
func TestBrokerWithoutRoom(t *testing.T) {
	r := newRig(t, nil)
	b := r.build(mqttConfig("mqtt://"+(&miser{deaf: true}).start(t)), newMemory(), newFleet(porch()))
	b.AcknowledgeWithin(100 * time.Millisecond)
	r.run(b)
	told := func() bool {
		return strings.Contains(b.Status().LastError, "does not acknowledge") && !b.Status().Connected
	}
	r.await("it is told", told)
	r.settleGoroutines(t)
	before := runtime.NumGoroutine()
	for range 20 {
		r.await("it is tried again", func() bool { return b.Status().Connected })
		b.fleet.change("porch", func(c *bridge.Camera) { c.Reported = c.Reported.With(bridge.Settings{"quality": 30}) })
		r.await("and told again", told)
	}
	r.settleGoroutines(t)
	if after := runtime.NumGoroutine(); after > before+5 {
		t.Errorf("goroutines grew from %d to %d", before, after)
	}
	if n := strings.Count(b.log.String(), "does not acknowledge"); n == 0 || n > 25 {
		t.Errorf("the log says it %d times", n)
	}
	b.stop()
}

// settleGoroutines waits until their number stays the same for a while.
func (r *rig) settleGoroutines(t *testing.T) {
	last, same := 0, 0
	poll(t, "the goroutines of the last connection end", func() bool {
		n := runtime.NumGoroutine()
		if same++; n != last {
			last, same = n, 0
		}
		return same > 10
	})
}
