package journal

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"path"
	"slices"
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge"
)

const (
	usualPage = 50
	maxPage   = 1000
)

// List returns the events that the filter asks for, the newest first, those
// going on included, and the id to ask for as Before to go on; "" at the end.
// Limit is from 1 to 1000; 0 means 50. A page stays the same while newer events
// come.
func (j *Journal) List(f bridge.EventFilter) (events []bridge.Event, next string, err error) {
	limit := min(f.Limit, maxPage)
	if limit <= 0 {
		limit = usualPage
	}
	p := page{limit: limit, events: []bridge.Event{}}
	living := j.livingEvents(f)
	begin := startOf(f)
	err = j.index.Descend(begin, func(id string, r record, err error) bool {
		for len(living) > 0 && living[0].ID > id {
			if !p.add(living[0], matches(f, living[0])) {
				return false
			}
			living = living[1:]
		}
		if len(living) > 0 && living[0].ID == id {
			return true // newer in memory: the next turn adds it
		}
		if !f.Since.IsZero() && id < bridge.NewEventID(f.Since, 0) {
			return false
		}
		return p.add(r.Event, err == nil && matches(f, r.Event) && j.shown(id))
	})
	for _, e := range living {
		p.add(e, matches(f, e))
	}
	return p.events, p.next, err
}

// page collects events until there is one more than it holds.
type page struct {
	limit  int
	events []bridge.Event
	next   string
	full   bool
}

// add takes an event, if it matches; false when the page is full.
func (p *page) add(e bridge.Event, match bool) bool {
	switch {
	case p.full || !match:
	case len(p.events) == p.limit:
		p.next, p.full = p.events[p.limit-1].ID, true
	default:
		p.events = append(p.events, e)
	}
	return !p.full
}

// startOf is the id before which a list begins; "" is the end of all.
func startOf(f bridge.EventFilter) string {
	start := f.Before
	if !f.Until.IsZero() {
		if until := bridge.NewEventID(f.Until.Add(time.Millisecond), 0); start == "" || until < start {
			start = until
		}
	}
	return start
}

// livingEvents lists the events in memory that may be on a page, newest first.
func (j *Journal) livingEvents(f bridge.EventFilter) (out []bridge.Event) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, id := range slices.Backward(j.livingIDsLocked()) {
		if e := j.living[id]; e.told() && (f.Before == "" || id < f.Before) {
			out = append(out, e.event)
		}
	}
	return out
}

// shown reports whether an event of the index is still on disk.
func (j *Journal) shown(id string) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	it, ok := j.items[id]
	return ok && !it.corrupt
}

// matches reports whether the filter asks for the event, whatever its place.
func matches(f bridge.EventFilter, e bridge.Event) bool {
	switch {
	case f.Cameras != nil && !slices.Contains(f.Cameras, e.Camera),
		!f.Since.IsZero() && e.Begin.Before(f.Since),
		!f.Until.IsZero() && !e.Begin.Before(f.Until),
		f.Zone != "" && !slices.Contains(e.Zones, f.Zone),
		f.Source != "" && !slices.Contains(e.Sources, f.Source),
		f.Label != "" && !slices.ContainsFunc(e.Labels, func(d bridge.Detection) bool { return d.Label == f.Label }),
		e.Score < f.MinScore:
		return false
	}
	return true
}

// Event returns the event with that id; CodeNotFound if there is none.
func (j *Journal) Event(id string) (bridge.Event, error) {
	j.mu.Lock()
	e, living := j.living[id]
	var event bridge.Event
	if living {
		event = e.event
	}
	j.mu.Unlock()
	if living && event.ID != "" {
		return event, nil
	}
	if j.shown(id) {
		if r, ok, err := j.index.Get(id); ok || err != nil {
			return r.Event, err
		}
	}
	return bridge.Event{}, bridge.Errorf(bridge.CodeNotFound, "there is no event %.40q: those that are too old, or too many, were removed", id)
}

// Has reports whether the event has a picture and a clip.
func (j *Journal) Has(id string) (picture, clip bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if e := j.living[id]; e != nil {
		return e.disk.picture > 0 || !e.event.Picture.IsZero(), e.disk.clip > 0
	}
	it := j.items[id]
	return it.picture, it.clip
}

// Picture opens an event's best picture, a JPEG. Its error is CodeNotFound if
// there is none. The caller closes it.
func (j *Journal) Picture(id string) (io.ReadSeekCloser, error) {
	j.mu.Lock()
	e := j.living[id]
	var f bridge.Frame
	if e != nil {
		f = e.event.Picture // better than what is on disk, or as good
	}
	j.mu.Unlock()
	if !f.IsZero() {
		return inMemory{bytes.NewReader(f.JPEG())}, nil
	}
	return j.open(id, pictureFile, "picture", -1, e != nil)
}

// Clip opens an event's clip: an MJPEG body whose boundary is bridge.Boundary.
// Of an event that goes on it is what there is so far. Its error is CodeNotFound
// if there is none. The caller closes it.
func (j *Journal) Clip(id string) (io.ReadSeekCloser, error) {
	j.mu.Lock()
	size := int64(-1)
	e := j.living[id]
	if e != nil {
		size = e.disk.clip
	}
	j.mu.Unlock()
	return j.open(id, clipFile, "clip", size, e != nil)
}

// open opens a file of an event. With a size of 0 or more, only so much of it
// is whole.
func (j *Journal) open(id, name, what string, size int64, living bool) (io.ReadSeekCloser, error) {
	none := bridge.Errorf(bridge.CodeNotFound, "there is no event %.40q with a %s", id, what)
	if size == 0 || !living && !j.shown(id) {
		return nil, none
	}
	f, err := j.disk().root.Open(path.Join(folder(id), name))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, none
	case err != nil:
		return nil, bridge.Errorf(bridge.CodeUnavailable, "the %s of event %s cannot be read: %w", what, id, err)
	case size > 0:
		return part{io.NewSectionReader(f, 0, size), f}, nil
	}
	return f, nil
}

// inMemory is a file that is none.
type inMemory struct{ *bytes.Reader }

func (inMemory) Close() error { return nil }

// part is the beginning of a file.
type part struct {
	*io.SectionReader
	io.Closer
}
