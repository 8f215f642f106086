package ingest_test

import (
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/espcam-bridge/espcam-bridge/bridge"
	"github.com/espcam-bridge/espcam-bridge/bridge/ingest"
)

func errorText(code, message string) string {
	return `{"type":"error","code":"` + code + `","message":"` + message + `"}`
}

func TestRefusals(t *testing.T) {
	d := open(t, ingest.Config{})
	long := strings.Repeat("a", 65)
	tests := []struct {
		query  string
		code   int
		reason string
	}{
		{"", 4401, "invalid_key"},
		{"?key=", 4401, "invalid_key"},
		{"?key=wsk_wrong", 4401, "invalid_key"},
		{"?key=" + strings.Repeat("x", 4000), 4401, "invalid_key"},
		{"?key=" + goodKey + "&app=-live", 4401, "invalid_app"},
		{"?key=" + goodKey + "&app=" + long, 4401, "invalid_app"},
		{"?key=" + goodKey + "&app=a%0d%0ab", 4401, "invalid_app"},
		{"?key=" + goodKey + "&room=../porch", 4401, "invalid_room"},
		{"?key=" + goodKey + "&room=" + long, 4401, "invalid_room"},
		{"?key=" + goodKey + "&app=other", 4401, "unknown_app"},
		{"?key=" + goodKey + "&room=garage", 4401, "room_mismatch"},
		{"?key=" + goodKey + "&room=denied", 4403, "removed"},
		{"?key=" + goodKey + "&room=broken", 4401, "handshake_error"},
	}
	for _, tt := range tests {
		t.Run(tt.query[:min(len(tt.query), 80)], func(t *testing.T) {
			c := d.connect(t, sketch("/ingest/ws"+tt.query))
			if !strings.HasPrefix(c.head, "HTTP/1.1 101 ") {
				t.Errorf("refused before the upgrade: %q", c.head)
			}
			c.wantClose(errorText(fmt.Sprint(tt.code), tt.reason), tt.code, tt.reason)
		})
	}
	st := d.Stats()
	if st.Refused[bridge.ReasonInvalidKey] != 4 || st.Refused[bridge.ReasonInvalidApp] != 3 || st.Refused[bridge.ReasonRemoved] != 1 || st.Admitted != 0 {
		t.Errorf("counters are %+v", st)
	}
	if log := d.log.String(); strings.Contains(log, goodKey) || !strings.Contains(log, "the disk is gone") || strings.Count(log, "reason=invalid_key") != 1 || strings.Contains(log, "<nil>") {
		t.Errorf("the log holds the key, lacks the fault, has one where there is none, or repeats itself:\n%s", log)
	}
	d.camera(t) // the address is not held against a good key
}

func TestIdentityThatIsNoSlugCountsAsNone(t *testing.T) {
	d := open(t, ingest.Config{})
	d.connect(t, sketch("/ingest/ws?identity=..&key="+goodKey)).wantReady()
	if got := d.registry.claims[0].Identity; got != "" {
		t.Errorf("identity is %q", got)
	}
}

// clock is a clock that tests set.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func newClock() *clock { return &clock{t: time.Unix(1_700_000_000, 0)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) forward(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

func TestRateLimitOfRefusals(t *testing.T) {
	clk := newClock()
	d := open(t, ingest.Config{Now: clk.now})
	wrong := sketch("/ingest/ws?key=wsk_wrong")
	try := func(code int, reason string) {
		t.Helper()
		d.connect(t, wrong).wantClose(errorText(fmt.Sprint(code), reason), code, reason)
	}
	for range 60 {
		try(4401, "invalid_key")
	}
	try(4429, "rate_limited")
	clk.forward(59 * time.Second)
	try(4429, "rate_limited")

	// A good key behind the same address comes in, as often as it likes, and is
	// not counted when it is refused for something else.
	for range 70 {
		d.connect(t, sketch("/ingest/ws?room=denied&key="+goodKey)).wantClose(errorText("4403", "removed"), 4403, "removed")
	}
	d.camera(t)

	clk.forward(time.Second)
	try(4401, "invalid_key")
	st := d.Stats()
	if st.Refused[bridge.ReasonRateLimited] != 2 || st.Refused[bridge.ReasonInvalidKey] != 61 {
		t.Errorf("counted %v", st.Refused)
	}
}

