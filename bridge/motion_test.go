package bridge_test

import (
	"encoding/json"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge"
)

func TestDefaultMotionIsAccepted(t *testing.T) {
	values := bridge.DefaultMotion().Values()
	b, err := json.Marshal(values)
	if err != nil {
		t.Fatal(err)
	}
	var back map[string]any
	if err := json.Unmarshal(b, &back); err != nil {
		t.Fatal(err)
	}
	change, err := bridge.CheckMotion(back)
	if err != nil {
		t.Fatalf("the defaults as JSON %s: %v", b, err)
	}
	got := bridge.Motion{}.With(change)
	want := bridge.DefaultMotion()
	want.Ignore, want.Zones = []bridge.Polygon{}, map[string]bridge.Polygon{}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("through JSON the defaults became\n%+v, want\n%+v", got, want)
	}
	if !slices.Equal(slices.Sorted(keys(values)), slices.Sorted(slices.Values(bridge.MotionNames()))) {
		t.Errorf("Values has %v, MotionNames %v", values, bridge.MotionNames())
	}
}

func keys(m bridge.MotionChange) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

func TestCheckMotionNormalises(t *testing.T) {
	for text, want := range map[string]bridge.MotionChange{
		`{"enabled":false}`:        {"enabled": false},
		`{"sensitivity":"high"}`:   {"sensitivity": 75},
		`{"sensitivity":1}`:        {"sensitivity": 1},
		`{"fps":15,"width":80}`:    {"fps": 15, "width": 80},
		`{"off_delay":"1m30s"}`:    {"off_delay": 90.0},
		`{"off_delay":2.5}`:        {"off_delay": 2.5},
		`{"threshold":null}`:       {"threshold": nil},
		`{"noise":5,"area":0.001}`: {"noise": 5.0, "area": 0.001},
		`{"frames":"4/6"}`:         {"frames": "4/6"},
		`{"ignore":[[[0,0],[1,0],[1,0.2]]]}`: {
			"ignore": []bridge.Polygon{{{0, 0}, {1, 0}, {1, 0.2}}}},
		`{"zones":{"door":[[0,0],[1,0],[1,1],[0,1]]}}`: {
			"zones": map[string]bridge.Polygon{"door": {{0, 0}, {1, 0}, {1, 1}, {0, 1}}}},
	} {
		got, err := bridge.CheckMotion(fromJSON(t, text))
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %#v, %v; want %#v", text, got, err, want)
		}
		again, err := bridge.CheckMotion(got) // its own result, too
		if err != nil || !reflect.DeepEqual(again, want) {
			t.Errorf("%s a second time: %#v, %v", text, again, err)
		}
	}
}

func fromJSON(t *testing.T, text string) map[string]any {
	t.Helper()
	var in map[string]any
	if err := json.Unmarshal([]byte(text), &in); err != nil {
		t.Fatal(err)
	}
	return in
}

