package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/espcam-bridge/espcam-bridge/motion/score"
)

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
