package score

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"sync"
	"time"

	"github.com/espcam-bridge/espcam-bridge/motion"
)

// Options say how clips are replayed. The zero value judges every frame with
// the detector's defaults.
type Options struct {
	Config motion.Config
	Every  int     // judge every n-th frame only; 0 and 1: all
	FPS    float64 // judge so many frames per second at most: the first that is due; 0: all
	Rules  Rules   // the zero value means DefaultRules
}

// Line is what the detector said of one frame, as it goes into a file of
// detections.
type Line struct {
	Frame  int          `json:"frame"`
	Motion bool         `json:"motion"`
	Score  float64      `json:"score"`
	Quiet  motion.Quiet `json:"quiet"`
	Boxes  [][4]float64 `json:"boxes,omitempty"` // x, y, w, h in shares of the picture
	Zones  []string     `json:"zones,omitempty"`
}

// Outcome is what became of one clip.
type Outcome struct {
	Result
	Judged int                     `json:"judged"`   // frames that the detector was given
	CostUS float64                 `json:"us_frame"` // of decoding and judging one, on average
	Quiet  map[motion.Quiet]uint64 `json:"quiet"`    // how many were quiet, and why
	Lines  []Line                  `json:"-"`        // one per judged frame
	Err    error                   `json:"-"`        // a picture could not be read: there is no result
	cost   time.Duration
}

// Run replays one clip. see, if it is not nil, is called after each judgement; it
// may look into the detector, and its error ends the replay.
func Run(ctx context.Context, c Clip, o Options, see func(Line, *motion.Detector) error) (Outcome, error) {
	d := motion.New(o.detector())
	defer d.Close()
	out := Outcome{Quiet: map[motion.Quiet]uint64{}}
	pace := newPacer(o)
	for n := range c.Frames {
		at := c.time(n)
		if !pace.due(n, at) {
			continue
		}
		b, err := c.Picture(n)
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return Outcome{}, err
		}
		began := time.Now()
		j := d.Judge(b, clipStart().Add(at))
		out.cost += time.Since(began)
		out.Lines = append(out.Lines, lineOf(n, j))
		if see != nil {
			if err := see(out.Lines[len(out.Lines)-1], d); err != nil {
				return Outcome{}, err
			}
		}
	}
	out.finish(c, o, d.Counts())
	return out, nil
}

func (o Options) detector() motion.Config {
	cfg := o.Config
	if cfg.FPS == 0 {
		cfg.FPS = o.FPS
	}
	return cfg
}

func (o Options) rules() Rules {
	if o.Rules == (Rules{}) {
		return DefaultRules()
	}
	return o.Rules
}

// clipStart is when clips begin, for the detector; any time but the zero time.
func clipStart() time.Time { return time.Unix(1_000_000_000, 0) }

// time is when frame n comes, after the clip's beginning.
func (c Clip) time(n int) time.Duration {
	return time.Duration(float64(n) / c.FPS * float64(time.Second))
}

// finish scores the lines.
func (out *Outcome) finish(c Clip, o Options, counts motion.Counts) {
	out.Result = Score(c.Labels, decisions(out.Lines, c.Frames), o.rules())
	out.Clip = c.Name
	out.Judged = len(out.Lines)
	out.price()
	for _, q := range motion.Quiets() {
		if n := counts.Of(q); n > 0 {
			out.Quiet[q] = n
		}
	}
}

func (out *Outcome) price() {
	if out.Judged > 0 {
		out.CostUS = float64(out.cost.Nanoseconds()) / float64(out.Judged) / 1000
	}
}

// decisions spreads lines over n frames: a frame that was not judged keeps the
// state of the one before it.
func decisions(lines []Line, n int) []bool {
	out := make([]bool, n)
	for i, l := range lines {
		to := n
		if i+1 < len(lines) {
			to = lines[i+1].Frame
		}
		for f := l.Frame; f < to; f++ {
			out[f] = l.Motion
		}
	}
	return out
}

func lineOf(n int, j motion.Judgement) Line {
	l := Line{Frame: n, Motion: j.Motion, Score: j.Score, Quiet: j.Quiet, Zones: j.Zones}
	for _, b := range j.Boxes {
		l.Boxes = append(l.Boxes, [4]float64{b.X, b.Y, b.W, b.H})
	}
	return l
}

// pacer decides which frames are judged.
type pacer struct {
	every int
	step  time.Duration // 0: no limit
	next  time.Duration
}

func newPacer(o Options) *pacer {
	p := &pacer{every: max(o.Every, 1)}
	if o.FPS > 0 {
		p.step = time.Duration(float64(time.Second) / o.FPS)
	}
	return p
}

// due reports whether frame n is judged: the first at or after each due time. A
// hair early counts as due, since times are rounded.
func (p *pacer) due(n int, at time.Duration) bool {
	if n%p.every != 0 || p.step > 0 && at < p.next-time.Millisecond {
		return false
	}
	if p.step > 0 {
		p.next += p.step * max(1, (at-p.next)/p.step+1)
	}
	return true
}

// RunAll replays clips, as many at a time as Go uses cores, and returns what
// became of each in their order. A clip that fails has Err; the others go on.
func RunAll(ctx context.Context, clips []Clip, o Options) []Outcome {
	out := make([]Outcome, len(clips))
	todo := make(chan int, len(clips))
	for i := range clips {
		todo <- i
	}
	close(todo)
	var workers sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(clips)) {
		workers.Go(func() {
			for i := range todo {
				r, err := Run(ctx, clips[i], o, nil)
				if err != nil {
					r.Err = fmt.Errorf("%s: %w", clips[i].Dir, err)
				}
				out[i] = r
			}
		})
	}
	workers.Wait()
	return out
}

// Sum adds up the outcomes that have a result.
func Sum(outcomes []Outcome) Outcome {
	t := Outcome{Quiet: map[motion.Quiet]uint64{}}
	var results []Result
	for _, o := range outcomes {
		if o.Err != nil {
			continue
		}
		results = append(results, o.Result)
		t.Judged += o.Judged
		t.cost += o.cost
		for q, n := range o.Quiet {
			t.Quiet[q] += n
		}
	}
	t.Result = Total(results)
	t.price()
	return t
}

// WriteLines writes lines as a file of detections: one JSON object a line.
func WriteLines(w io.Writer, lines []Line) error {
	enc := json.NewEncoder(w)
	for _, l := range lines {
		if err := enc.Encode(l); err != nil {
			return err
		}
	}
	return nil
}