// from makes every connection come from an address of the test's choice.
type from struct {
	net.Listener
	addresses chan string
}

func (f from) Accept() (net.Conn, error) {
	c, err := f.Listener.Accept()
	if err != nil {
		return nil, err
	}
	a, err := net.ResolveTCPAddr("tcp", <-f.addresses)
	return at{c.(*net.TCPConn), a}, err
}

type at struct {
	*net.TCPConn
	address net.Addr
}

func (a at) RemoteAddr() net.Addr { return a.address }

// TestRateLimitByBlock: whoever has one IPv6 address has the whole /64.
func TestRateLimitByBlock(t *testing.T) {
	addresses := make(chan string, 1)
	clk := newClock()
	d := open(t, ingest.Config{Now: clk.now}, func(l net.Listener) net.Listener { return from{l, addresses} })
	try := func(address string, code int, reason string) {
		t.Helper()
		addresses <- address
		d.connect(t, sketch("/ingest/ws?key=wsk_wrong")).wantClose(errorText(fmt.Sprint(code), reason), code, reason)
	}
	for i := range 60 {
		try(fmt.Sprintf("[2001:db8:0:1::%x]:4000", i), 4401, "invalid_key")
	}
	try("[2001:db8:0:1:ffff::1]:1", 4429, "rate_limited")
	try("[2001:db8:0:2::1]:1", 4401, "invalid_key")
	for range 60 {
		try("[::ffff:10.0.0.7]:9", 4401, "invalid_key")
	}
	try("10.0.0.7:10", 4429, "rate_limited")
	try("10.0.0.8:10", 4401, "invalid_key")
}

func TestReplaced(t *testing.T) {
	d := open(t, ingest.Config{})
	old := d.camera(t)
	old.picture(picture(t, 32, 24))
	until(t, "the old one's frame", func() bool { return d.frames("porch") == 1 })
	young := d.camera(t)
	old.wantClose(errorText("4409", "replaced"), 4409, "replaced")
	d.registry.session(t, 0).endedWith(t, bridge.ReasonReplaced)
	young.picture(picture(t, 32, 24))
	until(t, "the young one's frame", func() bool { return d.frames("porch") == 2 })
	if ends := d.registry.session(t, 1).ended(); len(ends) != 0 {
		t.Errorf("the young one ended too: %v", ends)
	}
}

func TestRevokedAndRemoved(t *testing.T) {
	d := open(t, ingest.Config{})
	for i, tt := range []struct {
		reason bridge.Reason
		code   int
	}{{bridge.ReasonKeyRevoked, 4401}, {bridge.ReasonRemoved, 4403}} {
		c := d.camera(t)
		s := d.registry.session(t, i)
		begun := time.Now()
		s.link.Close(tt.reason)
		s.link.Close(bridge.ReasonNormal) // the first reason counts
		c.wantClose(errorText(fmt.Sprint(tt.code), string(tt.reason)), tt.code, string(tt.reason))
		if took := time.Since(begun); took > time.Second {
			t.Errorf("closing took %v", took)
		}
		s.endedWith(t, tt.reason)
	}
}

func TestTooLarge(t *testing.T) {
	const limit = 30_000
	head := func(n uint64) []byte {
		b := frame(fin|opBinary, make([]byte, 70_000))[:14]
		for i := range 8 {
			b[2+i] = byte(n >> (56 - 8*i))
		}
		return b
	}
	half := frame(opBinary, make([]byte, 20_000))
	tests := map[string]struct {
		off  bool
		send []byte
	}{
		"one byte over":             {false, frame(fin|opBinary, make([]byte, limit+1))},
		"claims a gigabyte":         {false, append(head(1<<30), make([]byte, limit+1)...)},
		"claims everything":         {false, append(head(1<<63-1), make([]byte, limit+1)...)},
		"claims more than that":     {false, append(head(1<<64-1), make([]byte, limit+1)...)},
		"in fragments":              {false, append(half, frame(fin|opMore, make([]byte, 20_000))...)},
		"2 MiB":                     {false, frame(fin|opBinary, make([]byte, 2<<20))},
		"while it is switched off":  {true, frame(fin|opBinary, make([]byte, limit+1))},
		"a text of more than 2 MiB": {false, frame(fin|opText, make([]byte, 2<<20+1))},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			d := open(t, ingest.Config{MaxFrameBytes: limit})
			d.registry.off.Store(tt.off)
			c := d.camera(t)
			go c.Write(tt.send) // it may be cut off
			c.wantClose(errorText("frame_too_large", "frame_too_large"), 4413, "frame_too_large")
			d.registry.session(t, 0).endedWith(t, bridge.ReasonTooLarge)
			if n := d.dropped("porch", bridge.DropTooLarge); n != 1 {
				t.Errorf("counted %d, want 1", n)
			}
			if said := d.registry.session(t, 0).lines(); len(said) != 1 || !strings.Contains(said[0], "max_frame_bytes") {
				t.Errorf("people were told %q", said)
			}
		})
	}
}

