package fakecam

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// FilmConfig says what Film draws. Every field may be zero.
type FilmConfig struct {
	Scene         int           // as in Config
	Plan          string        // default Home
	Width, Height int           // pixels; default 320x240
	FPS           int           // 1-30; default 10
	Frames        int           // default what 60 seconds have
	Start         time.Duration // into the plan
	Seed          uint64
	Quality       int // as cameras count, 4 best to 63 worst; default 12
}

// Span is a range of frames, both ends included, counted from 0.
type Span struct {
	From int `json:"from"`
	To   int `json:"to"`
}

// movingShare is how much of the picture must show of a figure for it to count.
const movingShare = 0.0015

// Footage is a piece of film with the truth about it.
type Footage struct {
	FPS    int
	Frames [][]byte // JPEGs
	Moving []Span   // a figure moves and at least 0.15 % of the picture shows it
	Unsure []Span   // a figure moves, but less of it is to be seen
}

// Film draws what a camera sees, with the exact truth; what is neither Moving nor
// Unsure is light, weather and the clock. Tests use it where a detector must be
// told something true.
func Film(cfg FilmConfig) (Footage, error) {
	c := Config{
		Scene: cfg.Scene, Plan: or(cfg.Plan, Home), FPS: or(cfg.FPS, 10), Seed: cfg.Seed,
		Width: or(cfg.Width, 320), Height: or(cfg.Height, 240), Name: "Film",
		Clock: func() time.Time { return time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC) },
	}.withDefaults()
	if err := c.check(); err != nil {
		return Footage{}, err
	}
	b := newBoard(c)
	if cfg.Quality != 0 {
		b.settings["quality"] = cfg.Quality
	}
	s := newStage(b.look(c, time.Time{}))
	f := Footage{FPS: c.FPS}
	for i := range or(cfg.Frames, 60*c.FPS) {
		at := cfg.Start + time.Duration(i)*time.Second/time.Duration(c.FPS)
		f.Frames = append(f.Frames, slices.Clone(s.picture(at, c.Clock().Add(at), "")))
		switch v := s.visible(); {
		case v >= movingShare:
			f.Moving = extend(f.Moving, i)
		case v > 0:
			f.Unsure = extend(f.Unsure, i)
		}
	}
	return f, nil
}

// extend adds a frame to the last span, or begins the next.
func extend(spans []Span, frame int) []Span {
	if n := len(spans); n > 0 && spans[n-1].To == frame-1 {
		spans[n-1].To = frame
		return spans
	}
	return append(spans, Span{frame, frame})
}

// WriteClip writes footage to the folder dir, which it makes, as the labelled
// clip that LoadClip and "espcam-bridge motion score" read.
func WriteClip(dir string, f Footage) error {
	labels := struct {
		Name     string `json:"name"`
		FPS      int    `json:"fps"`
		Frames   int    `json:"frames"`
		Segments []Span `json:"segments"`
		Ignore   []Span `json:"ignore"`
		Real     bool   `json:"real"`
		Desc     string `json:"desc"`
	}{filepath.Base(dir), f.FPS, len(f.Frames), append([]Span{}, f.Moving...), append([]Span{}, f.Unsure...), false, "drawn by fakecam"}
	text, err := json.MarshalIndent(labels, "", " ")
	if err != nil {
		return err
	}
	pictures := filepath.Join(dir, "frames")
	if err := os.MkdirAll(pictures, 0o755); err != nil {
		return err
	}
	for i, b := range f.Frames {
		if err := os.WriteFile(filepath.Join(pictures, fmt.Sprintf("%05d.jpg", i)), b, 0o644); err != nil {
			return err
		}
	}
	return os.WriteFile(filepath.Join(dir, "labels.json"), append(text, '\n'), 0o644)
}
