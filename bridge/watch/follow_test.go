package watch

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge"
)

// settling makes judges that see nothing in the first three pictures after they
// forgot.
func settling() *script { return &script{settle: 3} }

// moving shows pictures full of motion for a while and returns how many it took
// until an event went on, 0 if none did.
func (r *rig) moving(n int) int {
	r.t.Helper()
	at := 0
	for i := range n {
		r.show("porch", moves(0.4))
		if at == 0 && r.State("porch").Active {
			at = i + 1
		}
		r.after(100 * time.Millisecond)
	}
	return at
}

// calm lets the event end, so that a test can begin anew.
func (r *rig) calm() {
	r.t.Helper()
	r.events.Take()
	r.after(10 * time.Second)
	r.ended(bridge.EndQuiet)
}

func TestItLearnsAnewWithoutAnAlarm(t *testing.T) {
	reconnect := func(c *bridge.Camera) { c.ConnectedAt = time.Now() }
	for name, happens := range map[string]func(*rig){
		"reconnect": func(r *rig) { r.town.change("porch", reconnect) },
		"short absence": func(r *rig) {
			r.town.change("porch", func(c *bridge.Camera) { c.Connected, c.ConnectedAt = false, time.Time{} })
			r.after(time.Second)
			r.town.change("porch", func(c *bridge.Camera) { c.Connected, c.ConnectedAt = true, time.Now() })
		},
		"a lamp": func(r *rig) { r.town.change("porch", func(c *bridge.Camera) { c.Disturbed = time.Now() }) },
		"motion detection off and on": func(r *rig) {
			r.settings(map[string]any{"enabled": false})
			r.settings(map[string]any{"enabled": true})
		},
		"camera off and on": func(r *rig) {
			r.town.enable("porch", false)
			synctest.Wait()
			r.town.enable("porch", true)
		},
		"off and on before anybody looked": func(r *rig) {
			r.town.quiet = true
			r.town.enable("porch", false)
			r.town.quiet = false
			r.town.enable("porch", true)
		},
		"removed and added": func(r *rig) {
			r.town.change("porch", nil)
			r.add("porch")
		},
		"reconnect that is told late": func(r *rig) {
			r.town.quiet = true
			r.town.change("porch", reconnect)
			r.town.quiet = false
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, Config{}, settling, func(r *rig) {
				if n := r.moving(10); n != 4 {
					t.Fatalf("after the start the event begins with picture %d, want 4", n)
				}
				r.calm()
				happens(r)
				synctest.Wait()
				if name != "reconnect that is told late" && !r.State("porch").Learning && name != "a lamp" {
					t.Error("it does not say that it learns")
				}
				// A picture more where the watch itself finds out at the first motion.
				if n := r.moving(10); n != 4 && n != 5 {
					t.Errorf("then the event begins with picture %d, want one after the 3 of learning", n)
				}
			})
		})
	}
}

func TestWhileThePictureIsDisturbedItKeepsForgetting(t *testing.T) {
	bubble(t, Config{}, settling, func(r *rig) {
		r.moving(10)
		r.calm()
		r.town.change("porch", func(c *bridge.Camera) { c.Disturbed = time.Now().Add(2 * time.Second) })
		synctest.Wait()
		// Pictures of 0, 0.1 ... 2.0 s are disturbed, the next 3 are learnt.
		if n := r.moving(40); n != 21+3+1 {
			t.Errorf("the event begins with picture %d, want 25", n)
		}
	})
}

func TestADisturbanceDoesNotEndAnEvent(t *testing.T) {
	bubble(t, Config{}, settling, func(r *rig) {
		r.moving(10)
		id := r.told().ID
		r.town.change("porch", func(c *bridge.Camera) { c.Disturbed = time.Now().Add(time.Second) })
		r.moving(20)
		if e := r.told(); e.ID != id || e.Over() {
			t.Errorf("told %+v, want an update of %s", e, id)
		}
	})
}

