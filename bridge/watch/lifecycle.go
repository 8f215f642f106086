package watch

import (
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge"
	"github.com/espcam-bridge/espcam-bridge/motion"
)

// lifecycle is the one event of a camera that may go on, and what holds it open.
// It is told the time, and guarded by its eye's lock. The event's slices are
// replaced, never changed, since snapshots of it are about.
type lifecycle struct {
	hold    time.Duration // after the last motion
	longest time.Duration

	open    bool
	event   bridge.Event
	score   float64 // of the best picture, rounded
	sharp   float64 // the same picture's sharpness
	sensors map[string]sensor
	major   time.Time // of the last update that was told to all
	proven  bool      // an update with a picture was told to all
}

// sensor is a motion sensor of the camera itself.
type sensor struct {
	active bool
	holds  bool // the event open; not any more when the event reached its greatest length
}

// maxSensors bounds what a camera may make up.
const maxSensors = 8

func (l *lifecycle) begin(id, camera string, at time.Time) {
	l.open, l.score, l.sharp = true, -1, 0
	l.major, l.proven = time.Time{}, false
	l.event = bridge.Event{ID: id, Camera: camera, Begin: at, Last: at,
		Sources: []string{}, Boxes: []bridge.Box{}, Zones: []string{}, Labels: []bridge.Detection{}}
}

// seen merges a judged picture into the event and reports whether that is worth
// telling. The best picture is the one with the highest score, of those that
// are equal to two decimals the sharpest.
func (l *lifecycle) seen(f bridge.Frame, j motion.Judgement) bool {
	e := &l.event
	if !j.Motion {
		first := e.Picture.IsZero() && j.Quiet != motion.Damaged
		if first {
			e.Picture = f
		}
		e.Now = nil
		return first
	}
	l.by(bridge.SourcePixels, f.Received)
	e.Now = boxes(j.Boxes)
	e.Score = max(e.Score, j.Score)
	e.Zones = union(e.Zones, j.Zones)
	score := math.Round(100 * j.Score)
	if score > l.score || score == l.score && j.Sharpness > l.sharp {
		l.score, l.sharp = score, j.Sharpness
		e.Picture, e.Boxes = f, e.Now
	}
	return true
}

// majorEvery is the time between two updates of an event that everybody hears of.
const majorEvery = time.Second

// minor reports whether an update need not be told to everybody, because another
// was a moment ago. The first one with a picture is always told.
func (l *lifecycle) minor(now time.Time) bool {
	proof := !l.event.Picture.IsZero()
	if now.Sub(l.major) < majorEvery && l.proven == proof {
		return true
	}
	l.major, l.proven = now, proof
	return false
}

// by notes who saw motion, and when.
func (l *lifecycle) by(source string, at time.Time) {
	e := &l.event
	if !slices.Contains(e.Sources, source) {
		e.Sources = append(e.Sources, source)
	}
	if at.After(e.Last) {
		e.Last = at
	}
}

// rises takes a sensor's "active" and reports whether it was not before.
func (l *lifecycle) rises(name string) bool {
	if _, known := l.sensors[name]; l.sensors[name].active || !known && len(l.sensors) == maxSensors {
		return false
	}
	if l.sensors == nil {
		l.sensors = map[string]sensor{}
	}
	l.sensors[name] = sensor{active: true, holds: true}
	return true
}

// falls takes its "inactive". What it held open is held for the off delay more.
func (l *lifecycle) falls(name string, at time.Time) {
	if l.open && l.sensors[name].holds && at.After(l.event.Last) {
		l.event.Last = at
	}
	delete(l.sensors, name)
}

// fall is what happens to all sensors when the camera goes: nobody would hear
// that one became inactive.
func (l *lifecycle) fall(at time.Time) {
	for name := range l.sensors {
		l.falls(name, at)
	}
}

// deadline is when the event ends, and why, if nothing else happens.
func (l *lifecycle) deadline() (time.Time, bridge.Ending) {
	limit, quiet := l.event.Begin.Add(l.longest), l.event.Last.Add(l.hold)
	for _, s := range l.sensors {
		if s.holds {
			return limit, bridge.EndLength
		}
	}
	if quiet.Before(limit) {
		return quiet, bridge.EndQuiet
	}
	return limit, bridge.EndLength
}

// end closes the event. A sensor that is still active does not begin another:
// it must have been inactive first.
func (l *lifecycle) end(at time.Time, why bridge.Ending) bridge.Event {
	for name, s := range l.sensors {
		l.sensors[name] = sensor{active: s.active}
	}
	e := l.event
	e.End, e.Ending, e.Now = at, why, nil
	l.open, l.event = false, bridge.Event{}
	return e
}

// maxLabels bounds what detectors may make up.
const maxLabels = 32

// label keeps the best of each label, the best first, and reports whether
// anything changed.
func (l *lifecycle) label(found []bridge.Detection) bool {
	labels, changed := slices.Clone(l.event.Labels), false
	for _, d := range found {
		i := slices.IndexFunc(labels, func(o bridge.Detection) bool { return o.Label == d.Label })
		switch {
		case i >= 0 && d.Score > labels[i].Score:
			labels[i], changed = d, true
		case i < 0 && len(labels) < maxLabels:
			labels, changed = append(labels, d), true
		}
	}
	if changed {
		slices.SortFunc(labels, func(a, b bridge.Detection) int {
			if a.Score != b.Score {
				return int(math.Copysign(1, b.Score-a.Score))
			}
			return strings.Compare(a.Label, b.Label)
		})
		l.event.Labels = labels
	}
	return changed
}

func boxes(in []motion.Box) []bridge.Box {
	out := make([]bridge.Box, len(in))
	for i, b := range in {
		out[i] = bridge.Box(b)
	}
	return out
}

// union merges sorted lists; old is not changed.
func union(old, more []string) []string {
	if !slices.ContainsFunc(more, func(s string) bool { return !slices.Contains(old, s) }) {
		return old
	}
	all := slices.Concat(old, more)
	slices.Sort(all)
	return slices.Compact(all)
}

// ids makes events' ids, each greater than the one before, also for events whose
// begins are told out of order.
type ids struct {
	mu sync.Mutex
	ms int64
	n  uint16
}

const idsPerMillisecond = 1 << 15

func (i *ids) next(begin time.Time) string {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.n++
	if ms := begin.UnixMilli(); ms > i.ms {
		i.ms, i.n = ms, 0
	} else if i.n == idsPerMillisecond {
		i.ms, i.n = i.ms+1, 0
	}
	return bridge.NewEventID(time.UnixMilli(i.ms), i.n)
}
