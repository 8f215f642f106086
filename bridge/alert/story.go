package alert

import (
	"maps"
	"slices"
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge"
	"github.com/espcam-bridge/espcam-bridge/bridge/wording"
)

// story is one event as one route sees it, from its begin to its end.
type story struct {
	route *route
	event bridge.Event // newest state
	fate  fate
	shown shown // in the newest message
}

type storyKey struct{ route, event string }

type coolKey struct{ route, camera string }

func (k coolKey) String() string { return k.route + "/" + k.camera }

type fate int

const (
	open   fate = iota // not decided
	told               // somebody is told, also of what comes
	untold             // nobody is
)

// shown is what makes an update worth a message.
type shown struct {
	picture uint64
	labels  []string
	zones   []string
}

func show(r *route, e bridge.Event) shown {
	s := shown{zones: e.Zones}
	if r.Picture {
		s.picture = e.Picture.Seq
	}
	for _, d := range e.Labels {
		s.labels = append(s.labels, d.Label)
	}
	slices.Sort(s.labels)
	return s
}

func (s shown) equal(o shown) bool {
	return s.picture == o.picture && slices.Equal(s.labels, o.labels) && slices.Equal(s.zones, o.zones)
}

const (
	// pictureWait is how long a message waits for the first picture of an event
	// that began without one, as those of a sensor may.
	pictureWait = time.Second

	// maxStories bounds what is followed, should ends never be told: many times
	// what goes on at once.
	maxStories = 8192

	restless = time.Hour // between two looks at stories when nothing is due
)

// hear takes events from the mailbox. lost were too many for it.
func (a *Alerts) hear(events []bridge.Event, lost uint64) {
	if lost > 0 {
		a.deps.Log.Warn("events came too fast to tell anybody", "count", lost)
		a.mu.Lock()
		a.lost += lost
		a.mu.Unlock()
	}
	now := time.Now()
	for _, e := range events {
		for _, r := range a.routes {
			if r.concerns(e.Camera) {
				a.consider(a.story(r, e), now)
			}
		}
	}
}

// story returns the story of that route and event with its newest state.
func (a *Alerts) story(r *route, e bridge.Event) *story {
	key := storyKey{r.Name, e.ID}
	s := a.stories[key]
	if s == nil {
		s = &story{route: r}
		if len(a.stories) >= maxStories {
			oldest := slices.MinFunc(slices.Collect(maps.Keys(a.stories)), func(x, y storyKey) int {
				return a.stories[x].event.Begin.Compare(a.stories[y].event.Begin)
			})
			delete(a.stories, oldest)
		}
		a.stories[key] = s
	}
	s.event = e
	return s
}

// reconsider looks at stories whose waiting may be over.
func (a *Alerts) reconsider() {
	now := time.Now()
	for _, s := range a.stories {
		if s.fate == open {
			a.consider(s, now)
		}
	}
}

// patience is how long until a story must be looked at again.
func (a *Alerts) patience() time.Duration {
	now, next := time.Now(), restless
	for _, s := range a.stories {
		if s.fate == open && s.deadline().After(now) {
			next = min(next, s.deadline().Sub(now))
		}
	}
	return next
}

// consider decides about a story, if that is possible, and tells what is new.
func (a *Alerts) consider(s *story, now time.Time) {
	news := bridge.PhaseUpdate
	if s.fate == open {
		a.decide(s, now)
		news = bridge.PhaseBegin
	}
	if s.fate == told {
		a.tell(s, news, now)
	}
	if s.event.Over() {
		delete(a.stories, storyKey{s.route.Name, s.event.ID})
	}
}

// decide finds out whether somebody is told of the event; it may stay open.
func (a *Alerts) decide(s *story, now time.Time) {
	reason := s.route.missing(s.event)
	if s.waits(reason, now) {
		return
	}
	cool := coolKey{s.route.Name, s.event.Camera}
	switch {
	case reason != "":
	case s.route.hushed(now):
		reason = quiet
	case now.Sub(a.cooling[cool]) < s.route.Cooldown:
		reason = cooling
	}
	if reason != "" {
		s.fate = untold
		a.suppress(s, reason)
		return
	}
	s.fate = told
	if s.route.Cooldown > 0 {
		a.cooling[cool] = now
		a.ledger.save(&letter{ID: cool.String(), State: cooled, Route: cool.route, At: now, Event: bridge.Event{Camera: cool.camera}})
	}
}

// waits reports whether it is too early to decide. missing is the first
// condition that is not fulfilled.
func (s *story) waits(missing string, now time.Time) bool {
	early := now.Before(s.deadline())
	switch {
	case s.event.Over():
		return false
	case missing == "":
		return early && !s.ready()
	case missing == unlabelled:
		return early
	}
	return true // it may still come true
}

// deadline is until when the story may wait: for a label or a better picture,
// or for any picture at all.
func (s *story) deadline() time.Time {
	wait := s.route.HoldOff
	if s.route.Picture && s.event.Picture.IsZero() {
		wait = max(wait, pictureWait)
	}
	return s.event.Begin.Add(wait)
}

// ready reports whether a story that fulfils its conditions need not wait for
// its deadline: what was waited for is there.
func (s *story) ready() bool {
	if s.route.Picture && s.event.Picture.IsZero() {
		return false
	}
	return len(s.route.Labels) > 0
}

// tell queues the messages that the story's newest state calls for.
func (a *Alerts) tell(s *story, news bridge.Phase, now time.Time) {
	r, e := s.route, s.event
	seen := show(r, e)
	if news == bridge.PhaseBegin || !e.Over() && !seen.equal(s.shown) {
		a.send(s, news, now)
	}
	s.shown = seen
	if e.Over() {
		a.send(s, bridge.PhaseEnd, now)
	}
}

// send renders a message once and queues it for everybody.
func (a *Alerts) send(s *story, phase bridge.Phase, now time.Time) {
	if !s.route.tells(phase) {
		return
	}
	if phase != bridge.PhaseBegin && s.route.hushed(now) {
		a.suppress(s, quiet)
		return
	}
	m := a.compose(s.route, s.event, phase, now)
	for _, to := range s.route.To {
		if l := a.lanes[to]; l != nil {
			one := m
			one.ID, one.Instance = a.ids.next(now), to
			l.put(&one)
		}
	}
}

// compose makes a message, without an id and a receiver.
func (a *Alerts) compose(r *route, e bridge.Event, phase bridge.Phase, now time.Time) letter {
	m := letter{
		State: queued, Route: r.Name, Phase: phase, Event: e, Name: a.deps.Name(e.Camera),
		Priority: r.Priority, URL: a.deps.URL(e.Camera, e.ID), Actions: r.Actions, Picture: r.Picture,
		Due: now, Expires: now.Add(a.cfg.Expiry), lasting: r.lasts(),
	}
	if r.Picture {
		m.frame = e.Picture
	}
	m.Event.Picture, m.Event.Now = bridge.Frame{}, nil
	var err error
	m.Title, m.Text, err = r.words(wording.New(e, m.Name, phase, now, r.TimeZone, r.Labels, m.URL))
	if err != nil {
		a.deps.Log.Warn("a template failed, so the usual words are used", "route", r.Name, "event", e.ID, "err", err)
	}
	return m
}
