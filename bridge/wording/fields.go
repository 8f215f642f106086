package wording

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge"
)

// Fields are what a template may show.
type Fields struct {
	Camera   Camera
	Event    string        // its id
	Phase    bridge.Phase  // begin, update or end
	Time     Clock         // of the first motion
	Duration Span          // so far, or of the whole event
	Label    string        // what was found: the best that the route asks for; "" if nothing was
	Labels   []string      // all that was found, the best first
	Zone     string        // the first one; "" if it was in none
	Zones    []string      // where something moved
	Sources  []string      // who saw it: pixels, pir
	Score    float64       // 0 to 1: of Label, or of the motion if nothing was found
	Ending   bridge.Ending // why it is over: quiet, length, disconnected, disabled, stopped; "" while it goes on
	URL      string        // of the event on the page; may be empty
}

// Camera is a camera in a template.
type Camera struct {
	ID   string
	Name string // for people
}

// Clock is a time of day in the route's time zone.
type Clock struct{ at time.Time }

// At makes a Clock of t in the zone that t has.
func At(t time.Time) Clock { return Clock{t} }

// String is the form 15:04.
func (c Clock) String() string { return c.at.Format("15:04") }

// maxLayout bounds a form, since each of its letters can become a word.
const maxLayout = 100

// Format writes the time in another form, by Go's example time: 2 Jan 2006 15:04:05.
func (c Clock) Format(layout string) (string, error) {
	if len(layout) > maxLayout {
		return "", fmt.Errorf("the form of a time has %d characters: use at most %d", len(layout), maxLayout)
	}
	return c.at.Format(layout), nil
}

// Span is how long something took.
type Span time.Duration

// String is the form 5 s, 2 min 5 s or 1 h 2 min.
func (s Span) String() string {
	d := max(time.Duration(s), 0).Round(time.Second)
	h, m, sec := int(d.Hours()), int(d.Minutes())%60, int(d.Seconds())%60
	switch {
	case h > 0:
		return fmt.Sprintf("%d h %d min", h, m)
	case m > 0:
		return fmt.Sprintf("%d min %d s", m, sec)
	}
	return fmt.Sprintf("%d s", sec)
}

// Seconds is the whole number of seconds.
func (s Span) Seconds() int { return int(time.Duration(s).Round(time.Second) / time.Second) }

// New fills the fields for an event. asked are the labels that the route wants;
// none means any.
func New(e bridge.Event, name string, phase bridge.Phase, now time.Time, zone *time.Location, asked []string, url string) Fields {
	f := Fields{
		Camera: Camera{ID: e.Camera, Name: name}, Event: e.ID, Phase: phase,
		Time: At(e.Begin.In(zone)), Score: e.Score, Ending: e.Ending, URL: url,
		Zones: e.Zones, Sources: e.Sources,
	}
	if e.Over() {
		now = e.End
	}
	f.Duration = Span(now.Sub(e.Begin))
	for _, d := range e.Labels {
		f.Labels = append(f.Labels, d.Label)
		if f.Label == "" && (len(asked) == 0 || slices.Contains(asked, d.Label)) {
			f.Label, f.Score = d.Label, d.Score
		}
	}
	if len(e.Zones) > 0 {
		f.Zone = e.Zones[0]
	}
	return f
}

// Names lists what a template may name, such as .Camera.Name, in the order of
// Fields.
func Names() []string { return names(reflect.TypeFor[Fields](), "") }

func names(t reflect.Type, path string) []string {
	var out []string
	for i := range t.NumField() {
		if f := t.Field(i); !f.IsExported() {
			continue
		} else if f.Type == reflect.TypeFor[Camera]() {
			out = append(out, names(f.Type, path+"."+f.Name)...)
		} else {
			out = append(out, path+"."+f.Name)
			out = append(out, methods(f.Type, path+"."+f.Name)...)
		}
	}
	return out
}

// methods lists those that are for templates; String is how a value prints.
func methods(t reflect.Type, path string) []string {
	var out []string
	for i := range t.NumMethod() {
		if name := t.Method(i).Name; name != "String" {
			out = append(out, path+"."+name)
		}
	}
	return out
}

type sample struct {
	what   string
	fields Fields
}

// samples are events with as much and as little in them as there can be.
func samples() []sample {
	begin := time.Date(2026, 11, 28, 22, 4, 5, 0, time.UTC)
	full := bridge.Event{
		ID: bridge.NewEventID(begin, 1), Camera: "porch", Begin: begin, Score: 0.61,
		Sources: []string{bridge.SourcePixels, bridge.SourcePIR}, Zones: []string{"door", "street"},
		Labels: []bridge.Detection{{Label: "person", Score: 0.87}, {Label: "dog", Score: 0.5}},
	}
	bare := bridge.Event{ID: full.ID, Camera: "porch", Begin: begin, Sources: []string{bridge.SourcePIR}}
	var out []sample
	for _, phase := range []bridge.Phase{bridge.PhaseBegin, bridge.PhaseUpdate, bridge.PhaseEnd} {
		if phase == bridge.PhaseEnd {
			full.End, full.Ending = begin.Add(72*time.Second), bridge.EndQuiet
			bare.End, bare.Ending = begin.Add(10*time.Second), bridge.EndLength
		}
		now := begin.Add(3 * time.Second)
		out = append(out,
			sample{fmt.Sprintf("the %s of an event", phase), New(full, "Front porch", phase, now, time.UTC, nil, "http://bridge:8080/")},
			sample{fmt.Sprintf("the %s of an event without labels and zones", phase), New(bare, "Front porch", phase, now, time.UTC, nil, "")})
	}
	return out
}

// capital makes the first letter a large one.
func capital(s string) string {
	for i, r := range s {
		return strings.ToUpper(s[:i]+string(r)) + s[i+len(string(r)):]
	}
	return s
}
