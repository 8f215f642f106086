package fakecam

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
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
type Loop struct {
	pictures [][]byte
	fps      float64 // of a labelled clip; 0: not known
	drawn    bool    // by RenderLoop
}

const (
	maxClip    = 512 << 20 // bytes of a clip on disk: it is held in memory
	maxPicture = 2 << 20   // bytes of one of its pictures
)

// LoadClip reads a folder's *.jpg and *.jpeg in order of their names. Each must
// be a whole JPEG of at most 2 MiB. A folder with labels.json is a labelled clip:
// its pictures are in frames/, have its speed, and may be damaged, since some of
// these clips are about that.
func LoadClip(dir string) (*Loop, error) {
	text, err := os.ReadFile(filepath.Join(dir, "labels.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return loadPictures(dir, loadPicture)
	}
	if err != nil {
		return nil, bridge.Errorf(bridge.CodeInvalid, "clip: %w", err).At("clip")
	}
	var labels struct{ FPS float64 }
	if err := json.Unmarshal(text, &labels); err != nil || !(labels.FPS > 0 && labels.FPS <= 1000) {
		return nil, bridge.Errorf(bridge.CodeInvalid, "clip: %s/labels.json does not say the pictures per second: put \"fps\" with a number above 0 into it", dir).At("clip")
	}
	l, err := loadPictures(filepath.Join(dir, "frames"), loadAny)
	if err != nil {
		return nil, err
	}
	l.fps = labels.FPS
	return l, nil
}

func loadPictures(dir string, load func(path string) ([]byte, error)) (*Loop, error) {
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
		b, err := load(filepath.Join(dir, e.Name()))
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
	b, err := loadAny(path)
	if err != nil {
		return nil, err
	}
	info, err := jpeg.Check(b, jpeg.Limits{})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return slices.Clip(b[:info.Size]), nil
}

// loadAny reads what should be a picture.
func loadAny(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err == nil && info.Size() > maxPicture {
		return nil, fmt.Errorf("%s: %w", path, jpeg.ErrTooLarge)
	}
	if err != nil {
		return nil, err
	}
	return os.ReadFile(path)
}

// RenderLoop draws seconds of what a camera of cfg would send (its Name, Scene,
// Plan, Seed, FPS and size are used), so that many can send it without drawing. The clock in
// it starts anew with the loop.
func RenderLoop(cfg Config, seconds int) (*Loop, error) {
	cfg = cfg.withDefaults()
	if err := cfg.check(); err != nil {
		return nil, err
	}
	b := newBoard(cfg)
	s := newStage(b.look(cfg, time.Time{}))
	l := Loop{drawn: true}
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
