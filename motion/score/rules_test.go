package score_test

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/espcam-bridge/espcam-bridge/motion/score"
)

// on makes decisions: n frames, with motion in these ranges.
func on(n int, spans ...score.Span) []bool {
	out := make([]bool, n)
	for _, s := range spans {
		for i := s.From; i <= s.To; i++ {
			out[i] = true
		}
	}
	return out
}

func TestRules(t *testing.T) {
	type S = []score.Span
	for _, tt := range []struct {
		name             string
		n                int // frames, at 10 per second
		segments, ignore S
		motion           S
		hit, wrong       int
		tp, fp, fn, tn   int
		delay            float64
	}{
		{"perfect", 100, S{{40, 60}}, nil, S{{40, 60}}, 1, 0, 21, 0, 0, 54, 0},
		{"nothing to find, nothing found", 100, nil, nil, nil, 0, 0, 0, 0, 0, 100, 0},
		{"always on is charged a false event for every gap", 300, S{{100, 120}, {200, 220}}, nil, S{{0, 299}}, 2, 3, 42, 208, 0, 0, 0},
		{"late", 200, S{{50, 60}}, nil, S{{55, 75}}, 1, 0, 6, 0, 5, 164, 500},
		{"only in the tail is no hit, and not false", 200, S{{50, 60}}, nil, S{{65, 70}}, 0, 0, 0, 0, 11, 164, 0},
		{"the tail is 20 frames", 200, S{{50, 60}}, nil, S{{80, 81}}, 0, 1, 0, 1, 11, 163, 0},
		{"the lead is 5 frames", 200, S{{50, 60}}, nil, S{{44, 50}}, 1, 1, 1, 1, 10, 163, 0},
		{"ignored", 100, nil, S{{30, 50}}, S{{30, 50}}, 0, 0, 0, 0, 0, 79, 0},
		{"before what is ignored", 100, nil, S{{30, 50}}, S{{25, 50}}, 0, 1, 0, 5, 0, 74, 0},
		{"runs 2 s apart are one", 100, nil, nil, S{{20, 20}, {40, 40}}, 0, 1, 0, 2, 0, 98, 0},
		{"runs more than 2 s apart are two", 100, nil, nil, S{{20, 20}, {41, 41}}, 0, 2, 0, 2, 0, 98, 0},
		{"a segment lies between two runs", 60, S{{20, 20}}, nil, S{{14, 14}, {41, 41}}, 0, 2, 0, 2, 1, 32, 0},
		{"an ignored stretch does not part runs", 100, nil, S{{21, 35}}, S{{20, 20}, {40, 40}}, 0, 1, 0, 2, 0, 83, 0},
		{"a segment wins over ignore", 100, S{{40, 60}}, S{{30, 70}}, S{{45, 45}}, 1, 0, 1, 0, 20, 49, 500},
		{"segments that overlap count twice", 100, S{{40, 60}, {50, 70}}, nil, S{{55, 55}}, 2, 0, 1, 0, 30, 44, 1500},
	} {
		l := score.Labels{FPS: 10, Frames: tt.n, Segments: tt.segments, Ignore: tt.ignore}
		r := score.Score(l, on(tt.n, tt.motion...), score.DefaultRules())
		if r.Events != len(tt.segments) || r.Hit != tt.hit || r.FalseEvents != tt.wrong || len(r.Missed) != r.Misses() || len(r.FalseAt) != tt.wrong {
			t.Errorf("%s: %d of %d events hit, %v missed, %v false", tt.name, r.Hit, r.Events, r.Missed, r.FalseAt)
		}
		if r.TP != tt.tp || r.FP != tt.fp || r.FN != tt.fn || r.TN != tt.tn || r.DelayMS != tt.delay {
			t.Errorf("%s: frames tp %d fp %d fn %d tn %d, delay %v", tt.name, r.TP, r.FP, r.FN, r.TN, r.DelayMS)
		}
	}
}

// TestGolden: the figures of cases drawn at random are those of an independent
// implementation of the same rules, to the last bit.
func TestGolden(t *testing.T) {
	text, err := os.ReadFile("testdata/rules.json")
	if err != nil {
		t.Fatal(err)
	}
	var golden struct {
		Cases []struct {
			Labels score.Labels
			Motion []score.Span
			Want   json.RawMessage
		}
		Total json.RawMessage
	}
	if err := json.Unmarshal(text, &golden); err != nil {
		t.Fatal(err)
	}
	var all []score.Result
	for i, c := range golden.Cases {
		r := score.Score(c.Labels, on(c.Labels.Frames, c.Motion...), score.DefaultRules())
		same(t, i, r, c.Want)
		all = append(all, r)
	}
	same(t, -1, score.Total(all), golden.Total)
}

// same compares the figures that want names.
func same(t *testing.T, i int, r score.Result, want json.RawMessage) {
	t.Helper()
	b, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	var got, wanted map[string]any
	if err := json.Unmarshal(b, &got); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(want, &wanted); err != nil || len(wanted) < 15 {
		t.Fatalf("case %d wants %s: %v", i, want, err)
	}
	for k, v := range wanted {
		if got[k] != v {
			t.Errorf("case %d: %s is %v, want %v", i, k, got[k], v)
		}
	}
}

// TestShortDetections: frames without a decision are quiet, and labels without a
// length have that of the decisions.
func TestShortDetections(t *testing.T) {
	l := score.Labels{FPS: 10, Frames: 100, Segments: []score.Span{{From: 80, To: 90}}}
	if r := score.Score(l, on(50), score.DefaultRules()); r.FN != 11 || r.Misses() != 1 {
		t.Errorf("%+v", r)
	}
	l.Frames = 0
	if r := score.Score(l, on(85), score.DefaultRules()); r.FN != 5 || r.TN != 75 {
		t.Errorf("%+v", r)
	}
}
