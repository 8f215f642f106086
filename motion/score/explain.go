package score

import (
	"context"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/espcam-bridge/espcam-bridge/motion"
)

// Show says which frames Explain draws. The zero value draws those around each
// change of decision and some of each missed or false stretch.
type Show struct {
	All      bool
	From, To int // with Range: all of these, both included
	Range    bool
}

// Explained is one line of explain.jsonl.
type Explained struct {
	Line
	Seconds float64 `json:"seconds"`
	Label   string  `json:"label"`             // moves, quiet, not scored
	Picture string  `json:"picture,omitempty"` // file name in the same folder
}

const (
	around     = 2   // judged frames before and after a change that are drawn
	perStretch = 8   // pictures of one missed or false stretch
	pictureW   = 640 // pixels: smaller debug pictures are enlarged to about that
)

// Explain replays a clip and writes debug pictures of it into the folder dir,
// which it makes: 00123.png and so on, and explain.jsonl with a line for each
// judged frame. It returns the outcome and how many pictures there are.
func Explain(ctx context.Context, c Clip, o Options, show Show, dir string) (Outcome, int, error) {
	out, err := Run(ctx, c, o, nil)
	if err != nil {
		return Outcome{}, 0, err
	}
	wanted := show.pick(out)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return Outcome{}, 0, fmt.Errorf("%w: name another folder with --out", err)
	}
	file, err := os.Create(filepath.Join(dir, "explain.jsonl"))
	if err != nil {
		return Outcome{}, 0, fmt.Errorf("%w: name another folder with --out", err)
	}
	defer file.Close()
	pictures := 0
	enc, labels := json.NewEncoder(file), verdicts(c.Labels, c.Frames, o.rules())
	_, err = Run(ctx, c, o, func(l Line, d *motion.Detector) error {
		e := Explained{Line: l, Seconds: c.time(l.Frame).Seconds(), Label: labels[l.Frame].String()}
		if debug := d.Debug(); wanted[l.Frame] && debug != nil {
			e.Picture = fmt.Sprintf("%05d.png", l.Frame)
			if err := writePNG(filepath.Join(dir, e.Picture), enlarge(debug.Picture(), pictureW)); err != nil {
				return err
			}
			pictures++
		}
		return enc.Encode(e)
	})
	if err != nil {
		return Outcome{}, 0, err
	}
	return out, pictures, file.Close()
}

func (v verdict) String() string { return [...]string{"quiet", "moves", "not scored"}[v] }

// pick chooses frames.
func (s Show) pick(out Outcome) map[int]bool {
	wanted := map[int]bool{}
	for i, l := range out.Lines {
		changed := i > 0 && out.Lines[i-1].Motion != l.Motion
		if s.All || s.Range && l.Frame >= s.From && l.Frame <= s.To {
			wanted[l.Frame] = true
		}
		if changed && !s.Range {
			for k := max(0, i-around); k <= min(i+around, len(out.Lines)-1); k++ {
				wanted[out.Lines[k].Frame] = true
			}
		}
	}
	if s.Range {
		return wanted
	}
	for _, stretch := range slices.Concat(out.Missed, out.FalseAt) {
		lines := out.within(stretch)
		for i := range min(perStretch, len(lines)) {
			wanted[lines[i*len(lines)/min(perStretch, len(lines))].Frame] = true
		}
	}
	return wanted
}

// within returns the lines of a span.
func (out Outcome) within(s Span) []Line {
	return slices.DeleteFunc(slices.Clone(out.Lines), func(l Line) bool { return l.Frame < s.From || l.Frame > s.To })
}

func writePNG(path string, img image.Image) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := png.Encode(f, img); err != nil {
		return err
	}
	return f.Close()
}

// enlarge repeats pixels until the picture is about that wide.
func enlarge(src *image.RGBA, width int) image.Image {
	k := max(1, width/max(1, src.Rect.Dx()))
	dst := image.NewRGBA(image.Rect(0, 0, k*src.Rect.Dx(), k*src.Rect.Dy()))
	for y := range dst.Rect.Dy() {
		for x := range dst.Rect.Dx() {
			dst.SetRGBA(x, y, pixel(src, x/k, y/k))
		}
	}
	return dst
}

