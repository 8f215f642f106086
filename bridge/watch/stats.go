package watch

import (
	"maps"
	"slices"
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge"
	"github.com/espcam-bridge/espcam-bridge/motion"
)

// Stats are the watch's figures since the program started.
type Stats struct {
	Cameras      map[string]bridge.MotionState // by id
	Detectors    []DetectorStats               // in the order in which they were added
	Events       uint64                        // that began
	Unrecorded   uint64                        // pictures of clips that were lost: the recorder had no room, or they were judged too late
	PreRollBytes int                           // held now
}

// Stats returns the figures of now.
func (w *Watch) Stats() Stats {
	s := Stats{Cameras: map[string]bridge.MotionState{}, Events: w.begun.Load(), Unrecorded: w.lost.Load()}
	for _, e := range w.list() {
		s.Cameras[e.id] = e.state()
		bytes, lost := e.mail.filmed()
		s.PreRollBytes += bytes
		s.Unrecorded += lost
	}
	for _, h := range w.detectors.hooks() {
		s.Detectors = append(s.Detectors, h.figures())
	}
	return s
}

// filmed returns the bytes of film, and how many pictures were lost to it.
func (m *mailbox) filmed() (bytes int, lost uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.film.bytes, m.film.lost
}

func (m *mailbox) skipped() map[string]uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return map[string]uint64{"pace": m.paced, "busy": m.busy}
}

// sight is what became of a camera's pictures. It is guarded by its eye's lock.
type sight struct {
	judgement *motion.Judgement // the newest; nil: none since all was forgotten
	since     time.Time         // an event began or ended
	analysed  uint64
	quiet     map[string]uint64
	rate      rate
}

func (s *sight) count(j motion.Judgement, now time.Time) {
	s.analysed++
	s.rate.add(now)
	if j.Quiet == "" {
		return
	}
	if s.quiet == nil {
		s.quiet = map[string]uint64{}
	}
	s.quiet[string(j.Quiet)]++
}

func (e *eye) state() bridge.MotionState {
	skipped := e.mail.skipped()
	e.mu.Lock()
	defer e.mu.Unlock()
	s := bridge.MotionState{
		Active: e.life.open, Since: e.sight.since, Event: e.life.event.ID, Learning: e.feed != nil && e.camera.Connected,
		FPS: e.sight.rate.of(e.w.deps.Now()), Analysed: e.sight.analysed,
		Skipped: skipped, Quiet: map[string]uint64{},
	}
	for _, q := range motion.Quiets() {
		s.Quiet[string(q)] = 0
	}
	maps.Copy(s.Quiet, e.sight.quiet)
	if j := e.sight.judgement; j != nil {
		s.Score, s.Boxes, s.Zones = j.Score, boxes(j.Boxes), slices.Clone(j.Zones)
		s.Learning = j.Quiet == motion.Settling || j.Quiet == motion.SceneChange
	}
	return s
}

// rateTime is how long a rate is measured.
const rateTime = 2 * time.Second

// rate measures pictures per second over windows of time.
type rate struct {
	start, last time.Time
	n           int
	fps         float64 // of the last full window
}

func (r *rate) add(now time.Time) {
	r.of(now)
	if r.start.IsZero() {
		r.start = now
	}
	r.n++
	r.last = now
}

func (r *rate) of(now time.Time) float64 {
	switch d := now.Sub(r.start); {
	case r.start.IsZero():
	case now.Sub(r.last) >= 2*rateTime:
		*r = rate{}
	case d >= rateTime:
		r.fps = float64(r.n) / d.Seconds()
		r.start, r.n = now, 0
	}
	return r.fps
}
