package motion

import (
	"bytes"
	"encoding/base64"
	"image"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// progressive is a progressive JPEG of 24x16 pixels, which Go cannot write.
const progressive = "" +
	"/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDABQODxIPDRQSEBIXFRQYHjIhHhwcHj0sLiQySUBMS0dARkVQWnNiUFVtVkVGZIhlbXd7gYKBTmCNl4" +
	"x9lnN+gXz/2wBDARUXFx4aHjshITt8U0ZTfHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHz/wgARCAAQ" +
	"ABgDASIAAhEBAxEB/8QAFwABAQEBAAAAAAAAAAAAAAAABAACBf/EABQBAQAAAAAAAAAAAAAAAAAAAAD/2gAMAwEAAhADEAAAAea4jhluP//EAB" +
	"UQAQEAAAAAAAAAAAAAAAAAAAAC/9oACAEBAAEFAoQhCEP/xAAUEQEAAAAAAAAAAAAAAAAAAAAQ/9oACAEDAQE/AT//xAAUEQEAAAAAAAAAAAAA" +
	"AAAAAAAQ/9oACAECAQE/AT//xAAUEAEAAAAAAAAAAAAAAAAAAAAg/9oACAEBAAY/Al//xAAVEAEBAAAAAAAAAAAAAAAAAAAAAf/aAAgBAQABPy" +
	"GEIQhD/9oADAMBAAIAAwAAABBwD//EABQRAQAAAAAAAAAAAAAAAAAAABD/2gAIAQMBAT8QP//EABQRAQAAAAAAAAAAAAAAAAAAABD/2gAIAQIB" +
	"AT8QP//EABUQAQEAAAAAAAAAAAAAAAAAAAAx/9oACAEBAAE/EIIIIIIP/9k="

// insertAfterSOI puts a segment at the beginning of a JPEG.
func insertAfterSOI(pic []byte, marker byte, body []byte) []byte {
	n := len(body) + 2
	return slices.Concat(pic[:2], []byte{0xFF, marker, byte(n >> 8), byte(n)}, body, pic[2:])
}

// turned is an EXIF block that asks for a turn by 90 degrees.
func turned() []byte {
	return []byte("Exif\x00\x00MM\x00\x2a\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01\x00\x06\x00\x00\x00\x00\x00\x00")
}

func ycc(w, h int, ratio image.YCbCrSubsampleRatio) *image.YCbCr {
	m := image.NewYCbCr(image.Rect(0, 0, w, h), ratio)
	for i := range m.Y {
		m.Y[i] = byte(i%m.YStride*200/m.YStride + i/m.YStride*40/h)
	}
	for i := range m.Cb {
		m.Cb[i], m.Cr[i] = 100, 150
	}
	return m
}

func TestReadsAllKinds(t *testing.T) {
	prog, err := base64.StdEncoding.DecodeString(progressive)
	if err != nil {
		t.Fatal(err)
	}
	colour := encode(t, ycc(320, 240, image.YCbCrSubsampleRatio422), 70)
	tests := []struct {
		name string
		pic  []byte
		w, h int // working size
	}{
		{"4:2:2", colour, 160, 120},
		{"4:2:0", encode(t, ycc(320, 240, image.YCbCrSubsampleRatio420), 70), 160, 120},
		{"4:4:4", encode(t, ycc(320, 240, image.YCbCrSubsampleRatio444), 70), 160, 120},
		{"grey", encode(t, drawn{w: 320, h: 240}.grey(0), 70), 160, 120},
		{"progressive", prog, 24, 16},
		{"161x121", encode(t, ycc(161, 121, image.YCbCrSubsampleRatio420), 70), 161, 121},
		{"641x479", encode(t, ycc(641, 479, image.YCbCrSubsampleRatio420), 70), 161, 120},
		{"800x600", encode(t, ycc(800, 600, image.YCbCrSubsampleRatio420), 70), 200, 150},
		{"1600x1200", encode(t, ycc(1600, 1200, image.YCbCrSubsampleRatio420), 70), 200, 150},
		{"8x8", encode(t, ycc(8, 8, image.YCbCrSubsampleRatio420), 70), 8, 8},
		{"1x1", encode(t, ycc(1, 1, image.YCbCrSubsampleRatio420), 70), 1, 1},
		{"16x4000", encode(t, ycc(16, 4000, image.YCbCrSubsampleRatio420), 70), 8, 2000},
		{"EXIF that would turn it", insertAfterSOI(colour, 0xE1, turned()), 160, 120},
		{"APP flood", flood(colour, 0xEA), 160, 120},
		{"COM flood", flood(colour, 0xFE), 160, 120},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := New(Config{})
			defer d.Close()
			for i := range 12 {
				if j := d.Judge(tt.pic, time.Unix(0, 0).Add(time.Duration(i)*100*time.Millisecond)); j.Quiet == Damaged || j.Motion {
					t.Fatalf("picture %d: %+v", i, j)
				}
			}
			g := d.Debug()
			if g.Width != tt.w || g.Height != tt.h {
				t.Errorf("working size %dx%d, want %dx%d", g.Width, g.Height, tt.w, tt.h)
			}
			if w := g.Width; w > 20 && g.Grey[w/4] >= g.Grey[w*3/4] {
				t.Errorf("the picture rises to the right, but %d..%d", g.Grey[w/4], g.Grey[w*3/4])
			}
		})
	}
}

