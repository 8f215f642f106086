package bridge

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Motion is how a camera's pictures are judged: the settings in force. Package
// watch reads it; people change it through CheckMotion only, so its values are
// always within their ranges. Its slices and maps are never changed.
type Motion struct {
	Enabled     bool
	Sensitivity int           // 1 to 100, higher sees more: low 25, medium 50, high 75
	FPS         int           // pictures judged per second at most, 1 to 15
	Width       int           // columns of the picture that is judged: 80, 160 or 320
	OffDelay    time.Duration // without motion until an event ends, 1 to 300 s
	Threshold   int           // grey levels that count as a change, 4 to 100; 0: by sensitivity
	Noise       float64       // times a pixel's own noise that count, 1 to 20
	Area        float64       // smallest group as a share of the picture, 0.0001 to 0.5; 0: by sensitivity
	Need, Of    int           // of the last Of judged pictures so many must show motion, 1/1 to 6/6
	Ignore      []Polygon     // motion there does not count
	Zones       map[string]Polygon
}

// MotionChange holds some of the values of a Motion by the names of the API and
// the configuration file, as CheckMotion returns them and JSON writes them. A
// nil value means "back to the default".
type MotionChange map[string]any

// DefaultMotion is what holds where nobody asked for anything else. The values
// are measured: reference detector on labelled clips, plateau of each setting.
func DefaultMotion() Motion {
	return Motion{
		Enabled: true, Sensitivity: 50, FPS: 10, Width: 160, OffDelay: 10 * time.Second,
		Noise: 5, Need: 2, Of: 3,
	}
}

// motionField is one setting: check turns a value from JSON, YAML or MQTT into
// its own type or says what is accepted, set puts it into a Motion.
type motionField struct {
	name  string
	check func(any) (any, error)
	set   func(*Motion, any)
	get   func(Motion) any
}

// motionFields is the one table of motion settings: the configuration file, the
// API, MQTT and the page all come through here.
var motionFields = []motionField{
	{"enabled", checkBool,
		func(m *Motion, v any) { m.Enabled = v.(bool) }, func(m Motion) any { return m.Enabled }},
	{"sensitivity", checkSensitivity,
		func(m *Motion, v any) { m.Sensitivity = v.(int) }, func(m Motion) any { return m.Sensitivity }},
	{"fps", wholeNumber(1, 15),
		func(m *Motion, v any) { m.FPS = v.(int) }, func(m Motion) any { return m.FPS }},
	{"width", checkWidth,
		func(m *Motion, v any) { m.Width = v.(int) }, func(m Motion) any { return m.Width }},
	{"off_delay", checkDelay,
		func(m *Motion, v any) { m.OffDelay = time.Duration(v.(float64) * float64(time.Second)) },
		func(m Motion) any { return m.OffDelay.Seconds() }},
	{"threshold", wholeNumber(4, 100),
		func(m *Motion, v any) { m.Threshold = v.(int) }, func(m Motion) any { return orNil(m.Threshold) }},
	{"noise", decimal(1, 20),
		func(m *Motion, v any) { m.Noise = v.(float64) }, func(m Motion) any { return m.Noise }},
	{"area", decimal(0.0001, 0.5),
		func(m *Motion, v any) { m.Area = v.(float64) }, func(m Motion) any { return orNil(m.Area) }},
	{"frames", checkFrames,
		func(m *Motion, v any) { m.Need, m.Of = int(v.(string)[0]-'0'), int(v.(string)[2]-'0') },
		func(m Motion) any { return fmt.Sprintf("%d/%d", m.Need, m.Of) }},
	{"ignore", checkIgnore,
		func(m *Motion, v any) { m.Ignore = v.([]Polygon) }, func(m Motion) any { return orEmptyList(m.Ignore) }},
	{"zones", checkZones,
		func(m *Motion, v any) { m.Zones = v.(map[string]Polygon) }, func(m Motion) any { return orEmptyMap(m.Zones) }},
}

// MotionNames lists the names of all motion settings.
func MotionNames() []string {
	names := make([]string, len(motionFields))
	for i, f := range motionFields {
		names[i] = f.name
	}
	return names
}

