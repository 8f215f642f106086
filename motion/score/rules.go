package score

import "slices"

// Rules are the times of scoring, in seconds.
type Rules struct {
	Lead  float64 // before a segment that are not scored
	Tail  float64 // after a segment that are not scored
	Merge float64 // false runs that are less apart are one event
}

// DefaultRules are those that the README explains.
func DefaultRules() Rules { return Rules{Lead: 0.5, Tail: 2, Merge: 2} }

// Result holds the scores of one clip, or of several.
type Result struct {
	Clip         string  `json:"clip"`
	Events       int     `json:"events"`
	Hit          int     `json:"hit"`
	FalseEvents  int     `json:"false_events"`
	EventP       float64 `json:"event_precision"`
	EventR       float64 `json:"event_recall"`
	EventF1      float64 `json:"event_f1"`
	FalsePerHour float64 `json:"false_per_hour"` // of scored quiet time
	TP           int     `json:"tp"`             // frames
	FP           int     `json:"fp"`
	FN           int     `json:"fn"`
	TN           int     `json:"tn"`
	FrameP       float64 `json:"frame_precision"`
	FrameR       float64 `json:"frame_recall"`
	FrameF1      float64 `json:"frame_f1"`
	DelayMS      float64 `json:"median_delay_ms"` // from a segment's first frame to the first with motion

	Missed   []Span `json:"missed,omitempty"`   // segments without motion
	FalseAt  []Span `json:"false_at,omitempty"` // false events, from their first to their last frame
	quietSec float64
	delays   []float64
}

// Misses is the number of segments without motion.
func (r Result) Misses() int { return r.Events - r.Hit }

// verdict is how a frame counts.
type verdict uint8

const (
	mustBeQuiet verdict = iota
	moves
	notScored
)

// verdicts says how each of n frames counts.
func verdicts(l Labels, n int, r Rules) []verdict {
	out := make([]verdict, n)
	mark := func(from, to int, v verdict) {
		for i := max(from, 0); i <= min(to, n-1); i++ {
			out[i] = v
		}
	}
	for _, s := range l.Segments {
		mark(s.From-l.frames(r.Lead), s.To+l.frames(r.Tail), notScored)
	}
	for _, s := range l.Ignore {
		mark(s.From, s.To, notScored)
	}
	for _, s := range l.Segments {
		mark(s.From, s.To, moves)
	}
	return out
}

// frames is how many frames so many seconds are.
func (l Labels) frames(seconds float64) int { return int(seconds*l.FPS + 0.5) }

// Score compares a decision per frame with the labels of a clip. Where there are
// fewer decisions than frames, the rest counts as quiet.
func Score(l Labels, motion []bool, rules Rules) Result {
	n := l.Frames
	if n == 0 {
		n = len(motion)
	}
	decisions := make([]bool, n)
	copy(decisions, motion)
	r := Result{Events: len(l.Segments)}
	for _, s := range l.Segments {
		r.segment(l, s, decisions)
	}
	r.count(l, decisions, verdicts(l, n, rules), l.frames(rules.Merge))
	r.finish()
	return r
}

// segment looks for the first motion in s.
func (r *Result) segment(l Labels, s Span, motion []bool) {
	from, to := max(s.From, 0), min(s.To+1, len(motion))
	if from < to {
		if i := slices.Index(motion[from:to], true); i >= 0 {
			r.Hit++
			r.delays = append(r.delays, float64(from+i-s.From)/l.FPS*1000)
			return
		}
	}
	r.Missed = append(r.Missed, s)
}

// count counts frames and false events. Runs of false motion at most gap frames
// apart are one event, unless a segment lies between.
func (r *Result) count(l Labels, motion []bool, verdicts []verdict, gap int) {
	open := false // the last of FalseAt may still grow
	quiet := 0
	for i, v := range verdicts {
		switch {
		case v == notScored:
		case v == moves && motion[i]:
			open = false
			r.TP++
		case v == moves:
			open = false
			r.FN++
		case !motion[i]:
			quiet++
			r.TN++
		default:
			quiet++
			r.FP++
			if last := len(r.FalseAt) - 1; open && i-r.FalseAt[last].To <= gap {
				r.FalseAt[last].To = i
			} else {
				r.FalseAt = append(r.FalseAt, Span{i, i})
			}
			open = true
		}
	}
	r.FalseEvents = len(r.FalseAt)
	r.quietSec = float64(quiet) / l.FPS
}

// Total adds up the counts of several results and scores the sum; it is no mean
// of scores.
func Total(results []Result) Result {
	t := Result{Clip: "TOTAL"}
	for _, r := range results {
		t.Events += r.Events
		t.Hit += r.Hit
		t.FalseEvents += r.FalseEvents
		t.TP += r.TP
		t.FP += r.FP
		t.FN += r.FN
		t.TN += r.TN
		t.quietSec += r.quietSec
		t.delays = append(t.delays, r.delays...)
	}
	t.finish()
	return t
}

// finish derives scores from counts.
func (r *Result) finish() {
	r.EventP, r.EventR, r.EventF1 = scores(r.Hit, r.FalseEvents, r.Misses())
	r.FrameP, r.FrameR, r.FrameF1 = scores(r.TP, r.FP, r.FN)
	if r.quietSec > 0 {
		r.FalsePerHour = float64(r.FalseEvents) / r.quietSec * 3600
	}
	if len(r.delays) > 0 {
		r.DelayMS = slices.Sorted(slices.Values(r.delays))[len(r.delays)/2]
	}
}

// scores are precision, recall and their harmonic mean. With nothing to find and
// nothing found all are 1.
func scores(right, wrong, missed int) (precision, recall, f1 float64) {
	if right+wrong+missed == 0 {
		return 1, 1, 1
	}
	if right+wrong > 0 {
		precision = float64(right) / float64(right+wrong)
	}
	recall = 1
	if right+missed > 0 {
		recall = float64(right) / float64(right+missed)
	}
	if precision+recall > 0 {
		f1 = 2 * precision * recall / (precision + recall)
	}
	return precision, recall, f1
}
