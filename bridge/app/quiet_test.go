package app_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge"
)

// calm checks that nobody was told of motion until now, and that a car still
// makes an event: what is quiet must not be deaf.
func (g *guarded) calm() {
	g.t.Helper()
	g.judged(12)
	if on, events, page := g.mqtt.says(time.Time{}, "ON"), g.events(""), g.page.saw(""); on > 0 || len(events) > 0 || len(page) > 0 || len(g.mqtt.stories("porch")) > 0 {
		g.t.Fatalf("motion was told: %d ON, events %+v", on, events)
	}
}

func (g *guarded) awake() {
	g.t.Helper()
	g.learned()
	g.calm()
	g.seesCar()
}

// after makes a change and gives it time to be taken for motion.
func (g *guarded) after(what string, change func()) {
	g.t.Helper()
	change()
	g.judged(12)
	if n := g.mqtt.says(time.Time{}, "ON"); n > 0 || len(g.page.saw("")) > 0 {
		g.t.Fatalf("%s was told as motion", what)
	}
}

// TestChangesAreNoMotion: what people do with a camera changes all of the
// picture, and is no motion.
func TestChangesAreNoMotion(t *testing.T) {
	t.Parallel()
	for name, steps := range map[string][]string{
		"lamp":    {`{"led":255}`, `{"led":0}`, `{"led":200,"led_ms":700}`, `{"brightness":2}`, `{"brightness":0}`},
		"sizes":   {`{"framesize":"QVGA"}`, `{"quality":40}`, `{"framesize":"QQVGA"}`, `{"quality":10}`},
		"mirrors": {`{"hmirror":true}`, `{"vflip":true}`, `{"hmirror":false,"vflip":false}`, `{"fps":5}`, `{"fps":10}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := openGuarded(t, configured(t))
			for _, s := range steps {
				g.after(s, func() { g.call(http.StatusOK, "PATCH", "/api/v1/cameras/porch", `{"settings":`+s+`}`) })
			}
			g.awake()
		})
	}
	for name, actions := range map[string][]string{
		"identify": {`{"action":"identify"}`, `{"action":"snapshot"}`},
		"turns":    {`{"action":"pan","args":{"angle":20}}`, `{"action":"pan","args":{"angle":160}}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := openGuarded(t, configured(t))
			for _, a := range actions {
				g.after(a, func() { g.call(http.StatusOK, "POST", "/api/v1/cameras/porch/do", a) })
			}
			g.judged(45) // the lamp of identify goes on for 3 s
			g.awake()
		})
	}
	t.Run("on the device", func(t *testing.T) {
		t.Parallel()
		g := openGuarded(t, configured(t))
		for _, s := range []bridge.Settings{{"led": 255}, {"led": 0}, {"hmirror": true}, {"framesize": "QVGA"}} {
			g.after(fmt.Sprint(s), func() {
				if err := g.cam.Change(t.Context(), s); err != nil {
					t.Fatal(err)
				}
			})
		}
		g.awake()
	})
}

// TestReturnsAreNoMotion: a camera, or the bridge, that comes back sees
// another picture than before, and that is no motion.
func TestReturnsAreNoMotion(t *testing.T) {
	t.Parallel()
	t.Run("reconnect", func(t *testing.T) {
		t.Parallel()
		g := openGuarded(t, configured(t))
		for i := range 3 {
			g.after("a lost connection", func() {
				if err := g.cam.HangUp(t.Context()); err != nil {
					t.Fatal(err)
				}
				eventually(t, "it dials again", func() bool { return g.cam.Report().Connections == i+2 })
			})
		}
		g.kill()
		g.turnUp() // another board
		g.kill()
		g.street = &street{}
		turned := onStreet(g.street)
		turned.Scene = 3 // somebody carried it away
		g.plug(turned)
		g.calm()
		g.kill()
		g.turnUp()
		g.awake()
	})
	t.Run("restart of the bridge", func(t *testing.T) {
		t.Parallel()
		cfg := configured(t)
		g := openGuarded(t, cfg)
		for range 2 {
			g.calm()
			g.kill()
			g.world.stop()
			g.world = start(t, cfg)
			g.mqtt, g.page = observe(t, g.world.mqtt), openPage(t, g.world)
			g.turnUp()
		}
		g.awake()
	})
}

// TestSwitchesAreNoMotion: whoever begins to look must learn first.
func TestSwitchesAreNoMotion(t *testing.T) {
	t.Parallel()
	for name, s := range map[string]struct{ off, on string }{
		"enabled":          {`{"enabled":false}`, `{"enabled":true}`},
		"motion detection": {`{"motion":{"enabled":false}}`, `{"motion":{"enabled":true}}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := openGuarded(t, configured(t))
			for range 3 {
				g.call(http.StatusOK, "PATCH", "/api/v1/cameras/porch", s.off)
				g.after(s.on, func() { g.call(http.StatusOK, "PATCH", "/api/v1/cameras/porch", s.on) })
			}
			// Nobody looks while a car comes by.
			g.call(http.StatusOK, "PATCH", "/api/v1/cameras/porch", s.off)
			g.drive()
			eventually(t, "the car is gone", g.parked)
			g.call(http.StatusOK, "PATCH", "/api/v1/cameras/porch", s.on)
			g.awake()
		})
	}
}

// parked reports whether no car is under way.
func (s *street) parked() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return time.Since(s.car) > passes
}
