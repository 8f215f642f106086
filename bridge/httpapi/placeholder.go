package httpapi

import (
	"bytes"
	"image"
	"image/color"
	"image/jpeg"
	"sync"
	"time"

	"golang.org/x/image/draw"
	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/fixed"
	"golang.org/x/image/vector"

	"github.com/espcam-bridge/espcam-bridge/bridge"
)

const (
	placeholderWidth  = 640
	placeholderHeight = 480
	maxPlaceholders   = 2048 // kept drawn; more than cameras can be
)

// painter draws what is shown instead of a picture: the camera's name and why
// there is none. A drawing is kept until name or reason change.
type painter struct {
	now      func() time.Time
	backdrop *image.RGBA // what all of them have in common

	mu    sync.Mutex // guards the faces too, which are not for concurrent use
	name  font.Face
	text  font.Face
	drawn map[string]drawing // by camera
}

type drawing struct {
	name, reason string
	frame        bridge.Frame
}

func newPainter(now func() time.Time) (*painter, error) {
	name, err := face(gobold.TTF, 44)
	if err != nil {
		return nil, err
	}
	text, err := face(goregular.TTF, 26)
	return &painter{now: now, backdrop: newBackdrop(), name: name, text: text, drawn: map[string]drawing{}}, err
}

func face(ttf []byte, size float64) (font.Face, error) {
	f, err := opentype.Parse(ttf)
	if err != nil {
		return nil, err
	}
	return opentype.NewFace(f, &opentype.FaceOptions{Size: size, DPI: 72, Hinting: font.HintingFull})
}

// placeholder returns the picture for a camera that has none to show.
func (p *painter) placeholder(c bridge.Camera) bridge.Frame {
	now := p.now()
	reason := reasonOf(c, now)
	p.mu.Lock()
	defer p.mu.Unlock()
	if d, ok := p.drawn[c.ID]; ok && d.name == c.Name && d.reason == reason {
		return d.frame
	}
	b := bridge.NewBuffer(p.draw(p.printable(c), reason))
	f := b.Frame(len(b.Bytes()), bridge.Frame{Camera: c.ID, Received: now, Width: placeholderWidth, Height: placeholderHeight, Placeholder: true})
	if len(p.drawn) >= maxPlaceholders {
		clear(p.drawn)
	}
	p.drawn[c.ID] = drawing{c.Name, reason, f}
	return f
}

// Placeholder draws what a camera without a picture shows: its name, and why.
func (s *Server) Placeholder(c bridge.Camera) bridge.Frame { return s.painter.placeholder(c) }

// forget drops the drawing of a camera that is gone.
func (p *painter) forget(camera string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.drawn, camera)
}

// reasonOf says in a few words why there is no picture.
func reasonOf(c bridge.Camera, now time.Time) string {
	switch {
	case !c.Enabled, c.State == bridge.Disabled:
		return "switched off"
	case c.State == bridge.Pending:
		return "waits to be adopted"
	case c.State == bridge.Online:
		return "no picture yet"
	case c.LastFrame.IsZero():
		return "offline"
	}
	seen := c.LastFrame.In(now.Location())
	if now.Sub(seen) < 24*time.Hour && now.Day() == seen.Day() {
		return "offline since " + seen.Format("15:04")
	}
	return "offline since " + seen.Format("2 January 15:04")
}

// printable returns the camera's name, or its id if the font cannot write it.
func (p *painter) printable(c bridge.Camera) string {
	for _, r := range c.Name {
		if _, ok := p.name.GlyphAdvance(r); !ok {
			return c.ID
		}
	}
	return c.Name
}

var (
	skyTop    = color.RGBA{0x26, 0x2d, 0x36, 0xff}
	skyBottom = color.RGBA{0x12, 0x16, 0x1b, 0xff}
	ink       = color.RGBA{0xf0, 0xf3, 0xf6, 0xff}
	faint     = color.RGBA{0x9a, 0xa7, 0xb4, 0xff}
	line      = color.RGBA{0x5b, 0x68, 0x76, 0xff}
)

