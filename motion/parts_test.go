package motion

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"testing"
)

func randomPlane(r *rand.Rand, n, most int) []byte {
	p := make([]byte, n)
	for i := range p {
		p[i] = byte(r.IntN(most))
	}
	return p
}

// TestWords compares the arithmetic on eight pixels with that on one.
func TestWords(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	f := frameFor(37, 11)
	n := f.size()
	a, b, limit := randomPlane(r, n, 256), randomPlane(r, n, 256), randomPlane(r, n, 256)
	got := make([]byte, n)
	differ(got, a, b, limit)
	for i := range got {
		want := byte(0)
		if abs(int(a[i])-int(b[i])) > int(limit[i]) {
			want = 1
		}
		if got[i] != want {
			t.Fatalf("differ: |%d-%d| > %d is %d", a[i], b[i], limit[i], got[i])
		}
	}
	in := randomPlane(r, n, 2)
	out, tmp, wide, touch := make([]byte, n), make([]byte, n), make([]byte, n), bytes.Clone(got)
	majority(f, out, in, tmp, 5)
	spread(f, wide, in)
	touching(f, touch, in)
	for i := f.row(0); i < f.row(f.h); i++ {
		sum := 0
		for _, r := range []int{-f.stride, 0, f.stride} {
			sum += int(in[i+r-1]) + int(in[i+r]) + int(in[i+r+1])
		}
		if (out[i] == 1) != (sum >= 5) || (wide[i] == 1) != (sum > 0) || (touch[i] == 1) != (sum > 0 && got[i] == 1) {
			t.Fatalf("around %d of nine: majority %d, spread %d, touching %d of %d", sum, out[i], wide[i], touch[i], got[i])
		}
	}
	count := 0
	for i := range in {
		count += int(in[i] & got[i])
	}
	if n := both(tmp, in, got); n != count {
		t.Errorf("both counted %d, want %d", n, count)
	}
}

func TestSmooth(t *testing.T) {
	f := frameFor(20, 10)
	in, out, tmp := make([]byte, f.size()), make([]byte, f.size()), make([]byte, f.size())
	for y := range f.h {
		for x := range f.w {
			in[f.row(y)+x] = 100
		}
	}
	in[f.row(5)+10] = 200
	f.pad(in)
	smooth(f, out, in, tmp)
	for _, tt := range []struct{ x, y, want int }{{10, 5, 125}, {9, 5, 112}, {10, 6, 112}, {9, 6, 106}, {0, 0, 100}, {19, 9, 100}, {12, 5, 100}} {
		if got := int(out[f.row(tt.y)+tt.x]); abs(got-tt.want) > 1 {
			t.Errorf("(%d,%d) = %d, want about %d", tt.x, tt.y, got, tt.want)
		}
	}
}

// TestGroups compares the groups of random planes with those of a flood fill.
func TestGroups(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 2))
	f := frameFor(45, 30)
	var g grouper
	for range 20 {
		p := make([]byte, f.size())
		for y := range f.h {
			for x := range f.w {
				p[f.row(y)+x] = byte(r.IntN(5) / 3)
			}
		}
		g.find(f, p)
		var got []int
		for _, o := range g.groups {
			got = append(got, o.area)
		}
		want := floodAreas(f, bytes.Clone(p))
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Fatalf("areas %v, want %v", got, want)
		}
	}
}

func floodAreas(f frame, p []byte) []int {
	var out []int
	for y := range f.h {
		for x := range f.w {
			if n := flood8(f, p, f.row(y)+x); n > 0 {
				out = append(out, n)
			}
		}
	}
	return out
}

func flood8(f frame, p []byte, i int) int {
	if p[i] == 0 {
		return 0
	}
	p[i] = 0
	n := 1
	for _, r := range []int{-f.stride, 0, f.stride} {
		n += flood8(f, p, i+r-1) + flood8(f, p, i+r) + flood8(f, p, i+r+1)
	}
	return n
}

// TestToneCurve: any rising change of light is found, with a fifth of the
// picture covered by something else.
func TestToneCurve(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	n := 4000
	base, pic, samples := make([]byte, n), make([]byte, n), make([]int32, n)
	for name, change := range map[string]func(int) int{
		"same":              func(v int) int { return v },
		"half":              func(v int) int { return v / 2 },
		"brighter, clipped": func(v int) int { return min(v*3/2, 255) },
		"gamma":             func(v int) int { return v * v / 255 },
		"offset":            func(v int) int { return min(v+30, 255) },
	} {
		for i := range base {
			base[i], samples[i] = byte(20+r.IntN(200)), int32(i)
			pic[i] = byte(change(int(base[i])))
			if i%5 == 0 {
				pic[i] = 90
			}
		}
		var f toneFitter
		var c toneCurve
		f.fit(&c, samples, base, pic, standard().bins)
		table := c.levels()
		for v := 30; v < 210; v += 10 {
			if got, want := int(table[v]), change(v); abs(got-want) > 10 {
				t.Errorf("%s: level %d becomes %d, want %d", name, v, got, want)
			}
		}
	}
}

