package config

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"time"
	_ "time/tzdata" // zones are known on machines without them, too

	"gopkg.in/yaml.v3"

	"github.com/espcam-bridge/espcam-bridge/bridge"
	"github.com/espcam-bridge/espcam-bridge/bridge/wording"
)

// Alert is a route: who is told about what, when and in which words.
type Alert struct {
	Name     string         // unique; "alert N" if the file does not say
	To       []string       // plugin instances, at least one
	On       []string       // what it is about: motion
	Cameras  []string       // ids; nil means all
	Labels   []string       // at least one must have been found; nil means that none need be
	Zones    []string       // in at least one of them something must have moved; nil means anywhere
	Sources  []string       // at least one of them must have seen it; nil means any
	MinScore float64        // 0 to 1
	Phases   []bridge.Phase // begin, update, end
	Quiet    []Quiet        // when nobody is told
	Cooldown time.Duration  // per camera, from one event that was told to the begin of the next
	HoldOff  time.Duration  // after the begin: for a label, or for a better picture
	Priority int            // 1 to 5
	Picture  bool           // send it
	Title    string         // template; "" means wording.DefaultTitle
	Text     string         // template; "" means wording.DefaultText
	Actions  []bridge.AlertAction
	TimeZone *time.Location // of times in the words, and of Quiet; nil means the machine's
	Source   string         // "file:line" of the route
}

// Quiet is a time of the day when nobody is told.
type Quiet struct {
	From, To time.Duration  // since midnight, by the clock on the wall; To may be before From, on the next day
	Days     []time.Weekday // on which it begins; nil means every day
	Zone     *time.Location // nil means the route's
}

const (
	maxCooldown = 24 * time.Hour
	maxHoldOff  = 5 * time.Minute
	maxActions  = 5

	// labelHoldOff is how long a route with labels waits for one.
	labelHoldOff = 10 * time.Second
)

func (a *Alert) schema() value {
	*a = Alert{Cooldown: time.Minute, Priority: 3, Picture: true}
	return section{
		row("name", one(&a.Name, words(64))),
		required("to", oneOrMore{listOf(&a.To, func(s *string) value { return one(s, words(32)) })}),
		row("on", listOf(&a.On, func(s *string) value { return one(s, choice("motion")) })),
		row("cameras", listOf(&a.Cameras, func(s *string) value { return one(s, words(64)) })),
		row("labels", listOf(&a.Labels, func(s *string) value { return one(s, words(64)) })),
		row("zones", listOf(&a.Zones, func(s *string) value { return one(s, words(32)) })),
		row("sources", listOf(&a.Sources, func(s *string) value { return one(s, words(64)) })),
		row("min_score", one(&a.MinScore, share)),
		row("phases", listOf(&a.Phases, func(p *bridge.Phase) value {
			return one(p, choice(bridge.PhaseBegin, bridge.PhaseUpdate, bridge.PhaseEnd))
		})),
		row("quiet", listOf(&a.Quiet, (*Quiet).schema)),
		row("cooldown", one(&a.Cooldown, duration(0, maxCooldown))),
		row("hold_off", one(&a.HoldOff, duration(0, maxHoldOff))),
		row("priority", one(&a.Priority, number(1, 5))),
		row("picture", one(&a.Picture, boolean)),
		row("title", one(&a.Title, optional(template(wording.ParseTitle)))),
		row("text", one(&a.Text, optional(template(wording.ParseText)))),
		row("actions", listOf(&a.Actions, action)),
		row("time_zone", one(&a.TimeZone, optional(timeZone))),
	}
}

func (q *Quiet) schema() value {
	return section{
		required("from", one(&q.From, timeOfDay)),
		required("to", one(&q.To, timeOfDay)),
		row("days", listOf(&q.Days, func(d *time.Weekday) value { return one(d, weekday) })),
		row("zone", one(&q.Zone, optional(timeZone))),
	}
}

func action(a *bridge.AlertAction) value {
	return section{
		required("label", one(&a.Label, words(40))),
		required("url", one(&a.URL, webAddress)),
	}
}

// oneOrMore is a list that may be written as a single value if it has one.
type oneOrMore struct{ list }

func (o oneOrMore) read(l *loader, n *yaml.Node, path string) {
	if n.Kind == yaml.ScalarNode && !empty(n) {
		l.read(o.add(), n, path)
		return
	}
	o.list.read(l, n, path)
}

// template accepts what parse does, and knows which name may be meant.
func template(parse func(string) (*wording.Template, error)) func(string) (string, error) {
	return func(text string) (string, error) {
		_, err := parse(text)
		var unknown *wording.UnknownError
		if errors.As(err, &unknown) {
			return "", misspelt{err, nearest(unknown.Name, unknown.Known)}
		}
		return text, err
	}
}

// misspelt is an error with the known name that is near.
type misspelt struct {
	error
	near string
}

func share(text string) (float64, error) {
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || !(f >= 0 && f <= 1) {
		return 0, expected("must be a number from 0 to 1, not %s", quote(text))
	}
	return f, nil
}

