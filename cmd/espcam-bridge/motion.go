package main

import (
	"encoding/json"
	"fmt"
	"os"

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
