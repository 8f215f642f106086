package motion

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write testdata/decisions.json anew, from this build's decisions")

// span2 is a run of pictures, both ends included.
type span2 struct{ From, To int }

// footage is a clip decoded to working size, so that many settings can be tried
// on it.
type footage struct {
	name     string
	fps      float64
	segments []span2 // real motion
	ignore   []span2 // not to be judged
	frames   []still
}

type still struct {
	ok            bool
	width, height int
	plan          plan
	raw           []byte
}

func film(name string, fps float64, pics [][]byte, width int) footage {
	f := footage{name: name, fps: fps}
	d := New(Config{Width: width})
	defer d.Close()
	for _, p := range pics {
		s := still{ok: d.read(p)}
		if s.ok {
			s.width, s.height, s.plan, s.raw = d.width, d.height, d.plan, slices.Clone(d.raw)
		}
		f.frames = append(f.frames, s)
	}
	return f
}

// run judges each every-th picture and returns the decision for all.
func (f footage) run(cfg Config, t tuning, every int) []bool {
	d := New(cfg)
	d.t = t
	defer d.Close()
	out := make([]bool, len(f.frames))
	motion := false
	for i, s := range f.frames {
		if i%every == 0 {
			at := time.Unix(1_700_000_000, 0).Add(time.Duration(float64(i) / f.fps * float64(time.Second)))
			motion = s.show(d, at)
		}
		out[i] = motion
	}
	return out
}

// show does what Judge does with a picture that is decoded already.
func (s still) show(d *Detector, at time.Time) bool {
	if !s.ok {
		return false
	}
	d.resize(s.width, s.height, s.plan)
	copy(d.raw, s.raw)
	return !d.torn() && d.judge(at).Motion
}

// score counts the segments without motion, and the runs of motion outside of
// them: 0.5 s before and 2 s after a segment do not count, and runs less than
// 2 s apart are one.
func (f footage) score(motion []bool) (missed, wrong int) {
	free := make([]bool, len(motion)) // not to be judged
	clear := func(from, to int) {
		for i := max(0, from); i <= min(to, len(free)-1); i++ {
			free[i] = true
		}
	}
	for _, s := range f.segments {
		clear(s.From-int(f.fps/2+0.5), s.To+int(2*f.fps+0.5))
		if !slices.Contains(motion[s.From:min(s.To+1, len(motion))], true) {
			missed++
		}
	}
	for _, s := range f.ignore {
		clear(s.From, s.To)
	}
	last := -1 << 30
	for i, m := range motion {
		if m && !free[i] {
			if float64(i-last) > 2*f.fps {
				wrong++
			}
			last = i
		}
	}
	return missed, wrong
}

// sharedClips finds the labelled clips, or skips.
func sharedClips(t *testing.T) []string {
	t.Helper()
	dir := os.Getenv("MOTION_CLIPS")
	if dir == "" {
		dir = "../../shared/testdata/motion"
	}
	labels, err := filepath.Glob(filepath.Join(dir, "*", "labels.json"))
	if err != nil {
		t.Fatal(err)
	}
	if len(labels) == 0 {
		t.Skipf("no clips in %s: set MOTION_CLIPS to a folder of CLIP/labels.json and CLIP/frames/%%05d.jpg", dir)
	}
	return labels
}

func loadClip(t *testing.T, labels string) footage {
	t.Helper()
	b, err := os.ReadFile(labels)
	if err != nil {
		t.Fatal(err)
	}
	var l struct {
		FPS              float64
		Frames           int
		Segments, Ignore []span2
	}
	if err := json.Unmarshal(b, &l); err != nil {
		t.Fatal(err)
	}
	var pics [][]byte
	for i := range l.Frames {
		p, err := os.ReadFile(filepath.Join(filepath.Dir(labels), "frames", fmt.Sprintf("%05d.jpg", i)))
		if err != nil {
			t.Fatal(err)
		}
		pics = append(pics, p)
	}
	f := film(filepath.Base(filepath.Dir(labels)), l.FPS, pics, defaultWidth)
	f.segments, f.ignore = l.Segments, l.Ignore
	return f
}

// drawnClips are judged by both builds in every test run.
func drawnClips() map[string]drawn {
	base := drawn{w: 320, h: 240, fps: 10, frames: 110, quality: 60, noise: 3, seed: 7}
	walker := base
	walker.walker = crossing(50, 80, 0.4)
	ramp := base
	ramp.light = func(i int) float64 { return 1 - 0.5*float64(clamp(i-30, 0, 40))/40 }
	lamp := base
	lamp.light = func(i int) float64 {
		if i < 50 {
			return 0.35
		}
		return 1
	}
	night := base
	night.light = func(int) float64 { return 0.35 }
	night.walker, night.noise = crossing(50, 80, 0.5), 4
	slow := walker
	slow.fps, slow.frames, slow.walker = 2.5, 60, crossing(35, 50, 0.4)
	return map[string]drawn{"drawn-walker": walker, "drawn-ramp": ramp, "drawn-lamp": lamp, "drawn-night": night, "drawn-slow": slow}
}

