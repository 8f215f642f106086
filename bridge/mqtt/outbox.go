package mqtt

import (
	"bytes"
	"slices"
	"sync"
)

const (
	// maxEvents is how many answers may wait; the oldest is dropped.
	maxEvents = 256
	// maxUrgent is how many urgent messages may wait.
	maxUrgent = 4096
	// maxHeld is how many bytes of pictures that cannot be drawn later may wait;
	// the oldest are dropped.
	maxHeld = 8 << 20
	// maxAhead is how many bytes of pictures may wait among the urgent messages:
	// they take 40 ms at 100 Mbit/s.
	maxAhead = 512 << 10
)

// message is on its way to the broker.
type message struct {
	topic   string
	payload []byte        // never changed after it was handed over
	draw    func() []byte // makes the payload when its turn comes; nil: it is there. Nothing drawn, nothing sent
	qos     byte
	retain  bool
	ahead   bool   // a picture among what is urgent
	taken   func() // called when the broker has it; may be nil
}

// outbox holds what waits for the broker: for a state the newest value of each
// topic, for pictures the newest of each camera, for events a short queue, and a
// longer one for what is urgent. A value that the broker already has over this
// connection is not sent again.
//
// While it is closed nothing is kept: states are made anew at the next
// announcement, and so is what is urgent; events and pictures would be old. Its methods may be called from
// any goroutine and never wait.
type outbox struct {
	wake chan struct{}

	mu      sync.Mutex
	open    bool
	given   map[string][]byte // the last value of each retained topic over this connection
	states  slots
	images  slots
	events  []message
	urgent  []message
	ahead   int // bytes of pictures in urgent
	dropped uint64
}

// slots is a queue with one place per name: a newer message takes the place of
// the older one.
type slots struct {
	order []string
	byKey map[string]message
	bytes int // of all payloads
}

func (s *slots) put(key string, m message) (replaced bool) {
	old, replaced := s.byKey[key]
	if !replaced {
		s.order = append(s.order, key)
	}
	s.byKey[key] = m
	s.bytes += len(m.payload) - len(old.payload)
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
	s.bytes -= len(m.payload)
	return m, true
}

func (s *slots) drop(key string) (dropped bool) {
	m, dropped := s.byKey[key]
	if dropped {
		delete(s.byKey, key)
		s.bytes -= len(m.payload)
		s.order = slices.DeleteFunc(s.order, func(k string) bool { return k == key })
	}
	return dropped
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
	o.clearLocked(open)
	o.urgent, o.ahead = nil, 0
}

// clearLocked drops all but what is urgent.
func (o *outbox) clearLocked(open bool) {
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

// lose notes that the broker does not have a topic's value any more, and drops what
// waits for it.
func (o *outbox) lose(topic string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.states.drop(topic)
	delete(o.given, topic)
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
	if o.open {
		o.imageLocked(m)
		o.ring()
	} else {
		o.dropped++
	}
	return o.open
}

// imageLocked puts a picture behind all others, and drops the oldest ones of
// those that are held if they are too many.
func (o *outbox) imageLocked(m message) {
	if o.images.put(m.topic, m) {
		o.dropped++
	}
	for o.images.bytes > maxHeld {
		o.images.take()
		o.dropped++
	}
}

// urge takes a message that is sent before all others, after those that were
// urged before. A state replaces what waits of its topic. It is false if there is
// no more room.
func (o *outbox) urge(m message) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.open || len(o.urgent) >= maxUrgent {
		return !o.open
	}
	if m.retain {
		o.states.drop(m.topic)
		o.given[m.topic] = m.payload
	}
	o.urgent = append(o.urgent, m)
	o.ring()
	return true
}

// illustrate takes a picture that is to be there before the urgent message that
// follows. Where many pictures wait already, it is sent after all others, so that
// no urgent message waits long for them.
func (o *outbox) illustrate(m message) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.images.drop(m.topic) {
		o.dropped++
	}
	if o.open && o.ahead+len(m.payload) <= maxAhead && len(o.urgent) < maxUrgent {
		m.ahead = true
		o.ahead += len(m.payload)
		o.urgent = append(o.urgent, m)
	} else if o.open {
		o.imageLocked(m)
	}
	o.ring()
}

// clear ends a retained topic, and a picture that waits for it.
func (o *outbox) clear(topic string) {
	o.mu.Lock()
	o.images.drop(topic)
	o.mu.Unlock()
	o.state(message{topic: topic, qos: 1, retain: true}, true)
}

// last drops all that waits and is not urgent in favour of one message.
func (o *outbox) last(m message) {
	o.mu.Lock()
	o.clearLocked(true)
	o.mu.Unlock()
	o.event(m)
}

// next returns the next message: what is urgent first, then events, because
// somebody waits for an answer, pictures last.
func (o *outbox) next() (message, bool) {
	for {
		m, ok := o.take()
		if ok && m.draw != nil {
			if m.payload = m.draw(); len(m.payload) == 0 {
				continue // an empty message would end something
			}
		}
		return m, ok
	}
}

func (o *outbox) take() (message, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.urgent) > 0 {
		m := o.urgent[0]
		o.urgent = o.urgent[1:]
		if m.ahead {
			o.ahead -= len(m.payload)
		}
		return m, true
	}
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

// count adds what was dropped elsewhere.
func (o *outbox) count(n uint64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.dropped += n
}

// lost counts dropped pictures and events.
func (o *outbox) lost() uint64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.dropped
}
