package motion

import (
	"image"
	"image/color"
)

// Bits of Debug.State.
const (
	StateChanged = 1 << iota // differs from what was expected
	StateActive              // part of a moving group
	StateMasked              // ignored
)

// Debug is the inside of a Detector after one picture, row by row.
type Debug struct {
	Width, Height int
	Grey          []byte // the smoothed picture
	Noise         []byte // usual deviation in grey levels
	State         []byte // bits State...
	Boxes         []Box
}

// Debug returns a copy of what the last Judge saw, nil before the first picture.
func (d *Detector) Debug() *Debug {
	if d.scene.seen == 0 {
		return nil
	}
	f := d.frame
	g := &Debug{Width: f.w, Height: f.h}
	g.Boxes, _ = d.boxes()
	for y := range f.h {
		r := f.row(y)
		g.Grey = append(g.Grey, d.pic[r:r+f.w]...)
		for x := r; x < r+f.w; x++ {
			g.Noise = append(g.Noise, byte(d.model.noise[x]>>8))
			g.State = append(g.State, d.marks.changed[x]*StateChanged|d.marks.ignored.in[x]*StateMasked)
		}
	}
	for i, r := range d.marks.grouper.runs {
		if d.marks.grouper.of(i).verdict.moving() {
			for x := r.x0; x <= r.x1; x++ {
				g.State[int(r.y)*f.w+int(x)] |= StateActive
			}
		}
	}
	return g
}

// The colours of the drawings.
var (
	colourChanged = color.NRGBA{255, 196, 0, 150}
	colourActive  = color.NRGBA{255, 40, 40, 170}
	colourMasked  = color.NRGBA{60, 60, 70, 190}
	colourBox     = color.NRGBA{255, 40, 40, 255}
)

// Overlay draws what the detector saw on nothing: changed pixels, groups, masked
// areas hatched, noise as a faint tint. It has the working size; the page lays
// it over the live picture.
func (d *Debug) Overlay() *image.NRGBA {
	m := image.NewNRGBA(image.Rect(0, 0, d.Width, d.Height))
	for i := range d.State {
		m.SetNRGBA(i%d.Width, i/d.Width, d.tint(i))
	}
	return m
}

// tint is the colour that lies over pixel i.
func (d *Debug) tint(i int) color.NRGBA {
	x, y := i%d.Width, i/d.Width
	switch state := d.State[i]; {
	case state&StateMasked != 0 && (x+y)%6 < 2:
		return colourMasked
	case state&StateActive != 0:
		return colourActive
	case state&StateChanged != 0:
		return colourChanged
	}
	return color.NRGBA{R: 60, G: 120, B: 255, A: byte(min(int(d.Noise[i])*8, 120))}
}

// Picture draws the same over the grey picture, with the boxes, for files.
func (d *Debug) Picture() *image.RGBA {
	m := image.NewRGBA(image.Rect(0, 0, d.Width, d.Height))
	for i, v := range d.Grey {
		m.Set(i%d.Width, i/d.Width, over(d.tint(i), v))
	}
	for _, b := range d.Boxes {
		d.outline(m, b)
	}
	return m
}

// over lays a see-through colour on grey.
func over(c color.NRGBA, grey byte) color.RGBA {
	mix := func(v byte) byte { return byte((int(v)*int(c.A) + int(grey)*(255-int(c.A))) / 255) }
	return color.RGBA{mix(c.R), mix(c.G), mix(c.B), 255}
}

func (d *Debug) outline(m *image.RGBA, b Box) {
	w, h := float64(d.Width), float64(d.Height)
	x0, y0 := int(b.X*w+0.5), int(b.Y*h+0.5)
	x1, y1 := int((b.X+b.W)*w+0.5)-1, int((b.Y+b.H)*h+0.5)-1
	for x := x0; x <= x1; x++ {
		m.Set(x, y0, colourBox)
		m.Set(x, y1, colourBox)
	}
	for y := y0; y <= y1; y++ {
		m.Set(x0, y, colourBox)
		m.Set(x1, y, colourBox)
	}
}