const decisionsFile = "testdata/decisions.json"

// TestDecisions holds both builds to the same decisions, written once by the one
// with OpenCV. TestSharedClips does so with real clips.
func TestDecisions(t *testing.T) {
	for name, c := range drawnClips() {
		checkDecisions(t, film(name, c.fps, c.jpegs(t), defaultWidth))
	}
}

// checkDecisions allows for a few pictures of difference where motion begins
// and ends, and for one in fifty elsewhere: decoders round differently.
func checkDecisions(t *testing.T, f footage) {
	t.Helper()
	const slack = 5
	got := runs(f.run(Config{}, standard(), 1))
	golden := decisions(t)
	if *update {
		golden[f.name] = got
		writeDecisions(t, golden)
	}
	want, known := golden[f.name]
	if !known {
		t.Errorf("%s is not in %s: run the test with -update", f.name, decisionsFile)
	}
	a, b := pictures(got, len(f.frames)), pictures(want, len(f.frames))
	differ := 0
	for i := range a {
		if near := b[max(0, i-slack):min(len(b), i+slack+1)]; !slices.Contains(near, a[i]) {
			differ++
		}
	}
	if differ*50 > len(a) {
		t.Errorf("%s: %d of %d pictures differ: decided were %v, now %v", f.name, differ, len(a), want, got)
	}
}

func decisions(t *testing.T) map[string][]span2 {
	t.Helper()
	golden := map[string][]span2{}
	if b, err := os.ReadFile(decisionsFile); err != nil {
		t.Fatal(err)
	} else if err := json.Unmarshal(b, &golden); err != nil {
		t.Fatal(err)
	}
	return golden
}

func writeDecisions(t *testing.T, golden map[string][]span2) {
	t.Helper()
	b, err := json.Marshal(golden)
	if err != nil {
		t.Fatal(err)
	}
	b = bytes.ReplaceAll(b, []byte(`],"`), []byte("],\n\""))
	if err := os.WriteFile(decisionsFile, append(b, '\n'), 0o644); err != nil {
		t.Fatal(err)
	}
}

func runs(motion []bool) []span2 {
	out := []span2{}
	for i, m := range motion {
		switch {
		case m && (i == 0 || !motion[i-1]):
			out = append(out, span2{i, i})
		case m:
			out[len(out)-1].To = i
		}
	}
	return out
}

func pictures(rs []span2, n int) []bool {
	out := make([]bool, n)
	for _, r := range rs {
		for i := r.From; i <= min(r.To, n-1); i++ {
			out[i] = true
		}
	}
	return out
}

// TestSharedClips: nothing missed, nothing wrong; with every second picture one
// wrong run among all clips.
func TestSharedClips(t *testing.T) {
	missed, wrong, missed5, wrong5 := 0, 0, 0, 0
	for i, labels := range sharedClips(t) {
		if raceDetector && i%3 != 2 {
			continue // it makes this ten times slower, and one goroutine has no races
		}
		f := loadClip(t, labels)
		checkDecisions(t, f)
		m, w := f.score(f.run(Config{}, standard(), 1))
		if m+w > 0 {
			t.Errorf("%s: %d missed, %d wrong", f.name, m, w)
		}
		m5, w5 := f.score(f.run(Config{}, standard(), 2))
		t.Logf("%s: %d events, missed %d, wrong %d; every second picture: missed %d, wrong %d", f.name, len(f.segments), m, w, m5, w5)
		missed, wrong, missed5, wrong5 = missed+m, wrong+w, missed5+m5, wrong5+w5
		for _, v := range plateau {
			if raceDetector {
				break
			}
			cfg, tune := Config{}, standard()
			v.set(&cfg, &tune)
			if m, w := f.score(f.run(cfg, tune, 1)); m > 0 || w > 1 {
				t.Errorf("%s with %s: %d missed, %d wrong", f.name, v.name, m, w)
			}
		}
	}
	if missed5 > 0 || wrong5 > 1 {
		t.Errorf("every second picture: %d missed, %d wrong in all", missed5, wrong5)
	}
	t.Logf("in all: missed %d, wrong %d; every second picture: missed %d, wrong %d", missed, wrong, missed5, wrong5)
}

// plateau are settings around the standard ones that must do as well: numbers
// that only just work would not work elsewhere.
var plateau = []struct {
	name string
	set  func(*Config, *tuning)
}{
	{"a higher threshold", func(c *Config, t *tuning) { c.Threshold = 25 }},
	{"more noise", func(c *Config, t *tuning) { c.Noise = 6.5 }},
	{"smaller groups", func(c *Config, t *tuning) { c.Area = 0.0006 }},
	{"more torn slopes", func(c *Config, t *tuning) { t.tornShare = 120; t.alike = 400 }},
	{"slower learning", func(c *Config, t *tuning) { t.bgMS, t.noiseMS = 7000, 9000 }},
}