func TestExactlyTheLimitIsFine(t *testing.T) {
	d := open(t, ingest.Config{MaxFrameBytes: 30_000})
	c := d.camera(t)
	for _, n := range []int{5_000, 30_000, 29_999, 6_000} {
		c.picture(sized(t, n))
	}
	until(t, "all frames", func() bool { return d.frames("porch") == 4 })
	c.alive()
}

// quick makes the watch look every millisecond; what it measures is cfg.Now.
func quick(cfg ingest.Config, clk *clock) ingest.Config {
	cfg.Now = clk.now
	cfg.Timing.Ping = 8 * time.Millisecond
	return cfg
}

func TestIdle(t *testing.T) {
	idling := errorText("idle_timeout", "idle_timeout")
	start := func(t *testing.T) (*door, *rawCam, *clock) {
		clk := newClock()
		d := open(t, quick(ingest.Config{}, clk))
		return d, d.camera(t), clk
	}
	// stays lets two minutes pass, with f and a ping every five seconds.
	stays := func(c *rawCam, clk *clock, f func()) {
		c.t.Helper()
		for range 24 {
			clk.forward(5 * time.Second)
			f()
			c.alive()
		}
	}
	// goes lets no more than idle_timeout pass, and a little.
	goes := func(c *rawCam, clk *clock) {
		c.t.Helper()
		for range 5 {
			clk.forward(5 * time.Second)
			c.alive()
		}
		clk.forward(5*time.Second + 1)
		c.wantClose(idling, 4408, "idle_timeout")
	}

	t.Run("a StreamHub camera that is silent", func(t *testing.T) {
		d, c, clk := start(t)
		goes(c, clk)
		d.registry.session(t, 0).endedWith(t, bridge.ReasonIdle)
	})
	t.Run("a StreamHub camera without accepted frames", func(t *testing.T) {
		d, c, clk := start(t)
		for i := range 5 {
			clk.forward(5 * time.Second)
			c.text(`{"type":"stats"}`)
			if i < 4 {
				c.picture([]byte("no picture"))
			}
			c.alive()
		}
		clk.forward(5*time.Second + 1)
		c.wantClose(idling, 4408, "idle_timeout")
		d.registry.session(t, 0).endedWith(t, bridge.ReasonIdle)
	})
	t.Run("frames", func(t *testing.T) {
		_, c, clk := start(t)
		pic := picture(t, 32, 24)
		stays(c, clk, func() { c.picture(pic) })
		goes(c, clk)
	})
	t.Run("a native camera needs only messages", func(t *testing.T) {
		_, c, clk := start(t)
		c.text(`{"type":"hello","proto":1}`)
		stays(c, clk, func() { c.text(`{"type":"unheard of"}`) })
		goes(c, clk)
	})
	t.Run("a camera that is switched off", func(t *testing.T) {
		d, c, clk := start(t)
		d.registry.off.Store(true)
		stays(c, clk, func() {})
		d.registry.off.Store(false)
		goes(c, clk)
	})
	for name, said := range map[string]string{
		"paused in its hello": `{"type":"hello","proto":1,"settings":{"stream":false}}`,
		"paused later":        `{"type":"hello","proto":1}` + "\n" + `{"type":"state","settings":{"stream":false}}`,
	} {
		t.Run(name, func(t *testing.T) {
			_, c, clk := start(t)
			for _, text := range strings.Split(said, "\n") {
				c.text(text)
			}
			c.alive()
			stays(c, clk, func() {})
			c.text(`{"type":"state","settings":{"stream":true}}`)
			c.alive()
			goes(c, clk)
		})
	}
}

