package fakecam

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge"
	"github.com/espcam-bridge/espcam-bridge/bridge/jpeg"
)

// Loop is a short film of finished JPEGs, sent again and again. Any number of
// cameras may share one; it never changes.
type Loop struct{ pictures [][]byte }

// maxClip bounds a clip on disk: it is held in memory.
const maxClip = 512 << 20

// LoadClip reads a folder's *.jpg and *.jpeg in order of their names. Each must
// be a whole JPEG of at most 2 MiB.
func LoadClip(dir string) (*Loop, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, bridge.Errorf(bridge.CodeInvalid, "clip: %w", err).At("clip")
	}
	var l Loop
	total := 0
	for _, e := range entries {
		if ext := strings.ToLower(filepath.Ext(e.Name())); ext != ".jpg" && ext != ".jpeg" {
			continue
		}
		b, err := loadPicture(filepath.Join(dir, e.Name()))
		if err != nil {
			return nil, bridge.Errorf(bridge.CodeInvalid, "clip: %w", err).At("clip")
		}
		if total += len(b); total > maxClip {
			return nil, bridge.Errorf(bridge.CodeInvalid, "clip: %s has more than %d MiB of pictures: use fewer or smaller ones", dir, maxClip>>20).At("clip")
		}
		l.pictures = append(l.pictures, b)
	}
	if len(l.pictures) == 0 {
		return nil, bridge.Errorf(bridge.CodeInvalid, "clip: %s has no *.jpg in it", dir).At("clip")
	}
	return &l, nil
}

func loadPicture(path string) ([]byte, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	info, err := jpeg.Check(b, jpeg.Limits{MaxBytes: 2 << 20})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return slices.Clip(b[:info.Size]), nil
}

// RenderLoop draws seconds of what a camera of cfg would send (its Name, Scene,
// FPS and size are used), so that many can send it without drawing. The clock in
// it starts anew with the loop.
func RenderLoop(cfg Config, seconds int) (*Loop, error) {
	cfg = cfg.withDefaults()
	if err := cfg.check(); err != nil {
		return nil, err
	}
	b := newBoard(cfg)
	s := newStage(b.look(cfg, time.Time{}))
	var l Loop
	begin := cfg.Clock()
	for i := range seconds * cfg.FPS {
		at := time.Duration(i) * time.Second / time.Duration(cfg.FPS)
		l.pictures = append(l.pictures, slices.Clone(s.picture(at, begin.Add(at), "")))
	}
	return &l, nil
}

// Len returns the number of pictures.
func (l *Loop) Len() int { return len(l.pictures) }

// Picture returns the i-th picture, counted around. Callers must not change it.
func (l *Loop) Picture(i int) []byte { return l.pictures[i%len(l.pictures)] }