func TestPolygons(t *testing.T) {
	f := frameFor(40, 20)
	half := []Polygon{{{0, 0}, {0.5, 0}, {0.5, 1}, {0, 1}}}
	a := f.polygons(half)
	if a.count != 400 {
		t.Errorf("half of 800 pixels has %d", a.count)
	}
	w := f.whole()
	w.without(a)
	if w.count != 400 || w.in[f.row(3)+10] != 0 || w.in[f.row(3)+30] != 1 {
		t.Errorf("the other half has %d", w.count)
	}
	triangle := f.polygons([]Polygon{{{0, 0}, {1, 0}, {0, 1}}})
	if triangle.count < 380 || triangle.count > 420 {
		t.Errorf("a triangle over half the picture has %d of 800 pixels", triangle.count)
	}
	if none := f.polygons([]Polygon{{}, {{0.5, 0.5}}}); none.count != 0 {
		t.Errorf("points have %d pixels", none.count)
	}
}

func TestPlan(t *testing.T) {
	for _, tt := range []struct{ w, h, columns, reduce, box, ww, hh int }{
		{640, 480, 160, 4, 1, 160, 120},
		{320, 240, 160, 2, 1, 160, 120},
		{160, 120, 160, 1, 1, 160, 120},
		{800, 600, 160, 4, 1, 200, 150},
		{1600, 1200, 160, 8, 1, 200, 150},
		{640, 480, 80, 8, 1, 80, 60},
		{320, 240, 80, 4, 1, 80, 60},
		{1600, 1200, 80, 8, 3, 66, 50},
		{640, 480, 320, 2, 1, 320, 240},
		{320, 240, 320, 1, 1, 320, 240},
		{100, 75, 320, 1, 1, 100, 75},
	} {
		p := planFor(tt.w, tt.h, tt.columns)
		if p.reduce != tt.reduce || p.box != tt.box || p.w != tt.ww || p.h != tt.hh {
			t.Errorf("%dx%d at %d: %+v, want 1/%d, box %d, %dx%d", tt.w, tt.h, tt.columns, p, tt.reduce, tt.box, tt.ww, tt.hh)
		}
	}
}

// TestTracks: things at changing places do not vote together, one that moves on
// does.
func TestTracks(t *testing.T) {
	at := func(x, y int) []group {
		return []group{{x0: x, x1: x + 4, y0: y, y1: y + 9, area: 50, verdict: sure}}
	}
	var drops, walker []track
	for i, p := range [][2]int{{10, 10}, {100, 60}, {40, 100}, {140, 20}, {70, 50}, {120, 100}} {
		drops = follow(drops, at(p[0], p[1]), 16, 3)
		walker = follow(walker, at(10+i*6, 60), 16, 3)
	}
	if slices.ContainsFunc(drops, func(k track) bool { return k.won(2, 3) }) {
		t.Errorf("drops are one thing: %+v", drops)
	}
	if len(walker) != 1 || !walker[0].won(3, 3) {
		t.Errorf("a walker is not: %+v", walker)
	}
	for range 4 {
		walker = follow(walker, nil, 16, 3)
	}
	if len(walker) != 0 {
		t.Errorf("gone, but still followed: %+v", walker)
	}
}

func TestConfigClamped(t *testing.T) {
	c := Config{}.clamped()
	if c.Width != 160 || c.Threshold != 20 || c.Noise != 5 || c.Area != 0.0008 || c.Need != 2 || c.Of != 3 || c.MaxPixels != 2_100_000 {
		t.Errorf("defaults are %+v", c)
	}
	c = Config{Width: 100_000, Threshold: -3, Noise: -1, Area: 7, Need: 9, Of: 90, SceneShare: -1, MaxPixels: -5}.clamped()
	if c.Width != 320 || c.Threshold != 4 || c.Noise != 0 || c.Area != 1 || c.Need != 9 || c.Of != 16 || c.SceneShare != 0.05 || c.MaxPixels != 1 {
		t.Errorf("clamped to %+v", c)
	}
}
