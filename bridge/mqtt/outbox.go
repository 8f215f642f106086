package mqtt

import (
	"bytes"
	"slices"
	"sync"
)

// maxEvents is how many messages that are no state may wait; the oldest is
// dropped.
const maxEvents = 256

// message is on its way to the broker.
type message struct {
	topic   string
	payload []byte // never changed after it was handed over
	qos     byte
	retain  bool
	taken   func() // called when the broker has it; may be nil
}

// outbox holds what waits for the broker: for a state the newest value of each
// topic, for pictures the newest of each camera, for events a short queue. A
// value that the broker already has over this connection is not sent again.
//
// While it is closed nothing is kept: states are made anew at the next
// announcement, events and pictures would be old. Its methods may be called from
// any goroutine and never wait.
type outbox struct {
	wake chan struct{}

	mu      sync.Mutex
	open    bool
	given   map[string][]byte // the last value of each retained topic over this connection
	states  slots
	images  slots
	events  []message
	dropped uint64
}

// slots is a queue with one place per name: a newer message takes the place of
// the older one.
type slots struct {
	order []string
	byKey map[string]message
}

func (s *slots) put(key string, m message) (replaced bool) {
	if _, replaced = s.byKey[key]; !replaced {
		s.order = append(s.order, key)
	}
	s.byKey[key] = m
	return replaced
}

func (s *slots) take() (message, bool) {
	if len(s.order) == 0 {
		return message{}, false
	}
	key := s.order[0]
	s.order = s.order[1:]
	m := s.byKey[key]
	delete(s.byKey, key)
	return m, true
}

func newOutbox() *outbox {
	o := &outbox{wake: make(chan struct{}, 1)}
	o.reset(false)
	return o
}

// reset empties the outbox, at the begin and at the end of a session.
func (o *outbox) reset(open bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.dropped += uint64(len(o.events) + len(o.images.order))
	o.open, o.given, o.events = open, map[string][]byte{}, nil
	o.states = slots{byKey: map[string]message{}}
	o.images = slots{byKey: map[string]message{}}
}

// state takes the newest value of a topic. force sends it even if the broker
// has that very value.
func (o *outbox) state(m message, force bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	old, had := o.given[m.topic]
	if !o.open || !force && had && bytes.Equal(old, m.payload) {
		return
	}
	o.given[m.topic] = m.payload
	o.states.put(m.topic, m)
	o.ring()
}

// forget makes every state be sent again, whatever the broker was given.
func (o *outbox) forget() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.given = map[string][]byte{}
}

// event takes a message that is sent once.
func (o *outbox) event(m message) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.open {
		o.dropped++
		return
	}
	if len(o.events) == maxEvents {
		o.events = slices.Delete(o.events, 0, 1)
		o.dropped++
	}
	o.events = append(o.events, m)
	o.ring()
}

// image takes a camera's newest picture. It reports whether there is a
// connection for it.
func (o *outbox) image(m message) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.open || o.images.put(m.topic, m) {
		o.dropped++
	}
	o.ring()
	return o.open
}

// last drops all that waits in favour of one message.
func (o *outbox) last(m message) {
	o.reset(true)
	o.event(m)
}

// next returns the next message: events first, because somebody waits for an
// answer, pictures last.
func (o *outbox) next() (message, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.events) > 0 {
		m := o.events[0]
		o.events = o.events[1:]
		return m, true
	}
	if m, ok := o.states.take(); ok {
		return m, true
	}
	return o.images.take()
}

func (o *outbox) ring() {
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// lost counts dropped pictures and events.
func (o *outbox) lost() uint64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.dropped
}
