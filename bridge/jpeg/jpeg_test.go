package jpeg_test

import (
	"bytes"
	"errors"
	"image"
	"image/color"
	stdjpeg "image/jpeg"
	"math/rand/v2"
	"testing"

	"github.com/espcam-bridge/espcam-bridge/bridge/jpeg"
)

// picture encodes a w x h picture with some detail in it.
func picture(t testing.TB, w, h int) []byte {
	t.Helper()
	m := image.NewRGBA(image.Rect(0, 0, w, h))
	r := rand.New(rand.NewPCG(1, 2))
	for y := range h {
		for x := range w {
			m.Set(x, y, color.RGBA{uint8(x), uint8(y), uint8(r.IntN(24) + x*y/64), 255})
		}
	}
	var b bytes.Buffer
	if err := stdjpeg.Encode(&b, m, &stdjpeg.Options{Quality: 60}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func grey(t testing.TB, w, h int) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := stdjpeg.Encode(&b, image.NewGray(image.Rect(0, 0, w, h)), nil); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestCheckAccepts(t *testing.T) {
	colour, mono := picture(t, 320, 240), grey(t, 64, 48)
	tests := []struct {
		name string
		b    []byte
		want jpeg.Info
	}{
		{"colour", colour, jpeg.Info{Width: 320, Height: 240, Components: 3, Size: len(colour)}},
		{"grey", mono, jpeg.Info{Width: 64, Height: 48, Components: 1, Size: len(mono)}},
		{"padding of zeros", append(bytes.Clone(colour), make([]byte, 900)...), jpeg.Info{Width: 320, Height: 240, Components: 3, Size: len(colour)}},
		{"a clock behind the end", append(bytes.Clone(colour), "1700000000"...), jpeg.Info{Width: 320, Height: 240, Components: 3, Size: len(colour)}},
		{"comment and fill bytes", insert(colour, 2, "\xff\xff\xff\xfe\x00\x06abcd"), jpeg.Info{Width: 320, Height: 240, Components: 3, Size: len(colour) + 10}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := jpeg.Check(tt.b, jpeg.Limits{MaxBytes: 1 << 20, MaxPixels: 320 * 240})
			if err != nil || got != tt.want {
				t.Errorf("Check = %+v, %v, want %+v", got, err, tt.want)
			}
		})
	}
}

func insert(b []byte, at int, s string) []byte {
	return append(append(bytes.Clone(b[:at]), s...), b[at:]...)
}

// sof returns where the frame header's marker stands.
func sof(t testing.TB, b []byte) int {
	t.Helper()
	i := bytes.Index(b, []byte{0xFF, 0xC0})
	if i < 0 {
		t.Fatal("no frame header in the test picture")
	}
	return i
}

func TestCheckRefuses(t *testing.T) {
	good := picture(t, 320, 240)
	at := sof(t, good)
	sos := bytes.Index(good, []byte{0xFF, 0xDA})
	change := func(pos int, to ...byte) []byte {
		b := bytes.Clone(good)
		copy(b[pos:], to)
		return b
	}
	without := func(from, to int) []byte { return append(bytes.Clone(good[:from]), good[to:]...) }
	sofLen := at + 2 + int(good[at+2])<<8 + int(good[at+3])

	tests := []struct {
		name string
		b    []byte
		want error
	}{
		{"nothing", nil, jpeg.ErrNotJPEG},
		{"one byte", []byte{0xFF}, jpeg.ErrNotJPEG},
		{"only SOI", []byte{0xFF, 0xD8}, jpeg.ErrNotJPEG},
		{"SOI and EOI", []byte{0xFF, 0xD8, 0xFF, 0xD9}, jpeg.ErrHeader},
		{"text", []byte("hello, I am a camera"), jpeg.ErrNotJPEG},
		{"PNG", []byte("\x89PNG\r\n\x1a\n0000IHDR"), jpeg.ErrNotJPEG},
		{"GIF", []byte("GIF89a\x01\x00\x01\x00"), jpeg.ErrNotJPEG},
		{"a byte before SOI", append([]byte{0}, good...), jpeg.ErrNotJPEG},
		{"zeros", make([]byte, 20000), jpeg.ErrNotJPEG},
		{"too many bytes", append(bytes.Clone(good), make([]byte, 1<<20)...), jpeg.ErrTooLarge},
		{"SOI and noise", []byte("\xff\xd8 and then nothing like it"), jpeg.ErrHeader},
		{"end marker missing", good[:len(good)-2], jpeg.ErrNoEnd},
		{"cut in half", good[:len(good)/2], jpeg.ErrNoEnd},
		{"cut in the frame header", good[:at+6], jpeg.ErrHeader},
		{"cut before a length", good[:at+3], jpeg.ErrHeader},
		{"cut before picture data", good[:sos], jpeg.ErrHeader},
		{"too much behind the end", append(bytes.Clone(good), make([]byte, 5000)...), jpeg.ErrNoEnd},
		{"no frame header", without(at, sofLen), jpeg.ErrHeader},
		{"two frame headers", insert(good, sofLen, string(good[at:sofLen])), jpeg.ErrHeader},
		{"EOI in the header", insert(good, at, "\xff\xd9"), jpeg.ErrHeader},
		{"restart marker in the header", insert(good, at, "\xff\xd0"), jpeg.ErrHeader},
		{"second SOI", insert(good, at, "\xff\xd8"), jpeg.ErrHeader},
		{"marker 00", insert(good, at, "\xff\x00\x00\x04ab"), jpeg.ErrHeader},
		{"segment length 0", insert(good, at, "\xff\xe1\x00\x00"), jpeg.ErrHeader},
		{"segment length 1", insert(good, at, "\xff\xe1\x00\x01"), jpeg.ErrHeader},
		{"segment beyond the end", insert(good, at, "\xff\xe1\xff\xff"), jpeg.ErrHeader},
		{"too many segments", insert(good, 2, string(bytes.Repeat([]byte("\xff\xfe\x00\x02"), 80))), jpeg.ErrHeader},
		{"too many fill bytes", insert(good, 2, string(bytes.Repeat([]byte{0xff}, 40))), jpeg.ErrHeader},
		{"lossless", change(at+1, 0xC3), jpeg.ErrProcess},
		{"arithmetic coding", change(at+1, 0xC9), jpeg.ErrProcess},
		{"hierarchical", change(at+1, 0xC5), jpeg.ErrProcess},
		{"12 bit", change(at+4, 12), jpeg.ErrProcess},
		{"width 0", change(at+7, 0, 0), jpeg.ErrEmpty},
		{"height 0", change(at+5, 0, 0), jpeg.ErrEmpty},
		{"65535 square", change(at+5, 0xFF, 0xFF, 0xFF, 0xFF), jpeg.ErrPixels},
		{"16000 square", change(at+5, 0x3E, 0x80, 0x3E, 0x80), jpeg.ErrPixels},
		{"frame header length wrong", change(at+2, 0, 16), jpeg.ErrHeader},
		{"2 components", change(at+2, 0, 14, 8, 0, 240, 1, 64, 2), jpeg.ErrComponents},
		{"0 components", change(at+2, 0, 8, 8, 0, 240, 1, 64, 0), jpeg.ErrComponents},
		{"sampling factor 0", change(at+11, 0x00), jpeg.ErrHeader},
		{"sampling factor 9", change(at+11, 0x91), jpeg.ErrHeader},
	}
	if len(tests) < 30 {
		t.Errorf("only %d damaged pictures: at least 30 are promised", len(tests))
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := jpeg.Check(tt.b, jpeg.Limits{MaxBytes: 1 << 20, MaxPixels: 2_100_000})
			if !errors.Is(err, tt.want) {
				t.Errorf("Check = %v, want %v", err, tt.want)
			}
		})
	}
}

