package app_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge"
	"github.com/espcam-bridge/espcam-bridge/bridge/fakecam"
)

// appearing is a clip, VGA at 10 fps, of three quiet seconds and one and a half
// with a figure in full view. It returns the number of the figure's first picture.
func appearing(b *testing.B, dir string) (first int) {
	b.Helper()
	film, err := fakecam.Film(fakecam.FilmConfig{Scene: 2, Plan: fakecam.Motion, Width: 640, Height: 480, Frames: 50})
	if err != nil {
		b.Fatal(err)
	}
	still := film.Frames[:15]
	frames := slices.Concat(still, still)
	first = len(frames)
	frames = append(frames, film.Frames[32:47]...) // it crosses in pictures 20 to 60
	if err := fakecam.WriteClip(dir, fakecam.Footage{FPS: film.FPS, Frames: frames}); err != nil {
		b.Fatal(err)
	}
	return first
}

// BenchmarkMotionToON measures the time from the moment at which the first
// picture with motion left a camera until an MQTT client has ON. Four cameras
// send 10 pictures a second; one operation is one event.
func BenchmarkMotionToON(b *testing.B) {
	dir := filepath.Join(b.TempDir(), "appearing")
	first := appearing(b, dir)
	cfg := configured(b)
	cfg.Motion = bridge.MotionChange{"off_delay": 1.0}
	w := start(b, cfg)
	mqtt := observe(b, w.mqtt)
	var mu sync.Mutex
	sent := map[string][]time.Time{} // by camera, of each figure
	var ids []string
	for i := range 4 {
		id := fmt.Sprintf("cam%d", i)
		ids = append(ids, id)
		key, _ := w.provision(id)
		play(b, w, fakecam.Config{Key: key, Clip: dir, Seed: uint64(i), Sent: func(n int, at time.Time) {
			if n == first {
				mu.Lock()
				defer mu.Unlock()
				sent[id] = append(sent[id], at)
			}
		}})
	}
	for events := 0; b.Loop(); {
		events++
		eventually(b, "another ON", func() bool { return len(lit(mqtt, ids)) >= events })
	}
	mu.Lock()
	defer mu.Unlock()
	late := delays(b, sent, lit(mqtt, ids))
	median := late[len(late)/2]
	b.ReportMetric(0, "ns/op") // waiting
	b.ReportMetric(ms(median), "ms-median/ON")
	b.ReportMetric(ms(late[(len(late)*99)/100]), "ms-p99/ON")
	if median > promised {
		b.Errorf("half of the ONs come after %v; promised are %v", median, promised)
	}
}

// promised is the time until ON at 10 pictures a second, of which two must show
// motion.
const promised = 350 * time.Millisecond

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// on is an ON of a camera.
type on struct {
	camera string
	at     time.Time
}

// lit are the ONs of all cameras.
func lit(mqtt *observer, ids []string) (out []on) {
	for _, id := range ids {
		for _, m := range mqtt.since(time.Time{}, "espcam/"+id+"/motion") {
			if string(m.payload) == "ON" {
				out = append(out, on{id, m.at})
			}
		}
	}
	return out
}

// delays are the times from each figure to its ON, sorted. A figure whose time
// is over without an ON is an error.
func delays(b *testing.B, sent map[string][]time.Time, lit []on) (late []time.Duration) {
	b.Helper()
	for id, figures := range sent {
		for _, at := range figures {
			i := slices.IndexFunc(lit, func(o on) bool { return o.camera == id && o.at.After(at) && o.at.Sub(at) < 3*time.Second })
			switch {
			case i >= 0:
				late = append(late, lit[i].at.Sub(at))
			case time.Since(at) > 3*time.Second:
				b.Errorf("%s showed a figure at %v, and nobody was told", id, at)
			}
		}
	}
	if len(late) == 0 {
		b.Fatal("no figure was shown")
	}
	slices.Sort(late)
	return late
}
