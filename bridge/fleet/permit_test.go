package fleet_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge"
	"github.com/espcam-bridge/espcam-bridge/bridge/fleet"
)

// TestPermitJoin: who comes in while unknown cameras may, and who does not.
func TestPermitJoin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, fleet.Config{MaxCameras: 4})
		if _, err := w.Add("porch", "Front", ""); err != nil {
			t.Fatal(err)
		}
		news, stop := w.Subscribe()
		defer stop()
		good := bridge.Claim{App: "live", Room: "Garage", Key: "own-1", Address: "192.0.2.7:1"}
		with := func(change func(*bridge.Claim)) bridge.Claim {
			c := good
			change(&c)
			return c
		}
		refused := func(what string, c bridge.Claim) {
			t.Helper()
			if s, err := w.Admit(c, &device{}); err == nil {
				t.Errorf("%s came in as %s", what, s.Camera())
			} else if r, ok := err.(*bridge.Refusal); !ok || r.Reason != bridge.ReasonInvalidKey && r.Reason != bridge.ReasonInvalidRoom {
				t.Errorf("%s: %v", what, err)
			}
		}
		refused("one before it is permitted", good)
		w.PermitJoin(5 * time.Minute)
		for what, c := range map[string]bridge.Claim{
			"one without a key":        with(func(c *bridge.Claim) { c.Key = "" }),
			"one with a bad key":       with(func(c *bridge.Claim) { c.Key = "wrong" }),
			"one without a room":       with(func(c *bridge.Claim) { c.Room = "" }),
			"one with a bad room":      with(func(c *bridge.Claim) { c.Room = "a b" }),
			"one without an app":       with(func(c *bridge.Claim) { c.App = "" }),
			"one of another app":       with(func(c *bridge.Claim) { c.App = "other" }),
			"one with a known id":      with(func(c *bridge.Claim) { c.Room = "Porch" }),
			"one with a known room":    with(func(c *bridge.Claim) { c.Room = "Front" }),
			"one with a reserved id":   with(func(c *bridge.Claim) { c.Room = "Bridge" }),
			"one with a name too long": with(func(c *bridge.Claim) { c.Room = strings.Repeat("r", 33) }),
		} {
			refused(what, c)
		}
		if n := len(w.Cameras()); n != 1 {
			t.Errorf("%d cameras", n)
		}
		s, err := w.Admit(good, &device{})
		if err != nil {
			t.Fatal(err)
		}
		if c := w.camera("garage"); s.Camera() != "garage" || c.Room != "Garage" || c.Name != "Garage" || !c.Connected {
			t.Errorf("%+v", c)
		}
		if n := news.Take().Notices; len(n) != 1 || n[0].Code != "" || !strings.Contains(n[0].Message, "A new camera was taken in: garage, at 192.0.2.7:1.") {
			t.Errorf("told %+v", n)
		}
		for i, key := range []string{"own-2", "own-3"} {
			if _, err := w.Admit(bridge.Claim{App: "live", Room: "room-" + key, Key: key}, &device{}); err != nil {
				t.Errorf("camera %d: %v", i+2, err)
			}
		}
		refused("one too many", bridge.Claim{App: "live", Room: "attic", Key: "own-4"})

		// It is over after its time, and what came in stays, over a restart too.
		if d := w.Permitted(); d != 5*time.Minute {
			t.Errorf("permitted for %v", d)
		}
		time.Sleep(5 * time.Minute)
		if d := w.Permitted(); d != 0 {
			t.Errorf("still permitted for %v", d)
		}
		if err := w.Remove("room-own-3"); err != nil {
			t.Fatal(err)
		}
		refused("one after it", bridge.Claim{App: "live", Room: "attic", Key: "own-4"})
		w.PermitJoin(time.Hour)
		w.restart()
		if d := w.Permitted(); d != 0 {
			t.Errorf("permitted after a restart for %v", d)
		}
		if _, err := w.Admit(good, &device{}); err != nil {
			t.Errorf("its own key: %v", err)
		}
		w.PermitJoin(time.Hour)
		w.PermitJoin(0)
		refused("one after it was switched off", bridge.Claim{App: "live", Room: "attic", Key: "own-4"})
	})
}

// TestHidden: that a camera is not wanted in Home Assistant is kept.
func TestHidden(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, fleet.Config{})
		if _, err := w.Add("porch", "", ""); err != nil {
			t.Fatal(err)
		}
		news, stop := w.Subscribe()
		defer stop()
		for range 2 {
			if err := w.SetHidden("porch", true); err != nil {
				t.Fatal(err)
			}
		}
		if got := news.Take().Cameras; len(got) != 1 || !w.camera("porch").Hidden {
			t.Errorf("changed %v, hidden %v", got, w.camera("porch").Hidden)
		}
		w.restart()
		if !w.camera("porch").Hidden {
			t.Error("forgotten over a restart")
		}
		if err := w.SetHidden("porch", false); err != nil || w.camera("porch").Hidden {
			t.Errorf("still hidden, %v", err)
		}
		if err := w.SetHidden("nobody", true); bridge.CodeOf(err) != bridge.CodeNotFound {
			t.Error(err)
		}
	})
}

// TestAngles: where a camera was turned to holds until it boots.
func TestAngles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, fleet.Config{})
		d := &device{}
		s := w.connect("porch", d)
		s.Hello(bridge.Device{}, bridge.Capabilities{Pan: &bridge.Range{0, 180}, Tilt: &bridge.Range{0, 90}}, bridge.Settings{})
		up := int64(100)
		s.Stats(bridge.Stats{Uptime: &up})
		for name, angle := range map[string]int{"pan": 90, "tilt": 45} {
			if err := w.Do(t.Context(), "porch", bridge.Action{Name: name, Args: map[string]any{"angle": angle}}); err != nil {
				t.Fatal(err)
			}
		}
		if a := w.camera("porch").Angles; a["pan"] != 90 || a["tilt"] != 45 {
			t.Errorf("angles %v", a)
		}
		up = 3
		s.Stats(bridge.Stats{Uptime: &up})
		if a := w.camera("porch").Angles; len(a) > 0 {
			t.Errorf("angles %v after a boot", a)
		}
	})
}

// TestNoSnapshotOfADisabledCamera: privacy has no exception.
func TestNoSnapshotOfADisabledCamera(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, fleet.Config{})
		d := &device{}
		w.connect("porch", d)
		if err := w.SetEnabled("porch", false); err != nil {
			t.Fatal(err)
		}
		err := w.Do(t.Context(), "porch", bridge.Action{Name: "snapshot"})
		if bridge.CodeOf(err) != bridge.CodeUnavailable || !strings.Contains(err.Error(), "switch it on") {
			t.Error(err)
		}
		if _, does, _ := d.seen(); len(does) > 0 {
			t.Errorf("the camera was asked for %v", does)
		}
	})
}

// TestQuickSwitch: however quickly a camera is switched off and on, it is told last
// what holds last.
func TestQuickSwitch(t *testing.T) {
	for range 50 {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, fleet.Config{})
			d := &device{}
			w.connect("porch", d).Hello(bridge.Device{}, caps, inForce)
			synctest.Wait()
			for _, on := range []bool{false, true} {
				if err := w.SetEnabled("porch", on); err != nil {
					t.Fatal(err)
				}
			}
			synctest.Wait()
			if sets, _, _ := d.seen(); len(sets) == 0 || sets[len(sets)-1]["stream"] != true {
				t.Fatalf("it was told %v", sets)
			}
		})
	}
}
