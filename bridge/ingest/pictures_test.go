package ingest_test

import (
	"bytes"
	"image"
	"image/color"
	"image/jpeg"
	"math/rand/v2"
	"testing"
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
	if err := jpeg.Encode(&b, m, &jpeg.Options{Quality: 60}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// sized returns a picture of exactly n bytes, padded with comments.
func sized(t testing.TB, n int) []byte {
	t.Helper()
	b := picture(t, 64, 48)
	for len(b) < n {
		add := min(n-len(b), 60_000)
		if rest := n - len(b) - add; rest > 0 && rest < 4 {
			add -= 4
		}
		if add < 4 {
			t.Fatalf("cannot pad to %d bytes", n)
		}
		b = insert(b, 2, "\xff\xfe"+string([]byte{byte((add - 2) >> 8), byte(add - 2)})+string(bytes.Repeat([]byte("."), add-4)))
	}
	return b
}

func insert(b []byte, at int, s string) []byte {
	return append(append(bytes.Clone(b[:at]), s...), b[at:]...)
}

// damage lists pictures that must not be shown, by what is wrong with them.
func damage(t testing.TB) map[string][]byte {
	good := picture(t, 320, 240)
	sof := bytes.Index(good, []byte{0xFF, 0xC0})
	dht := bytes.Index(good, []byte{0xFF, 0xC4})
	sos := bytes.Index(good, []byte{0xFF, 0xDA})
	change := func(at int, to ...byte) []byte {
		b := bytes.Clone(good)
		copy(b[at:], to)
		return b
	}
	return map[string][]byte{
		"nothing":                   {},
		"one byte":                  {0xFF},
		"only the start":            {0xFF, 0xD8},
		"only start and end":        {0xFF, 0xD8, 0xFF, 0xD9},
		"text":                      []byte("hello, I am a camera"),
		"JSON":                      []byte(`{"type":"hello"}`),
		"PNG":                       []byte("\x89PNG\r\n\x1a\n0000IHDR"),
		"GIF":                       []byte("GIF89a\x01\x00\x01\x00"),
		"BMP":                       append([]byte("BM"), make([]byte, 60)...),
		"zeros":                     make([]byte, 20_000),
		"ones":                      bytes.Repeat([]byte{0xFF}, 20_000),
		"a byte before the start":   append([]byte{0}, good...),
		"start swapped":             change(0, 0xD8, 0xFF),
		"start and noise":           []byte("\xff\xd8 and then nothing like it"),
		"without the end":           good[:len(good)-2],
		"half":                      good[:len(good)/2],
		"cut in the frame header":   good[:sof+6],
		"cut before a length":       good[:sof+3],
		"cut before picture data":   good[:sos],
		"second half":               good[len(good)/2:],
		"5 KB after the end":        append(bytes.Clone(good), make([]byte, 5000)...),
		"no frame header":           append(bytes.Clone(good[:sof]), good[dht:]...),
		"two frame headers":         insert(good, dht, string(good[sof:dht])),
		"end in the header":         insert(good, sof, "\xff\xd9"),
		"restart in the header":     insert(good, sof, "\xff\xd0"),
		"start in the header":       insert(good, sof, "\xff\xd8"),
		"segment of 0 bytes":        insert(good, sof, "\xff\xe1\x00\x00"),
		"segment beyond the end":    insert(good, sof, "\xff\xe1\xff\xff"),
		"80 segments":               insert(good, 2, string(bytes.Repeat([]byte("\xff\xfe\x00\x02"), 80))),
		"lossless":                  change(sof+1, 0xC3),
		"arithmetic":                change(sof+1, 0xC9),
		"12 bit":                    change(sof+4, 12),
		"width 0":                   change(sof+7, 0, 0),
		"height 0":                  change(sof+5, 0, 0),
		"65535 x 65535 in 327 byte": append(change(sof+5, 0xFF, 0xFF, 0xFF, 0xFF)[:325:325], 0xFF, 0xD9),
		"frame header too long":     change(sof+2, 0, 40),
		"no components":             change(sof+2, 0, 8, 8, 0, 240, 1, 64, 0),
		"sampling factor 0":         change(sof+11, 0),
	}
}
