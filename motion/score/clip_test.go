package score_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/espcam-bridge/espcam-bridge/motion/score"
)

// folder makes a clip of n pictures that are none, with these labels ("" makes
// none).
func folder(t *testing.T, dir, labels string, n int) string {
	t.Helper()
	frames := filepath.Join(dir, "frames")
	if err := os.MkdirAll(frames, 0o700); err != nil {
		t.Fatal(err)
	}
	for i := range n {
		write(t, filepath.Join(frames, fmt.Sprintf("%05d.jpg", i)), "no JPEG")
	}
	if labels != "" {
		write(t, filepath.Join(dir, "labels.json"), labels)
	}
	return dir
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestBadClips(t *testing.T) {
	for _, tt := range []struct {
		labels string
		n      int
		want   string // {dir} is the clip
	}{
		{"", 3, "{dir}/labels.json is missing: write one such as"},
		{"{", 3, "{dir}/labels.json: not JSON in line 1"},
		{"{\n\"fps\":10,\n}", 3, "not JSON in line 3"},
		{"[]", 3, "cannot be a"},
		{`{"fps":"ten"}`, 3, `"fps" cannot be a string`},
		{`{"fps":10,"segments":[[1,2]]}`, 3, `"segments" cannot be a array: segments and ignore are lists of`},
		{`{"fps":10,"segments":[{"from":0.5,"to":2}]}`, 3, "with whole numbers"},
		{`{}`, 3, `"fps" is 0: write the frames per second`},
		{`{"fps":-2}`, 3, `"fps" is -2`},
		{`{"fps":1e9}`, 3, `up to 120`},
		{`{"fps":10,"frames":-1}`, 3, `"frames" is -1`},
		{`{"fps":10,"frames":4}`, 3, "{dir}/frames/00003.jpg is missing: 4 frames are numbered 00000.jpg to 00003.jpg without a gap"},
		{`{"fps":10,"frames":2}`, 3, `has 3 pictures, but "frames" in labels.json is 2`},
		{`{"fps":10}`, 0, "has no *.jpg in it"},
		{`{"fps":10,"segments":[{"from":2,"to":1}]}`, 3, "{dir}/labels.json: segments[0] runs from 2 to 1: put the smaller number first"},
		{`{"fps":10,"ignore":[{"from":0,"to":0},{"from":2,"to":3}]}`, 3, "ignore[1] runs from 2 to 3, but the frames are 0 to 2"},
		{`{"fps":10,"segments":[{"from":-1,"to":1}]}`, 3, "segments[0] runs from -1 to 1"},
		{strings.Repeat(" ", 1<<20) + `{"fps":10}`, 3, "at most 1048576 are read"},
	} {
		dir := folder(t, filepath.Join(t.TempDir(), "porch"), tt.labels, tt.n)
		clips, faults := score.Find([]string{dir})
		if len(clips) != 0 || len(faults) != 1 {
			t.Errorf("%.60s: %d clips, %v", tt.labels, len(clips), faults)
			continue
		}
		if want := strings.ReplaceAll(tt.want, "{dir}", dir); !strings.Contains(faults[0].Error(), want) {
			t.Errorf("%.60s: error %q, want one with %q", tt.labels, faults[0], want)
		}
	}
}

// TestFind: a clip, a folder of clips with one that is bad, a folder of nothing,
// and no folder at all.
func TestFind(t *testing.T) {
	set, empty := t.TempDir(), t.TempDir()
	good := `{"fps":12.5,"note":"people may write more","segments":[{"from":1,"to":2}]}`
	folder(t, filepath.Join(set, "a"), good, 4)
	folder(t, filepath.Join(set, "b"), "", 4)
	folder(t, filepath.Join(set, "c"), good, 4)
	write(t, filepath.Join(set, "README.md"), "no clip")
	if err := os.Mkdir(filepath.Join(set, "notes"), 0o700); err != nil {
		t.Fatal(err)
	}
	clips, faults := score.Find([]string{set, filepath.Join(set, "a"), empty, filepath.Join(empty, "none")})
	var names []string
	for _, c := range clips {
		names = append(names, c.Name)
		if c.FPS != 12.5 || c.Frames != 4 || len(c.Segments) != 1 {
			t.Errorf("%s: %+v", c.Name, c.Labels)
		}
	}
	if got := strings.Join(names, " "); got != "a c a" {
		t.Errorf("found %s", got)
	}
	for i, want := range []string{"b/labels.json is missing", "no labels.json in it, nor in a folder in it", "no such file"} {
		if i >= len(faults) || !strings.Contains(faults[i].Error(), want) {
			t.Errorf("fault %d is not %q: %v", i, want, faults)
		}
	}
}

func FuzzParseLabels(f *testing.F) {
	for _, text := range []string{
		`{"fps":10,"frames":3,"segments":[{"from":0,"to":1}],"ignore":[]}`, `{"fps":1e308}`, `null`, `{`, `{"fps":10,"segments":[{"from":9223372036854775807}]}`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		l, err := score.ParseLabels(text)
		if err != nil {
			if err.Error() == "" {
				t.Error("an error without a sentence")
			}
			return
		}
		if !(l.FPS > 0 && l.FPS <= 120) || l.Frames < 0 {
			t.Errorf("%q became %+v", text, l)
		}
	})
}
