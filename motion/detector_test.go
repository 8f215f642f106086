package motion

import (
	"image/color"
	"slices"
	"testing"
	"time"
)

// play judges a clip and returns all judgements.
func play(t *testing.T, d *Detector, c drawn) []Judgement {
	t.Helper()
	var out []Judgement
	for i, pic := range c.jpegs(t) {
		out = append(out, d.Judge(pic, c.at(i)))
	}
	return out
}

func walkerClip() drawn {
	return drawn{w: 320, h: 240, fps: 10, frames: 90, quality: 60, noise: 3, seed: 5, walker: crossing(40, 80, 0.4)}
}

func firstMotion(js []Judgement) int {
	return slices.IndexFunc(js, func(j Judgement) bool { return j.Motion })
}

// TestWalker: the person is seen at once, the box is where the person is, and
// each picture is counted.
func TestWalker(t *testing.T) {
	c := walkerClip()
	d := New(Config{})
	defer d.Close()
	js := play(t, d, c)
	if first := firstMotion(js); first < 41 || first > 45 {
		t.Errorf("motion from picture %d on, the person comes at 40", first)
	}
	for i := 48; i < 76; i++ {
		x, y, height, _ := c.walker(i)
		j := js[i]
		if !j.Motion || j.Quiet != "" || j.Score < 0.3 || len(j.Boxes) == 0 {
			t.Fatalf("picture %d: %+v", i, j)
		}
		b := j.Boxes[0]
		if x < b.X-0.03 || x > b.X+b.W+0.03 || b.Y+b.H > y+0.03 || b.Y < y-height-0.03 {
			t.Errorf("picture %d: person at %.2f, %.2f, box %+v", i, x, y, b)
		}
	}
	if n := d.Counts(); n.Frames != 90 || n.Of(Settling) == 0 || n.Of(Damaged) != 0 {
		t.Errorf("counted %+v", n)
	}
}

// TestMask: motion under a mask is none, and says so.
func TestMask(t *testing.T) {
	lower := Polygon{{0, 0.4}, {1, 0.4}, {1, 1}, {0, 1}}
	d := New(Config{Ignore: []Polygon{lower}})
	defer d.Close()
	js := play(t, d, walkerClip())
	if first := firstMotion(js); first >= 0 {
		t.Errorf("motion at picture %d under the mask", first)
	}
	if d.Counts().Masked < 20 {
		t.Errorf("counted %+v", d.Counts())
	}
}

// TestZones: each zone decides for itself, in the order of their names.
func TestZones(t *testing.T) {
	zone := func(x0, x1, y0, y1 float64) Polygon { return Polygon{{x0, y0}, {x1, y0}, {x1, y1}, {x0, y1}} }
	d := New(Config{Zones: []Zone{
		{"right", zone(0.6, 1, 0, 1)}, {"left", zone(0, 0.4, 0, 1)}, {"ceiling", zone(0, 1, 0, 0.2)},
	}})
	defer d.Close()
	js := play(t, d, walkerClip())
	order := []string{}
	for _, j := range js {
		if !slices.IsSorted(j.Zones) || slices.Contains(j.Zones, "ceiling") {
			t.Errorf("zones %v", j.Zones)
		}
		for _, z := range j.Zones {
			if !slices.Contains(order, z) {
				order = append(order, z)
			}
		}
	}
	if !slices.Equal(order, []string{"left", "right"}) {
		t.Errorf("zones in the order %v", order)
	}
}

// TestTooSmall: a thing below the smallest area is named as such.
func TestTooSmall(t *testing.T) {
	d := New(Config{Area: 0.2})
	defer d.Close()
	if first := firstMotion(play(t, d, walkerClip())); first >= 0 || d.Counts().TooSmall < 10 {
		t.Errorf("motion at %d, counted %+v", first, d.Counts())
	}
}

// TestLightSwitch: a light goes on; the picture is taken over, without motion.
func TestLightSwitch(t *testing.T) {
	c := walkerClip()
	c.walker = nil
	c.light = func(i int) float64 { return []float64{0.15, 1}[i/45] }
	d := New(Config{})
	defer d.Close()
	if first := firstMotion(play(t, d, c)); first >= 0 {
		t.Errorf("motion at picture %d", first)
	}
	if d.Counts().Damaged != 0 {
		t.Errorf("counted %+v", d.Counts())
	}
}

