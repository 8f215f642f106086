package fakecam

import (
	"image"
	"math"
)

// pose names a sprite.
type pose struct {
	kind   kind
	which  int // of the scene's list of that kind
	number int
	turned bool // it looks to the left
}

// kind is one of the scene's lists.
type kind int

const (
	moverKind kind = iota
	swayKind
	figureKind
)

// placed is a sprite and where it is, in pixels.
type placed struct {
	pose
	image *image.RGBA
	image.Rectangle
}

// sprite returns the drawing of a pose.
func (s *stage) sprite(p pose, th thing) *image.RGBA {
	if img := s.sprites[p]; img != nil {
		return img
	}
	c := newCanvas(int(th.w*s.unit)+1, int(th.h*s.unit)+1, s.unit)
	th.paint(c, p.number)
	s.develop(c.img, p.turned)
	s.sprites[p] = c.img
	return c.img
}

// place puts everything that moves where it is after t seconds.
func (s *stage) place(t float64) {
	aspect := float64(s.look.width) / s.unit
	s.placed = s.placed[:0]
	if s.script.lively {
		x, y := s.play.mover.at(t, aspect)
		s.put(pose{kind: moverKind}, s.play.mover.thing, x, y, t)
	}
	if len(s.script.spells) > 0 {
		for i, m := range s.play.sways {
			x, y := m.at(t, aspect)
			s.put(pose{kind: swayKind, which: i}, m.thing, x, y, t)
		}
	}
	if a, ok := s.script.crossing(t); ok {
		f := s.play.cast[a.which]
		gone := a.gone(s.script.at(t))
		if a.left {
			gone = 1 - gone
		}
		x, y := f.at(gone, aspect)
		s.put(pose{kind: figureKind, which: a.which, turned: a.left}, f.thing, x, y, t)
	}
}

// put places a thing with its upper left corner at (x, y), in units.
func (s *stage) put(p pose, th thing, x, y, t float64) {
	p.number = th.number(t)
	img := s.sprite(p, th)
	at := image.Pt(int(math.Round((x+s.ox)*s.unit)), int(math.Round((y+s.oy)*s.unit)))
	size := img.Rect.Size()
	if s.look.mirror {
		at.X = s.look.width - at.X - size.X
	}
	if s.look.flip {
		at.Y = s.look.height - at.Y - size.Y
	}
	s.placed = append(s.placed, placed{p, img, image.Rectangle{at, at.Add(size)}})
}

// visible returns the share of the picture that is covered by what moves on
// its own: figures, not leaves. It is of the picture that was drawn last.
func (s *stage) visible() float64 {
	n := 0
	for _, p := range s.placed {
		if p.kind == swayKind {
			continue
		}
		in := p.Intersect(s.work.Rect).Sub(p.Min)
		for y := in.Min.Y; y < in.Max.Y; y++ {
			for x := in.Min.X; x < in.Max.X; x++ {
				if p.image.Pix[p.image.PixOffset(x, y)+3] >= 128 {
					n++
				}
			}
		}
	}
	return float64(n) / float64(s.work.Rect.Dx()*s.work.Rect.Dy())
}