func pixel(img *image.RGBA, x, y int) color.RGBA {
	return img.RGBAAt(img.Rect.Min.X+x, img.Rect.Min.Y+y)
}

// Reasons says in words what was missed or false, a sentence for each stretch,
// and the likely reason.
func (out Outcome) Reasons(c Clip) []string {
	var text []string
	for _, s := range out.Missed {
		text = append(text, fmt.Sprintf("missed: %s. %s", c.stretch(s), why(out.within(s))))
	}
	for _, s := range out.FalseAt {
		text = append(text, fmt.Sprintf("false: %s. %s", c.stretch(s), where(out.within(s))))
	}
	return text
}

// stretch names a span in frames and seconds.
func (c Clip) stretch(s Span) string {
	return fmt.Sprintf("frames %d to %d (%.1f to %.1f s)", s.From, s.To, c.time(s.From).Seconds(), c.time(s.To).Seconds())
}

// why says what kept the detector quiet.
func why(lines []Line) string {
	counts := map[motion.Quiet]int{}
	seen := 0
	for _, l := range lines {
		counts[l.Quiet]++
		if len(l.Boxes) > 0 {
			seen++
		}
	}
	if len(lines) == 0 {
		return "None of these frames was judged: use fewer --every, or more --fps."
	}
	if seen > 0 && counts[""] >= len(lines)/2 {
		return fmt.Sprintf("Something moved in %d of %d frames, but never in enough of them in a row: try --frames 1/1, or more --fps.", seen, len(lines))
	}
	most := motion.Quiet("")
	for _, q := range motion.Quiets() {
		if counts[q] > counts[most] {
			most = q
		}
	}
	return fmt.Sprintf("In %d of %d frames: %s", counts[most], len(lines), advice(most))
}

// advice is a reason in words, and what may help.
func advice(q motion.Quiet) string {
	switch q {
	case motion.Settling:
		return "it was still learning, after the start or another picture size; that takes 1 s and 4 frames."
	case motion.SceneChange:
		return "most of the picture changed at once, which counts as light, not as motion."
	case motion.Damaged:
		return "the picture was damaged or refused."
	case motion.Masked:
		return "it moved only where motion is ignored: make the ignored areas smaller."
	case motion.TooSmall:
		return "what moved was too small: try a higher --sensitivity, a smaller --area, or --width 320."
	}
	return "nothing differed enough from the background: try a higher --sensitivity, a lower --threshold or --noise, or --width 320."
}

// where says what moved in a false stretch, at its strongest frame.
func where(lines []Line) string {
	boxed := slices.DeleteFunc(slices.Clone(lines), func(l Line) bool { return len(l.Boxes) == 0 })
	if len(boxed) == 0 {
		return "No group moved in these frames: the frames just before them decided."
	}
	top := slices.MaxFunc(boxed, func(a, b Line) int {
		switch {
		case a.Score < b.Score:
			return -1
		case a.Score > b.Score:
			return 1
		}
		return 0
	})
	b := top.Boxes[0]
	return fmt.Sprintf("Strongest in frame %d, score %.2f: %s of %.1f %% of the picture around (%.2f, %.2f). "+
		"Look at the pictures; if it is always there, ignore that area, else try a lower --sensitivity.",
		top.Frame, top.Score, plural(len(top.Boxes), "moving group, the largest", "moving groups, the largest"), 100*b[2]*b[3], b[0]+b[2]/2, b[1]+b[3]/2)
}

func plural(n int, one, many string) string {
	return fmt.Sprintf("%d %s", n, map[bool]string{true: one, false: many}[n == 1])
}

// QuietText lists why frames were quiet, the commonest first.
func (out Outcome) QuietText() string {
	reasons := slices.DeleteFunc(motion.Quiets(), func(q motion.Quiet) bool { return out.Quiet[q] == 0 })
	if len(reasons) == 0 {
		return "no frame was kept quiet"
	}
	slices.SortStableFunc(reasons, func(a, b motion.Quiet) int { return int(out.Quiet[b]) - int(out.Quiet[a]) })
	var parts []string
	for _, q := range reasons {
		parts = append(parts, fmt.Sprintf("%d %s", out.Quiet[q], q))
	}
	return strings.Join(parts, ", ")
}
