package fakecam_test

import (
	"bytes"
	"fmt"
	"image"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge/fakecam"
	"github.com/espcam-bridge/espcam-bridge/bridge/jpeg"
)

func film(t *testing.T, cfg fakecam.Config) *fakecam.Loop {
	t.Helper()
	l, err := fakecam.RenderLoop(cfg, 2)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func at(hour, min, sec int) func() time.Time {
	return func() time.Time { return time.Date(2026, 3, 14, hour, min, sec, 0, time.UTC) }
}

// TestPicturesPassEverybodysChecks: in all sizes a camera sends whole JPEGs of
// that size, small enough for the bridge's limit.
func TestPicturesPassEverybodysChecks(t *testing.T) {
	t.Parallel()
	for _, size := range []image.Point{{64, 64}, {160, 120}, {320, 240}, {640, 480}, {128, 160}, {1600, 1200}} {
		for scene := range min(4, 400_000/(size.X*size.Y)+1) {
			b := film(t, fakecam.Config{Width: size.X, Height: size.Y, Scene: scene, FPS: 1, Name: "A name that is much too long for the picture"}).Picture(1)
			info, err := jpeg.Check(b, jpeg.Limits{MaxBytes: 256 << 10, MaxPixels: 2_100_000})
			if err != nil || info.Width != size.X || info.Height != size.Y || info.Size != len(b) {
				t.Errorf("%v scene %d: %d bytes, %+v, %v", size, scene, len(b), info, err)
			}
		}
	}
}

// TestClockRuns: a tenth of a second later the clock's corner differs, and a
// corner without anything in it does not.
func TestClockRuns(t *testing.T) {
	t.Parallel()
	clock, sky := image.Rect(210, 205, 320, 235), image.Rect(0, 30, 30, 60)
	for scene := range 4 {
		l := film(t, fakecam.Config{Width: 320, Height: 240, FPS: 10, Scene: scene, Clock: at(12, 59, 59)})
		a, b := decode(t, l.Picture(3)), decode(t, l.Picture(4))
		if d := difference(a, b, clock); d < 0.3 {
			t.Errorf("scene %d: a tenth of a second changes the clock by %.2f", scene, d)
		}
		if d := difference(decode(t, l.Picture(9)), decode(t, l.Picture(10)), clock); d < 5 {
			t.Errorf("scene %d: from 12:59:59.9 to 13:00:00.0 the clock changes by %.2f", scene, d)
		}
		if d := difference(a, b, sky); d > 0.5 {
			t.Errorf("scene %d: an empty corner changes by %.2f", scene, d)
		}
	}
}

// TestOnlyTheDirtyIsRedrawn: after many pictures nothing is left behind: the
// same moment drawn first and drawn last is the same picture.
func TestOnlyTheDirtyIsRedrawn(t *testing.T) {
	t.Parallel()
	for scene := range 4 {
		cfg := fakecam.Config{Width: 160, Height: 120, FPS: 10, Scene: scene, Clock: at(8, 0, 0)}
		long, err := fakecam.RenderLoop(cfg, 6)
		if err != nil {
			t.Fatal(err)
		}
		cfg.FPS = 1
		short, err := fakecam.RenderLoop(cfg, 6)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(long.Picture(5*10), short.Picture(5)) {
			t.Errorf("scene %d: the way to a picture shows in it", scene)
		}
	}
}

func TestSameSeedSamePictures(t *testing.T) {
	cfg := fakecam.Config{Width: 160, Height: 120, FPS: 5, Name: "Porch", Clock: at(12, 0, 0)}
	a, b := film(t, cfg), film(t, cfg)
	for i := range a.Len() {
		if !bytes.Equal(a.Picture(i), b.Picture(i)) {
			t.Fatalf("picture %d differs", i)
		}
	}
	cfg.Name = "Garden"
	if bytes.Equal(a.Picture(0), film(t, cfg).Picture(0)) {
		t.Error("the name does not show")
	}
	cfg.Name, cfg.Scene = "Porch", 4
	if d := difference(decode(t, a.Picture(0)), decode(t, film(t, cfg).Picture(0)), image.Rect(0, 0, 160, 80)); d < 10 {
		t.Errorf("the fifth camera looks like the first: %.1f", d)
	}
}

func writeClip(t *testing.T, n int) string {
	t.Helper()
	dir := t.TempDir()
	l := film(t, fakecam.Config{Width: 160, Height: 120, FPS: n})
	for i := range n {
		name := filepath.Join(dir, fmt.Sprintf("%03d.JPG", i))
		if err := os.WriteFile(name, append(bytes.Clone(l.Picture(i)), 0, 0, 0), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestClip(t *testing.T) {
	dir := writeClip(t, 3)
	clip, err := fakecam.LoadClip(dir)
	if err != nil || clip.Len() != 3 {
		t.Fatalf("clip: %v, %v", clip, err)
	}
	s := serve(t, native())
	cfg := small(s)
	cfg.Clip = dir
	play(t, cfg)
	l := s.next(t)
	for range 6 {
		b := receive(t, "picture", l.pictures)
		if !bytes.Equal(b, clip.Picture(0)) && !bytes.Equal(b, clip.Picture(1)) && !bytes.Equal(b, clip.Picture(2)) {
			t.Fatal("it sends pictures that are not in the clip")
		}
	}
}

func TestBadClips(t *testing.T) {
	broken := t.TempDir()
	if err := os.WriteFile(filepath.Join(broken, "a.jpg"), []byte("GIF89a"), 0o600); err != nil {
		t.Fatal(err)
	}
	for dir, want := range map[string]string{
		t.TempDir():                        "has no *.jpg",
		filepath.Join(t.TempDir(), "none"): "no such file",
		broken:                             "a.jpg",
	} {
		if _, err := fakecam.LoadClip(dir); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want one with %q", dir, err, want)
		}
	}
}

func BenchmarkPicture(b *testing.B) {
	for _, size := range []image.Point{{320, 240}, {640, 480}} {
		b.Run(size.String(), func(b *testing.B) {
			cfg := fakecam.Config{Width: size.X, Height: size.Y, FPS: 30}
			for b.Loop() {
				if _, err := fakecam.RenderLoop(cfg, 1); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(30*b.N), "us/picture")
		})
	}
}