// flood puts 40 segments of 1,000 bytes before the picture.
func flood(pic []byte, marker byte) []byte {
	for range 40 {
		pic = insertAfterSOI(pic, marker, make([]byte, 1000))
	}
	return pic
}

func TestBadPictures(t *testing.T) {
	good := encode(t, ycc(320, 240, image.YCbCrSubsampleRatio422), 70)
	for name, pic := range map[string][]byte{
		"nothing":         nil,
		"two bytes":       {0xFF, 0xD8},
		"text":            []byte("hello, I am a camera"),
		"PNG":             []byte("\x89PNG\r\n\x1a\n0000IHDR"),
		"cut off":         good[:len(good)/2],
		"cut to 200":      slices.Concat(good[:200], []byte{0xFF, 0xD9}),
		"header, no data": slices.Concat(good[:bytes.Index(good, []byte{0xFF, 0xDA})+14], []byte{0xFF, 0xD9}),
		"65535x65535":     forge(good, 0xFFFF, 0xFFFF),
		"too large":       forge(good, 1500, 1500),
		"0 wide":          forge(good, 0, 240),
	} {
		d := New(Config{})
		j := d.Judge(pic, time.Unix(0, 0))
		if j.Motion || len(j.Boxes) > 0 {
			t.Errorf("%s: %+v", name, j)
		}
		if name != "header, no data" && name != "cut to 200" && (j.Quiet != Damaged || d.Counts() != (Counts{Frames: 1, Damaged: 1})) {
			t.Errorf("%s: %+v, counted %+v; want damaged", name, j, d.Counts())
		}
		d.Close()
	}
}

// forge writes another size into the frame header.
func forge(pic []byte, w, h int) []byte {
	pic = bytes.Clone(pic)
	at := bytes.Index(pic, []byte{0xFF, 0xC0})
	copy(pic[at+5:], []byte{byte(h >> 8), byte(h), byte(w >> 8), byte(w)})
	return pic
}

// BenchmarkForgedHeader shows that no decoder sees a forged picture: a decode
// would take more than 100 times as long.
func BenchmarkForgedHeader(b *testing.B) {
	pic := forge(encode(b, ycc(640, 480, image.YCbCrSubsampleRatio422), 90), 0xFFFF, 0xFFFF)
	d := New(Config{})
	b.ReportAllocs()
	for b.Loop() {
		d.Judge(pic, time.Unix(0, 0))
	}
	if d.Counts().Damaged != d.Counts().Frames {
		b.Fatal("a forged picture was judged")
	}
}

// damage breaks a picture in one of the ways that cameras do.
func damage(r *rand.Rand, pic []byte) []byte {
	pic = bytes.Clone(pic)
	switch r.IntN(4) {
	case 0:
		return pic[:r.IntN(len(pic))]
	case 1:
		at := 700 + r.IntN(len(pic)-800)
		return slices.Delete(pic, at, min(len(pic)-2, at+r.IntN(1500)))
	case 2:
		for range 5 {
			pic[650+r.IntN(len(pic)-652)] ^= 1 << r.IntN(8)
		}
	default:
		for range 5 {
			pic[r.IntN(len(pic))] = byte(r.Uint32())
		}
	}
	return pic
}

