//go:build linux

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// score is what "motion score --json" says, as far as it is judged here.
type score struct {
	Decoder string
	Total   struct {
		Events      int
		Hit         int
		FalseEvents int     `json:"false_events"`
		EventF1     float64 `json:"event_f1"`
		FrameF1     float64 `json:"frame_f1"`
		Delay       float64 `json:"median_delay_ms"`
		Cost        float64 `json:"us_frame"`
	}
}

// motionScore replays the labelled clips through the program: all their frames,
// and every second one, which are 5 a second of most clips.
func motionScore(ctx context.Context, r *rig) result {
	clips := os.Getenv("MOTION_CLIPS")
	if clips == "" {
		clips = "../shared/testdata/motion"
	}
	if _, err := os.Stat(clips); err != nil {
		return skippedBecause("there are no labelled clips in " + clips + ": say with MOTION_CLIPS where they are")
	}
	all, err := r.score(ctx, clips, "1")
	if err != nil {
		return failed(err)
	}
	half, err := r.score(ctx, clips, "2")
	if err != nil {
		return failed(err)
	}
	return result{
		Ours:  fmt.Sprintf("%.3f, half %.3f", all.Total.EventF1, half.Total.EventF1),
		OK:    all.good(0.97) && half.good(0.95),
		Notes: []string{"all frames: " + all.String(), "every second frame: " + half.String()},
	}
}

func (r *rig) score(ctx context.Context, clips, every string) (score, error) {
	var s score
	var out, errs bytes.Buffer
	cmd := exec.CommandContext(ctx, r.Bridge, "motion", "score", "--json", "--every", every, clips)
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return s, fmt.Errorf("%s: %w: %s", cmd, err, strings.TrimSpace(errs.String()))
	}
	return s, json.Unmarshal(out.Bytes(), &s)
}

// good reports whether every event was found, with an F1 of least or more.
func (s score) good(least float64) bool {
	return s.Total.Events > 0 && s.Total.Hit == s.Total.Events && s.Total.EventF1 >= least
}

func (s score) String() string {
	t := s.Total
	return fmt.Sprintf("%d of %d events, %d false, event F1 %.3f, frame F1 %.3f; %.0f ms to the first frame (median); %.0f µs a frame, decoded by %s",
		t.Hit, t.Events, t.FalseEvents, t.EventF1, t.FrameF1, t.Delay, t.Cost, s.Decoder)
}
