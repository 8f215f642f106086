package fakecam_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"image"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge/fakecam"
)

func shoot(t *testing.T, cfg fakecam.FilmConfig) fakecam.Footage {
	t.Helper()
	cfg.Width, cfg.Height = 160, 120
	f, err := fakecam.Film(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// TestHome: every scene shows a figure within 15 s and then every 20 to 40 s, for
// 4 to 9 s, and neighbours do not begin together.
func TestHome(t *testing.T) {
	t.Parallel()
	begins := map[int]bool{}
	for scene := range 4 {
		f := shoot(t, fakecam.FilmConfig{Scene: scene, FPS: 1, Frames: 130, Seed: uint64(scene)})
		last := 0
		for i, s := range f.Moving {
			begin, length := s.From, s.To-s.From+1
			switch {
			case i == 0 && (begin < 3 || begin > 14 || begins[begin]):
				t.Errorf("scene %d: the first figure comes after %d s; others: %v", scene, begin, begins)
			case i > 0 && (begin-last < 18 || begin-last > 42):
				t.Errorf("scene %d: a figure comes %d s after the one before", scene, begin-last)
			case length < 3 || length > 10:
				t.Errorf("scene %d: a figure takes %d s", scene, length)
			}
			if i == 0 {
				begins[begin] = true
			}
			last = begin
		}
		if len(f.Moving) < 3 {
			t.Errorf("scene %d: %d figures in 130 s", scene, len(f.Moving))
		}
	}
}

// TestPlansDoWhatTheySay: where the truth says so something moves, and only there.
func TestPlansDoWhatTheySay(t *testing.T) {
	t.Parallel()
	view := image.Rect(0, 0, 160, 88) // without the words
	for plan, want := range map[string]struct{ moving, changes bool }{
		fakecam.Lively: {true, true}, fakecam.Motion: {true, true}, fakecam.Weather: {false, true}, fakecam.Still: {false, false},
	} {
		for scene := range 4 {
			f := shoot(t, fakecam.FilmConfig{Scene: scene, Plan: plan, FPS: 3, Frames: 30})
			if (len(f.Moving) > 0) != want.moving || len(f.Unsure) > 0 && !want.moving {
				t.Errorf("%s, scene %d: figures in %v, unsure %v", plan, scene, f.Moving, f.Unsure)
			}
			first, most := decode(t, f.Frames[0]), 0.0
			for _, b := range f.Frames[1:] {
				most = max(most, difference(first, decode(t, b), view))
			}
			if (most > 0.08) != want.changes {
				t.Errorf("%s, scene %d: the picture changes by up to %.2f", plan, scene, most)
			}
		}
	}
}

// TestMotionPlan: the first figure comes 2 s after the start, for tests that wait.
func TestMotionPlan(t *testing.T) {
	for scene := range 4 {
		f := shoot(t, fakecam.FilmConfig{Scene: scene, Plan: fakecam.Motion, FPS: 10, Frames: 130})
		if len(f.Moving) < 2 || f.Moving[0].From < 20 || f.Moving[0].From > 26 || f.Moving[0].To > 60 || f.Moving[1].From > 120 {
			t.Errorf("scene %d: figures in %v of 10 per second", scene, f.Moving)
		}
	}
}

// TestSameMomentSamePicture: rain and noise too are as they were, whatever was
// drawn before.
func TestSameMomentSamePicture(t *testing.T) {
	t.Parallel()
	for scene := range 4 {
		for _, plan := range []string{fakecam.Weather, fakecam.Home} {
			cfg := fakecam.FilmConfig{Scene: scene, Plan: plan, Seed: 3, FPS: 1, Frames: 23}
			long := shoot(t, cfg)
			cfg.Start, cfg.Frames = 22*time.Second, 1
			if short := shoot(t, cfg); !bytes.Equal(short.Frames[0], long.Frames[22]) {
				t.Errorf("%s, scene %d: the way to a picture shows in it", plan, scene)
			}
		}
	}
}

func TestBadFilm(t *testing.T) {
	for _, cfg := range []fakecam.FilmConfig{{Plan: "war"}, {FPS: 31}, {Width: 9, Height: 9}} {
		if _, err := fakecam.Film(cfg); err == nil {
			t.Errorf("%+v is taken", cfg)
		}
	}
}

// labelled writes a clip of n pictures, one of them damaged.
func labelled(t *testing.T, n int, fps float64) (dir string, f fakecam.Footage) {
	t.Helper()
	f = shoot(t, fakecam.FilmConfig{Plan: fakecam.Motion, FPS: 10, Frames: n})
	f.Frames[1] = f.Frames[1][:len(f.Frames[1])/2]
	dir = filepath.Join(t.TempDir(), "porch")
	if err := fakecam.WriteClip(dir, f); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "labels.json")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text = bytes.Replace(text, []byte(`"fps": 10`), fmt.Appendf(nil, `"fps": %v`, fps), 1)
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return dir, f
}

func TestWriteClip(t *testing.T) {
	dir, f := labelled(t, 30, 10)
	text, err := os.ReadFile(filepath.Join(dir, "labels.json"))
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		FPS, Frames      int
		Segments, Ignore []fakecam.Span
	}
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	if got.FPS != 10 || got.Frames != 30 || !reflect.DeepEqual(got.Segments, f.Moving) || len(got.Segments) == 0 {
		t.Errorf("%v and %v became\n%s", f.Moving, f.Unsure, text)
	}
	if b, err := os.ReadFile(filepath.Join(dir, "frames", "00029.jpg")); err != nil || !bytes.Equal(b, f.Frames[29]) {
		t.Errorf("the last picture is another: %v", err)
	}
	if err := fakecam.WriteClip(filepath.Join(dir, "labels.json", "x"), f); err == nil {
		t.Error("a folder that cannot be made is no error")
	}
}