func TestWhatEndsAnEventAtOnce(t *testing.T) {
	for name, tt := range map[string]struct {
		happens func(*rig)
		want    bridge.Ending
	}{
		"camera switched off":           {func(r *rig) { r.town.enable("porch", false) }, bridge.EndDisabled},
		"motion detection switched off": {func(r *rig) { r.settings(map[string]any{"enabled": false}) }, bridge.EndDisabled},
		"off and on before anybody looked": {func(r *rig) {
			r.town.quiet = true
			r.town.enable("porch", false)
			r.town.quiet = false
			r.town.enable("porch", true)
		}, bridge.EndDisabled},
		"offline": {func(r *rig) {
			r.town.change("porch", func(c *bridge.Camera) { c.Connected, c.ConnectedAt = false, time.Time{} })
			r.after(6 * time.Second).quiet("the camera may come back")
			r.town.change("porch", func(c *bridge.Camera) { c.State = bridge.Offline })
		}, bridge.EndDisconnected},
		"removed": {func(r *rig) { r.town.change("porch", nil) }, bridge.EndDisconnected},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, Config{}, plain, func(r *rig) {
				r.show("porch", moves(0.4))
				r.Sensor("porch", "pir", true)
				id := r.told().ID
				tt.happens(r)
				synctest.Wait()
				if e := r.ended(tt.want); e.ID != id {
					t.Errorf("ended %s, want %s", e.ID, id)
				}
				r.Sensor("porch", "pir", false)
				r.after(time.Minute).quiet("it is over")
			})
		})
	}
}

func TestASwitchedOffCameraCostsNothing(t *testing.T) {
	var log []string
	bubble(t, Config{}, func() *script { return &script{log: &log} }, func(r *rig) {
		feed := r.hub.Feed("porch")
		joined := func(want int, why string) {
			t.Helper()
			synctest.Wait()
			if n := feed.Stats().Viewers; n != want {
				t.Errorf("%s: %d viewers, want %d", why, n, want)
			}
		}
		joined(1, "at the start")
		r.show("porch", still)
		if _, ok := r.Debug("porch"); !ok {
			t.Error("there is no debug picture")
		}
		r.settings(map[string]any{"enabled": false})
		joined(0, "motion off")
		if _, ok := r.Debug("porch"); ok || !slices.Equal(log, []string{"close"}) {
			t.Errorf("its detector is still there: %v", log)
		}
		if b := r.Stats().PreRollBytes; b != 0 {
			t.Errorf("%d bytes of pictures are still held", b)
		}
		r.after(time.Second).show("porch", moves(0.3))
		r.eye("porch").mail.Offer(r.hub.Latest("porch")) // a publisher that was late
		if s := r.Stats(); s.PreRollBytes != 0 || s.Cameras["porch"].Skipped["busy"] != 0 {
			t.Errorf("it takes a picture: %+v", s)
		}
		r.settings(map[string]any{"enabled": true})
		joined(1, "motion on")
		r.show("porch", moves(0.3))
		if s := r.State("porch"); s.Analysed != 2 || !s.Active {
			t.Errorf("the state is %+v", s)
		}
		r.town.change("porch", func(c *bridge.Camera) { c.State = bridge.Pending })
		joined(0, "pending")
		r.town.change("porch", func(c *bridge.Camera) { c.State = bridge.Online })
		joined(1, "adopted")
		r.town.change("porch", nil)
		joined(0, "removed")
		if s := r.State("porch"); s.Analysed != 0 {
			t.Errorf("a removed camera has the state %+v", s)
		}
	})
}

func TestNoPictureIsKeptOnceTheFeedIsMuted(t *testing.T) {
	bubble(t, Config{}, plain, func(r *rig) {
		r.show("porch", still)
		r.town.quiet = true
		r.town.enable("porch", false)
		if b := r.Stats().PreRollBytes; b != 0 {
			t.Errorf("%d bytes are still held", b)
		}
	})
}