// TestHalfOpen: a camera whose power was cut leaves a connection that never
// ends by itself. Bytes of any kind show that it is there, without one pong.
func TestHalfOpen(t *testing.T) {
	clk := newClock()
	d := open(t, quick(ingest.Config{IdleTimeout: time.Hour}, clk))
	c := d.camera(t)
	for range 5 {
		clk.forward(45 * time.Second)
		c.alive()
	}
	clk.forward(45*time.Second + 1)
	d.registry.session(t, 0).endedWith(t, bridge.ReasonLost)
}

func TestPings(t *testing.T) {
	const tick = 200 * time.Millisecond // what it takes is not measured, only that no ping comes early
	clk := newClock()
	d := open(t, ingest.Config{Now: clk.now, Timing: ingest.Timing{Message: 8 * time.Millisecond}})
	c := d.camera(t)
	for range 2 {
		clk.forward(14 * time.Second)
		c.expectBy(tick)
		if op, payload, err := c.next(); err == nil {
			t.Fatalf("got opcode %d %q too early", op, payload)
		}
		clk.forward(time.Second)
		c.expectBy(10 * time.Second)
		if op, payload, err := c.next(); op != opPing || len(payload) != 0 || err != nil {
			t.Fatalf("got opcode %d %q, %v, want a ping", op, payload, err)
		}
		c.send(frame(fin|opPong, nil))
		c.picture(picture(t, 32, 24))
		c.alive()
	}
}

// TestMessageThatNeverEnds sends a picture's bytes one by one for ever.
func TestMessageThatNeverEnds(t *testing.T) {
	clk := newClock()
	d := open(t, quick(ingest.Config{IdleTimeout: time.Hour}, clk))
	c := d.camera(t)
	c.send(frame(fin|opBinary, make([]byte, 20_000))[:100])
	go func() {
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for range tick.C {
			clk.forward(10 * time.Millisecond)
			if _, err := c.Write([]byte{1}); err != nil {
				return
			}
		}
	}()
	c.wantClose(errorText("idle_timeout", "idle_timeout"), 4408, "idle_timeout")
	d.registry.session(t, 0).endedWith(t, bridge.ReasonIdle)
}

func TestCameraVanishes(t *testing.T) {
	d := open(t, ingest.Config{})
	c := d.camera(t)
	c.send(frame(fin|opBinary, make([]byte, 20_000))[:9000])
	c.Close()
	d.registry.session(t, 0).endedWith(t, bridge.ReasonLost)

	c = d.camera(t)
	c.Conn.(*net.TCPConn).SetLinger(0) // a reset
	c.Close()
	d.registry.session(t, 1).endedWith(t, bridge.ReasonLost)
}

// TestClose ends every kind of connection: quiet, sending, half-way, refused and
// one that never reads; and no goroutine is left.
func TestClose(t *testing.T) {
	leaks := goleak.IgnoreCurrent()
	d := open(t, ingest.Config{Timing: ingest.Timing{Grace: 100 * time.Millisecond}})
	quiet := d.camera(t)
	busy := d.connect(t, sketch("/ingest/ws?key="+otherKey))
	busy.wantReady()
	busy.send(frame(fin|opBinary, make([]byte, 20_000))[:9000])
	d.connect(t, sketch("/ingest/ws?key=wsk_wrong"))
	until(t, "three connections", func() bool { return d.Stats().Open >= 2 && len(d.Stats().Refused) == 1 })

	closed := make(chan struct{})
	go func() {
		defer close(closed)
		d.Close()
		d.Close()
	}()
	quiet.wantClose("", 1000, "normal")
	busy.wantClose("", 1000, "normal")
	select {
	case <-closed:
	case <-time.After(5 * time.Second):
		t.Fatal("Close does not return")
	}
	if d.Stats().Open != 0 {
		t.Errorf("%d connections are left", d.Stats().Open)
	}
	d.registry.session(t, 0).endedWith(t, bridge.ReasonNormal)
	d.registry.session(t, 1).endedWith(t, bridge.ReasonNormal)
	if st := d.Stats(); st.Ended[bridge.ReasonNormal] != 2 || st.Admitted != 2 {
		t.Errorf("counters are %+v", st)
	}
	resp, err := http.Get("http://" + d.addr + "/ingest/ws")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	http.DefaultClient.CloseIdleConnections()
	goleak.VerifyNone(t, leaks, goleak.IgnoreTopFunction("internal/poll.runtime_pollWait"))
}