// TestClipOnce: at its own speed, each picture in turn, damaged ones too, then
// none; and the caller knows which was sent when.
func TestClipOnce(t *testing.T) {
	t.Parallel()
	dir, f := labelled(t, 12, 12.5)
	s := serve(t, native())
	cfg := small(s)
	type sent struct {
		n  int
		at time.Time
	}
	told := make(chan sent, 100)
	cfg.Clip, cfg.ClipOnce, cfg.FPS = dir, true, 0
	cfg.Sent = func(n int, at time.Time) { told <- sent{n, at} }
	c := play(t, cfg)
	l := s.next(t)
	var first, last time.Time
	skipped := 0
	for n := 0; n < len(f.Frames); n++ {
		got := receive(t, "note", told)
		skipped += got.n - n
		n = got.n
		if b := receive(t, "picture", l.pictures); !bytes.Equal(b, f.Frames[n]) {
			t.Fatalf("picture %d is another", n)
		}
		if last = got.at; n == 0 {
			first = got.at
		}
	}
	if d, want := last.Sub(first), 11*80*time.Millisecond; d < want-50*time.Millisecond || d > want+2*time.Second {
		t.Errorf("a clip of %v took %v", want, d)
	}
	if uint64(skipped) != c.Report().Skipped {
		t.Errorf("%d pictures were left out, the report says %d", skipped, c.Report().Skipped)
	}
	sentThen := c.Report().Frames
	for range 3 {
		if r := l.ask(askQuality()); !r.OK {
			t.Fatal("it does not listen any more")
		}
	}
	if r := c.Report(); r.Frames != sentThen || !r.Connected || len(told) != 0 {
		t.Errorf("after its end: %d pictures more, connected %v", r.Frames-sentThen, r.Connected)
	}
}

// TestClipAgain: without ClipOnce the first picture follows the last.
func TestClipAgain(t *testing.T) {
	t.Parallel()
	dir, _ := labelled(t, 4, 30)
	s := serve(t, native())
	cfg := small(s)
	told := make(chan int, 1000)
	cfg.Clip, cfg.FPS = dir, 0
	cfg.Sent = func(n int, _ time.Time) {
		select {
		case told <- n:
		default:
		}
	}
	play(t, cfg)
	last, rounds := -1, 0
	for rounds < 3 {
		n := receive(t, "note", told)
		if n <= last {
			rounds++
		}
		last = n
	}
}

func TestBadLabelledClips(t *testing.T) {
	write := func(labels string, frames bool) string {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "labels.json"), []byte(labels), 0o600); err != nil {
			t.Fatal(err)
		}
		if frames {
			if err := os.Mkdir(filepath.Join(dir, "frames"), 0o700); err != nil {
				t.Fatal(err)
			}
		}
		return dir
	}
	for _, tt := range []struct{ dir, want string }{
		{write("{", true), `put "fps"`},
		{write("{}", true), `put "fps"`},
		{write(`{"fps":-1}`, true), `put "fps"`},
		{write(`{"fps":10}`, true), "has no *.jpg"},
		{write(`{"fps":10}`, false), "no such file"},
	} {
		if _, err := fakecam.LoadClip(tt.dir); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("error %v, want one with %q", err, tt.want)
		}
	}
}