func TestAnAbsentCameraHasNoDetector(t *testing.T) {
	var log []string
	bubble(t, Config{}, func() *script { return &script{log: &log} }, func(r *rig) {
		r.show("porch", still)
		r.town.change("porch", func(c *bridge.Camera) {
			c.State, c.Connected, c.ConnectedAt = bridge.Offline, false, time.Time{}
		})
		synctest.Wait()
		if !slices.Equal(log, []string{"close"}) || r.Stats().PreRollBytes != 0 {
			t.Errorf("its detector was told %v, want close; %d bytes of film", log, r.Stats().PreRollBytes)
		}
	})
}

func TestSettingsReachTheDetector(t *testing.T) {
	var log []string
	bubble(t, Config{}, func() *script { return &script{log: &log} }, func(r *rig) {
		r.show("porch", still)
		r.settings(map[string]any{"sensitivity": "high", "off_delay": "20s"})
		r.show("porch", still)
		r.show("porch", still)
		r.settings(map[string]any{"zones": map[string]any{"door": []any{[]any{0.0, 0.0}, []any{1.0, 0.0}, []any{0.0, 1.0}}}})
		r.show("porch", still)
		r.settings(map[string]any{"off_delay": "30s", "fps": 3})
		r.show("porch", still)
		if !slices.Equal(log, []string{"configure", "configure"}) {
			t.Errorf("the detector was told %v, want two configurations", log)
		}
	})
}

func TestSettingsOfTheDetector(t *testing.T) {
	m := bridge.DefaultMotion()
	m.Width, m.Sensitivity = 320, 25
	m.Ignore = []bridge.Polygon{{{0, 0}, {1, 0}, {0, 1}}}
	m.Zones = map[string]bridge.Polygon{"b": {{0, 0}, {1, 0}, {1, 1}}, "a": m.Ignore[0]}
	c := configOf(m, 1000)
	if c.Width != 320 || c.Threshold != 28 || c.Area != 0.004 || c.Noise != 5 || c.Need != 2 || c.Of != 3 || c.MaxPixels != 1000 {
		t.Errorf("the settings are %+v", c)
	}
	if len(c.Ignore) != 1 || len(c.Zones) != 2 || c.Zones[0].Name != "a" || c.Zones[1].Area[2] != [2]float64{1, 1} {
		t.Errorf("the areas are %+v", c)
	}
}

// TestAPictureJudgedBeforeItWasSwitchedOff holds the worker in the middle of a
// picture with motion while the camera is switched off or reconnects.
func TestAPictureJudgedBeforeDoesNotCountAfter(t *testing.T) {
	for name, happens := range map[string]func(*rig){
		"motion off": func(r *rig) { r.settings(map[string]any{"enabled": false}) },
		"motion off and on": func(r *rig) {
			r.settings(map[string]any{"enabled": false})
			r.settings(map[string]any{"enabled": true})
		},
		"camera off":  func(r *rig) { r.town.enable("porch", false) },
		"reconnected": func(r *rig) { r.town.change("porch", func(c *bridge.Camera) { c.ConnectedAt = time.Now() }) },
		"a lamp": func(r *rig) {
			r.town.change("porch", func(c *bridge.Camera) { c.Disturbed = time.Now().Add(time.Second) })
		},
		"nobody said so": func(r *rig) {
			r.town.quiet = true
			r.town.change("porch", func(c *bridge.Camera) { c.Motion.Enabled = false })
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, Config{}, func() *script { return &script{stuck: true} }, func(r *rig) {
				r.show("porch", moves(0.5))
				r.after(time.Second)
				happens(r)
				synctest.Wait()
				r.gate <- struct{}{}
				synctest.Wait()
				r.quiet("the picture is of the time before")
				if s := r.State("porch"); s.Active || s.Analysed != 1 {
					t.Errorf("the state is %+v", s)
				}
			})
		})
	}
}
