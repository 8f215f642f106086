package httpapi

import (
	"sync"
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge"
	"github.com/espcam-bridge/espcam-bridge/bridge/hub"
)

// viewer hands one camera's frames to one connection. It has a slot for one
// frame, in which a newer one replaces an older one, and a goroutine (run) that
// writes. With a shortcut, the publisher itself writes while the connection is
// idle, and the goroutine wakes only for what did not fit.
type viewer struct {
	outlet
	now     func() time.Time
	wake    chan struct{} // something is in the slot
	removed chan struct{} // the camera is gone

	mu    sync.Mutex
	pace  pacer
	busy  bool         // run is writing
	rest  []byte       // what the shortcut could not write of a frame
	next  bridge.Frame // the slot
	blank bool         // the camera was switched off: a placeholder is wanted
	seq   uint64       // of the newest frame seen
	last  time.Time    // when the newest frame was seen
	fault error        // of the shortcut
	once  sync.Once
}

var _ hub.Viewer = (*viewer)(nil)

// outlet is how a viewer's connection takes frames.
type outlet struct {
	form     func(bridge.Frame) []byte // which bytes of a frame are sent
	write    func([]byte) error        // writes all, or fails after the deadline; only run calls it
	shortcut *shortcut                 // nil: everything goes through the slot
	skipped  func()                    // counts a frame that was replaced unsent
}

// newViewer makes a viewer; fps 0 is every frame.
func newViewer(o outlet, fps float64, now func() time.Time) *viewer {
	return &viewer{outlet: o, pace: newPacer(fps), now: now, last: now(), wake: make(chan struct{}, 1), removed: make(chan struct{})}
}

// Offer takes a published frame, unless the viewer asked for fewer.
func (v *viewer) Offer(f bridge.Frame) {
	v.mu.Lock()
	defer v.mu.Unlock()
	switch {
	case f.IsZero():
		v.next, v.blank = f, true
		v.ring()
	case f.Seq > v.seq && v.pace.due(f.Received):
		v.sendLocked(f)
	}
}

// End closes the connection of a camera that was removed.
func (v *viewer) End() { v.once.Do(func() { close(v.removed) }) }

// show sends what there is to see now, whatever the pace, but never after a newer
// frame: a placeholder has no number, so it is dropped if a frame came while it
// was drawn. It reports whether there was anything to show.
func (v *viewer) show(picture func() bridge.Frame) bool {
	v.mu.Lock()
	before := v.seq
	v.mu.Unlock()
	f := picture()
	v.mu.Lock()
	defer v.mu.Unlock()
	late := f.Seq < v.seq
	if f.Seq == 0 {
		late = v.seq != before
	}
	if !f.IsZero() && !late {
		v.sendLocked(f)
	}
	return !f.IsZero()
}

func (v *viewer) sendLocked(f bridge.Frame) {
	v.seq, v.last, v.blank = max(v.seq, f.Seq), v.now(), false
	if v.busy || v.shortcut == nil {
		if !v.next.IsZero() {
			v.skipped()
		}
		v.next = f
		v.ring()
		return
	}
	part := v.form(f)
	n, err := v.shortcut.write(part)
	if err != nil || n < len(part) {
		v.fault, v.rest, v.busy = err, part[n:], true
		v.ring()
	}
}

func (v *viewer) ring() {
	select {
	case v.wake <- struct{}{}:
	default:
	}
}

// take returns what is to be written now; nil when the viewer became idle.
func (v *viewer) take() ([]byte, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.fault != nil {
		return nil, v.fault
	}
	out := v.rest
	v.rest = nil
	if out == nil && !v.next.IsZero() {
		out, v.next = v.form(v.next), bridge.Frame{}
	}
	v.busy = out != nil
	return out, nil
}

// drain writes until nothing is left.
func (v *viewer) drain() error {
	for {
		b, err := v.take()
		if err != nil || b == nil {
			return err
		}
		if err := v.write(b); err != nil {
			return err
		}
	}
}

// switchedOff reports, once, that a placeholder is wanted.
func (v *viewer) switchedOff() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	was := v.blank
	v.blank = false
	return was
}

// idle returns for how long nothing was sent.
func (v *viewer) idle() time.Duration {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.now().Sub(v.last)
}

// watch is what run needs to know of a viewer's surroundings.
type watch struct {
	left    <-chan struct{}     // the client is gone
	closing <-chan struct{}     // the server stops
	still   func() bool         // whether the viewer still may
	picture func() bridge.Frame // the newest picture or the placeholder; zero if the camera is gone
	timing  Timing
}

// run writes until the viewer ends: the client left or takes nothing, the
// camera or the right to see it is gone, the server stops. A picture that stays
// is sent again from time to time, since clients give up on silence.
func (v *viewer) run(w watch) {
	repeat := time.NewTimer(w.timing.Repeat)
	defer repeat.Stop()
	recheck := time.NewTicker(w.timing.Recheck)
	defer recheck.Stop()
	for {
		select {
		case <-w.left:
			return
		case <-w.closing:
			return
		case <-v.removed:
			return
		case <-recheck.C:
			if !w.still() {
				return
			}
		case <-repeat.C:
			wait := w.timing.Repeat - v.idle()
			if wait <= 0 {
				if !v.show(w.picture) {
					return
				}
				wait = w.timing.Repeat
			}
			repeat.Reset(wait)
		case <-v.wake:
			if v.switchedOff() && !v.show(w.picture) || v.drain() != nil {
				return
			}
		}
	}
}

// pacer thins frames to a rate without letting it fall below: frames that come
// a little early count as in time.
type pacer struct {
	gap  time.Duration // 0: every frame
	next time.Time
}

func newPacer(fps float64) pacer {
	if fps <= 0 {
		return pacer{}
	}
	return pacer{gap: time.Duration(float64(time.Second) / fps)}
}

func (p *pacer) due(at time.Time) bool {
	if p.gap == 0 {
		return true
	}
	if at.Before(p.next.Add(-p.gap / 4)) {
		return false
	}
	if p.next = p.next.Add(p.gap); p.next.Before(at) {
		p.next = at.Add(p.gap)
	}
	return true
}
