package alert

import (
	"slices"
	"strings"
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge"
	"github.com/espcam-bridge/espcam-bridge/bridge/wording"
)

// Route says who is told about which events.
type Route struct {
	Name     string         // unique
	To       []string       // plugin instances
	Cameras  []string       // ids; nil means all
	Labels   []string       // one of them must have been found; nil means that none need be
	Zones    []string       // nil means anywhere
	Sources  []string       // nil means any
	MinScore float64        // 0 to 1: of a label if labels are asked for, else of the motion
	Phases   []bridge.Phase // begin, update, end; nil means begin
	Quiet    []Quiet        // when nobody is told
	Cooldown time.Duration  // per camera, from the moment an event was told until another may be
	HoldOff  time.Duration  // after the begin: with Labels how long to wait for one, else for a better picture
	Priority int            // 1 to 5; 0 means 3
	Picture  bool           // send it
	Title    string         // template; "" means wording.DefaultTitle
	Text     string         // template; "" means wording.DefaultText
	Actions  []bridge.AlertAction
	TimeZone *time.Location // of the words, and of Quiet; nil means the machine's
}

// Quiet is a time of the day when nobody is told.
type Quiet struct {
	From, To time.Duration  // since midnight, by the clock on the wall; To may be before From, on the next day; both equal: all day
	Days     []time.Weekday // on which it begins; nil means every day
	Zone     *time.Location // nil means the route's
}

// The reasons why nobody is told of an event, in Stats. Conditions have the
// names of their keys in the configuration.
const (
	unlabelled = "labels"
	elsewhere  = "zones"
	unseen     = "sources"
	weak       = "min_score"
	quiet      = "quiet"
	cooling    = "cooldown"
)

// labelWait is how long a route with labels waits for one if it does not say.
const labelWait = 10 * time.Second

// route is a Route that is ready for use.
type route struct {
	Route
	title, text *wording.Template
}

func compile(r Route) (*route, error) {
	out := &route{Route: r}
	if len(out.Phases) == 0 {
		out.Phases = []bridge.Phase{bridge.PhaseBegin}
	}
	if out.Priority == 0 {
		out.Priority = 3
	}
	if len(out.Labels) > 0 && out.HoldOff == 0 {
		out.HoldOff = labelWait
	}
	if out.TimeZone == nil {
		out.TimeZone = time.Local
	}
	var err error
	if out.title, err = wording.ParseTitle(or(r.Title, wording.DefaultTitle)); err != nil {
		return nil, bridge.Errorf(bridge.CodeInvalid, "the title of alert %q %w", r.Name, err)
	}
	if out.text, err = wording.ParseText(or(r.Text, wording.DefaultText)); err != nil {
		return nil, bridge.Errorf(bridge.CodeInvalid, "the text of alert %q %w", r.Name, err)
	}
	return out, nil
}

func or(text, usual string) string {
	if text == "" {
		return usual
	}
	return text
}

func (r *route) concerns(camera string) bool {
	return r.Cameras == nil || slices.Contains(r.Cameras, camera)
}

func (r *route) tells(p bridge.Phase) bool { return slices.Contains(r.Phases, p) }

// lasts reports whether more than one message of an event is sent.
func (r *route) lasts() bool { return r.tells(bridge.PhaseUpdate) || r.tells(bridge.PhaseEnd) }

// missing is the first condition that the event does not fulfil yet, or "".
func (r *route) missing(e bridge.Event) string {
	switch {
	case len(r.Labels) > 0 && !slices.ContainsFunc(e.Labels, r.wanted):
		return unlabelled
	case len(r.Zones) > 0 && !overlap(r.Zones, e.Zones):
		return elsewhere
	case len(r.Sources) > 0 && !overlap(r.Sources, e.Sources):
		return unseen
	case len(r.Labels) == 0 && e.Score < r.MinScore:
		return weak
	}
	return ""
}

func (r *route) wanted(d bridge.Detection) bool {
	return slices.Contains(r.Labels, d.Label) && d.Score >= r.MinScore
}

func overlap(a, b []string) bool {
	return slices.ContainsFunc(a, func(s string) bool { return slices.Contains(b, s) })
}

// hushed reports whether t is in one of the quiet times.
func (r *route) hushed(t time.Time) bool {
	return slices.ContainsFunc(r.Quiet, func(q Quiet) bool {
		if q.Zone == nil {
			q.Zone = r.TimeZone
		}
		return q.covers(t)
	})
}

// covers goes by the clock on the wall, so it is right when that is changed: an
// hour that is left out cannot be quiet, one that comes twice is quiet twice.
func (q Quiet) covers(t time.Time) bool {
	wall := t.In(q.Zone)
	at := time.Duration(wall.Hour())*time.Hour + time.Duration(wall.Minute())*time.Minute
	today, yesterday := wall.Weekday(), (wall.Weekday()+6)%7
	switch {
	case q.From < q.To:
		return at >= q.From && at < q.To && q.on(today)
	case at >= q.From:
		return q.on(today)
	}
	return at < q.To && q.on(yesterday)
}

func (q Quiet) on(d time.Weekday) bool { return q.Days == nil || slices.Contains(q.Days, d) }

// words renders title and text of one phase. A template that fails after all
// gives way to the usual one.
func (r *route) words(f wording.Fields) (title, text string, err error) {
	title, err = r.title.Render(f)
	text, err2 := r.text.Render(f)
	if err == nil {
		err = err2
	}
	if title == "" {
		title = usual(f)
	}
	return title, text, err
}

// usual is a title without any template.
func usual(f wording.Fields) string {
	what := strings.TrimSpace(f.Label)
	if what == "" {
		what = "Motion"
	}
	return what + " at " + f.Camera.Name
}
