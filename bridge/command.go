package bridge

import (
	"math"
	"slices"
	"time"
)

// Drive's time to live: a board must stop by itself when the bridge falls
// silent.
const (
	DefaultTTL = 600 * time.Millisecond
	MaxTTL     = 2 * time.Second
)

// Action is a one-off command to a camera, as opposed to a setting.
type Action struct {
	Name string         // one of snapshot identify restart pan tilt drive stop ota
	Args map[string]any // pan, tilt: angle in degrees; drive: x, y in -1..1 and ttl_ms; ota: url
}

// CheckAction returns a with normalised arguments, or an *Error if the camera
// cannot do it or an argument is wrong. A drive always has a ttl_ms afterwards.
func (o Offer) CheckAction(a Action) (Action, error) {
	if !slices.Contains(actions, a.Name) {
		return a, Errorf(CodeInvalid, "there is no action %q: use one of %v", a.Name, o.Actions).At("action")
	}
	if !o.Can(a.Name) {
		return a, Errorf(CodeUnsupported, "this camera cannot %s; it can %v", a.Name, o.Actions).At("action")
	}
	switch a.Name {
	case "pan":
		return turn(a, o.Pan)
	case "tilt":
		return turn(a, o.Tilt)
	case "drive":
		return drive(a)
	case "ota":
		return a, nil
	}
	if len(a.Args) > 0 {
		return a, Errorf(CodeInvalid, "%s takes no arguments", a.Name).At("args")
	}
	return a, nil
}

func turn(a Action, r *Range) (Action, error) {
	angle, ok := asInt(a.Args["angle"])
	if !ok || angle < r[0] || angle > r[1] || len(a.Args) != 1 {
		return a, Errorf(CodeInvalid, `%s takes {"angle": %d to %d}`, a.Name, r[0], r[1]).At("args.angle")
	}
	a.Args = map[string]any{"angle": angle}
	return a, nil
}

func drive(a Action) (Action, error) {
	out := map[string]any{"ttl_ms": int(DefaultTTL.Milliseconds())}
	for k, v := range a.Args {
		switch k {
		case "x", "y":
			f, ok := asFloat(v)
			if !ok || math.Abs(f) > 1 {
				return a, Errorf(CodeInvalid, "drive takes %s from -1 to 1", k).At("args." + k)
			}
			out[k] = f
		case "ttl_ms":
			n, ok := asInt(v)
			if !ok || n < 50 || n > int(MaxTTL.Milliseconds()) {
				return a, Errorf(CodeInvalid, "drive takes ttl_ms from 50 to %d", MaxTTL.Milliseconds()).At("args.ttl_ms")
			}
			out[k] = n
		default:
			return a, Errorf(CodeInvalid, "drive has no argument %q: use x, y, ttl_ms", k).At("args." + k)
		}
	}
	a.Args = out
	return a, nil
}

func asFloat(v any) (float64, bool) {
	switch n := v.(type) {
	case float64:
		return n, !math.IsNaN(n)
	case int:
		return float64(n), true
	}
	return 0, false
}
