package watch

import (
	"context"
	"log/slog"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge"
)

// DetectorStats are a detector's counters since it was added.
type DetectorStats struct {
	Name     string
	Calls    uint64
	Busy     uint64 // pictures replaced by a newer one while a call was under way, or refused as busy
	Timeouts uint64 // calls that ended after their time
	Errors   uint64
	Hung     int // calls whose time is over and that have not ended
}

// detectors are those that were added, and their calls under way.
type detectors struct {
	log   *slog.Logger
	calls sync.WaitGroup

	mu   sync.Mutex
	list []*hook // replaced, never changed
}

// hook is one detector with a lane for each camera.
type hook struct {
	bridge.Detector
	bridge.DetectorOptions
	all *detectors

	mu    sync.Mutex
	gone  bool
	lanes map[string]*lane
	stats DetectorStats
	ill   bool // the last call failed
}

// lane is one call in flight and one newer picture that waits. It outlives a
// camera that is switched off, so that its return does not make a second call.
type lane struct {
	pace    pacer
	offered uint64 // pictures that it could have seen
	next    shot
	left    bool            // the camera was switched off during the call
	call    context.Context // nil: none under way
	cancel  context.CancelFunc
}

// shot is a picture and where something moves in it.
type shot struct {
	frame bridge.Frame
	boxes []bridge.Box
}

func (d *detectors) add(det bridge.Detector, o bridge.DetectorOptions) (remove func()) {
	if o.Timeout <= 0 {
		o.Timeout = time.Second
	}
	h := &hook{Detector: det, DetectorOptions: o, all: d, lanes: map[string]*lane{}}
	d.mu.Lock()
	d.list = append(slices.Clip(d.list), h)
	d.mu.Unlock()
	return func() {
		d.mu.Lock()
		d.list = slices.DeleteFunc(slices.Clone(d.list), func(o *hook) bool { return o == h })
		d.mu.Unlock()
		h.remove()
	}
}

func (d *detectors) hooks() []*hook {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.list
}

// offer shows a judged picture to all detectors that want it.
func (d *detectors) offer(ctx context.Context, e *eye, s shot, open bool) {
	for _, h := range d.hooks() {
		if (open || h.Always) && (h.Cameras == nil || slices.Contains(h.Cameras, e.id)) {
			h.offer(ctx, e, s)
		}
	}
}

// forget drops what waits for a camera that was switched off and cancels what
// is under way.
func (d *detectors) forget(camera string) {
	for _, h := range d.hooks() {
		h.mu.Lock()
		h.forgetLocked(camera)
		h.mu.Unlock()
	}
}

// wait waits for calls that were cancelled, but not for ever.
func (d *detectors) wait(limit time.Duration) {
	done := make(chan struct{})
	go func() {
		d.calls.Wait()
		close(done)
	}()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
		d.log.Warn("a detector does not end its call; the bridge stops without it")
	}
}

func (h *hook) offer(ctx context.Context, e *eye, s shot) {
	h.mu.Lock()
	defer h.mu.Unlock()
	l := h.lanes[e.id]
	if l == nil {
		l = &lane{}
		h.lanes[e.id] = l
	}
	if h.gone || !h.wantsLocked(l, s) {
		return
	}
	if l.call == nil {
		h.startLocked(ctx, l)
		h.all.calls.Go(func() { h.run(ctx, e, l, s) })
		return
	}
	if !l.next.frame.IsZero() {
		h.stats.Busy++
	}
	l.next, l.left = s, false
}

// wantsLocked reports whether a judged picture is one of those that the detector
// is to see.
func (h *hook) wantsLocked(l *lane, s shot) bool {
	l.offered++
	if h.Every > 1 && l.offered%uint64(h.Every) != 1 {
		return false
	}
	return h.MaxFPS <= 0 || l.dueLocked(s.frame.Received, h.MaxFPS)
}

func (l *lane) dueLocked(at time.Time, fps float64) bool {
	gap := time.Duration(float64(time.Second) / fps)
	return l.pace.due(at, gap, gap/2)
}

func (h *hook) startLocked(ctx context.Context, l *lane) {
	l.call, l.cancel = context.WithTimeout(ctx, h.Timeout)
	h.stats.Calls++
}

// run calls the detector until no picture waits.
func (h *hook) run(ctx context.Context, e *eye, l *lane, s shot) {
	for more := true; more; {
		found, err := h.Detect(l.call, s.frame, s.boxes)
		if h.count(l, err) {
			e.detected(s.frame, clean(found))
		}
		s, more = h.next(ctx, e.id, l)
	}
}

// count counts how a call ended and reports whether its result is of use.
func (h *hook) count(l *lane, err error) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	late := l.call.Err()
	l.cancel()
	switch {
	case late == context.DeadlineExceeded:
		h.stats.Timeouts++
		h.healthLocked("it did not answer in time", true)
	case late != nil: // cancelled
	case bridge.CodeOf(err) == bridge.CodeBusy:
		h.stats.Busy++
	case err != nil:
		h.stats.Errors++
		h.healthLocked(err.Error(), true)
	default:
		h.healthLocked("", false)
		return true
	}
	return false
}

// healthLocked logs when a detector begins to fail and when it works again.
func (h *hook) healthLocked(why string, ill bool) {
	switch {
	case ill && !h.ill:
		h.all.log.Warn("detector fails", "detector", h.Name(), "err", why)
	case !ill && h.ill:
		h.all.log.Info("detector works again", "detector", h.Name())
	}
	h.ill = ill
}

// next takes the picture that waits, or ends the lane's turn.
func (h *hook) next(ctx context.Context, camera string, l *lane) (shot, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := l.next
	l.next = shot{}
	if s.frame.IsZero() || ctx.Err() != nil {
		l.call, l.cancel = nil, nil
		if l.left {
			delete(h.lanes, camera)
		}
		return shot{}, false
	}
	h.startLocked(ctx, l)
	return s, true
}

func (h *hook) forgetLocked(camera string) {
	l := h.lanes[camera]
	switch {
	case l == nil:
	case l.call == nil:
		delete(h.lanes, camera)
	default:
		l.next, l.left = shot{}, true
		l.cancel()
	}
}

func (h *hook) remove() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.gone = true
	for camera := range h.lanes {
		h.forgetLocked(camera)
	}
}

func (h *hook) figures() DetectorStats {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := h.stats
	s.Name = h.Name()
	for _, l := range h.lanes {
		if l.call != nil && l.call.Err() == context.DeadlineExceeded {
			s.Hung++
		}
	}
	return s
}

// maxLabel is how many bytes a label may have.
const maxLabel = 64

// clean keeps what makes sense of a detector's answer.
func clean(found []bridge.Detection) []bridge.Detection {
	out := make([]bridge.Detection, 0, min(len(found), maxLabels))
	for _, d := range found {
		d.Label = strings.ToValidUTF8(strings.TrimSpace(d.Label), "")
		if d.Label == "" || len(d.Label) > maxLabel || !(d.Score >= 0 && d.Score <= 1) || !inside(d.Box) {
			continue
		}
		if out = append(out, d); len(out) == maxLabels {
			break
		}
	}
	return out
}

func inside(b bridge.Box) bool {
	const rounding = 1e-6
	for _, v := range []float64{b.X, b.Y, b.W, b.H} {
		if math.IsNaN(v) || v < 0 || v > 1 {
			return false
		}
	}
	return b.X+b.W <= 1+rounding && b.Y+b.H <= 1+rounding
}