var clockPattern = regexp.MustCompile(`^([01]?[0-9]|2[0-3]):[0-5][0-9]$`)

func timeOfDay(text string) (time.Duration, error) {
	if !clockPattern.MatchString(text) {
		return 0, expected(`must be a time of the day from "00:00" to "23:59", not %s`, quote(text))
	}
	at, err := time.Parse("15:04", text)
	return time.Duration(at.Hour())*time.Hour + time.Duration(at.Minute())*time.Minute, err
}

func weekday(text string) (time.Weekday, error) {
	days := []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}
	name, err := choice(days...)(text)
	return time.Weekday(slices.Index(days, name)), err
}

func timeZone(text string) (*time.Location, error) {
	zone, err := time.LoadLocation(text)
	if err != nil {
		return nil, expected("must be a time zone such as Europe/Berlin, UTC or Local, not %s", quote(text))
	}
	return zone, nil
}

func webAddress(text string) (string, error) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme == "" || u.Host == "" && u.Opaque == "" && u.Path == "" || len(text) > 2000 {
		return "", expected("must be a whole address such as https://example.org/garden, not %s", quote(text))
	}
	return text, nil
}

// checkAlerts gives routes what the file left out, and finds what their keys do
// not show one by one.
func (l *loader) checkAlerts(c *Config) {
	for i := range c.Alerts {
		a := &c.Alerts[i]
		path := fmt.Sprintf("alerts[%d]", i)
		a.Source = l.source(path)
		l.complete(a, path, i+1)
		l.checkReceivers(c, a.To, path+".to")
		l.checkZones(c, a.Zones, path+".zones")
		a.Cameras = l.whichCameras(c, a.Cameras, path+".cameras")
		if len(a.Actions) > maxActions {
			l.wrong(path+".actions", nil, "has %d actions: a message shows at most %d", len(a.Actions), maxActions)
		}
	}
	l.unique(len(c.Alerts), func(i int) (string, string, string) {
		return c.Alerts[i].Name, fmt.Sprintf("alerts[%d].name", i), quote(c.Alerts[i].Name)
	})
}

func (l *loader) complete(a *Alert, path string, n int) {
	if a.Name == "" {
		a.Name = fmt.Sprintf("alert %d", n)
	}
	if len(a.On) == 0 {
		l.notEmpty(path+".on", "motion")
		a.On = []string{"motion"}
	}
	if len(a.Phases) == 0 {
		l.notEmpty(path+".phases", "begin, update or end")
		a.Phases = []bridge.Phase{bridge.PhaseBegin}
	}
	if len(a.Labels) == 0 || a.HoldOff > 0 {
		return
	}
	if _, given := l.where[path+".hold_off"]; given {
		l.wrong(path+".hold_off", []string{path + ".labels"}, "is 0s, but a label is never there at once: allow some seconds, or remove the line")
	}
	a.HoldOff = labelHoldOff
}

// notEmpty complains of a list that was written and has nothing in it.
func (l *loader) notEmpty(path, what string) {
	if _, given := l.where[path]; given {
		l.wrong(path, nil, "is empty: write %s, or remove the line", what)
	}
}

func (l *loader) checkReceivers(c *Config, to []string, path string) {
	var names, off []string
	for _, p := range c.Plugins.Instances {
		if names = append(names, p.Name); !p.Enabled {
			off = append(off, p.Name)
		}
	}
	if len(to) == 0 {
		l.wrong(path, nil, "names nobody: write the name of an instance under plugins.instances")
	}
	for i, name := range to {
		at := fmt.Sprintf("%s[%d]", path, i)
		if _, list := l.where[at]; !list {
			at = path
		}
		if slices.Contains(to[:i], name) {
			l.wrong(at, nil, "names %s twice: keep one", quote(name))
		}
		if slices.Contains(off, name) {
			l.warn(l.at(at), at, "names %s, which is not enabled: unless it is switched on on the page, its alerts are given up after 10 minutes", name)
		}
		if !slices.Contains(names, name) && !l.unread(at) && !l.unread("plugins.instances") {
			l.suggest(l.at(at), at, nearest(name, names), "names no plugin instance: %s is not under plugins.instances", quote(name))
		}
	}
}

// checkZones warns of a zone that is not in the file, if one with a similar name
// is: zones may be drawn on the page as well.
func (l *loader) checkZones(c *Config, zones []string, path string) {
	known := c.zones()
	for i, name := range zones {
		at := fmt.Sprintf("%s[%d]", path, i)
		if near := nearest(name, known); near != "" && !slices.Contains(known, name) && !l.unread(at) {
			l.warn(l.at(at), at, "%s is no zone of this file: is %s meant?", quote(name), quote(near))
		}
	}
}

// zones lists the names of all zones in the file, sorted.
func (c *Config) zones() []string {
	all := []bridge.MotionChange{c.Motion}
	for _, cam := range c.Cameras {
		all = append(all, cam.Motion)
	}
	var names []string
	for _, m := range all {
		if zones, ok := m["zones"].(map[string]bridge.Polygon); ok {
			for name := range zones {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
