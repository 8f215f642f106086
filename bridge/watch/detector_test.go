package watch

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge"
)

// model is a detector that finds what its field says.
type model struct {
	takes time.Duration
	deaf  bool // to its context
	find  func(bridge.Frame) ([]bridge.Detection, error)

	mu      sync.Mutex
	frames  []bridge.Frame
	boxes   []bridge.Box
	running int
	most    int // at the same time
}

func (m *model) Name() string { return "model" }

func (m *model) Detect(ctx context.Context, f bridge.Frame, boxes []bridge.Box) ([]bridge.Detection, error) {
	m.mu.Lock()
	m.frames, m.boxes = append(m.frames, f), boxes
	m.running++
	m.most = max(m.most, m.running)
	m.mu.Unlock()
	defer func() {
		m.mu.Lock()
		m.running--
		m.mu.Unlock()
	}()
	timer := time.NewTimer(m.takes)
	defer timer.Stop()
	if m.deaf {
		<-timer.C
	} else {
		select {
		case <-timer.C:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	if m.find == nil {
		return nil, nil
	}
	return m.find(f)
}

func (m *model) saw() []bridge.Frame {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.frames
}

func thing(label string, score float64) bridge.Detection {
	return bridge.Detection{Label: label, Score: score, Box: bridge.Box{X: 0.1, Y: 0.1, W: 0.5, H: 0.5}}
}

func TestADetectorNamesWhatMoves(t *testing.T) {
	bubble(t, Config{}, plain, func(r *rig) {
		answers := [][]bridge.Detection{
			{thing("cat", 0.5), thing("person", 0.4)},
			{thing("person", 0.9), thing("cat", 0.3)},
			{thing("cat", 0.2)},
		}
		m := &model{find: func(bridge.Frame) ([]bridge.Detection, error) {
			a := answers[0]
			answers = answers[1:]
			return a, nil
		}}
		r.AddDetector(m, bridge.DetectorOptions{})
		r.show("porch", still)
		if len(m.saw()) != 0 {
			t.Fatal("it was asked while nothing goes on")
		}
		r.after(time.Second)
		f := r.show("porch", moves(0.3))
		e := r.told()
		if fmt.Sprint(e.Labels) != fmt.Sprint([]bridge.Detection{thing("cat", 0.5), thing("person", 0.4)}) || len(m.boxes) != 1 || &m.saw()[0].JPEG()[0] != &f.JPEG()[0] {
			t.Errorf("the labels are %v, the hint %v", e.Labels, m.boxes)
		}
		r.after(time.Second).show("porch", moves(0.3))
		want := fmt.Sprint([]bridge.Detection{thing("person", 0.9), thing("cat", 0.5)})
		if e := r.told(); fmt.Sprint(e.Labels) != want {
			t.Errorf("the labels are %v, want %v", e.Labels, want)
		}
		r.after(time.Second).show("porch", still)
		r.quiet("nothing better was found")
		r.after(9 * time.Second)
		if e := r.ended(bridge.EndQuiet); fmt.Sprint(e.Labels) != want {
			t.Errorf("in the end the labels are %v", e.Labels)
		}
		if s := r.Stats().Detectors; len(s) != 1 || s[0] != (DetectorStats{Name: "model", Calls: 3}) {
			t.Errorf("the figures are %+v", s)
		}
	})
}

func TestADetectorMaySeeEveryPicture(t *testing.T) {
	bubble(t, Config{}, plain, func(r *rig) {
		all, some, third, other := &model{}, &model{}, &model{}, &model{}
		r.AddDetector(all, bridge.DetectorOptions{Always: true})
		r.AddDetector(some, bridge.DetectorOptions{Always: true, MaxFPS: 2})
		r.AddDetector(third, bridge.DetectorOptions{Always: true, Every: 3})
		r.AddDetector(other, bridge.DetectorOptions{Always: true, Cameras: []string{"yard"}})
		r.play("porch", still, 0, 100*time.Millisecond, 10*time.Second)
		if n := len(all.saw()); n != 100 {
			t.Errorf("of 100 pictures it was shown %d", n)
		}
		if n := len(some.saw()); n < 20 || n > 21 {
			t.Errorf("at 2 fps it was shown %d pictures in 10 s", n)
		}
		if n := len(third.saw()); n != 34 {
			t.Errorf("of each third of 100 pictures it was shown %d", n)
		}
		if n := len(other.saw()); n != 0 {
			t.Errorf("it was shown %d pictures of a camera that is not its own", n)
		}
	})
}

func TestASlowDetectorGetsTheNewestPicture(t *testing.T) {
	bubble(t, Config{}, plain, func(r *rig) {
		m := &model{takes: 450 * time.Millisecond}
		r.AddDetector(m, bridge.DetectorOptions{})
		r.add("yard")
		for range 101 {
			r.show("porch", moves(0.3))
			r.show("yard", moves(0.3))
			r.after(100 * time.Millisecond)
		}
		frames := 0
		for _, f := range m.saw() {
			if f.Camera == "porch" {
				frames++
			}
		}
		r.after(time.Second)
		s := r.Stats().Detectors[0]
		if m.most != 2 || frames < 22 || frames > 24 {
			t.Errorf("%d calls at once for two cameras, %d pictures of the porch in 10 s, want 2 and about 22", m.most, frames)
		}
		if s.Calls+s.Busy != 202 || s.Timeouts+s.Errors != 0 {
			t.Errorf("the figures are %+v, want each of 202 pictures shown or counted", s)
		}
	})
}

func TestADetectorThatHangsCostsOnlyItself(t *testing.T) {
	bubble(t, Config{}, plain, func(r *rig) {
		hung := &model{takes: 20 * time.Second, deaf: true, find: func(bridge.Frame) ([]bridge.Detection, error) {
			return []bridge.Detection{thing("ghost", 1)}, nil
		}}
		good := &model{}
		r.AddDetector(hung, bridge.DetectorOptions{})
		r.AddDetector(good, bridge.DetectorOptions{})
		start := time.Now()
		for range 100 {
			r.show("porch", moves(0.3))
			time.Sleep(100 * time.Millisecond)
		}
		if d := time.Since(start); d != 10*time.Second {
			t.Errorf("the relay took %v for 10 s", d)
		}
		s := r.Stats().Detectors
		if len(hung.saw()) != 1 || s[0].Calls != 1 || s[0].Hung != 1 || s[0].Busy != 98 || len(good.saw()) != 100 {
			t.Errorf("after 10 s it was asked %d times, the other %d times, the figures are %+v", len(hung.saw()), len(good.saw()), s)
		}
		r.after(10500 * time.Millisecond) // the call returns, and the picture that waited is old but the newest
		s = r.Stats().Detectors
		if hung.most != 1 || s[0].Timeouts != 1 || s[0].Calls != 2 || s[0].Hung != 0 {
			t.Errorf("after its return the figures are %+v, %d calls at once", s[0], hung.most)
		}
		list, _ := r.events.Take()
		for _, e := range list {
			if len(e.Labels) > 0 {
				t.Errorf("a late answer became %v", e.Labels)
			}
		}
		r.after(20 * time.Second)
	})
}

func TestAnAnswerAboutAnotherEventIsDropped(t *testing.T) {
	bubble(t, Config{MaxLength: time.Second}, plain, func(r *rig) {
		m := &model{takes: 5 * time.Second, find: func(bridge.Frame) ([]bridge.Detection, error) {
			return []bridge.Detection{thing("cat", 0.3)}, nil
		}}
		remove := r.AddDetector(m, bridge.DetectorOptions{Timeout: time.Minute})
		r.show("porch", moves(0.3))
		r.settings(map[string]any{"off_delay": "20s"})
		r.after(time.Second)
		r.ended(bridge.EndLength)
		r.after(3500*time.Millisecond).show("porch", moves(0.3))
		if e := r.after(700 * time.Millisecond).told(); e.Over() || len(e.Labels) != 0 {
			t.Errorf("an answer about a picture of 5 s ago makes %+v", e)
		}
		remove()
	})
}

func TestFailuresOfADetectorAreCounted(t *testing.T) {
	bubble(t, Config{}, plain, func(r *rig) {
		answers := []error{errors.New("no model"), bridge.Errorf(bridge.CodeBusy, "later"), nil, errors.New("no model")}
		m := &model{find: func(bridge.Frame) ([]bridge.Detection, error) {
			err := answers[0]
			answers = answers[1:]
			return []bridge.Detection{thing("cat", 0.3)}, err
		}}
		r.AddDetector(m, bridge.DetectorOptions{})
		for range 4 {
			r.after(time.Second).show("porch", moves(0.3))
		}
		slow := &model{takes: 5 * time.Second}
		remove := r.AddDetector(slow, bridge.DetectorOptions{Timeout: 300 * time.Millisecond})
		answers = make([]error, 3)
		r.after(time.Second).show("porch", moves(0.3))
		r.after(time.Second)
		s := r.Stats().Detectors
		if s[0].Calls != 5 || s[0].Errors != 2 || s[0].Busy != 1 || s[1].Timeouts != 1 || s[1].Calls != 1 || s[1].Errors != 0 {
			t.Errorf("the figures are %+v", s)
		}

		r.show("porch", moves(0.3))
		remove()
		synctest.Wait()
		r.after(time.Second).show("porch", still)
		if s := r.Stats().Detectors; len(s) != 1 || len(slow.saw()) != 2 || slow.running != 0 {
			t.Errorf("after it was removed: %+v, %d calls, %d running", s, len(slow.saw()), slow.running)
		}
	})
}

func TestNoPictureOfASwitchedOffCameraGoesToADetector(t *testing.T) {
	bubble(t, Config{}, plain, func(r *rig) {
		m := &model{takes: 900 * time.Millisecond, find: func(bridge.Frame) ([]bridge.Detection, error) {
			return []bridge.Detection{thing("cat", 0.3)}, nil
		}}
		r.AddDetector(m, bridge.DetectorOptions{})
		r.show("porch", moves(0.3))
		r.after(500*time.Millisecond).show("porch", moves(0.3)) // waits
		r.told()
		r.town.enable("porch", false)
		synctest.Wait()
		r.ended(bridge.EndDisabled)
		r.after(5 * time.Second).quiet("the event is over")
		if n := len(m.saw()); n != 1 || m.running != 0 {
			t.Errorf("it was shown %d pictures, %d calls run", n, m.running)
		}
	})
}

func TestShutdownWaitsForDetectorsButNotForEver(t *testing.T) {
	bubble(t, Config{}, plain, func(r *rig) {
		r.AddDetector(&model{takes: time.Hour}, bridge.DetectorOptions{Timeout: 2 * time.Hour})
		r.AddDetector(&model{takes: 5 * time.Second, deaf: true}, bridge.DetectorOptions{})
		r.show("porch", moves(0.3))
		start := time.Now()
		r.stop()
		if d := time.Since(start); d != hangTime {
			t.Errorf("it took %v to stop, want %v", d, hangTime)
		}
		if e := r.told(); e.Ending != bridge.EndStopped {
			t.Errorf("told %+v", e)
		}
		r.start() // for the bubble to stop
		r.after(5 * time.Second)
	})
}

func TestOnlySenseIsTakenFromADetector(t *testing.T) {
	bad := []bridge.Detection{
		{Label: "", Score: 1}, {Label: strings.Repeat("x", 65), Score: 0.5}, {Label: "a", Score: 1.1}, {Label: "a", Score: math.NaN()},
		{Label: "a", Score: 1, Box: bridge.Box{X: 0.9, W: 0.2}}, {Label: "a", Score: 1, Box: bridge.Box{Y: -0.1}}, {Label: "a", Score: 1, Box: bridge.Box{H: math.NaN()}},
		{Label: "\xff", Score: 1},
	}
	if got := clean(bad); len(got) != 0 {
		t.Errorf("it took %+v", got)
	}
	good := thing("person", 0.5)
	if got := clean(append(bad, good)); len(got) != 1 || got[0] != good {
		t.Errorf("it took %+v, want %+v", got, good)
	}
	var l lifecycle
	l.begin("x", "porch", time.Unix(1, 0))
	for i := range 100 {
		l.label([]bridge.Detection{thing(fmt.Sprint(i), 0.5)})
	}
	if n := len(l.event.Labels); n != maxLabels {
		t.Errorf("%d labels are kept, want %d", n, maxLabels)
	}
	many := make([]bridge.Detection, 1000)
	for i := range many {
		many[i] = thing(fmt.Sprint(i), 0.5)
	}
	if n := len(clean(many)); n != maxLabels {
		t.Errorf("%d of 1000 detections are taken", n)
	}
}