// Every mistake is named with its value and with what would be right.
func TestCheckMotionRefuses(t *testing.T) {
	many := "[" + strings.Repeat("[0.1,0.1],", 32) + "[0.9,0.9]]"
	for _, c := range []struct{ in, field, says string }{
		{`{"sensitivty":50}`, "motion.sensitivty", "there is no motion setting"},
		{`{"enabled":"yes"}`, "motion.enabled", `true or false, not "yes"`},
		{`{"sensitivity":"ultra"}`, "motion.sensitivity", `low, medium, high or a whole number from 1 to 100, not "ultra"`},
		{`{"sensitivity":0}`, "motion.sensitivity", "1 to 100, not 0"},
		{`{"sensitivity":[1]}`, "motion.sensitivity", "not [1]"},
		{`{"fps":0}`, "motion.fps", "1 to 15, not 0"},
		{`{"fps":1000}`, "motion.fps", "1 to 15, not 1000"},
		{`{"fps":2.5}`, "motion.fps", "whole number"},
		{`{"width":100}`, "motion.width", "80, 160 or 320, not 100"},
		{`{"off_delay":"0s"}`, "motion.off_delay", `1s to 5m, not "0s"`},
		{`{"off_delay":301}`, "motion.off_delay", "not 301"},
		{`{"off_delay":"soon"}`, "motion.off_delay", `not "soon"`},
		{`{"threshold":3}`, "motion.threshold", "4 to 100, not 3"},
		{`{"noise":0.5}`, "motion.noise", "1 to 20, not 0.5"},
		{`{"area":0.6}`, "motion.area", "0.0001 to 0.5, not 0.6"},
		{`{"frames":"3/2"}`, "motion.frames", `not "3/2"`},
		{`{"frames":"02/3"}`, "", ""}, // odd, but clear
		{`{"frames":"2/7"}`, "motion.frames", `not "2/7"`},
		{`{"ignore":{}}`, "motion.ignore", "list of at most 16 polygons"},
		{`{"ignore":[[[0,0],[1.2,0],[1,1]]]}`, "motion.ignore", "polygon 1 has point 2 at (1.2, 0): x and y are shares of the picture, from 0 to 1"},
		{`{"ignore":[[[0,0],[1,0]]]}`, "motion.ignore", "has 2 points: it needs 3 to 32"},
		{`{"ignore":[` + many + `]}`, "motion.ignore", "has 33 points: it needs 3 to 32"},
		{`{"ignore":[[[0,0],[1,1],[1,0],[0,1]]]}`, "motion.ignore", "crosses itself: the edges after points 1 and 3 meet"},
		{`{"ignore":[[[0,0],[0.5,0.5],[1,1]]]}`, "motion.ignore", "covers 0 of the picture"},
		{`{"ignore":[[[0,0],[1,0],[0.2,0],[0,1]]]}`, "motion.ignore", "crosses itself"},
		{`{"ignore":[[[0,0],[1,"x"],[1,1]]]}`, "motion.ignore", "a point is two numbers"},
		{`{"ignore":[[[0,0],[1],[1,1]]]}`, "motion.ignore", "a point is [x, y]"},
		{`{"ignore":["x"]}`, "motion.ignore", "must be a list of points"},
		{`{"zones":[[[0,0],[1,0],[1,1]]]}`, "motion.zones", "at most 16 named polygons"},
		{`{"zones":{"":[[0,0],[1,0],[1,1]]}}`, "motion.zones", "a zone's name has 1 to 32 characters"},
		{`{"zones":{"door":[[0,0],[1,0]]}}`, "motion.zones", `"door" has 2 points`},
	} {
		_, err := bridge.CheckMotion(fromJSON(t, c.in))
		if c.field == "" {
			if err != nil {
				t.Errorf("%s: %v", c.in, err)
			}
			continue
		}
		if bridge.CodeOf(err) != bridge.CodeInvalid || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%.60s: %v; want a sentence with %q", c.in, err, c.says)
			continue
		}
		if e := err.(*bridge.Error); e.Field != c.field {
			t.Errorf("%.60s: the error is about %q, want %q", c.in, e.Field, c.field)
		}
	}
}

func TestPolygonNumbers(t *testing.T) {
	for _, bad := range []float64{math.NaN(), math.Inf(1), -0.0001} {
		if _, err := bridge.CheckMotion(map[string]any{"ignore": []bridge.Polygon{{{bad, 0}, {1, 0}, {1, 1}}}}); err == nil {
			t.Errorf("a point at %g was accepted", bad)
		}
	}
	star := bridge.Polygon{{0.5, 0}, {0.8, 0.9}, {0, 0.3}, {1, 0.3}, {0.2, 0.9}}
	if _, err := bridge.CheckMotion(map[string]any{"ignore": []bridge.Polygon{star}}); err == nil {
		t.Error("a star was accepted")
	}
	notch := bridge.Polygon{{0, 0}, {1, 0}, {1, 1}, {0.5, 0.2}, {0, 1}}
	if _, err := bridge.CheckMotion(map[string]any{"ignore": []bridge.Polygon{notch}}); err != nil {
		t.Errorf("a concave polygon: %v", err)
	}
}

