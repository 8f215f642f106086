package httpapi

import (
	"time"

	"github.com/gorilla/websocket"

	"github.com/espcam-bridge/espcam-bridge/bridge"
)

// eventEvery is the time between two messages about one event that goes on.
const eventEvery = 200 * time.Millisecond

// eventMessage tells the page of an event: at once when it begins and when it
// ends, between at most five times a second.
type eventMessage struct {
	Type   string       `json:"type"`
	Event  eventJSON    `json:"event"`
	Now    []bridge.Box `json:"now"` // what moves now, to be drawn over the picture
	Active bool         `json:"active"`
}

// happenings are the events that a page knows of. Its writer owns them.
type happenings struct {
	inbox *bridge.EventListener   // nil: nobody watches
	told  map[string]time.Time    // by event that goes on: when the page last heard of it
	later map[string]bridge.Event // newer than what the page heard
	wake  *time.Timer             // when one of those is due
}

func newHappenings() happenings {
	wake := time.NewTimer(time.Hour)
	wake.Stop()
	return happenings{told: map[string]time.Time{}, later: map[string]bridge.Event{}, wake: wake}
}

// ready is readable when there are events; never without a watch.
func (h *happenings) ready() <-chan struct{} {
	if h.inbox == nil {
		return nil
	}
	return h.inbox.Ready()
}

// welcomeEvents tells a new page what is going on.
func (k *socket) welcomeEvents() {
	if k.events.inbox == nil {
		return
	}
	for _, e := range k.deps.Motion.Active() {
		k.happened(e, k.now())
	}
}

// hearEvents takes what the watch tells. A page that missed some comes back and
// is told everything anew.
func (k *socket) hearEvents() {
	events, lost := k.events.inbox.Take()
	if lost > 0 {
		k.end(websocket.ClosePolicyViolation, "too slow")
		return
	}
	now := k.now()
	for _, e := range events {
		k.happened(e, now)
	}
}

// happened tells the page of an event's newest state, or keeps it until it is
// due.
func (k *socket) happened(e bridge.Event, now time.Time) {
	if !k.v.who.May(bridge.Viewer, e.Camera) {
		return
	}
	h := &k.events
	last, known := h.told[e.ID]
	if wait := eventEvery - now.Sub(last); known && !e.Over() && wait > 0 {
		if len(h.later) == 0 {
			h.wake.Reset(wait)
		}
		h.later[e.ID] = e
		return
	}
	delete(h.later, e.ID)
	h.told[e.ID] = now
	if e.Over() {
		delete(h.told, e.ID)
	}
	k.say(eventMessage{"event", k.showEvent(e), orNone(e.Now), !e.Over()})
	if !known || e.Over() { // what the page shows of the camera changes, too
		k.old[e.Camera] = true
		k.tell()
	}
}

// tellLater tells what was kept and is due.
func (k *socket) tellLater() {
	now := k.now()
	for _, e := range k.events.later {
		k.happened(e, now)
	}
	if len(k.events.later) > 0 {
		k.events.wake.Reset(eventEvery / 4)
	}
}
