package fakecam

import (
	"image"
	"image/color"
	"image/draw"
	"math"

	"golang.org/x/image/vector"
)

// canvas draws smooth shapes on a picture, in units of the picture's height: y
// runs from 0 at the top to 1, x from 0 to the aspect ratio. The origin may be
// moved, which is how a simulated camera pans and tilts.
type canvas struct {
	img    *image.RGBA
	unit   float64 // pixels per unit
	ox, oy float64 // of the origin, in units
	z      *vector.Rasterizer
}

func newCanvas(w, h int, unit float64) *canvas {
	return &canvas{img: image.NewRGBA(image.Rect(0, 0, w, h)), unit: unit, z: vector.NewRasterizer(w, h)}
}

func (c *canvas) aspect() float64 { return float64(c.img.Rect.Dx()) / c.unit }

func (c *canvas) x(v float64) float64 { return (v + c.ox) * c.unit }
func (c *canvas) y(v float64) float64 { return (v + c.oy) * c.unit }

// polygon fills the corners x, y, x, y ...
func (c *canvas) polygon(p paint, at ...float64) {
	box := c.begin(at)
	for i := 0; i < len(at); i += 2 {
		x, y := c.x(at[i])-float64(box.Min.X), c.y(at[i+1])-float64(box.Min.Y)
		if i == 0 {
			c.z.MoveTo(float32(x), float32(y))
		} else {
			c.z.LineTo(float32(x), float32(y))
		}
	}
	c.z.ClosePath()
	c.lay(p, box)
}

// lay paints the path that was begun in box. Several colours go on line by line
// through a mask, which is far quicker than asking for each pixel's.
func (c *canvas) lay(p paint, box image.Rectangle) {
	if p.flat != nil {
		c.z.Draw(c.img, box, p.flat, image.Point{})
		return
	}
	mask := image.NewAlpha(image.Rectangle{Max: box.Size()})
	c.z.Draw(mask, mask.Rect, image.Opaque, image.Point{})
	for y := range mask.Rect.Max.Y {
		line := image.Rect(box.Min.X, box.Min.Y+y, box.Max.X, box.Min.Y+y+1)
		draw.DrawMask(c.img, line, p.at(c.height(line.Min.Y)), image.Point{}, mask, image.Pt(0, y), draw.Over)
	}
}

// height is the y of a line of pixels.
func (c *canvas) height(line int) float64 { return (float64(line)+0.5)/c.unit - c.oy }

// fill paints the whole picture.
func (c *canvas) fill(p paint) {
	for y := range c.img.Rect.Max.Y {
		line := image.Rect(0, y, c.img.Rect.Max.X, y+1)
		draw.Draw(c.img, line, p.at(c.height(y)), image.Point{}, draw.Src)
	}
}

// begin returns the part of the picture that the corners touch and starts a
// path in it. Painting no more than that is what makes drawing cheap.
func (c *canvas) begin(at []float64) image.Rectangle {
	x0, y0, x1, y1 := math.Inf(1), math.Inf(1), math.Inf(-1), math.Inf(-1)
	for i := 0; i < len(at); i += 2 {
		x0, x1 = min(x0, at[i]), max(x1, at[i])
		y0, y1 = min(y0, at[i+1]), max(y1, at[i+1])
	}
	box := image.Rect(int(math.Floor(c.x(x0))), int(math.Floor(c.y(y0))), int(math.Ceil(c.x(x1))), int(math.Ceil(c.y(y1))))
	box = box.Intersect(c.img.Rect)
	c.z.Reset(box.Dx(), box.Dy())
	return box
}

// sail fills the area between a straight line and a curve bent towards (bx, by).
func (c *canvas) sail(p paint, x1, y1, bx, by, x2, y2 float64) {
	const corners = 24
	var at []float64
	for i := range corners + 1 {
		t := float64(i) / corners
		u, v, w := (1-t)*(1-t), 2*t*(1-t), t*t
		at = append(at, u*x1+v*bx+w*x2, u*y1+v*by+w*y2)
	}
	c.polygon(p, at...)
}

func (c *canvas) rect(p paint, x, y, w, h float64) {
	c.polygon(p, x, y, x+w, y, x+w, y+h, x, y+h)
}

func (c *canvas) disc(p paint, x, y, r float64) { c.oval(p, x, y, r, r) }