// CheckMotion returns in with normalised values, or an *Error (CodeInvalid) that
// names the first wrong setting as motion.<name>, its value and what it takes.
func CheckMotion(in map[string]any) (MotionChange, error) {
	for name := range in {
		if !slices.Contains(MotionNames(), name) {
			return nil, Errorf(CodeInvalid, "there is no motion setting %.40q: use %s", name, strings.Join(MotionNames(), ", ")).At("motion." + name)
		}
	}
	out := MotionChange{}
	for _, f := range motionFields {
		v, ok := in[f.name]
		if !ok {
			continue
		}
		if v == nil {
			out[f.name] = nil
			continue
		}
		n, err := f.check(v)
		if err != nil {
			return nil, Errorf(CodeInvalid, "motion.%s %w", f.name, err).At("motion." + f.name)
		}
		out[f.name] = n
	}
	return out, nil
}

// KnownMotion returns what is right in values that come from our own store,
// which an older or newer program may have written.
func KnownMotion(in map[string]any) MotionChange {
	out := MotionChange{}
	for name, v := range in {
		if c, err := CheckMotion(map[string]any{name: v}); err == nil && c[name] != nil {
			out[name] = c[name]
		}
	}
	return out
}

// With returns m with the values of c, which CheckMotion has returned.
func (m Motion) With(c MotionChange) Motion {
	for _, f := range motionFields {
		switch v, ok := c[f.name]; {
		case !ok:
		case v == nil:
			f.set(&m, valueOrZero(f, DefaultMotion()))
		default:
			f.set(&m, v)
		}
	}
	return m
}

// valueOrZero is the default's value in the type that set takes, also where the
// default is "by sensitivity".
func valueOrZero(f motionField, m Motion) any {
	switch v := f.get(m); {
	case v != nil:
		return v
	case f.name == "area":
		return 0.0
	}
	return 0
}

// Values returns all settings by name, as JSON shows them; "by sensitivity" is
// nil.
func (m Motion) Values() MotionChange {
	out := MotionChange{}
	for _, f := range motionFields {
		out[f.name] = f.get(m)
	}
	return out
}

// Merge returns c with the entries of more set, those that are nil removed.
func (c MotionChange) Merge(more MotionChange) MotionChange {
	out := maps.Clone(c)
	if out == nil {
		out = MotionChange{}
	}
	for name, v := range more {
		if v == nil {
			delete(out, name)
		} else {
			out[name] = v
		}
	}
	return out
}

// presets are the points between which threshold (grey levels) and area (share
// of the picture) follow the sensitivity in straight lines.
var presets = []struct {
	sensitivity int
	threshold   float64
	area        float64
}{
	{1, 40, 0.01}, {25, 28, 0.004}, {50, 20, 0.0008}, {75, 14, 0.0005}, {100, 10, 0.0003},
}

// Resolved returns the threshold in grey levels and the smallest area as a share
// of the picture: the expert values if they are set, else by sensitivity.
func (m Motion) Resolved() (threshold int, area float64) {
	threshold, area = m.Threshold, m.Area
	for i := 1; i < len(presets); i++ {
		a, b := presets[i-1], presets[i]
		if m.Sensitivity > b.sensitivity && i < len(presets)-1 {
			continue
		}
		t := float64(m.Sensitivity-a.sensitivity) / float64(b.sensitivity-a.sensitivity)
		if threshold == 0 {
			threshold = int(math.Round(a.threshold + t*(b.threshold-a.threshold)))
		}
		if area == 0 {
			area = a.area + t*(b.area-a.area)
		}
		break
	}
	return threshold, area
}

func orNil[T comparable](v T) any {
	var zero T
	if v == zero {
		return nil
	}
	return v
}

func orEmptyList(l []Polygon) []Polygon {
	if l == nil {
		return []Polygon{}
	}
	return l
}

func orEmptyMap(m map[string]Polygon) map[string]Polygon {
	if m == nil {
		return map[string]Polygon{}
	}
	return m
}

func checkBool(v any) (any, error) {
	if b, ok := v.(bool); ok {
		return b, nil
	}
	return nil, fmt.Errorf("takes true or false, not %s", shown(v))
}

func wholeNumber(lo, hi int) func(any) (any, error) {
	return func(v any) (any, error) {
		if n, ok := asInt(v); ok && n >= lo && n <= hi {
			return n, nil
		}
		return nil, fmt.Errorf("must be a whole number from %d to %d, not %s", lo, hi, shown(v))
	}
}

