package fakecam

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/espcam-bridge/espcam-bridge/bridge"
)

// The plans: what happens in front of a camera.
const (
	Lively  = "lively"  // one thing moves all the time, for ever
	Home    = "home"    // quiet; every 20 to 40 s a figure crosses; between them light and weather that are no motion
	Motion  = "motion"  // a figure 2 s after the start, for 4 s, and again every 9 s; nothing else
	Weather = "weather" // light and weather of the place one after the other, and never a figure
	Still   = "still"   // nothing; only the clock runs
)

// Plans lists what may happen.
func Plans() []string { return []string{Lively, Home, Motion, Weather, Still} }

func checkPlan(name string) error {
	if slices.Contains(Plans(), name) {
		return nil
	}
	return bridge.Errorf(bridge.CodeInvalid, "plan %q is not known: use %s", name, strings.Join(Plans(), ", ")).At("plan")
}

// script is a plan written out: who crosses the picture when, and which weather
// comes when. It repeats after total. It never changes.
type script struct {
	lively    bool
	crossings []act
	spells    []act
	total     float64 // seconds
}

// act is one thing that happens.
type act struct {
	from, to float64 // seconds from the beginning of the script
	which    int     // of the scene's cast or weather
	left     bool    // a figure walks to the left
}

// gone is how much of the act is over, 0 to 1.
func (a act) gone(t float64) float64 { return (t - a.from) / (a.to - a.from) }

// newScript writes a plan out. The same seed gives the same.
func newScript(plan string, sc scene, number int, seed uint64) script {
	r := rand.New(rand.NewPCG(seed, 5))
	switch plan {
	case Home:
		return homeScript(r, sc, number)
	case Motion:
		return motionScript(sc)
	case Weather:
		return weatherScript(sc)
	}
	return script{lively: plan == Lively, total: 1}
}

// homeScript lets neighbouring scenes begin one after the other, all within the
// first 13 seconds.
func homeScript(r *rand.Rand, sc scene, number int) script {
	const rounds, settle = 8, 4.0
	var s script
	t := settle + 2.6*float64(number%4) + r.Float64()
	for i := range rounds {
		which := i % len(sc.cast)
		length := sc.cast[which].seconds * (0.9 + 0.2*r.Float64())
		s.crossings = append(s.crossings, act{t, t + length, which, r.IntN(2) == 1})
		t += length
		quiet := 17 + 12*r.Float64()
		spell := sc.weather[i%len(sc.weather)].seconds
		begin := t + 3 + r.Float64()*(quiet-5-spell)
		s.spells = append(s.spells, act{from: begin, to: begin + spell, which: i % len(sc.weather)})
		t += quiet
	}
	s.total = t - settle
	return s
}

func motionScript(sc scene) script {
	const first, length, pause = 2.0, 4.0, 5.0
	var s script
	t := first
	for i := range 2 * len(sc.cast) {
		s.crossings = append(s.crossings, act{t, t + length, i % len(sc.cast), i%4 > 1})
		t += length + pause
	}
	s.total = t - first
	return s
}

func weatherScript(sc scene) script {
	const pause = 4.0
	var s script
	t := pause
	for i, w := range sc.weather {
		s.spells = append(s.spells, act{from: t, to: t + w.seconds, which: i})
		t += w.seconds + pause
	}
	s.total = t
	return s
}

// at wraps seconds since the start into the script.
func (s script) at(t float64) float64 { return math.Mod(t, s.total) }

// crossing returns who crosses at t, and whether anybody does.
func (s script) crossing(t float64) (act, bool) { return find(s.crossings, s.at(t)) }

// spell returns which weather there is at t, and whether there is any.
func (s script) spell(t float64) (act, bool) { return find(s.spells, s.at(t)) }

func find(acts []act, t float64) (act, bool) {
	i, found := slices.BinarySearchFunc(acts, t, func(a act, t float64) int {
		switch {
		case a.to <= t:
			return -1
		case a.from > t:
			return 1
		}
		return 0
	})
	if !found {
		return act{}, false
	}
	return acts[i], true
}
