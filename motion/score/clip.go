// Package score measures motion detection on labelled clips: pictures from disk,
// marked by hand with what really moves. The commands "motion score" and
// "motion explain" are made of it, and tests that want the same figures.
//
// Find reads the labels and says in a sentence what is wrong with a clip; Run
// lets a motion.Detector judge its pictures in the time of the clip, not of the
// clock; Score compares the outcome with the labels. The rules of scoring are in
// the README beside.
//
// Pictures are read one at a time, so a long clip needs no memory. A damaged
// picture is no error, since some clips are about that; a missing one is.
package score

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Labels is what labels.json says of a clip. Unknown keys are for people.
type Labels struct {
	FPS      float64 `json:"fps"`
	Frames   int     `json:"frames"`   // left out: as many as there are files
	Segments []Span  `json:"segments"` // something really moves
	Ignore   []Span  `json:"ignore"`   // hard to say: never scored
}

// Span is a range of frames, both ends included, counted from 0.
type Span struct {
	From int `json:"from"`
	To   int `json:"to"`
}

// Clip is a labelled clip on disk, checked by Find.
type Clip struct {
	Name string // of its folder
	Dir  string
	Labels
}

const (
	maxLabels  = 1 << 20   // bytes
	maxPicture = 2 << 20   // bytes
	maxFrames  = 1_000_000 // of one clip
	maxFPS     = 120
)

// Find returns the clips of each path, which is a clip or a folder of clips, in
// order, and an error for each that cannot be scored. Both may be there.
func Find(paths []string) (clips []Clip, faults []error) {
	for _, path := range paths {
		dirs, err := clipDirs(path)
		if err != nil {
			faults = append(faults, err)
		}
		for _, dir := range dirs {
			if c, err := open(dir); err != nil {
				faults = append(faults, err)
			} else {
				clips = append(clips, c)
			}
		}
	}
	return clips, faults
}

// clipDirs returns dir, or the folders in it that are clips.
func clipDirs(dir string) ([]string, error) {
	if isClip(dir) {
		return []string{dir}, nil
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("%w: name a clip, or a folder of clips", err)
	}
	var out []string
	for _, e := range entries {
		if sub := filepath.Join(dir, e.Name()); isClip(sub) {
			out = append(out, sub)
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%s: no labels.json in it, nor in a folder in it: a clip is a folder with labels.json and frames/00000.jpg and so on", dir)
	}
	return out, nil
}

// isClip reports whether dir wants to be a clip: it has one half of one.
func isClip(dir string) bool {
	for _, name := range []string{"labels.json", "frames"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
			return true
		}
	}
	return false
}

func open(dir string) (Clip, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return Clip{}, err
	}
	c := Clip{Name: filepath.Base(abs), Dir: dir}
	path := filepath.Join(dir, "labels.json")
	text, err := readSmall(path, maxLabels)
	if errors.Is(err, fs.ErrNotExist) {
		return Clip{}, fmt.Errorf(`%s is missing: write one such as {"fps":10,"segments":[{"from":30,"to":58}],"ignore":[]}`, path)
	}
	if err != nil {
		return Clip{}, err
	}
	if c.Labels, err = ParseLabels(text); err != nil {
		return Clip{}, fmt.Errorf("%s: %w", path, err)
	}
	if err := c.count(); err != nil {
		return Clip{}, err
	}
	if err := c.inRange(); err != nil {
		return Clip{}, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil
}

// ParseLabels reads a labels.json. Its error says what is wrong and what to write.
func ParseLabels(text []byte) (Labels, error) {
	var l Labels
	if err := json.Unmarshal(text, &l); err != nil {
		return Labels{}, notJSON(text, err)
	}
	switch {
	case !(l.FPS > 0 && l.FPS <= maxFPS):
		return Labels{}, fmt.Errorf(`"fps" is %v: write the frames per second of the clip, above 0 and up to %d`, l.FPS, maxFPS)
	case l.Frames < 0 || l.Frames > maxFrames:
		return Labels{}, fmt.Errorf(`"frames" is %d: write how many frames there are, up to %d, or leave it out`, l.Frames, maxFrames)
	}
	return l, nil
}

// notJSON says where text stops to be what is wanted.
func notJSON(text []byte, err error) error {
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		line := 1 + strings.Count(string(text[:min(int(syntax.Offset), len(text))]), "\n")
		return fmt.Errorf("not JSON in line %d: %w", line, err)
	}
	var kind *json.UnmarshalTypeError
	if errors.As(err, &kind) {
		return fmt.Errorf("%q cannot be a %s: segments and ignore are lists of {\"from\":n,\"to\":n} with whole numbers", kind.Field, kind.Value)
	}
	return fmt.Errorf("not JSON: %w", err)
}

// inRange checks that every span lies within the clip.
func (c Clip) inRange() error {
	for name, spans := range map[string][]Span{"segments": c.Segments, "ignore": c.Ignore} {
		for i, s := range spans {
			switch {
			case s.From > s.To:
				return fmt.Errorf("%s[%d] runs from %d to %d: put the smaller number first", name, i, s.From, s.To)
			case s.From < 0 || s.To >= c.Frames:
				return fmt.Errorf("%s[%d] runs from %d to %d, but the frames are 0 to %d", name, i, s.From, s.To, c.Frames-1)
			}
		}
	}
	return nil
}

// count checks that every picture is there.
func (c *Clip) count() error {
	dir := filepath.Join(c.Dir, "frames")
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("%w: the pictures belong there, from 00000.jpg", err)
	}
	there := map[string]bool{}
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), ".jpg") {
			there[e.Name()] = true
		}
	}
	if c.Frames == 0 {
		c.Frames = len(there)
	}
	switch {
	case len(there) == 0:
		return fmt.Errorf("%s has no *.jpg in it: the pictures belong there, from 00000.jpg", dir)
	case len(there) > maxFrames:
		return fmt.Errorf("%s has %d pictures: a clip has at most %d; cut it into several", dir, len(there), maxFrames)
	}
	for n := range c.Frames {
		if !there[frameName(n)] {
			return fmt.Errorf("%s is missing: %d frames are numbered 00000.jpg to %s without a gap", filepath.Join(dir, frameName(n)), c.Frames, frameName(c.Frames-1))
		}
	}
	if len(there) > c.Frames {
		return fmt.Errorf(`%s has %d pictures, but "frames" in labels.json is %d: correct it, or leave it out`, dir, len(there), c.Frames)
	}
	return nil
}

func frameName(n int) string { return fmt.Sprintf("%05d.jpg", n) }

// Picture reads frame n.
func (c Clip) Picture(n int) ([]byte, error) {
	return readSmall(filepath.Join(c.Dir, "frames", frameName(n)), maxPicture)
}

// readSmall reads a file of at most limit bytes.
func readSmall(path string, limit int64) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Size() > limit {
		return nil, fmt.Errorf("%s has %d bytes: at most %d are read", path, info.Size(), limit)
	}
	return os.ReadFile(path)
}