func TestKnownMotionKeepsWhatIsRight(t *testing.T) {
	got := bridge.KnownMotion(map[string]any{"fps": 5.0, "width": 7.0, "colour": "red", "area": nil})
	if want := (bridge.MotionChange{"fps": 5}); !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestMotionBackToDefault(t *testing.T) {
	m := bridge.DefaultMotion().With(bridge.MotionChange{"threshold": 30, "area": 0.01, "zones": map[string]bridge.Polygon{"a": {}}})
	m = m.With(bridge.MotionChange{"threshold": nil, "area": nil, "zones": nil})
	if m.Threshold != 0 || m.Area != 0 || len(m.Zones) != 0 {
		t.Errorf("got %+v", m)
	}
	c := bridge.MotionChange{"fps": 5}.Merge(bridge.MotionChange{"fps": nil, "width": 80})
	if want := (bridge.MotionChange{"width": 80}); !reflect.DeepEqual(c, want) {
		t.Errorf("merged to %v, want %v", c, want)
	}
}

func TestSensitivityPresets(t *testing.T) {
	for _, c := range []struct {
		sensitivity, threshold int
		area                   float64
	}{{1, 40, 0.01}, {25, 28, 0.004}, {50, 20, 0.0008}, {62, 17, 0.000656}, {75, 14, 0.0005}, {100, 10, 0.0003}} {
		threshold, area := bridge.DefaultMotion().With(bridge.MotionChange{"sensitivity": c.sensitivity}).Resolved()
		if threshold != c.threshold || math.Abs(area-c.area) > 1e-9 {
			t.Errorf("sensitivity %d is threshold %d, area %g; want %d, %g", c.sensitivity, threshold, area, c.threshold, c.area)
		}
	}
	threshold, area := bridge.DefaultMotion().With(bridge.MotionChange{"threshold": 33, "area": 0.02}).Resolved()
	if threshold != 33 || area != 0.02 {
		t.Errorf("expert values became %d, %g", threshold, area)
	}
}

func TestEventIDsSortByTime(t *testing.T) {
	begin := time.UnixMilli(1_795_000_000_123)
	ids := []string{
		bridge.NewEventID(time.UnixMilli(0), 0), bridge.NewEventID(begin, 0), bridge.NewEventID(begin, 31),
		bridge.NewEventID(begin, 32), bridge.NewEventID(begin.Add(time.Millisecond), 0), bridge.NewEventID(begin.AddDate(300, 0, 0), 9),
	}
	if !slices.IsSorted(ids) {
		t.Errorf("not in order: %v", ids)
	}
	if at, ok := bridge.EventTime(ids[3]); !ok || !at.Equal(begin) {
		t.Errorf("%s is of %v, want %v", ids[3], at, begin)
	}
	for _, bad := range []string{"", "short", strings.Repeat("u", 13), "../../../etc/p", "0ABCDEFGHJKMN"} {
		if _, ok := bridge.EventTime(bad); ok {
			t.Errorf("%q passes for an id", bad)
		}
	}
}

func TestEventListenerMerges(t *testing.T) {
	l := bridge.NewEventListener()
	l.Tell(bridge.Event{ID: "a", Score: 0.1})
	l.Tell(bridge.Event{ID: "b"})
	l.Tell(bridge.Event{ID: "a", Score: 0.9, Ending: bridge.EndQuiet})
	<-l.Ready()
	events, lost := l.Take()
	if len(events) != 2 || events[0].ID != "a" || events[0].Score != 0.9 || lost != 0 {
		t.Errorf("took %+v, lost %d", events, lost)
	}
	for i := range 1030 {
		l.Tell(bridge.Event{ID: bridge.NewEventID(time.UnixMilli(1), uint16(i))})
	}
	events, lost = l.Take()
	if len(events) != 1024 || lost != 6 || events[0].ID != bridge.NewEventID(time.UnixMilli(1), 6) {
		t.Errorf("kept %d, lost %d, first %s", len(events), lost, events[0].ID)
	}
}
