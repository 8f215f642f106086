package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/espcam-bridge/espcam-bridge/motion"
	"github.com/espcam-bridge/espcam-bridge/motion/score"
)

// scoring are the flags of "motion score".
type scoring struct {
	judging
	json       bool
	verbose    bool
	detections string
	minF1      float64
	maxFalse   int
}

func scoreCommand() *cobra.Command {
	var s scoring
	c := &cobra.Command{
		Use:   "score DIR...",
		Short: "Replay labelled clips, or folders of them, and print what was found, missed and false",
		Long: `Replay labelled clips, or folders of them, and print what was found, missed and false.

A clip is a folder with labels.json and frames/00000.jpg and so on; motion/README.md in the source says how to make one
of your own false alarms. Exit status: 0, 1 when a given limit is missed, 2 for wrong usage or a clip that cannot be read
(the others are scored).`,
		Example: "  espcam-bridge motion score clips --min-event-f1 0.95\n  espcam-bridge motion score clips/porch-at-night -v --sensitivity high",
		Args:    cobra.MinimumNArgs(1),
		RunE:    s.run,
	}
	fs := c.Flags()
	fs.BoolVar(&s.json, "json", false, "print JSON instead of a table")
	fs.BoolVarP(&s.verbose, "verbose", "v", false, "also say why frames were kept quiet, and what was missed or false")
	fs.StringVar(&s.detections, "detections", "", "write CLIP.jsonl with a line per judged frame into this folder")
	fs.Float64Var(&s.minF1, "min-event-f1", 0, "exit with 1 if the total event F1 is lower")
	fs.IntVar(&s.maxFalse, "max-false", -1, "exit with 1 if there are more false events in total")
	s.add(c)
	return c
}

func (s *scoring) run(c *cobra.Command, paths []string) error {
	opts, err := s.options(c)
	if err != nil {
		return err
	}
	if !(s.minF1 >= 0 && s.minF1 <= 1) {
		return usage{fmt.Errorf("--min-event-f1 is %v: use 0 to 1", s.minF1)}
	}
	clips, faults := score.Find(paths)
	if err := s.distinct(clips); err != nil {
		return usage{err}
	}
	outcomes := score.RunAll(c.Context(), clips, opts)
	if err := c.Context().Err(); err != nil {
		return err
	}
	for _, o := range outcomes {
		if o.Err != nil {
			faults = append(faults, o.Err)
		}
	}
	if len(clips) > 0 {
		if err := s.report(c.OutOrStdout(), clips, outcomes); err != nil {
			return err
		}
	}
	if len(faults) > 0 {
		return usage{errors.Join(faults...)}
	}
	return s.limits(score.Sum(outcomes))
}

// distinct complains of clips that would write the same file of detections.
func (s *scoring) distinct(clips []score.Clip) error {
	dirs := map[string]string{}
	for _, c := range clips {
		if other, twice := dirs[c.Name]; twice && s.detections != "" {
			return fmt.Errorf("--detections: %s and %s would both write %s.jsonl: score them one after the other", other, c.Dir, c.Name)
		}
		dirs[c.Name] = c.Dir
	}
	return nil
}

// limits complains of a total that is worse than asked for.
func (s *scoring) limits(total score.Outcome) error {
	var missed []error
	if total.EventF1 < s.minF1 {
		missed = append(missed, fmt.Errorf("event F1 is %.3f, below --min-event-f1 %v: %d of %d events missed, %d false", total.EventF1, s.minF1, total.Misses(), total.Events, total.FalseEvents))
	}
	if s.maxFalse >= 0 && total.FalseEvents > s.maxFalse {
		missed = append(missed, fmt.Errorf("%d false events, more than --max-false %d", total.FalseEvents, s.maxFalse))
	}
	return errors.Join(missed...)
}

// report prints what was scored and writes the detections.
func (s *scoring) report(w io.Writer, clips []score.Clip, outcomes []score.Outcome) error {
	if err := s.writeDetections(outcomes); err != nil {
		return err
	}
	total := score.Sum(outcomes)
	if s.json {
		enc := json.NewEncoder(w)
		enc.SetIndent("", " ")
		return enc.Encode(map[string]any{"clips": scored(outcomes), "total": total, "decoder": motion.Decoder})
	}
	fmt.Fprintf(w, "%-30s %7s %6s %5s %8s %8s %9s %8s %8s\n", "clip", "hit/all", "missed", "false", "event F1", "frame F1", "delay ms", "false/h", "us/frame")
	for i, o := range outcomes {
		if o.Err != nil {
			continue
		}
		row(w, o)
		if s.verbose {
			details(w, clips[i], o)
		}
	}
	row(w, total)
	if s.verbose {
		fmt.Fprintf(w, "    quiet: %s\n", total.QuietText())
	}
	return nil
}

func scored(outcomes []score.Outcome) []score.Outcome {
	out := []score.Outcome{}
	for _, o := range outcomes {
		if o.Err == nil {
			out = append(out, o)
		}
	}
	return out
}

func row(w io.Writer, o score.Outcome) {
	fmt.Fprintf(w, "%-30s %7s %6d %5d %8.3f %8.3f %9.0f %8.1f %8.0f\n", o.Clip, fmt.Sprintf("%d/%d", o.Hit, o.Events),
		o.Misses(), o.FalseEvents, o.EventF1, o.FrameF1, o.DelayMS, o.FalsePerHour, o.CostUS)
}

func details(w io.Writer, c score.Clip, o score.Outcome) {
	fmt.Fprintf(w, "    quiet: %s\n", o.QuietText())
	for _, text := range o.Reasons(c) {
		fmt.Fprintf(w, "    %s\n", text)
	}
}

func (s *scoring) writeDetections(outcomes []score.Outcome) error {
	if s.detections == "" {
		return nil
	}
	if err := os.MkdirAll(s.detections, 0o755); err != nil {
		return fmt.Errorf("--detections: %w", err)
	}
	for _, o := range scored(outcomes) {
		f, err := os.Create(filepath.Join(s.detections, o.Clip+".jsonl"))
		if err != nil {
			return fmt.Errorf("--detections: %w", err)
		}
		if err := errors.Join(score.WriteLines(f, o.Lines), f.Close()); err != nil {
			return fmt.Errorf("--detections: %w", err)
		}
	}
	return nil
}
