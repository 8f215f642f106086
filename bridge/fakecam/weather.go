package fakecam

import (
	"image"
	"math"
	"math/rand/v2"
)

// weather changes the whole picture without anybody moving, for so many seconds:
// what a detector of motion must not fall for. The same moment always looks the
// same.
type weather struct {
	seconds float64
	paint   func(s *stage, k sky)
}

// sky is one moment of a weather.
type sky struct {
	age  float64    // seconds since it began
	left float64    // seconds until it ends
	r    *rand.Rand // begins anew with each picture
}

// ramp is 0 at both ends and 1 from so many seconds after its beginning on.
func (k sky) ramp(seconds float64) float64 { return min(k.age/seconds, k.left/seconds, 1) }

// cloudShadow darkens the ground by up to a third while a cloud goes before the
// sun, for some 4 s each way: softly, a little sooner on the left; the sky less.
func cloudShadow(s *stage, k sky) {
	const depth, edge = 0.34, 4.0
	s.dim(func(x float64) float64 {
		return depth * smooth((k.age-x)/edge) * smooth((k.left+x-1)/edge)
	}, func(y float64) float64 { return 0.4 + 0.6*smooth((y-0.5)/0.2) })
}

// exposure is a sensor that finds the picture too bright: within half a second
// it is a quarter darker, and slowly comes back.
func exposure(s *stage, k sky) {
	steps := math.Floor(min(k.age/0.6, 1) * 5) // it corrects every third picture or so
	v := 0.26 * min(steps/5, k.left/2, 1)
	s.dim(func(float64) float64 { return v }, func(float64) float64 { return 1 })
}

// flicker is mains light and a rolling shutter: bands that wander.
func flicker(s *stage, k sky) {
	v := 0.06 * k.ramp(0.5)
	phase := math.Mod(k.age*3.7, 1)
	s.dim(func(float64) float64 { return v }, func(y float64) float64 { return math.Sin(2 * math.Pi * (2.6*y + phase)) })
}

func smooth(t float64) float64 {
	t = min(max(t, 0), 1)
	return t * t * (3 - 2*t)
}

// dim takes the share across(x) * down(y) of its light from each pixel; below 0
// it gives. x and y are 0 to 1. Both are asked once a column and line, in whole
// 1/1024, which is what keeps this cheap.
func (s *stage) dim(across, down func(float64) float64) {
	w, h := s.work.Rect.Dx(), s.work.Rect.Dy()
	columns := make([]int32, w)
	for x := range columns {
		columns[x] = int32(1024 * across(float64(x)/float64(w)))
	}
	for y := range h {
		line := s.work.Pix[y*s.work.Stride:][:4*w]
		v := int32(1024 * down(float64(y)/float64(h)))
		for x, column := range columns {
			gain := 1024 - column*v>>10
			p := line[4*x : 4*x+4 : 4*x+4]
			p[0] = byte(min(int32(p[0])*gain>>10, 255))
			p[1] = byte(min(int32(p[1])*gain>>10, 255))
			p[2] = byte(min(int32(p[2])*gain>>10, 255))
		}
	}
}

// noise is a sensor in the dark, with its gain turned up.
func noise(s *stage, k sky) {
	if s.grain == nil {
		s.grain = newGrain(6.5)
	}
	strength := int32(256 * k.ramp(1.5))
	for y := range s.work.Rect.Dy() {
		line := s.work.Pix[y*s.work.Stride:][:4*s.work.Rect.Dx()]
		from := k.r.IntN(len(s.grain) - len(line)/4)
		for x, g := range s.grain[from : from+len(line)/4] {
			v := int32(g) * strength >> 8
			p := line[4*x : 4*x+4 : 4*x+4]
			p[0] = byte(min(max(int32(p[0])+v, 0), 255))
			p[1] = byte(min(max(int32(p[1])+v, 0), 255))
			p[2] = byte(min(max(int32(p[2])+v, 0), 255))
		}
	}
}

// newGrain returns grey levels around 0, neighbours a little alike.
func newGrain(sigma float64) []int8 {
	r := rand.New(rand.NewPCG(11, 11))
	out := make([]int8, 1<<15)
	last := 0.0
	for i := range out {
		v := r.NormFloat64()
		out[i] = int8(min(max(sigma*(0.85*v+0.5*last), -127), 127))
		last = v
	}
	return out
}

// rain draws streaks that are elsewhere in each picture.
func rain(s *stage, k sky) {
	w, h := s.work.Rect.Dx(), s.work.Rect.Dy()
	n := int(90 * k.ramp(1))
	for range n {
		x, y := k.r.IntN(w), k.r.IntN(h)
		length := h/30 + k.r.IntN(h/20+1)
		for i := range length {
			at := image.Pt(x-i/6, y+i)
			if at.In(s.work.Rect) {
				lighten(s.work.Pix[s.work.PixOffset(at.X, at.Y):][:3])
			}
		}
	}
}

// lighten moves a pixel towards a light grey.
func lighten(p []byte) {
	for i, v := range p {
		p[i] = byte((int(v)*5 + 215*3) / 8)
	}
}