// TestLargePerson: someone who fills more than half of the picture, and keeps
// moving, is not taken for a new scene for long.
func TestLargePerson(t *testing.T) {
	c := walkerClip()
	c.walker = func(i int) (float64, float64, float64, bool) {
		return 0.5 + 0.3*float64(i%8-4)/4, 1.9, 2.4, i >= 40
	}
	d := New(Config{})
	defer d.Close()
	js := play(t, d, c)
	moving := 0
	for _, j := range js[40:] {
		if j.Motion {
			moving++
		}
	}
	if moving < 25 {
		t.Errorf("motion in %d of 50 pictures", moving)
	}
}

// TestResetAndConfigure: after Reset all is learnt again; new settings keep
// what was learnt, but not at another width.
func TestResetAndConfigure(t *testing.T) {
	c := walkerClip()
	c.walker, c.frames = nil, 20
	d := New(Config{})
	pics := c.jpegs(t)
	judge := func(i int) Quiet { return d.Judge(pics[i%20], c.at(i)).Quiet }
	for i := range 15 {
		judge(i)
	}
	d.Configure(Config{Threshold: 30, Zones: []Zone{{"all", Polygon{{0, 0}, {1, 0}, {1, 1}, {0, 1}}}}})
	if q := judge(15); q == Settling {
		t.Error("new settings made it forget")
	}
	d.Reset()
	if q := judge(16); q != Settling {
		t.Errorf("after Reset: %q", q)
	}
	for i := 17; i < 35; i++ {
		judge(i)
	}
	d.Configure(Config{Width: 80})
	if q := judge(35); q != Settling || d.Debug().Width != 80 {
		t.Errorf("at another width: %q, %d columns", q, d.Debug().Width)
	}
	d.Close()
	d.Close()
	if d.Debug() != nil || d.Counts().Frames != 36 {
		t.Errorf("after Close: %+v, counted %+v", d.Debug(), d.Counts())
	}
	if q := judge(36); q != Settling {
		t.Errorf("Judge after Close: %q", q)
	}
	d.Close()
}

func TestDebugPictures(t *testing.T) {
	c := walkerClip()
	c.frames = 60
	corner := Polygon{{0, 0}, {0.3, 0}, {0.3, 0.3}, {0, 0.3}}
	d := New(Config{Ignore: []Polygon{corner}})
	defer d.Close()
	if d.Debug() != nil {
		t.Error("something before the first picture")
	}
	play(t, d, c)
	g := d.Debug()
	var state byte
	for _, s := range g.State {
		state |= s
	}
	if state != StateChanged|StateActive|StateMasked || len(g.Boxes) == 0 || len(g.Grey) != g.Width*g.Height || len(g.Noise) != len(g.Grey) {
		t.Fatalf("state bits %b, boxes %v, %d pixels", state, g.Boxes, len(g.Grey))
	}
	over, pic := g.Overlay(), g.Picture()
	if over.Bounds().Dx() != g.Width || pic.Bounds().Dy() != g.Height {
		t.Errorf("sizes %v, %v, want %dx%d", over.Bounds(), pic.Bounds(), g.Width, g.Height)
	}
	if over.NRGBAAt(0, 0) != colourMasked {
		t.Errorf("the masked corner is %v", over.NRGBAAt(0, 0))
	}
	b := g.Boxes[0]
	x, y := int(b.X*float64(g.Width)+0.5), int(b.Y*float64(g.Height)+0.5)
	if got := pic.RGBAAt(x, y); got != (color.RGBA{255, 40, 40, 255}) {
		t.Errorf("the box's corner is %v", got)
	}
}

// TestNoGarbage: judging allocates next to nothing while nothing moves.
func TestNoGarbage(t *testing.T) {
	c := walkerClip()
	c.walker, c.frames = nil, 30
	d := New(Config{})
	defer d.Close()
	play(t, d, c)
	i := 30
	if n := testing.AllocsPerRun(100, func() { d.judge(c.at(i)); i++ }); n > 0 {
		t.Errorf("%.1f allocations a picture", n)
	}
}

func TestSharpness(t *testing.T) {
	d := New(Config{})
	defer d.Close()
	c := walkerClip()
	sharp := d.Judge(encode(t, c.grey(0), 90), time.Unix(0, 0)).Sharpness
	c.noise = 0
	dull := c
	dull.light = func(int) float64 { return 0.1 }
	if soft := d.Judge(encode(t, dull.grey(0), 90), time.Unix(0, 1e8)).Sharpness; soft >= sharp || soft < 0 {
		t.Errorf("sharpness %.2f of a dull picture, %.2f of a sharp one", soft, sharp)
	}
}