// oval fills an ellipse around (x, y).
func (c *canvas) oval(p paint, x, y, rx, ry float64) {
	const corners = 48
	at := make([]float64, 0, 2*corners)
	for i := range corners {
		s, co := math.Sincos(2 * math.Pi * float64(i) / corners)
		at = append(at, x+rx*co, y+ry*s)
	}
	c.polygon(p, at...)
}

// capsule fills a horizontal bar with round ends.
func (c *canvas) capsule(p paint, x, y, w, h float64) {
	r := h / 2
	const corners = 12
	var at []float64
	for i := range corners + 1 {
		s, co := math.Sincos(math.Pi * (float64(i)/corners - 0.5))
		at = append(at, x+w-r+r*co, y+r+r*s)
	}
	for i := range corners + 1 {
		s, co := math.Sincos(math.Pi * (float64(i)/corners + 0.5))
		at = append(at, x+r+r*co, y+r+r*s)
	}
	c.polygon(p, at...)
}

// ground fills everything below the curve f.
func (c *canvas) ground(p paint, f func(x float64) float64) {
	const from, step = -0.6, 0.02
	to := c.aspect() + 0.6
	at := []float64{from, 2}
	for x := from; x <= to; x += step {
		at = append(at, x, f(x))
	}
	c.polygon(p, append(at, to, 2)...)
}

// glow adds light around (x, y) that fades to nothing at r.
func (c *canvas) glow(col color.RGBA, x, y, r float64) {
	px, py, pr := c.x(x), c.y(y), r*c.unit
	area := image.Rect(int(px-pr), int(py-pr), int(px+pr)+1, int(py+pr)+1).Intersect(c.img.Rect)
	for j := area.Min.Y; j < area.Max.Y; j++ {
		for i := area.Min.X; i < area.Max.X; i++ {
			d := math.Hypot(float64(i)-px, float64(j)-py) / pr
			if d >= 1 {
				continue
			}
			a := (1 - d) * (1 - d) * float64(col.A) / 255
			o := c.img.PixOffset(i, j)
			blend(c.img.Pix[o:o+4:o+4], col, a)
		}
	}
}

// blend moves an opaque pixel towards col.
func blend(pix []byte, col color.RGBA, a float64) {
	for k, v := range [3]byte{col.R, col.G, col.B} {
		pix[k] = byte(float64(pix[k])*(1-a) + float64(v)*a + 0.5)
	}
}

// paint is one colour, or several that run into each other from top to bottom.
type paint struct {
	flat  *image.Uniform
	stops []stop
}

// stop is a height at which a paint has a colour.
type stop struct {
	y   float64
	col color.RGBA
}

// rgb makes a paint from 0xRRGGBB.
func rgb(hex uint32) paint { return paint{flat: image.NewUniform(opaque(hex))} }

func opaque(hex uint32) color.RGBA {
	return color.RGBA{byte(hex >> 16), byte(hex >> 8), byte(hex), 255}
}

// sheer makes a see-through paint; a is 0 to 1.
func sheer(hex uint32, a float64) paint {
	c := opaque(hex)
	return paint{flat: image.NewUniform(color.NRGBA{c.R, c.G, c.B, byte(a * 255)})}
}

// fade makes a paint out of heights and colours: y, 0xRRGGBB, y, 0xRRGGBB ...
func fade(pairs ...float64) paint {
	var p paint
	for i := 0; i < len(pairs); i += 2 {
		p.stops = append(p.stops, stop{pairs[i], opaque(uint32(pairs[i+1]))})
	}
	return p
}

// at returns the colour at a height.
func (p paint) at(y float64) *image.Uniform {
	if p.flat != nil {
		return p.flat
	}
	last := p.stops[0]
	for _, s := range p.stops {
		if y < s.y {
			return image.NewUniform(mix(last.col, s.col, (y-last.y)/max(s.y-last.y, 1e-9)))
		}
		last = s
	}
	return image.NewUniform(last.col)
}

func mix(a, b color.RGBA, t float64) color.RGBA {
	t = min(max(t, 0), 1)
	f := func(x, y byte) byte { return byte(float64(x)*(1-t) + float64(y)*t + 0.5) }
	return color.RGBA{f(a.R, b.R), f(a.G, b.G), f(a.B, b.B), 255}
}
