package fakecam

import (
	"bytes"
	"image"
	"image/color"
	"image/draw"
	"image/jpeg"
	"math"
	"math/rand/v2"
	"time"
)

// look is everything that a picture depends on apart from the time. Equal looks
// give equal pictures.
type look struct {
	scene         int
	plan          string
	seed          uint64
	width, height int    // pixels
	quality       int    // as cameras count: 4 best, 63 worst
	title, note   string // burnt in, lower left
	tint          tint
	mirror, flip  bool
	pan, tilt     float64 // of the view, -1 to 1
}

// stage draws the pictures of one look. The scene, the words, every pose of
// what moves and every digit of the clock are drawn once; a picture costs copying
// back what moved, drawing it again, and encoding. While there is weather all of
// the picture is drawn again. It belongs to one goroutine.
type stage struct {
	look    look
	scene   *image.RGBA     // without words
	overlay *image.RGBA     // the words and the shade behind them, see-through
	shade   image.Rectangle // the part of overlay that has anything in it
	work    *image.RGBA     // the picture as it is now
	dirty   []image.Rectangle

	play    scene
	script  script
	sprites map[pose]*image.RGBA
	placed  []placed // what moves, as it was drawn last, the nearest last
	grain   []int8   // see noise; nil until it is needed
	unit    float64
	ox, oy  float64

	clock   *clockFace
	clockAt image.Point // right end, top
	badge   badge
	out     bytes.Buffer
}

func newStage(l look) *stage {
	scenes := allScenes()
	sc := scenes[l.scene%len(scenes)]
	s := &stage{
		look: l, play: sc, script: newScript(l.plan, sc, l.scene, l.seed), sprites: map[pose]*image.RGBA{},
		unit: float64(l.height), ox: -0.3 * l.pan, oy: 0.12 * l.tilt,
	}
	c := newCanvas(l.width, l.height, s.unit)
	c.ox, c.oy = s.ox, s.oy
	sc.still(c)
	s.scene = c.img
	s.develop(s.scene, false)
	s.words()
	s.work = image.NewRGBA(s.scene.Rect)
	s.dirty = []image.Rectangle{s.work.Rect}
	return s
}

// develop makes of a drawing what the sensor makes of it.
func (s *stage) develop(img *image.RGBA, turned bool) {
	s.look.tint.apply(img)
	turn(img, s.look.mirror != turned, s.look.flip)
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
	margin, size := unit*0.042, max(unit*0.056, 9)
	s.clock = newClockFace(size)
	s.clockAt = image.Pt(int(w-margin), int(h-margin*1.15-size))
	room := float64(s.clockAt.X-s.clock.size("00:00:00.0").X) - 2*margin
	white, soft := color.White, color.NRGBA{255, 255, 255, 190}
	name, note := bold(max(unit*0.056, 9)), medium(max(unit*0.036, 9))
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
	s.badge.set(caption, s.unit)
	s.place(elapsed.Seconds())

	redraw := append(s.dirty, image.Rectangle{at, at.Add(size)}, s.badge.area())
	for _, p := range s.placed {
		redraw = append(redraw, p.Rectangle)
	}
	weather := s.weather(elapsed)
	if weather != nil {
		redraw = append(redraw[:0], s.work.Rect)
	}
	for _, r := range redraw {
		s.restore(r.Intersect(s.work.Rect), weather)
	}
	s.clock.draw(s.work, at, clock)
	s.badge.draw(s.work)
	s.remember(weather != nil)
}

// remember notes what the next picture has to draw again.
func (s *stage) remember(all bool) {
	s.dirty = append(s.dirty[:0], s.badge.area())
	if all {
		s.dirty[0] = s.work.Rect
		return
	}
	for _, p := range s.placed {
		s.dirty = append(s.dirty, p.Rectangle)
	}
}

// weather returns what draws the weather of the moment; nil if there is none.
func (s *stage) weather(elapsed time.Duration) func() {
	t := s.script.at(elapsed.Seconds())
	a, ok := s.script.spell(t)
	if !ok {
		return nil
	}
	k := sky{
		age: t - a.from, left: a.to - t,
		r: rand.New(rand.NewPCG(s.look.seed, uint64(elapsed))),
	}
	return func() { s.play.weather[a.which].paint(s, k) }
}

// restore draws one part of the picture from scratch, without what lies on top
// of everything. Weather is laid over all of the picture, below the words.
func (s *stage) restore(part image.Rectangle, weather func()) {
	if part.Empty() {
		return
	}
	draw.Draw(s.work, part, s.scene, part.Min, draw.Src)
	for _, p := range s.placed {
		if over := part.Intersect(p.Rectangle); !over.Empty() {
			draw.Draw(s.work, over, p.image, over.Min.Sub(p.Min), draw.Over)
		}
	}
	if weather != nil {
		weather()
	}
	if shaded := part.Intersect(s.shade); !shaded.Empty() {
		draw.Draw(s.work, shaded, s.overlay, shaded.Min, draw.Over)
	}
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