func decimal(lo, hi float64) func(any) (any, error) {
	return func(v any) (any, error) {
		if f, ok := asFloat(v); ok && f >= lo && f <= hi {
			return f, nil
		}
		return nil, fmt.Errorf("must be a number from %g to %g, not %s", lo, hi, shown(v))
	}
}

func checkSensitivity(v any) (any, error) {
	if n, ok := map[any]int{"low": 25, "medium": 50, "high": 75}[hashable(v)]; ok {
		return n, nil
	}
	if n, ok := asInt(v); ok && n >= 1 && n <= 100 {
		return n, nil
	}
	return nil, fmt.Errorf("must be low, medium, high or a whole number from 1 to 100, not %s", shown(v))
}

// hashable keeps lists and objects, which are no keys of a map, out of one.
func hashable(v any) any {
	s, _ := v.(string)
	return s
}

func checkWidth(v any) (any, error) {
	if n, ok := asInt(v); ok && slices.Contains([]int{80, 160, 320}, n) {
		return n, nil
	}
	return nil, fmt.Errorf("must be 80, 160 or 320, not %s", shown(v))
}

func checkDelay(v any) (any, error) {
	f, ok := asFloat(v)
	if s, text := v.(string); text {
		d, err := time.ParseDuration(s)
		f, ok = d.Seconds(), err == nil
	}
	if !ok || f < 1 || f > 300 {
		return nil, fmt.Errorf("must be from 1s to 5m, not %s", shown(v))
	}
	return f, nil
}

func checkFrames(v any) (any, error) {
	s, _ := v.(string)
	need, of, ok := strings.Cut(s, "/")
	n, err1 := strconv.Atoi(need)
	o, err2 := strconv.Atoi(of)
	if !ok || err1 != nil || err2 != nil || n < 1 || o < n || o > 6 {
		return nil, fmt.Errorf("must be how many of the last pictures show motion, such as 2/3, from 1/1 to 6/6, not %s", shown(v))
	}
	return fmt.Sprintf("%d/%d", n, o), nil
}

const maxAreas = 16 // polygons to ignore, and zones

func checkIgnore(v any) (any, error) {
	list, ok := v.([]any)
	if polygons, own := v.([]Polygon); own {
		list, ok = toAny(polygons), true
	}
	if !ok || len(list) > maxAreas {
		return nil, fmt.Errorf("must be a list of at most %d polygons [[x, y], ...], not %s", maxAreas, shown(v))
	}
	out := make([]Polygon, 0, len(list))
	for i, item := range list {
		p, err := checkPolygon(item)
		if err != nil {
			return nil, fmt.Errorf("polygon %d %w", i+1, err)
		}
		out = append(out, p)
	}
	return out, nil
}

func toAny(list []Polygon) []any {
	out := make([]any, len(list))
	for i, p := range list {
		out[i] = p
	}
	return out
}

func checkZones(v any) (any, error) {
	zones, ok := v.(map[string]any)
	if own, mine := v.(map[string]Polygon); mine {
		zones, ok = map[string]any{}, true
		for name, p := range own {
			zones[name] = p
		}
	}
	if !ok || len(zones) > maxAreas {
		return nil, fmt.Errorf("must be at most %d named polygons {name: [[x, y], ...]}, not %s", maxAreas, shown(v))
	}
	out := make(map[string]Polygon, len(zones))
	for _, name := range slices.Sorted(maps.Keys(zones)) {
		if !validZone(name) {
			return nil, fmt.Errorf("has the name %.40q: a zone's name has 1 to 32 characters on one line, without spaces around them", name)
		}
		p, err := checkPolygon(zones[name])
		if err != nil {
			return nil, fmt.Errorf("%q %w", name, err)
		}
		out[name] = p
	}
	return out, nil
}

func validZone(name string) bool {
	n := utf8.RuneCountInString(name)
	return utf8.ValidString(name) && n >= 1 && n <= 32 && strings.TrimSpace(name) == name &&
		!strings.ContainsFunc(name, unicode.IsControl)
}

// shown is a value for a message: short, on one line, without control
// characters.
func shown(v any) string {
	if s, ok := v.(string); ok {
		return fmt.Sprintf("%.40q", s)
	}
	runes := []rune(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return '?'
		}
		return r
	}, fmt.Sprint(v)))
	if len(runes) > 60 {
		runes = append(runes[:57], []rune("...")...)
	}
	return string(runes)
}
