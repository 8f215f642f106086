package fakecam_test

import (
	"testing"
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge"
	"github.com/espcam-bridge/espcam-bridge/bridge/fakecam"
	"github.com/espcam-bridge/espcam-bridge/bridge/wire"
)

func askQuality() wire.Set {
	return wire.Set{ID: "q", Settings: bridge.Settings{"quality": 20}}
}

// fastClock runs ten times as fast as time does.
func fastClock() func() time.Time {
	began := time.Now()
	return func() time.Time { return began.Add(10 * time.Since(began)) }
}

// TestPIR: it says when a figure comes and when it has gone.
func TestPIR(t *testing.T) {
	t.Parallel()
	s := serve(t, native())
	cfg := small(s)
	cfg.Plan, cfg.Clock = fakecam.Motion, fastClock()
	play(t, cfg)
	l := s.next(t)
	for i := range 4 {
		if e := message[wire.Event](l); e.Name != "pir" || e.Active != (i%2 == 0) {
			t.Fatalf("event %d is %+v", i, e)
		}
	}
}

// TestNoPIR: a board without one says nothing, and the sketch has no word for it.
func TestNoPIR(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*fakecam.Config){
		"no PIR":    func(c *fakecam.Config) { c.Caps = &bridge.Capabilities{} },
		"streamhub": func(c *fakecam.Config) { c.Dialect = "streamhub" },
		"lively":    func(c *fakecam.Config) { c.Plan = fakecam.Lively },
	} {
		s := serve(t, native())
		cfg := small(s)
		cfg.Plan, cfg.Clock = fakecam.Motion, fastClock()
		change(&cfg)
		c := play(t, cfg)
		l := s.next(t)
		until(t, "a figure came and went", func() bool { return cfg.Clock().Sub(c.Report().Booted) > 8*time.Second && c.Report().Frames > 10 })
		for len(l.texts) > 0 {
			if text := <-l.texts; contains(text, `"type":"event"`) {
				t.Errorf("%s: it said %s", name, text)
			}
		}
	}
}
