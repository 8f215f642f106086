package bridge

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"
)

// Notice is something that went wrong, or is worth knowing, in words for people:
// it goes to the page, to the log and, if it is wrong, to MQTT's error topic.
type Notice struct {
	Time     time.Time
	Camera   string // empty: the bridge itself
	Code     Code   // empty: nothing is wrong, it is only worth knowing
	Message  string // a sentence that says what to do
	Property string // the setting or action it is about, by wire name; may be empty
	Value    string // what was asked for; may be empty
	Told     bool   // MQTT has it already
}

// News is what changed since a listener last asked.
type News struct {
	Cameras []string // ids of cameras that changed, appeared or went, sorted
	Notices []Notice // oldest first
	Lost    uint64   // notices dropped because the listener was slow
}

// maxNotices bounds a listener's queue; the oldest is dropped.
const maxNotices = 64

// Listener is one reader's mailbox of news. Changes of a camera are merged, so
// a slow reader sees fewer, never old ones. Fleet makes it and fills it; the
// reader calls Next.
type Listener struct {
	wake chan struct{}

	mu      sync.Mutex
	dirty   map[string]struct{}
	notices []Notice
	lost    uint64
}

// NewListener makes an empty mailbox.
func NewListener() *Listener {
	return &Listener{wake: make(chan struct{}, 1), dirty: map[string]struct{}{}}
}

// Changed marks a camera. It never blocks.
func (l *Listener) Changed(camera string) {
	l.mu.Lock()
	l.dirty[camera] = struct{}{}
	l.mu.Unlock()
	l.ring()
}

// Notify adds a notice. It never blocks; the oldest of too many is dropped.
func (l *Listener) Notify(n Notice) {
	l.mu.Lock()
	if len(l.notices) == maxNotices {
		l.notices = slices.Delete(l.notices, 0, 1)
		l.lost++
	}
	l.notices = append(l.notices, n)
	l.mu.Unlock()
	l.ring()
}

func (l *Listener) ring() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// Ready is readable when Take has something to give, for use in a select.
func (l *Listener) Ready() <-chan struct{} { return l.wake }

// Take returns the news so far, which may be none.
func (l *Listener) Take() News {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := News{Cameras: slices.Sorted(maps.Keys(l.dirty)), Notices: l.notices, Lost: l.lost}
	clear(l.dirty)
	l.notices, l.lost = nil, 0
	return n
}

// Next waits for news. Its error is ctx's.
func (l *Listener) Next(ctx context.Context) (News, error) {
	select {
	case <-ctx.Done():
		return News{}, ctx.Err()
	case <-l.wake:
		return l.Take(), nil
	}
}
