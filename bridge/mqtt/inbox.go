package mqtt

import (
	"strings"
	"sync"
	"sync/atomic"
)

const (
	// maxIncoming is how many messages may wait to be read; newer ones are
	// dropped and counted.
	maxIncoming = 2048
	// maxCommand is the longest command, in bytes.
	maxCommand = 4 << 10
)

// incoming is a message from the broker.
type incoming struct {
	topic    string
	payload  []byte
	retained bool
	long     bool // a command longer than maxCommand; its payload is cut
}

// text is the payload for people.
func (m incoming) text() string { return strings.ToValidUTF8(string(m.payload), "?") }

// inbox takes messages from paho and never makes it wait. One goroutine reads.
type inbox struct {
	wake chan struct{}
	lost *atomic.Uint64

	mu       sync.Mutex
	messages []incoming
}

func newInbox(lost *atomic.Uint64) *inbox {
	return &inbox{wake: make(chan struct{}, 1), lost: lost}
}

func (b *inbox) add(topic string, payload []byte, retained bool) {
	m := incoming{topic: topic, payload: payload, retained: retained}
	if (strings.HasSuffix(topic, "/set") || strings.Contains(topic, "/bridge/request/")) && len(payload) > maxCommand {
		m.payload, m.long = []byte(string(payload[:64])), true // lets the rest go
	}
	b.mu.Lock()
	if len(b.messages) >= maxIncoming {
		b.lost.Add(1)
	} else {
		b.messages = append(b.messages, m)
	}
	b.mu.Unlock()
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// take returns what arrived since the last call.
func (b *inbox) take() []incoming {
	b.mu.Lock()
	defer b.mu.Unlock()
	m := b.messages
	b.messages = nil
	return m
}
