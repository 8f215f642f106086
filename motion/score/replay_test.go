package score_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/espcam-bridge/espcam-bridge/bridge/fakecam"
	"github.com/espcam-bridge/espcam-bridge/motion"
	"github.com/espcam-bridge/espcam-bridge/motion/score"
)

// clip draws a labelled clip and finds it.
func clip(t *testing.T, cfg fakecam.FilmConfig) score.Clip {
	t.Helper()
	cfg.Width, cfg.Height = 160, 120
	f, err := fakecam.Film(cfg)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "drawn")
	if err := fakecam.WriteClip(dir, f); err != nil {
		t.Fatal(err)
	}
	clips, faults := score.Find([]string{dir})
	if len(clips) != 1 || len(faults) != 0 {
		t.Fatalf("%d clips, %v", len(clips), faults)
	}
	return clips[0]
}

func run(t *testing.T, c score.Clip, o score.Options) score.Outcome {
	t.Helper()
	out, err := score.Run(t.Context(), c, o, nil)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestDrawnMotion: figures are found, and what the weather does is not.
func TestDrawnMotion(t *testing.T) {
	plans := []string{fakecam.Motion, fakecam.Weather, fakecam.Motion}
	var clips []score.Clip
	for scene, plan := range plans {
		clips = append(clips, clip(t, fakecam.FilmConfig{Scene: scene, Plan: plan, Frames: 80}))
	}
	all := score.RunAll(t.Context(), clips, score.Options{})
	for i, o := range all {
		if o.Err != nil || o.Hit != o.Events || o.FalseEvents != 0 || (o.Events > 0) != (plans[i] == fakecam.Motion) {
			t.Errorf("scene %d, %s: %d of %d events, false at %v, %v", i, plans[i], o.Hit, o.Events, o.FalseAt, o.Err)
		}
		if o.Judged != 80 || len(o.Lines) != 80 || o.CostUS <= 0 {
			t.Errorf("scene %d: %d frames judged, %d lines, %v us each", i, o.Judged, len(o.Lines), o.CostUS)
		}
	}
	if total := score.Sum(all); total.Events < 2 || total.Misses() != 0 || total.EventF1 != 1 || total.Judged != 240 {
		t.Errorf("together: %+v", total)
	}
}

// TestPace: which frames are judged; the others keep the state before.
func TestPace(t *testing.T) {
	c := clip(t, fakecam.FilmConfig{Plan: fakecam.Motion, FPS: 10, Frames: 24})
	c.FPS = 12.5
	for _, tt := range []struct {
		o    score.Options
		want []int // the first
		n    int
	}{
		{score.Options{}, []int{0, 1, 2}, 24},
		{score.Options{Every: 3}, []int{0, 3, 6}, 8},
		{score.Options{FPS: 12.5}, []int{0, 1, 2}, 24},
		{score.Options{FPS: 30}, []int{0, 1, 2}, 24},
		{score.Options{FPS: 10}, []int{0, 2, 3, 4, 5, 7}, 19},
		{score.Options{FPS: 5}, []int{0, 3, 5, 8, 10}, 10},
		{score.Options{FPS: 10, Every: 2}, []int{0, 2, 4}, 12},
	} {
		o := run(t, c, tt.o)
		if o.Judged != tt.n {
			t.Errorf("every %d, %v fps: %d frames judged, want %d", tt.o.Every, tt.o.FPS, o.Judged, tt.n)
		}
		for i, n := range tt.want {
			if o.Lines[i].Frame != n {
				t.Errorf("every %d, %v fps: frame %d is judged as number %d, want %d", tt.o.Every, tt.o.FPS, o.Lines[i].Frame, i, n)
			}
		}
	}
}

// TestDamagedAndMissing: a damaged picture is counted, a missing one is an error
// that leaves the other clips alone.
func TestDamagedAndMissing(t *testing.T) {
	good := clip(t, fakecam.FilmConfig{Plan: fakecam.Still, Frames: 12})
	write(t, filepath.Join(good.Dir, "frames", "00007.jpg"), "no JPEG")
	if o := run(t, good, score.Options{}); o.Quiet[motion.Damaged] != 1 || o.Lines[7].Quiet != motion.Damaged {
		t.Errorf("quiet counts are %v, line 7 says %+v", o.Quiet, o.Lines[7])
	}
	bad := clip(t, fakecam.FilmConfig{Plan: fakecam.Still, Frames: 12})
	if err := os.Remove(filepath.Join(bad.Dir, "frames", "00009.jpg")); err != nil {
		t.Fatal(err)
	}
	all := score.RunAll(t.Context(), []score.Clip{bad, good}, score.Options{})
	if all[0].Err == nil || !strings.Contains(all[0].Err.Error(), "00009.jpg") || all[1].Err != nil || all[1].Judged != 12 {
		t.Errorf("outcomes: %v and %v", all[0].Err, all[1].Err)
	}
	if total := score.Sum(all); total.Judged != 12 {
		t.Errorf("the sum is of %d frames", total.Judged)
	}
	stop := errors.New("enough")
	if _, err := score.Run(t.Context(), good, score.Options{}, func(score.Line, *motion.Detector) error { return stop }); err != stop {
		t.Errorf("an observer's error became %v", err)
	}
}

func TestWriteLines(t *testing.T) {
	var b bytes.Buffer
	lines := []score.Line{{Frame: 3, Quiet: motion.Settling}, {Frame: 4, Motion: true, Score: 0.5, Boxes: [][4]float64{{0.1, 0.2, 0.3, 0.4}}}}
	if err := score.WriteLines(&b, lines); err != nil {
		t.Fatal(err)
	}
	want := `{"frame":3,"motion":false,"score":0,"quiet":"settling"}
{"frame":4,"motion":true,"score":0.5,"quiet":"","boxes":[[0.1,0.2,0.3,0.4]]}
`
	if b.String() != want {
		t.Errorf("got\n%s", &b)
	}
}
