package ingest

import (
	"slices"
	"sync"

	"github.com/gorilla/websocket"
)

// maxTexts is how many texts may wait for a camera that does not read: ready and
// a few commands. Another one is refused.
const maxTexts = 8

// letter is one message to a camera.
type letter struct {
	kind int // of gorilla: text, ping or pong
	data []byte
}

// outbox is what waits to be written to a camera: a few texts, one ping, and the
// answer to the camera's newest ping. Nothing that fills it waits.
type outbox struct {
	wake chan struct{} // has one element when there may be something to write

	mu     sync.Mutex
	texts  []*letter
	ping   bool
	pong   *letter // nil: none is due
	broken bool    // a write failed: nothing will ever be sent again
}

func (o *outbox) ring() {
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// text queues data and returns its letter, or nil if it cannot be sent.
func (o *outbox) text(data []byte) *letter {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.broken || len(o.texts) == maxTexts {
		return nil
	}
	l := &letter{kind: websocket.TextMessage, data: data}
	o.texts = append(o.texts, l)
	o.ring()
	return l
}

// askPong queues a ping and reports whether it could: not while the last one
// is still unsent.
func (o *outbox) askPong() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.broken || o.ping {
		return false
	}
	o.ping = true
	o.ring()
	return true
}

// answer queues a pong in place of one that is still unsent.
func (o *outbox) answer(data string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.pong = &letter{kind: websocket.PongMessage, data: []byte(data)}
	o.ring()
}

// next takes what is to be written next, or nil. A pong goes first, because
// cameras wait for it for only three seconds.
func (o *outbox) next() *letter {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case o.broken:
	case o.pong != nil:
		l := o.pong
		o.pong = nil
		return l
	case len(o.texts) > 0:
		l := o.texts[0]
		o.texts = o.texts[1:]
		return l
	case o.ping:
		o.ping = false
		return &letter{kind: websocket.PingMessage}
	}
	return nil
}

// fail notes that a write failed.
func (o *outbox) fail() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.broken, o.texts = true, nil
}

// withdraw takes a text back and reports whether it could: not once next has
// returned it.
func (o *outbox) withdraw(l *letter) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	before := len(o.texts)
	o.texts = slices.DeleteFunc(o.texts, func(t *letter) bool { return t == l })
	return len(o.texts) < before
}
