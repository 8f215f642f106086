package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/espcam-bridge/espcam-bridge/bridge"
	"github.com/espcam-bridge/espcam-bridge/motion"
	"github.com/espcam-bridge/espcam-bridge/motion/score"
)

func motionCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "motion",
		Short: "Measure motion detection on labelled clips, and see why it decides",
		Args:  cobra.NoArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(scoreCommand(), explainCommand())
	return c
}

// judging are the flags that say how clips are judged.
type judging struct {
	file        string
	sensitivity string
	width       int
	threshold   int
	noise       float64
	area        float64
	frames      string
	every       int
	fps         float64
}

func (j *judging) add(c *cobra.Command) {
	fs := c.Flags()
	fs.SortFlags = false
	fs.StringVar(&j.sensitivity, "sensitivity", "medium", "low, medium, high or 1 to 100")
	fs.IntVar(&j.width, "width", 160, "columns of the picture that is judged: 80, 160 or 320")
	fs.IntVar(&j.every, "every", 1, "judge every n-th frame only, with the time stamps it has")
	fs.Float64Var(&j.fps, "fps", 0, "judge so many frames per second at most (default: all)")
	fs.StringVar(&j.file, "settings", "", "JSON file with motion settings by their names in the API, such as ignore and zones; flags come first")
	fs.IntVar(&j.threshold, "threshold", 0, "expert: grey levels that count as a change, 4 to 100 (default: by sensitivity)")
	fs.Float64Var(&j.noise, "noise", 5, "expert: how many times a pixel's own noise counts as a change, 1 to 20")
	fs.Float64Var(&j.area, "area", 0, "expert: smallest moving group as a share of the picture, 0.0001 to 0.5 (default: by sensitivity)")
	fs.StringVar(&j.frames, "frames", "2/3", "expert: how many of the last frames must show motion, 1/1 to 6/6")
}

// options checks the flags. Its error is usage.
func (j *judging) options(c *cobra.Command) (score.Options, error) {
	settings, err := j.settings(c)
	if err != nil {
		return score.Options{}, usage{err}
	}
	change, err := bridge.CheckMotion(settings)
	if err != nil {
		return score.Options{}, usage{err}
	}
	if _, given := settings["fps"]; given && !c.Flags().Changed("fps") {
		j.fps = float64(bridge.DefaultMotion().With(change).FPS)
	}
	if j.every < 1 || j.every > 1000 {
		return score.Options{}, usage{fmt.Errorf("--every is %d: use 1 (all frames) to 1000", j.every)}
	}
	if !(j.fps >= 0 && j.fps <= 100) {
		return score.Options{}, usage{fmt.Errorf("--fps is %v: use above 0 to 100, or 0 for all frames", j.fps)}
	}
	return score.Options{Config: detectorConfig(bridge.DefaultMotion().With(change)), Every: j.every, FPS: j.fps}, nil
}

// settings are those of the file, and over them the flags that were typed.
func (j *judging) settings(c *cobra.Command) (map[string]any, error) {
	out := map[string]any{}
	if j.file != "" {
		text, err := os.ReadFile(j.file)
		if err != nil {
			return nil, fmt.Errorf("--settings: %w", err)
		}
		if err := json.Unmarshal(text, &out); err != nil || out == nil {
			return nil, fmt.Errorf(`--settings: %s is not a JSON object such as {"ignore":[[[0,0],[0.5,0],[0,0.5]]]}: %w`, j.file, err)
		}
	}
	for name, v := range map[string]any{
		"sensitivity": j.level(), "width": j.width, "threshold": j.threshold, "noise": j.noise, "area": j.area, "frames": j.frames,
	} {
		if c.Flags().Changed(name) {
			out[name] = v
		}
	}
	return out, nil
}

// level is a number where one was typed.
func (j *judging) level() any {
	var n int
	if err := json.Unmarshal([]byte(j.sensitivity), &n); err == nil {
		return n
	}
	return j.sensitivity
}

