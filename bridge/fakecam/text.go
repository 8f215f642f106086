package fakecam

import (
	"image"
	"image/color"
	"image/draw"

	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/gofont/gomedium"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/fixed"
)

// face opens one of the Go fonts, which are part of the program. size is in
// pixels.
func face(ttf []byte, size float64) font.Face {
	f, err := opentype.Parse(ttf)
	if err != nil {
		panic("fakecam: " + err.Error()) // the font compiled into this program is damaged
	}
	out, err := opentype.NewFace(f, &opentype.FaceOptions{Size: size, DPI: 72, Hinting: font.HintingNone})
	if err != nil {
		panic("fakecam: " + err.Error())
	}
	return out
}

func bold(size float64) font.Face   { return face(gobold.TTF, size) }
func medium(size float64) font.Face { return face(gomedium.TTF, size) }

// write draws text with its baseline at y and returns where it ends.
func write(dst draw.Image, f font.Face, col color.Color, x, y float64, text string) float64 {
	d := font.Drawer{Dst: dst, Src: image.NewUniform(col), Face: f, Dot: fixed.Point26_6{X: fix(x), Y: fix(y)}}
	d.DrawString(text)
	return float64(d.Dot.X) / 64
}

func fix(v float64) fixed.Int26_6 { return fixed.Int26_6(v * 64) }

func width(f font.Face, text string) float64 { return float64(font.MeasureString(f, text)) / 64 }

// fit shortens text until it is at most room pixels wide.
func fit(f font.Face, text string, room float64) string {
	if width(f, text) <= room {
		return text
	}
	runes := []rune(text)
	for len(runes) > 0 && width(f, string(runes)+"…") > room {
		runes = runes[:len(runes)-1]
	}
	return string(runes) + "…"
}

// clockFace draws a clock again and again: each digit is drawn once, and all
// are equally wide, so that nothing jitters.
type clockFace struct {
	large, small map[rune]*glyph
	height       int // of a glyph's cell
}

type glyph struct {
	ink   *image.Alpha
	width int
}

func newClockFace(size float64) *clockFace {
	return &clockFace{
		large:  glyphs(bold(size), size, int(size*1.3)),
		small:  glyphs(medium(size*0.62), size, int(size*1.3)),
		height: int(size * 1.3),
	}
}

// glyphs draws what a clock needs, with the baseline at base.
func glyphs(f font.Face, base float64, height int) map[rune]*glyph {
	out := map[rune]*glyph{}
	digit := 0
	for _, r := range "0123456789" {
		digit = max(digit, int(width(f, string(r))+0.5))
	}
	for _, r := range "0123456789:." {
		w, cell := width(f, string(r)), digit
		if r == ':' || r == '.' {
			cell = int(w + 1)
		}
		g := &glyph{ink: image.NewAlpha(image.Rect(0, 0, cell, height)), width: cell}
		write(g.ink, f, color.Opaque, (float64(cell)-w)/2, base, string(r))
		out[r] = g
	}
	return out
}

// size returns the cell of a clock text.
func (c *clockFace) size(text string) image.Point {
	w := 0
	c.each(text, func(g *glyph, _ bool) { w += g.width })
	return image.Pt(w, c.height)
}

// draw draws a text such as 12:34:56.7 with its upper left corner at p.
func (c *clockFace) draw(dst *image.RGBA, p image.Point, text string) {
	c.each(text, func(g *glyph, small bool) {
		ink := image.White
		if small {
			ink = image.NewUniform(color.NRGBA{255, 255, 255, 200})
		}
		draw.DrawMask(dst, g.ink.Rect.Add(p), ink, image.Point{}, g.ink, image.Point{}, draw.Over)
		p.X += g.width
	})
}

// each calls f for every character; those from the dot on are small.
func (c *clockFace) each(text string, f func(g *glyph, small bool)) {
	set, small := c.large, false
	for _, r := range text {
		if r == '.' {
			set, small = c.small, true
		}
		if g := set[r]; g != nil {
			f(g, small)
		}
	}
}