// TestDamagedStream: pictures damaged one in ten make no motion in an empty
// room, and a person is seen nevertheless.
func TestDamagedStream(t *testing.T) {
	c := drawn{w: 320, h: 240, fps: 10, frames: 150, quality: 70, noise: 3, seed: 3, walker: crossing(110, 140, 0.45)}
	r := rand.New(rand.NewPCG(9, 9))
	d := New(Config{})
	defer d.Close()
	seen := false
	for i, pic := range c.jpegs(t) {
		if r.IntN(10) == 0 {
			pic = damage(r, pic)
		}
		j := d.Judge(pic, c.at(i))
		if j.Motion && i < 110 {
			t.Errorf("motion at picture %d of an empty room: %+v", i, j.Boxes)
		}
		seen = seen || j.Motion
	}
	if !seen || d.Counts().Damaged == 0 {
		t.Errorf("person seen: %v, counted %+v", seen, d.Counts())
	}
}

// TestSizeChanges: another size starts anew, without motion.
func TestSizeChanges(t *testing.T) {
	small := drawn{w: 320, h: 240, fps: 10, quality: 70, noise: 3}
	large := small
	large.w, large.h = 640, 480
	odd := small
	odd.w, odd.h = 400, 296
	d := New(Config{})
	defer d.Close()
	for i := range 150 {
		c := []drawn{small, large, small, odd, large}[i/30]
		j := d.Judge(encode(t, c.grey(i), 70), c.at(i))
		if j.Motion {
			t.Errorf("motion at picture %d", i)
		}
		if settling := j.Quiet == Settling; settling != (i%30 < 10) {
			t.Errorf("picture %d: quiet %q", i, j.Quiet)
		}
	}
}

// TestTimes: clocks that stand, go back, jump or pause.
func TestTimes(t *testing.T) {
	c := drawn{w: 320, h: 240, fps: 10, quality: 70, noise: 3, frames: 60, walker: crossing(40, 58, 0.4)}
	pics := c.jpegs(t)
	day := 24 * time.Hour
	for name, at := range map[string]func(i int) time.Time{
		"the same time":  func(int) time.Time { return c.at(0) },
		"zero time":      func(int) time.Time { return time.Time{} },
		"backwards":      func(i int) time.Time { return c.at(-i) },
		"to and fro":     func(i int) time.Time { return c.at(i - 2*(i%2)) },
		"an hour's gaps": func(i int) time.Time { return c.at(0).Add(time.Duration(i) * time.Hour) },
		"centuries":      func(i int) time.Time { return c.at(0).Add(time.Duration(i%2) * 100_000 * day) },
	} {
		d := New(Config{})
		for i, pic := range pics {
			if j := d.Judge(pic, at(i)); j.Motion && name != "to and fro" {
				t.Errorf("%s: motion at picture %d", name, i)
			}
		}
		d.Close()
	}
}

// TestClockBack: after the clock went back an hour all goes on.
func TestClockBack(t *testing.T) {
	c := drawn{w: 320, h: 240, fps: 10, quality: 70, noise: 3, frames: 100, walker: crossing(70, 95, 0.4)}
	d := New(Config{})
	defer d.Close()
	seen := false
	for i, pic := range c.jpegs(t) {
		at := c.at(i)
		if i >= 30 {
			at = at.Add(-time.Hour)
		}
		j := d.Judge(pic, at)
		seen = seen || j.Motion
		if j.Motion && i < 70 {
			t.Errorf("motion at picture %d", i)
		}
	}
	if !seen {
		t.Error("the person was not seen")
	}
}

// FuzzJudge: no bytes panic, whatever stood before.
func FuzzJudge(f *testing.F) {
	good := encode(f, ycc(64, 48, image.YCbCrSubsampleRatio420), 50)
	f.Add(good, byte(0))
	f.Add(forge(good, 640, 480), byte(3))
	f.Add(insertAfterSOI(good, 0xE1, turned()), byte(1))
	f.Add(encode(f, ycc(1, 1, image.YCbCrSubsampleRatio444), 50), byte(2))
	f.Fuzz(func(t *testing.T, pic []byte, kind byte) {
		d := New(Config{Width: []int{80, 160, 320}[kind%3], MaxPixels: 1 << 16})
		defer d.Close()
		for i := range 8 {
			p := pic
			if i%3 == 1 {
				p = good
			}
			j := d.Judge(p, time.Unix(0, int64(i)*int64(kind)*1e8))
			if j.Score < 0 || j.Score > 1 || len(j.Boxes) > maxBoxes {
				t.Errorf("%+v", j)
			}
		}
		if g := d.Debug(); g != nil {
			g.Picture()
			g.Overlay()
		}
	})
}
