package app_test

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"testing"

	"github.com/espcam-bridge/espcam-bridge/bridge/fakecam"
)

// picture makes a small JPEG of exactly size bytes, different for each number:
// in its colour, and in a comment that also makes it as long as it is wanted.
func picture(t *testing.T, number, size int) []byte {
	t.Helper()
	img := image.NewGray(image.Rect(0, 0, 32, 24))
	for i := range img.Pix {
		img.Pix[i] = byte(i*7 + number*13)
	}
	img.SetGray(0, 0, color.Gray{Y: byte(number)})
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, &jpeg.Options{Quality: 20}); err != nil {
		t.Fatal(err)
	}
	plain := b.Bytes()
	out := append([]byte(nil), plain[:2]...)
	note := fmt.Appendf(nil, "picture %d ", number)
	for missing := size - len(plain); missing > 0; missing = size - len(out) - len(plain) + 2 {
		n := min(missing, 60_000) // of one comment, with its marker and length
		if rest := missing - n; rest > 0 && rest < 64 {
			n -= 64
		}
		if n < 4 {
			t.Fatalf("a picture of %d bytes cannot be made: %d too many", size, 4-n)
		}
		out = append(out, 0xff, 0xfe, byte((n-2)>>8), byte(n-2))
		for i := range n - 4 {
			out = append(out, note[i%len(note)])
		}
	}
	if out = append(out, plain[2:]...); len(out) != size {
		t.Fatalf("made %d bytes instead of %d", len(out), size)
	}
	return out
}

// isPlaceholder tells the bridge's own drawings from the cameras' pictures,
// which are all smaller here.
func isPlaceholder(b []byte) bool {
	c, err := jpeg.DecodeConfig(bytes.NewReader(b))
	return err == nil && c.Width == 640 && c.Height == 480
}

// play lets a simulated camera stream until the test ends or the returned
// function is called.
func play(t testing.TB, w *world, cfg fakecam.Config) (*fakecam.Camera, func()) {
	t.Helper()
	cfg.URL = w.url
	if cfg.Width == 0 && cfg.Clip == "" {
		cfg.Width, cfg.Height = 160, 120
	}
	cam, err := fakecam.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = cam.Run(ctx) // New has checked what could be wrong
	}()
	stop := func() { cancel(); <-done }
	t.Cleanup(stop)
	return cam, stop
}
