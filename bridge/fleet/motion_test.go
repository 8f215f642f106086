package fleet_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge"
	"github.com/espcam-bridge/espcam-bridge/bridge/fleet"
)

func TestMotionSettings(t *testing.T) {
	bubble(t, func(t *testing.T) {
		known := fleet.Known{ID: "porch", Motion: bridge.MotionChange{"fps": 5}, Source: "bridge.yaml:12"}
		w := newWorld(t, fleet.Config{Motion: bridge.MotionChange{"width": 80, "fps": 7}, Cameras: []fleet.Known{known}})
		check := func(step string, fps, width, sensitivity int) {
			t.Helper()
			if m := w.camera("porch").Motion; m.FPS != fps || m.Width != width || m.Sensitivity != sensitivity {
				t.Errorf("%s: %d fps, %d wide, sensitivity %d; want %d, %d, %d", step, m.FPS, m.Width, m.Sensitivity, fps, width, sensitivity)
			}
		}
		set := func(in map[string]any) {
			t.Helper()
			if _, err := w.SetMotion("porch", in); err != nil {
				t.Fatal(err)
			}
		}
		check("from the file", 5, 80, 50)
		news, cancel := w.Subscribe()
		defer cancel()
		set(map[string]any{"fps": 12.0, "sensitivity": "high"})
		check("set at run time", 12, 80, 75)
		if n := news.Take(); len(n.Cameras) != 1 {
			t.Errorf("listeners were told of %v", n.Cameras)
		}
		w.restart()
		check("after a restart", 12, 80, 75)
		w.cfg.Cameras[0].Motion = bridge.MotionChange{"fps": 3}
		w.restart()
		check("after the file's value changed", 3, 80, 75)
		w.cfg.Cameras[0].Motion = nil
		w.restart()
		check("after the file's value went", 7, 80, 75)
		set(map[string]any{"sensitivity": nil, "width": 320})
		check("back to the default", 7, 320, 50)
		_, err := w.SetMotion("porch", map[string]any{"width": 80, "fps": 99})
		if bridge.CodeOf(err) != bridge.CodeInvalid {
			t.Errorf("99 fps: %v", err)
		}
		check("after a refusal", 7, 320, 50)
		if _, err := w.SetMotion("nobody", nil); bridge.CodeOf(err) != bridge.CodeNotFound {
			t.Errorf("a camera that does not exist: %v", err)
		}
	})
}

// What somebody wanted to change in the picture is told until when it may
// change, before the camera hears of it and again at its answer.
func TestDisturbed(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, fleet.Config{})
		d := &device{answer: func(s bridge.Settings) (bridge.Settings, error) {
			if until := time.Until(w.camera("porch").Disturbed); until <= 0 {
				t.Errorf("the camera was told %v while its picture counted as undisturbed", s)
			}
			time.Sleep(3 * time.Second)
			return s, nil
		}}
		s := w.connect("porch", d)
		s.Hello(bridge.Device{}, caps, inForce)
		synctest.Wait()
		left := func() time.Duration { return time.Until(w.camera("porch").Disturbed) }
		if !w.camera("porch").Disturbed.IsZero() {
			t.Error("disturbed at the start")
		}
		if _, err := w.Set(t.Context(), "porch", bridge.Settings{"led": 200}); err != nil {
			t.Fatal(err)
		}
		if left() != time.Second {
			t.Errorf("%v left after the answer to led, want 1s", left())
		}
		time.Sleep(time.Minute)
		s.Reported(bridge.Settings{"led": 200, "quality": 12})
		if left() > 0 {
			t.Error("disturbed by a report of what was so already")
		}
		s.Reported(bridge.Settings{"led": 0})
		if left() != time.Second {
			t.Errorf("%v left after the LED went off by itself, want 1s", left())
		}
		time.Sleep(time.Minute)
		if err := w.Do(t.Context(), "porch", bridge.Action{Name: "identify"}); err != nil {
			t.Fatal(err)
		}
		if left() != 6*time.Second {
			t.Errorf("%v left after identify, want 6s", left())
		}
		time.Sleep(time.Minute)
		d.mu.Lock()
		d.answer = nil
		d.mu.Unlock()
		if _, err := w.Set(t.Context(), "porch", bridge.Settings{"fps": 5}); err != nil {
			t.Fatal(err)
		}
		if left() > 0 {
			t.Error("disturbed by another frame rate")
		}
	})
}

func TestSensorsAreHeard(t *testing.T) {
	w := newWorld(t, fleet.Config{})
	var heard []string
	w.OnSensor(func(camera, name string, active bool) {
		if active {
			heard = append(heard, camera+" "+name)
		}
	})
	s := w.connect("porch", &device{})
	s.Event("pir", true)
	s.Event("pir", false)
	if len(heard) != 1 || heard[0] != "porch pir" {
		t.Errorf("heard %v", heard)
	}
}