// detectorConfig is what the detector needs of a camera's settings.
func detectorConfig(m bridge.Motion) motion.Config {
	cfg := motion.Config{Width: m.Width, Noise: m.Noise, Need: m.Need, Of: m.Of}
	cfg.Threshold, cfg.Area = m.Resolved()
	for _, p := range m.Ignore {
		cfg.Ignore = append(cfg.Ignore, motion.Polygon(p))
	}
	for name, p := range m.Zones {
		cfg.Zones = append(cfg.Zones, motion.Zone{Name: name, Area: motion.Polygon(p)})
	}
	return cfg
}

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
	outcomes := score.RunAll(c.Context(), clips, opts)
	for _, o := range outcomes {
		if o.Err != nil {
			faults = append(faults, o.Err)
		}
	}
	if len(faults) < len(clips)+len(faults) || len(outcomes) > 0 {
		if err := s.report(c.OutOrStdout(), clips, outcomes); err != nil {
			return err
		}
	}
	if len(faults) > 0 {
		return usage{errors.Join(faults...)}
	}
	return s.limits(score.Sum(outcomes))
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

// explaining are the flags of "motion explain".
type explaining struct {
	judging
	out  string
	show score.Show
}

func explainCommand() *cobra.Command {
	var e explaining
	c := &cobra.Command{
		Use:   "explain CLIP",
		Short: "Write pictures of what the detector saw in a clip, and say why it was wrong",
		Long: `Write pictures of what the detector saw in a clip, and say why it was wrong.

Without --from, --to or --all these are the frames around each change of its decision, and some of each stretch that was
missed or false. explain.jsonl beside them has a line per judged frame, explain.txt what is printed.`,
		Args: cobra.ExactArgs(1),
		RunE: e.run,
	}
	fs := c.Flags()
	fs.StringVar(&e.out, "out", "", "folder for the pictures (default: explain-CLIP here)")
	fs.IntVar(&e.show.From, "from", 0, "draw all frames from this one on")
	fs.IntVar(&e.show.To, "to", 0, "draw all frames up to this one (default: the last)")
	fs.BoolVar(&e.show.All, "all", false, "draw all frames")
	e.add(c)
	return c
}

func (e *explaining) run(c *cobra.Command, args []string) error {
	opts, err := e.options(c)
	if err != nil {
		return err
	}
	clips, faults := score.Find(args)
	if len(faults) > 0 {
		return usage{errors.Join(faults...)}
	}
	if len(clips) > 1 {
		return usage{fmt.Errorf("%s holds %d clips: name one of them, such as %s", args[0], len(clips), clips[0].Dir)}
	}
	clip := clips[0]
	if err := e.chosen(c, clip); err != nil {
		return usage{err}
	}
	dir := e.out
	if dir == "" {
		dir = "explain-" + clip.Name
	}
	out, pictures, err := score.Explain(c.Context(), clip, opts, e.show, dir)
	if err != nil {
		return err
	}
	return e.tell(c.OutOrStdout(), clip, out, pictures, dir)
}

// chosen checks --from and --to.
func (e *explaining) chosen(c *cobra.Command, clip score.Clip) error {
	from, to := c.Flags().Changed("from"), c.Flags().Changed("to")
	e.show.Range = (from || to) && !e.show.All
	if !to {
		e.show.To = clip.Frames - 1
	}
	if e.show.From < 0 || e.show.To >= clip.Frames || e.show.From > e.show.To {
		return fmt.Errorf("--from %d --to %d: the frames of %s are 0 to %d, the smaller number first", e.show.From, e.show.To, clip.Name, clip.Frames-1)
	}
	return nil
}

// tell prints the summary, and keeps it beside the pictures.
func (e *explaining) tell(w io.Writer, clip score.Clip, out score.Outcome, pictures int, dir string) error {
	f, err := os.Create(filepath.Join(dir, "explain.txt"))
	if err != nil {
		return err
	}
	both := io.MultiWriter(w, f)
	fmt.Fprintf(both, "%s: %d of %d events found, %d false; %d frames judged, kept quiet: %s\n", clip.Name, out.Hit, out.Events, out.FalseEvents, out.Judged, out.QuietText())
	for _, text := range out.Reasons(clip) {
		fmt.Fprintln(both, text)
	}
	if len(out.Missed)+len(out.FalseAt) == 0 {
		fmt.Fprintln(both, "Nothing was missed, nothing was false.")
	}
	fmt.Fprintf(both, "%d pictures and explain.jsonl are in %s\n", pictures, dir)
	return f.Close()
}
