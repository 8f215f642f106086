package motion

import (
	"bytes"
	"image"
	"image/color"
	"image/jpeg"
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

// drawn is a clip that tests draw themselves: a textured room with sensor noise
// in which a person walks. It is the same each time.
type drawn struct {
	w, h    int
	fps     float64
	frames  int
	quality int
	noise   float64
	light   func(i int) float64 // gain of picture i, nil = 1
	walker  func(i int) (x, y, height float64, there bool)
	seed    uint64
}

// at is the time of arrival of picture i.
func (c drawn) at(i int) time.Time {
	return time.Unix(1_700_000_000, 0).Add(time.Duration(float64(i) / c.fps * float64(time.Second)))
}

// grey draws picture i without coding it.
func (c drawn) grey(i int) *image.Gray { return c.draw(i, c.stage()) }

// stage is the empty room and a supply of noise, which all pictures share.
type stage struct{ room, noise []float64 }

func (c drawn) stage() stage {
	s := stage{room: make([]float64, c.w*c.h), noise: make([]float64, 1<<14)}
	for i := range s.room {
		s.room[i] = c.room(float64(i%c.w)/float64(c.w), float64(i/c.w)/float64(c.h))
	}
	r := rand.New(rand.NewPCG(c.seed, 0))
	for i := range s.noise {
		s.noise[i] = r.NormFloat64() * c.noise
	}
	return s
}

func (c drawn) draw(i int, s stage) *image.Gray {
	m := image.NewGray(image.Rect(0, 0, c.w, c.h))
	r := rand.New(rand.NewPCG(c.seed, uint64(i)))
	gain := 1.0
	if c.light != nil {
		gain = c.light(i)
	}
	for y := range c.h {
		noise := s.noise[r.IntN(len(s.noise)-c.w):]
		for x, v := range s.room[y*c.w:][:c.w] {
			m.Pix[y*m.Stride+x] = uint8(max(0, min(255, v*gain+noise[x])))
		}
	}
	if c.walker != nil {
		if x, y, height, there := c.walker(i); there {
			c.person(m, x, y, height, gain, float64(i))
		}
	}
	return m
}

// room is the brightness of the empty room at x, y in 0..1.
func (c drawn) room(x, y float64) float64 {
	v := 90 + 50*x + 25*math.Sin(9*x+4*y) + 18*math.Sin(41*x)*math.Sin(37*y)
	if y > 0.75 {
		v -= 35 + 12*math.Sin(160*x)
	}
	if x > 0.6 && x < 0.8 && y > 0.15 && y < 0.5 {
		v = 215
	}
	return v
}

// person draws a walker with feet at x, y and a height, all in 0..1.
func (c drawn) person(m *image.Gray, x, y, height, gain, step float64) {
	hh := height * float64(c.h)
	cx, fy := x*float64(c.w), y*float64(c.h)
	for yy := 0.0; yy < hh; yy++ {
		t := yy / hh
		half, lum := 0.14*hh, 55+14*math.Sin(yy)
		if t < 0.15 {
			half, lum = 0.07*hh, 150
		} else if t > 0.55 {
			half, lum = 0.05*hh+0.1*hh*math.Abs(math.Sin(step*0.8))*(t-0.55), 35
		}
		for xx := cx - half; xx <= cx+half; xx++ {
			m.SetGray(int(xx), int(fy-hh+yy), color.Gray{Y: uint8(math.Min(255, lum*gain))})
		}
	}
}

// jpegs codes all pictures.
func (c drawn) jpegs(t testing.TB) [][]byte {
	t.Helper()
	var out [][]byte
	s := c.stage()
	for i := range c.frames {
		out = append(out, encode(t, coloured(c.draw(i, s)), c.quality))
	}
	return out
}

// coloured adds a faint colour, because cameras send three components.
func coloured(g *image.Gray) *image.YCbCr {
	m := image.NewYCbCr(g.Rect, image.YCbCrSubsampleRatio422)
	for y := range g.Rect.Dy() {
		copy(m.Y[y*m.YStride:], g.Pix[y*g.Stride:][:g.Rect.Dx()])
	}
	for i := range m.Cb {
		m.Cb[i], m.Cr[i] = byte(120+i%m.CStride/32), byte(130+i/m.CStride/64)
	}
	return m
}

func encode(t testing.TB, m image.Image, quality int) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, m, &jpeg.Options{Quality: quality}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// crossing lets a person walk through the picture between two pictures.
func crossing(from, to int, height float64) func(int) (float64, float64, float64, bool) {
	return func(i int) (float64, float64, float64, bool) {
		k := float64(i-from) / float64(to-from)
		return 1.1*k - 0.05, 0.9, height, i >= from && i <= to
	}
}