func TestCheckAllocatesNothing(t *testing.T) {
	good, bad := picture(t, 320, 240), []byte("\xff\xd8 no")
	if n := testing.AllocsPerRun(100, func() {
		jpeg.Check(good, jpeg.Limits{MaxPixels: 1 << 20})
		jpeg.Check(bad, jpeg.Limits{})
	}); n != 0 {
		t.Errorf("Check allocates %v times", n)
	}
}

// FuzzCheck holds two promises: what passes is within the limits, and the
// standard decoder reads the same size from its header.
func FuzzCheck(f *testing.F) {
	good := picture(f, 32, 24)
	f.Add(good)
	f.Add(grey(f, 8, 8))
	f.Add(good[:len(good)/2])
	f.Add([]byte("\xff\xd8\xff\xd9"))
	f.Add(insert(good, 2, "\xff\xff\xff\xfe\x00\x06abcd"))
	f.Fuzz(func(t *testing.T, b []byte) {
		l := jpeg.Limits{MaxBytes: 1 << 16, MaxPixels: 100_000}
		info, err := jpeg.Check(b, l)
		if err != nil {
			return
		}
		if info.Size > len(b) || info.Width*info.Height > l.MaxPixels || info.Width < 1 || info.Height < 1 {
			t.Fatalf("let through %+v of %d bytes", info, len(b))
		}
		if !bytes.HasSuffix(b[:info.Size], []byte{0xFF, 0xD9}) {
			t.Fatalf("picture does not end with FF D9")
		}
		if c, err := stdjpeg.DecodeConfig(bytes.NewReader(b[:info.Size])); err == nil && (c.Width != info.Width || c.Height != info.Height) {
			t.Fatalf("Check says %dx%d, image/jpeg says %dx%d", info.Width, info.Height, c.Width, c.Height)
		}
	})
}

func BenchmarkCheck20KB(b *testing.B) {
	pic := picture(b, 640, 400)
	for len(pic) < 20000 {
		pic = insert(pic, 2, "\xff\xfe\x00\x06abcd")
		if len(pic) > 19000 {
			break
		}
		pic = append(pic[:len(pic)-2], append(make([]byte, 20000-len(pic)), 0xff, 0xd9)...)
	}
	b.SetBytes(int64(len(pic)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := jpeg.Check(pic, jpeg.Limits{MaxBytes: 256 << 10, MaxPixels: 2_100_000}); err != nil {
			b.Fatal(err)
		}
	}
}
