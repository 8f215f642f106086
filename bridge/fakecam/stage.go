package fakecam

import (
	"bytes"
	"image"
	"image/color"
	"image/draw"
	"image/jpeg"
	"math"
	"time"
)

// look is everything that a picture depends on apart from the time. Equal looks
// give equal pictures.
type look struct {
	scene         int
	width, height int    // pixels
	quality       int    // as cameras count: 4 best, 63 worst
	title, note   string // burnt in, lower left
	tint          tint
	mirror, flip  bool
	pan, tilt     float64 // of the view, -1 to 1
}

// stage draws the pictures of one look. The scene, the words and every digit of
// the clock are drawn once; a picture costs copying back what moved, drawing it
// again, and encoding. It belongs to one goroutine.
type stage struct {
	look    look
	scene   *image.RGBA     // without words
	overlay *image.RGBA     // the words and the shade behind them, see-through
	shade   image.Rectangle // the part of overlay that has anything in it
	work    *image.RGBA     // the picture as it is now
	dirty   []image.Rectangle

	mover  mover
	sprite *image.RGBA
	unit   float64
	ox, oy float64

	clock   *clockFace
	clockAt image.Point // right end, top
	badge   badge
	out     bytes.Buffer
}

func newStage(l look) *stage {
	scenes := allScenes()
	sc := scenes[l.scene%len(scenes)]
	s := &stage{look: l, mover: sc.mover, unit: float64(l.height), ox: -0.3 * l.pan, oy: 0.12 * l.tilt}
	c := newCanvas(l.width, l.height, s.unit)
	c.ox, c.oy = s.ox, s.oy
	sc.still(c)
	s.scene = c.img
	l.tint.apply(s.scene)
	sprite := newCanvas(int(sc.mover.w*s.unit)+1, int(sc.mover.h*s.unit)+1, s.unit)
	sc.mover.draw(sprite)
	s.sprite = sprite.img
	l.tint.apply(s.sprite)
	for _, img := range []*image.RGBA{s.scene, s.sprite} {
		turn(img, l.mirror, l.flip)
	}
	s.words()
	s.work = image.NewRGBA(s.scene.Rect)
	s.dirty = []image.Rectangle{s.work.Rect}
	return s
}

// words prepares what is burnt in: a shade at the lower edge, the title and
// under it the note on the left, room for the clock on the right.
func (s *stage) words() {
	w, h := float64(s.look.width), float64(s.look.height)
	s.overlay = image.NewRGBA(s.scene.Rect)
	top := int(h * 0.74)
	s.shade = image.Rect(0, top, s.look.width, s.look.height)
	for y := top; y < s.look.height; y++ {
		a := 0.66 * math.Pow(float64(y-top)/(h-float64(top)), 0.8)
		line := image.Rect(0, y, s.look.width, y+1)
		draw.Draw(s.overlay, line, image.NewUniform(color.NRGBA{8, 10, 20, byte(a * 255)}), image.Point{}, draw.Src)
	}
	unit := min(h, w*0.75)
	margin, size := unit*0.042, max(unit*0.082, 9)
	s.clock = newClockFace(size)
	s.clockAt = image.Pt(int(w-margin), int(h-margin*1.15-size))
	room := float64(s.clockAt.X-s.clock.size("00:00:00.0").X) - 2*margin
	white, soft := color.White, color.NRGBA{255, 255, 255, 190}
	name, note := bold(max(unit*0.062, 9)), medium(max(unit*0.036, 9))
	if s.look.note == "" || h < 200 {
		write(s.overlay, name, white, margin, h-margin*1.15, fit(name, s.look.title, room))
		return
	}
	write(s.overlay, note, soft, margin, h-margin*1.15, fit(note, s.look.note, room))
	write(s.overlay, name, white, margin, h-margin*1.15-max(unit*0.036, 9)*1.42, fit(name, s.look.title, room))
}

