package score_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/espcam-bridge/espcam-bridge/bridge/fakecam"
	"github.com/espcam-bridge/espcam-bridge/motion/score"
)

// TestExplain: pictures of what was asked for, and a line for each frame.
func TestExplain(t *testing.T) {
	c := clip(t, fakecam.FilmConfig{Plan: fakecam.Motion, Frames: 64})
	c.Segments, c.Ignore = []score.Span{{From: 11, To: 15}}, nil // a missed one, and a figure that should not be there
	for _, tt := range []struct {
		show        score.Show
		least, most int
	}{
		{score.Show{}, 6, 40},
		{score.Show{Range: true, From: 10, To: 12}, 3, 3},
	} {
		dir := filepath.Join(t.TempDir(), "out")
		out, n, err := score.Explain(t.Context(), c, score.Options{}, tt.show, dir)
		if err != nil {
			t.Fatal(err)
		}
		if n < tt.least || n > tt.most {
			t.Errorf("%+v: %d pictures", tt.show, n)
		}
		lines, pictures := readExplained(t, dir)
		if lines != 64 || pictures != n {
			t.Errorf("%+v: explain.jsonl has %d lines that name %d pictures, there are %d", tt.show, lines, pictures, n)
		}
		text := strings.Join(out.Reasons(c), "\n")
		for _, want := range []string{"missed: frames 11 to 15 (1.1 to 1.5 s). In 5 of 5 frames: nothing differed enough", "false: frames "} {
			if !strings.Contains(text, want) {
				t.Errorf("reasons lack %q:\n%s", want, text)
			}
		}
	}
}

func readExplained(t *testing.T, dir string) (lines, pictures int) {
	t.Helper()
	f, err := os.Open(filepath.Join(dir, "explain.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); lines++ {
		var e score.Explained
		if err := json.Unmarshal(s.Bytes(), &e); err != nil || e.Frame != lines || e.Label == "" {
			t.Fatalf("line %d is %s: %v", lines, s.Bytes(), err)
		}
		if e.Picture == "" {
			continue
		}
		pictures++
		b, err := os.ReadFile(filepath.Join(dir, e.Picture))
		if err != nil {
			t.Fatal(err)
		}
		if cfg, err := png.DecodeConfig(bytes.NewReader(b)); err != nil || cfg.Width != 640 || cfg.Height != 480 {
			t.Errorf("%s is %+v, %v", e.Picture, cfg, err)
		}
	}
	return lines, pictures
}
