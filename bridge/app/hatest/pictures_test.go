package hatest_test

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// clip writes pictures into a folder that look alike, and are all different in their
// comments.
func clip(t testing.TB, n int) (dir string) {
	t.Helper()
	dir = t.TempDir()
	img := image.NewGray(image.Rect(0, 0, 160, 120))
	for x := range 160 {
		for y := range 120 {
			img.SetGray(x, y, color.Gray{uint8(x + y)})
		}
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, nil); err != nil {
		t.Fatal(err)
	}
	for i := range n {
		note := fmt.Sprintf("\xff\xfe\x00\x04%02d", i)
		write(t, filepath.Join(dir, fmt.Sprintf("%02d.jpg", i)), b.String()[:2]+note+b.String()[2:])
	}
	return dir
}

// shown is the picture that Home Assistant shows of a camera now; empty if it has
// none.
func (h *house) shown(camera string) string {
	status, body, err := h.ha.ask("GET", "/api/camera_proxy/"+h.id(camera, "camera"), nil)
	if err != nil || status != http.StatusOK {
		return ""
	}
	return string(body)
}

// fresh reports whether Home Assistant shows a picture that was sent since then.
func (h *house) fresh(camera string, then time.Time) bool {
	picture := h.shown(camera)
	for _, m := range h.mqtt.since(then, "espcam/"+camera+"/image") {
		if m.payload == picture {
			return true
		}
	}
	return false
}

// pictures checks that a picture is the same in the camera and on Home Assistant's
// page, byte for byte.
func (h *house) pictures() {
	files, err := filepath.Glob(filepath.Join(h.clip, "*.jpg"))
	if err != nil || len(files) == 0 {
		h.Fatal(err)
	}
	own := map[string]bool{}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			h.Fatal(err)
		}
		own[string(b)] = true
	}
	for range 5 {
		before := time.Now()
		h.operate("gate", "snapshot", "button.press", nil)
		eventually(h, "Home Assistant shows a picture that the camera sent since", func() bool { return h.fresh("gate", before) })
		if p := h.shown("gate"); !own[p] {
			h.Errorf("Home Assistant shows %d bytes that are no picture of the camera", len(p))
		}
	}
}