// picture draws and encodes one picture. It is good until the next call.
func (s *stage) picture(elapsed time.Duration, now time.Time, caption string) []byte {
	s.draw(elapsed, now, caption)
	s.out.Reset()
	// Writing to a buffer cannot fail, and the size is within a JPEG's.
	_ = jpeg.Encode(&s.out, s.work, &jpeg.Options{Quality: encoderQuality(s.look.quality)})
	return s.out.Bytes()
}

// encoderQuality maps a sensor's scale (4 best, 63 worst) to the encoder's.
func encoderQuality(q int) int {
	q = min(max(q, 4), 63)
	return 93 - (q-4)*75/59
}

func (s *stage) draw(elapsed time.Duration, now time.Time, caption string) {
	clock := now.Format("15:04:05.0")
	size := s.clock.size(clock)
	at := s.clockAt.Sub(image.Pt(size.X, 0))
	thing := s.place(elapsed)
	s.badge.set(caption, s.unit)

	redraw := append(s.dirty, thing, image.Rectangle{at, at.Add(size)}, s.badge.area())
	for _, r := range redraw {
		s.restore(r.Intersect(s.work.Rect), thing)
	}
	s.clock.draw(s.work, at, clock)
	s.badge.draw(s.work)
	s.dirty = append(s.dirty[:0], thing, s.badge.area())
}

// restore draws one part of the picture from scratch, without what lies on top
// of everything.
func (s *stage) restore(part, thing image.Rectangle) {
	if part.Empty() {
		return
	}
	draw.Draw(s.work, part, s.scene, part.Min, draw.Src)
	if over := part.Intersect(thing); !over.Empty() {
		draw.Draw(s.work, over, s.sprite, over.Min.Sub(thing.Min), draw.Over)
	}
	if shaded := part.Intersect(s.shade); !shaded.Empty() {
		draw.Draw(s.work, shaded, s.overlay, shaded.Min, draw.Over)
	}
}

// place returns where the moving thing is, in pixels.
func (s *stage) place(elapsed time.Duration) image.Rectangle {
	x, y := s.mover.at(elapsed.Seconds(), float64(s.look.width)/s.unit)
	at := image.Pt(int(math.Round((x+s.ox)*s.unit)), int(math.Round((y+s.oy)*s.unit)))
	size := s.sprite.Rect.Size()
	if s.look.mirror {
		at.X = s.look.width - at.X - size.X
	}
	if s.look.flip {
		at.Y = s.look.height - at.Y - size.Y
	}
	return image.Rectangle{at, at.Add(size)}
}

// turn mirrors a picture in place, left to right, top to bottom or both.
func turn(img *image.RGBA, mirror, flip bool) {
	if !mirror && !flip {
		return
	}
	w, h := img.Rect.Dx(), img.Rect.Dy()
	old := bytes.Clone(img.Pix)
	for y := range h {
		for x := range w {
			fx, fy := x, y
			if mirror {
				fx = w - 1 - x
			}
			if flip {
				fy = h - 1 - y
			}
			copy(img.Pix[y*img.Stride+4*x:][:4], old[fy*img.Stride+4*fx:][:4])
		}
	}
}

// badge is a few words on a dark plate in the upper left corner: what the
// camera is doing just now.
type badge struct {
	text string
	img  *image.RGBA
	at   image.Point
}

// set draws the plate if the words changed. unit is the picture's height.
func (b *badge) set(text string, unit float64) {
	if text == b.text {
		return
	}
	b.text, b.img = text, nil
	if text == "" {
		return
	}
	f := medium(max(unit*0.042, 9))
	h, margin := max(unit*0.075, 16), unit*0.035
	w := width(f, text) + h
	c := newCanvas(int(w)+1, int(h)+1, 1)
	c.capsule(sheer(0x0a0e18, 0.72), 0, 0, w, h)
	write(c.img, f, color.White, h/2, h*0.69, text)
	b.img, b.at = c.img, image.Pt(int(margin), int(margin))
}

func (b *badge) area() image.Rectangle {
	if b.img == nil {
		return image.Rectangle{}
	}
	return b.img.Rect.Add(b.at)
}

func (b *badge) draw(dst *image.RGBA) {
	if b.img != nil {
		draw.Draw(dst, b.area(), b.img, image.Point{}, draw.Over)
	}
}
