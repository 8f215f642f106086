package fakecam_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge/fakecam"
	"github.com/espcam-bridge/espcam-bridge/bridge/jpeg"
	"github.com/espcam-bridge/espcam-bridge/bridge/wire"
)

func faulty(t *testing.T, s *server, faults string) fakecam.Config {
	t.Helper()
	cfg := small(s)
	var err error
	if cfg.Faults, err = fakecam.ParseFaults(faults); err != nil {
		t.Fatal(err)
	}
	return cfg
}

// TestBadPictures: what is sent fails the bridge's check for the reason that
// the fault is called by.
func TestBadPictures(t *testing.T) {
	ready := native()
	ready.MaxFrameBytes = 100_000
	for fault, want := range map[string]func([]byte) bool{
		fakecam.Garbage: func(b []byte) bool {
			_, err := jpeg.Check(b, jpeg.Limits{})
			return err != nil && len(b) > 1000 && !bytes.HasPrefix(b, []byte{0xff, 0xd8})
		},
		fakecam.Truncated: func(b []byte) bool {
			_, err := jpeg.Check(b, jpeg.Limits{})
			return err != nil && bytes.HasPrefix(b, []byte{0xff, 0xd8}) && !bytes.Contains(b, []byte{0xff, 0xd9})
		},
		fakecam.Oversize: func(b []byte) bool {
			info, err := jpeg.Check(b, jpeg.Limits{})
			return err == nil && info.Size == len(b) && len(b) > 100_000 && len(b) < 300_000 && decode(t, b) != nil
		},
	} {
		t.Run(fault, func(t *testing.T) {
			s := serve(t, ready)
			c := play(t, faulty(t, s, fault))
			l := s.next(t)
			for range 3 {
				if b := receive(t, "picture", l.pictures); !want(b) {
					t.Errorf("sent %d bytes that are not %s: % x ...", len(b), fault, b[:min(len(b), 16)])
				}
			}
			if n := c.Report().Faults[fault]; n < 3 {
				t.Errorf("it counts %d", n)
			}
		})
	}
}

func TestRateOfFaults(t *testing.T) {
	t.Parallel()
	s := serve(t, native())
	c := play(t, faulty(t, s, "garbage:0.3"))
	l := s.next(t)
	bad := 0
	const n = 60
	for range n {
		if b := receive(t, "picture", l.pictures); b[0] != 0xff {
			bad++
		}
	}
	if bad < n/10 || bad > n/2 {
		t.Errorf("%d of %d pictures are garbage at a rate of 0.3", bad, n)
	}
	if r := c.Report(); r.Faults[fakecam.Garbage] < uint64(bad) {
		t.Errorf("%d bad pictures, %v counted", bad, r.Faults)
	}
}

// TestSameSeedSameFaults: which pictures are bad depends on the seed alone.
func TestSameSeedSameFaults(t *testing.T) {
	t.Parallel()
	pattern := func(seed uint64) string {
		s := serve(t, native())
		cfg := faulty(t, s, "garbage:0.4,truncated:0.2")
		cfg.Seed = seed
		play(t, cfg)
		l := s.next(t)
		var out []byte
		for range 24 {
			b := receive(t, "picture", l.pictures)
			switch _, err := jpeg.Check(b, jpeg.Limits{}); {
			case err == nil:
				out = append(out, '.')
			case b[0] == 0xff:
				out = append(out, 't')
			default:
				out = append(out, 'g')
			}
		}
		return string(out)
	}
	a, b, other := pattern(5), pattern(5), pattern(6)
	if a != b || a == other {
		t.Errorf("seed 5: %s\n   again %s\n  seed 6 %s", a, b, other)
	}
}

func TestStall(t *testing.T) {
	s := serve(t, native())
	c := play(t, faulty(t, s, "stall"))
	l := s.next(t)
	l.picture()
	for range 3 { // it still hears
		if r := l.ask(wire.Do{ID: "1", Action: "identify"}); !r.OK {
			t.Fatal(r.Message)
		}
	}
	if n := c.Report().Frames; n != 1 {
		t.Errorf("%d pictures were sent before the stall, want 1", n)
	}
	l.end(4408, "idle_timeout")
	s.next(t).picture()
}

func TestHalfOpen(t *testing.T) {
	s := serve(t, native())
	c := play(t, faulty(t, s, "half-open"))
	l := s.next(t)
	l.picture()
	pong := make(chan struct{}, 1)
	l.ws.SetPongHandler(func(string) error { pong <- struct{}{}; return nil })
	if err := l.ws.WriteControl(9, nil, time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	select {
	case <-pong:
		t.Error("a half-open camera answers pings")
	case err := <-l.closed:
		t.Errorf("a half-open camera hung up: %v", err)
	case <-time.After(200 * time.Millisecond):
	}
	if r := c.Report(); r.Frames != 1 || !r.Connected {
		t.Errorf("report is %+v", r)
	}
}

func TestStorm(t *testing.T) {
	s := serve(t, native())
	cfg := faulty(t, s, "reconnect-storm")
	cfg.Retry = time.Hour
	play(t, cfg)
	for range 5 {
		s.next(t).picture()
	}
}

func TestWrongKey(t *testing.T) {
	s := serve(t, native())
	play(t, faulty(t, s, "wrong-key"))
	if got := s.next(t).request.Header.Get("Authorization"); got == "Bearer wsk_test_key" || !contains([]byte(got), "Bearer wsk_") {
		t.Errorf("Authorization is %q", got)
	}
}

func TestSlow(t *testing.T) {
	t.Parallel()
	s := serve(t, native())
	cfg := faulty(t, s, "slow")
	cfg.Width, cfg.Height = 64, 64
	c := play(t, cfg)
	l := s.next(t)
	began := time.Now()
	b := receive(t, "picture", l.pictures)
	decode(t, b)
	if d := time.Since(began); d < time.Duration(len(b))*time.Millisecond/2 {
		t.Errorf("%d bytes took %v", len(b), d)
	}
	if c.Report().Faults[fakecam.Slow] == 0 {
		t.Error("it is not counted")
	}
}
