package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/espcam-bridge/espcam-bridge/bridge/fakecam"
)

// drawClip writes a labelled clip in which a figure comes 2 s after the start.
func drawClip(t *testing.T, dir string, frames int) {
	t.Helper()
	f, err := fakecam.Film(fakecam.FilmConfig{Plan: fakecam.Motion, Width: 160, Height: 120, Frames: frames})
	if err != nil {
		t.Fatal(err)
	}
	if err := fakecam.WriteClip(dir, f); err != nil {
		t.Fatal(err)
	}
}

// runHere runs the whole program in this process.
func runHere(args ...string) (code int, out, errs string) {
	var stdout, stderr bytes.Buffer
	code = run(context.Background(), args, &stdout, &stderr)
	return code, stdout.String(), stderr.String()
}

func TestMotionScore(t *testing.T) {
	set := t.TempDir()
	drawClip(t, filepath.Join(set, "porch"), 75)
	detections := filepath.Join(t.TempDir(), "made")
	code, out, errs := runHere("motion", "score", set, "-v", "--detections", detections, "--min-event-f1=1", "--max-false=0")
	if code != 0 || errs != "" {
		t.Fatalf("code %d, %s", code, errs)
	}
	for _, want := range []string{"hit/all", "porch                              1/1      0     0    1.000", "TOTAL ", "    quiet: "} {
		if !strings.Contains(out, want) {
			t.Errorf("output lacks %q:\n%s", want, out)
		}
	}
	text, err := os.ReadFile(filepath.Join(detections, "porch.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	for i, line := range strings.Split(strings.TrimSpace(string(text)), "\n") {
		if !strings.HasPrefix(line, fmt.Sprintf(`{"frame":%d,"motion":`, i)) {
			t.Errorf("line %d of the detections is %s", i, line)
		}
	}
}

func TestMotionScoreJSON(t *testing.T) {
	dir := t.TempDir()
	drawClip(t, dir, 30)
	code, out, errs := runHere("motion", "score", dir, "--json", "--every=2", "--sensitivity=30", "--width=80", "--frames=1/2")
	if code != 0 {
		t.Fatalf("code %d, %s", code, errs)
	}
	var got struct {
		Clips []struct {
			Clip   string
			Judged int
		}
		Total struct {
			Events int
			F1     float64 `json:"event_f1"`
			Cost   float64 `json:"us_frame"`
		}
		Decoder string
	}
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		t.Fatal(err)
	}
	if len(got.Clips) != 1 || got.Clips[0].Clip != filepath.Base(dir) || got.Clips[0].Judged != 15 || got.Total.Events != 1 || got.Total.Cost <= 0 || got.Decoder == "" {
		t.Errorf("got %s", out)
	}
}

