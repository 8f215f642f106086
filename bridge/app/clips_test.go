package app_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge"
	"github.com/espcam-bridge/espcam-bridge/bridge/fakecam"
	"github.com/espcam-bridge/espcam-bridge/motion/score"
)

// labelledClips finds the clips that were marked by hand.
func labelledClips(t *testing.T) []score.Clip {
	t.Helper()
	dir := os.Getenv("MOTION_CLIPS")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "testdata", "motion")
	}
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("there are no labelled clips in %s: say with MOTION_CLIPS where they are", dir)
	}
	clips, faults := score.Find([]string{dir})
	for _, err := range faults {
		t.Error(err)
	}
	return clips
}

// showing is a camera that plays a clip once.
type showing struct {
	score.Clip
	id string

	mu   sync.Mutex
	sent []time.Time   // of each picture; zero for one that was skipped
	over chan struct{} // the last one was sent
}

func show(t *testing.T, w *world, c score.Clip) *showing {
	t.Helper()
	id, _, _ := strings.Cut(c.Name, "-")
	s := &showing{Clip: c, id: id, sent: make([]time.Time, c.Frames), over: make(chan struct{})}
	key, _ := w.provision(s.id)
	play(t, w, fakecam.Config{Key: key, Clip: c.Dir, ClipOnce: true, Sent: s.count})
	return s
}

func (s *showing) count(n int, at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sent[n] = at
	if n == len(s.sent)-1 {
		close(s.over)
	}
}

// decisions are the states that MQTT told, spread over the clip's pictures: the
// one after which ON came is the first with motion.
func (s *showing) decisions(told []message) []bool {
	out := make([]bool, len(s.sent))
	for i, m := range told {
		if string(m.payload) != "ON" {
			continue
		}
		until := time.Now()
		if i+1 < len(told) {
			until = told[i+1].at
		}
		for n := s.before(m.at); n <= s.before(until); n++ {
			out[n] = true
		}
	}
	return out
}

// before is the newest picture that was sent before at.
func (s *showing) before(at time.Time) int {
	newest := 0
	for n, sent := range s.sent {
		if !sent.IsZero() && sent.Before(at) {
			newest = n
		}
	}
	return newest
}

// TestLabelledClips plays all clips at once, at their own speed, and scores what
// MQTT told: it must be as good as is promised of the detector alone. No other
// test runs beside it, since it is about time.
func TestLabelledClips(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes as long as the clips: 40 s")
	}
	const hold = 1.0
	clips := labelledClips(t)
	cfg := configured(t)
	cfg.Motion = bridge.MotionChange{"off_delay": hold}
	w := start(t, cfg)
	mqtt := observe(t, w.mqtt)
	var shows []*showing
	for _, c := range clips {
		shows = append(shows, show(t, w, c))
	}
	for _, s := range shows {
		select {
		case <-s.over:
		case <-time.After(2 * time.Minute):
			t.Fatalf("%s does not end", s.Name)
		}
	}
	rules := score.DefaultRules()
	rules.Tail += hold + 0.25 // ON stays for the hold; a message takes its time
	var results []score.Result
	judged, pictures := 0.0, 0.0
	for _, s := range shows {
		mqtt.wants("espcam/"+s.id+"/motion", "OFF")
		r := score.Score(s.Labels, s.decisions(mqtt.since(time.Time{}, "espcam/"+s.id+"/motion")), rules)
		results = append(results, r)
		judged += at(w.camera(s.id), "motion", "detector", "analysed").(float64)
		pictures += float64(len(s.sent))
		t.Logf("%s: %s", s.Name, s.figures(w, r))
	}
	got := score.Total(results)
	share := judged / pictures
	t.Logf("all: %d of %d events, %d false, F1 %.3f, median delay %.0f ms, %.0f %% of the pictures judged", got.Hit, got.Events, got.FalseEvents, got.EventF1, got.DelayMS, 100*share)
	switch wrong := got.Misses() + got.FalseEvents; {
	case got.Events == 0:
		t.Error("there are no events in the clips")
	case share < half:
		t.Skipf("only %.0f %% of the pictures were judged: the machine is too slow for ten cameras, or the race detector is in Go's decoder", 100*share)
	case wrong > 0 && share > nearlyAll, got.EventF1 < 0.95:
		t.Errorf("of %d events %d were missed, and %d false ones told", got.Events, got.Misses(), got.FalseEvents)
	}
}

// What is promised depends on how many of a clip's 10 pictures a second are
// judged: no mistake if it is nearly all of them (a camera of 12.5 loses what is
// above 10), an F1 of 0.95 at 5 a second, nothing below.
const nearlyAll, half = 0.9, 0.5

// figures says what became of a clip, and how many of its pictures counted.
func (s *showing) figures(w *world, r score.Result) string {
	w.t.Helper()
	c := w.camera(s.id)
	skipped := len(s.sent) - len(slices.DeleteFunc(slices.Clone(s.sent), time.Time.IsZero))
	return fmt.Sprintf("%d of %d events, missed %v, false at %v, %.0f ms; of %d pictures %d were not sent, dropped %v, judged %v, not judged %v, quiet %v",
		r.Hit, r.Events, r.Missed, r.FalseAt, r.DelayMS, len(s.sent), skipped,
		at(c, "stats", "dropped"), at(c, "motion", "detector", "analysed"), at(c, "motion", "detector", "skipped"), at(c, "motion", "detector", "quiet"))
}