// newBackdrop draws a dusk and a camera that is struck through.
func newBackdrop() *image.RGBA {
	img := image.NewRGBA(image.Rect(0, 0, placeholderWidth, placeholderHeight))
	for y := range placeholderHeight {
		shade := image.NewUniform(mix(skyTop, skyBottom, y, placeholderHeight))
		draw.Draw(img, image.Rect(0, y, placeholderWidth, y+1), shade, image.Point{}, draw.Src)
	}
	const x, y = placeholderWidth / 2, 185
	fill(img, line, box(x-84, y-48, x+44, y+48, 12))
	fill(img, line, []point{{x + 54, y - 14}, {x + 92, y - 40}, {x + 92, y + 40}, {x + 54, y + 14}})
	fill(img, mix(skyTop, skyBottom, y, placeholderHeight), []point{{x - 96, y - 78}, {x - 84, y - 90}, {x + 112, y + 78}, {x + 100, y + 90}})
	fill(img, faint, []point{{x - 94, y - 84}, {x - 88, y - 90}, {x + 108, y + 78}, {x + 102, y + 84}})
	return img
}

func (p *painter) draw(name, reason string) []byte {
	img := image.NewRGBA(p.backdrop.Rect)
	copy(img.Pix, p.backdrop.Pix)
	centre(img, p.name, ink, fit(p.name, name, placeholderWidth-64), 330)
	centre(img, p.text, faint, reason, 380)
	var out bytes.Buffer
	if err := jpeg.Encode(&out, img, &jpeg.Options{Quality: 85}); err != nil {
		panic(err) // into memory, of a size that JPEG has: cannot be
	}
	return out.Bytes()
}

func mix(a, b color.RGBA, at, of int) color.RGBA {
	blend := func(x, y uint8) uint8 { return uint8((int(x)*(of-at) + int(y)*at) / of) }
	return color.RGBA{blend(a.R, b.R), blend(a.G, b.G), blend(a.B, b.B), 0xff}
}

type point struct{ x, y float32 }

// box is a rectangle whose corners are cut by r.
func box(x0, y0, x1, y1, r float32) []point {
	return []point{{x0 + r, y0}, {x1 - r, y0}, {x1, y0 + r}, {x1, y1 - r}, {x1 - r, y1}, {x0 + r, y1}, {x0, y1 - r}, {x0, y0 + r}}
}

// fill paints the inside of an outline.
func fill(img *image.RGBA, c color.Color, outline []point) {
	lo, hi := outline[0], outline[0]
	for _, p := range outline {
		lo, hi = point{min(lo.x, p.x), min(lo.y, p.y)}, point{max(hi.x, p.x), max(hi.y, p.y)}
	}
	where := image.Rect(int(lo.x), int(lo.y), int(hi.x)+1, int(hi.y)+1)
	z := vector.NewRasterizer(where.Dx(), where.Dy())
	z.MoveTo(outline[0].x-lo.x, outline[0].y-lo.y)
	for _, p := range outline[1:] {
		z.LineTo(p.x-lo.x, p.y-lo.y)
	}
	z.ClosePath()
	z.Draw(img, where, image.NewUniform(c), image.Point{})
}

func centre(img *image.RGBA, f font.Face, c color.Color, text string, y int) {
	d := font.Drawer{Dst: img, Src: image.NewUniform(c), Face: f}
	d.Dot = fixed.Point26_6{X: (fixed.I(placeholderWidth) - d.MeasureString(text)) / 2, Y: fixed.I(y)}
	d.DrawString(text)
}

// fit cuts text to a width in pixels.
func fit(f font.Face, text string, width int) string {
	if font.MeasureString(f, text).Ceil() <= width {
		return text
	}
	runes := []rune(text)
	for len(runes) > 0 && font.MeasureString(f, string(runes)+"…").Ceil() > width {
		runes = runes[:len(runes)-1]
	}
	return string(runes) + "…"
}