// TestMotionScoreLimits: what is worse than asked for ends with 1, a clip that
// cannot be read with 2, and the others are scored.
func TestMotionScoreLimits(t *testing.T) {
	set := t.TempDir()
	drawClip(t, filepath.Join(set, "porch"), 30)
	still := filepath.Join(t.TempDir(), "still.json")
	if err := os.WriteFile(still, []byte(`{"ignore":[[[0,0],[1,0],[1,1],[0,1]]],"sensitivity":"high"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	code, _, errs := runHere("motion", "score", set, "--settings", still, "--min-event-f1=0.5")
	if code != 1 || !strings.Contains(errs, "event F1 is 0.000, below --min-event-f1 0.5: 1 of 1 events missed") {
		t.Errorf("all is ignored: code %d, %s", code, errs)
	}
	labels := filepath.Join(set, "porch", "labels.json")
	if err := os.WriteFile(labels, []byte(`{"fps":10}`), 0o600); err != nil { // nothing is said to move
		t.Fatal(err)
	}
	code, _, errs = runHere("motion", "score", set, "--max-false=0")
	if code != 1 || !strings.Contains(errs, "1 false events, more than --max-false 0") {
		t.Errorf("a figure that should not be there: code %d, %s", code, errs)
	}
	if err := os.MkdirAll(filepath.Join(set, "bad", "frames"), 0o700); err != nil {
		t.Fatal(err)
	}
	code, out, errs := runHere("motion", "score", set)
	if code != 2 || !strings.Contains(errs, "bad/labels.json is missing: write one") || !strings.Contains(out, "porch ") {
		t.Errorf("one bad clip: code %d, out %s, errors %s", code, out, errs)
	}
}

func TestMotionWrongUsage(t *testing.T) {
	set := t.TempDir()
	drawClip(t, filepath.Join(set, "a"), 3)
	drawClip(t, filepath.Join(set, "b"), 3)
	settings := func(text string) string {
		path := filepath.Join(t.TempDir(), "s.json")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	clip := filepath.Join(set, "a")
	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"score"}, "requires at least 1 arg"},
		{[]string{"score", filepath.Join(set, "none")}, "no such file"},
		{[]string{"score", clip, "--every=0"}, "--every is 0: use 1"},
		{[]string{"score", clip, "--fps=-1"}, "--fps is -1"},
		{[]string{"score", clip, "--fps=NaN"}, "--fps is NaN"},
		{[]string{"score", clip, "--min-event-f1=2"}, "--min-event-f1 is 2: use 0 to 1"},
		{[]string{"score", clip, "--width=100"}, "motion.width must be 80, 160 or 320, not 100"},
		{[]string{"score", clip, "--sensitivity=extreme"}, "motion.sensitivity must be low, medium, high"},
		{[]string{"score", clip, "--sensitivity=101"}, "motion.sensitivity must be"},
		{[]string{"score", clip, "--threshold=2"}, "motion.threshold must be"},
		{[]string{"score", clip, "--noise=NaN"}, "motion.noise must be"},
		{[]string{"score", clip, "--area=1"}, "motion.area must be"},
		{[]string{"score", clip, "--frames=3/2"}, "motion.frames must be"},
		{[]string{"score", clip, "--settings=" + settings(`[`)}, "is not a JSON object"},
		{[]string{"score", clip, "--settings=" + settings(`null`)}, "is not a JSON object"},
		{[]string{"score", clip, "--settings=" + settings(`{"colour":1}`)}, `there is no motion setting "colour"`},
		{[]string{"score", clip, "--settings=" + settings(`{"ignore":[[[0,0],[2,0],[0,1]]]}`)}, "point 2 at (2, 0)"},
		{[]string{"score", clip, "--settings=/nonexistent"}, "no such file"},
		{[]string{"score", clip, clip, "--detections=" + set}, "would both write a.jsonl"},
		{[]string{"explain"}, "accepts 1 arg"},
		{[]string{"explain", set}, "holds 2 clips: name one of them, such as " + clip},
		{[]string{"explain", clip, "--from=2", "--to=1"}, "the frames of a are 0 to 2"},
		{[]string{"explain", clip, "--to=3"}, "the frames of a are 0 to 2"},
	} {
		code, out, errs := runHere(append([]string{"motion"}, tt.args...)...)
		if code != 2 || !strings.Contains(errs, tt.want) || out != "" {
			t.Errorf("%v: code %d, out %q, errors %q, want 2 and %q", tt.args, code, out, errs, tt.want)
		}
	}
}

func TestMotionExplain(t *testing.T) {
	clip := filepath.Join(t.TempDir(), "porch")
	drawClip(t, clip, 50)
	out := filepath.Join(t.TempDir(), "seen")
	code, said, errs := runHere("motion", "explain", clip, "--out", out, "--from=24", "--to=26")
	if code != 0 {
		t.Fatalf("code %d, %s", code, errs)
	}
	if !strings.Contains(said, "porch: 1 of 1 events found, 0 false; 50 frames judged") || !strings.Contains(said, "3 pictures and explain.jsonl are in "+out) {
		t.Errorf("it says %s", said)
	}
	kept, err := os.ReadFile(filepath.Join(out, "explain.txt"))
	if err != nil || string(kept) != said {
		t.Errorf("explain.txt says %s, %v", kept, err)
	}
	if files, err := filepath.Glob(filepath.Join(out, "*.png")); err != nil || len(files) != 3 {
		t.Errorf("pictures: %v, %v", files, err)
	}
	if code, _, errs := runHere("motion", "explain", clip, "--out", filepath.Join(clip, "labels.json", "x")); code != 1 || !strings.Contains(errs, "name another folder with --out") {
		t.Errorf("a folder that cannot be made: code %d, %s", code, errs)
	}
}
