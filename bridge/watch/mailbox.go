package watch

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge"
	"github.com/espcam-bridge/espcam-bridge/bridge/hub"
)

// mailbox takes a camera's pictures from whoever publishes them: the newest one
// waits to be judged, and a few go into the film. Its lock is held for moments
// only, never while a picture is judged.
type mailbox struct {
	ready func()        // puts the camera into the rotation; called with mu held
	share *atomic.Int64 // bytes of film
	reel  reel          // zero: there is nobody to record it

	mu    sync.Mutex
	open  bool // joined to the feed
	gap   time.Duration
	pace  pacer
	next  bridge.Frame // the slot
	seq   uint64       // of the newest picture seen
	turn  turn
	again bool   // visit once more, even without a picture
	blank bool   // the camera was switched off
	past  uint64 // generation: grows when pictures so far no longer count
	paced uint64
	busy  uint64
	film  film
}

// turn is where a camera stands between mailbox and workers.
type turn int

const (
	idle    turn = iota
	waiting      // in the rotation
	visited      // by a worker
)

var _ hub.Viewer = (*mailbox)(nil)

// Offer takes a published picture, or the news that the camera was switched off.
func (m *mailbox) Offer(f bridge.Frame) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case !m.open:
	case f.IsZero():
		m.blank = true
		m.forgetLocked()
		m.film.clear()
	case f.Seq > m.seq:
		m.seq = f.Seq
		if m.reel.length > 0 {
			m.film.add(f, m.reel, int(m.share.Load()))
		}
		m.putLocked(f)
	}
}

// End is the hub's word that the camera is gone for good. The fleet says so,
// too, and then the watch lets go.
func (m *mailbox) End() {}

func (m *mailbox) putLocked(f bridge.Frame) {
	if !m.pace.due(f.Received, m.gap, slack(m.gap)) {
		m.paced++
		return
	}
	if !m.next.IsZero() {
		m.busy++
	}
	m.next = f
	m.readyLocked()
}

func (m *mailbox) readyLocked() {
	if m.turn == idle {
		m.turn = waiting
		m.ready()
	}
}

// forgetLocked begins a new generation.
func (m *mailbox) forgetLocked() {
	m.past++
	if !m.next.IsZero() {
		m.busy++
		m.next = bridge.Frame{}
	}
}

// take hands the slot to a worker, with the generation that it belongs to.
func (m *mailbox) take() (f bridge.Frame, generation uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.turn, m.again = visited, false
	f, m.next = m.next, bridge.Frame{}
	return f, m.past
}

// done ends a worker's visit; what came meanwhile is for a next one.
func (m *mailbox) done() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.turn = idle
	if m.again || !m.next.IsZero() {
		m.readyLocked()
	}
}

// visitAgain has a worker come, with or without a picture.
func (m *mailbox) visitAgain() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.again = true
	m.readyLocked()
}

// forget begins a new generation: pictures taken before no longer count.
func (m *mailbox) forget() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.forgetLocked()
}

// fresh reports whether pictures of that generation count.
func (m *mailbox) fresh(generation uint64) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.past == generation
}

// blanked reports, once, that the camera was switched off.
func (m *mailbox) blanked() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	was := m.blank
	m.blank = false
	return was
}

// begin makes the mailbox take pictures of a feed, whose numbers begin anew.
func (m *mailbox) begin() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.open, m.blank, m.seq = true, false, 0
	m.pace, m.film = pacer{}, film{lost: m.film.lost}
	m.forgetLocked()
}

// end makes it take none, and forgets what it has.
func (m *mailbox) end() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.open = false
	m.film.clear()
	m.forgetLocked()
}

func (m *mailbox) opened() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.open
}

// setFPS sets how many pictures a second are judged at most.
func (m *mailbox) setFPS(fps int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.gap = time.Second / time.Duration(max(1, fps))
}

// trim brings the film within a share that became smaller.
func (m *mailbox) trim() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.film.trim(int(m.share.Load()))
}

// record begins a clip and returns the pre-roll: the film from a time on.
func (m *mailbox) record(from time.Time) []bridge.Frame {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.film.record(from)
}

// unsent returns what came onto the film since it was asked last.
func (m *mailbox) unsent() []bridge.Frame {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.film.unsent()
}

// cut ends the clip. The film goes on.
func (m *mailbox) cut() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.film.recording = false
}

// clearFilm forgets the film of a camera that went away.
func (m *mailbox) clearFilm() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.film.clear()
}

// pacer thins pictures to one per gap. It follows a schedule from which a
// picture may deviate by the slack: a camera at or below the rate loses none to
// an unsteady network, a faster one is thinned evenly.
type pacer struct{ next time.Time }

func (p *pacer) due(at time.Time, gap, slack time.Duration) bool {
	if at.Before(p.next.Add(-slack)) {
		return false
	}
	if p.next.Before(at) {
		p.next = at
	}
	p.next = p.next.Add(gap)
	return true
}

// steady is the unsteadiness that is usual in a home's wireless network.
const steady = 300 * time.Millisecond

func slack(gap time.Duration) time.Duration { return max(steady, gap/2) }
