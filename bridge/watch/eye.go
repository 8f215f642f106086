package watch

import (
	"context"
	"reflect"
	"strings"
	"sync"
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge"
	"github.com/espcam-bridge/espcam-bridge/bridge/hub"
	"github.com/espcam-bridge/espcam-bridge/motion"
)

// eye is the watch over one camera. Locks are taken in the order of mu, those of
// fleet and hub, mail.mu, rotation.mu; nobody holds mu while a picture is judged.
type eye struct {
	id       string
	w        *Watch
	visited  uint64 // number of its last visit; the rotation's, and guarded by its lock
	mail     mailbox
	examiner examiner

	mu      sync.Mutex
	camera  bridge.Camera // as last told
	feed    *hub.Feed     // joined; nil while switched off
	orders  orders
	life    lifecycle
	clipEnd time.Time
	sight   sight
}

func newEye(w *Watch, id string) *eye {
	e := &eye{id: id, w: w}
	e.examiner.build = w.judge
	e.life.longest = w.cfg.MaxLength
	e.mail.share = &w.share
	if w.deps.Recorder != nil {
		e.mail.reel = reel{length: w.cfg.PreRoll, gap: time.Duration(float64(time.Second) / w.cfg.ClipFPS)}
	}
	e.mail.ready = func() { w.rotation.push(e) }
	return e
}

// follow takes over what the fleet says now. It reports whether the camera is
// still known.
func (e *eye) follow() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.followLocked()
}

// followLocked asks the fleet with the lock held, so that nobody puts an older
// answer over a newer one.
func (e *eye) followLocked() bool {
	if e.w.stopped.Load() {
		return true
	}
	c, err := e.w.deps.Fleet.Camera(e.id)
	if err != nil || c.ID != e.id {
		e.offLocked(bridge.EndDisconnected)
		return false
	}
	before, feed := e.camera, e.w.deps.Hub.Lookup(e.id)
	e.camera = c
	on := c.Enabled && c.Motion.Enabled && feed != nil && (c.State == bridge.Online || c.State == bridge.Offline)
	if !on || e.mail.blanked() {
		e.offLocked(bridge.EndDisabled)
	}
	if !on {
		return true
	}
	e.orderLocked(c)
	if feed != e.feed {
		e.joinLocked(feed)
	} else if !c.Disturbed.Equal(before.Disturbed) {
		e.mail.forget()
	}
	e.connectedLocked(before)
	return true
}

// orderLocked takes over settings.
func (e *eye) orderLocked(c bridge.Camera) {
	cfg := configOf(c.Motion, e.w.cfg.MaxPixels)
	if !reflect.DeepEqual(cfg, e.orders.cfg) {
		e.orders.version++
	}
	e.orders.on, e.orders.cfg, e.orders.disturbed = true, cfg, c.Disturbed
	e.mail.setFPS(c.Motion.FPS)
	e.life.hold = c.Motion.OffDelay
}

func (e *eye) joinLocked(feed *hub.Feed) {
	if e.feed != nil {
		e.feed.Leave(&e.mail)
	}
	e.feed, e.sight.judgement = feed, nil
	e.mail.begin()
	feed.Join(&e.mail)
}

// connectedLocked handles the camera's coming and going. Connected is not
// damped: a short absence makes it learn anew, but only a camera that is offline
// ends its event.
func (e *eye) connectedLocked(before bridge.Camera) {
	now := e.w.deps.Now()
	if !e.camera.ConnectedAt.Equal(before.ConnectedAt) {
		e.mail.forget()
		e.sight.judgement = nil
		e.life.fall(now)
	}
	if !e.camera.Connected {
		e.flushLocked()
		e.mail.clearFilm()
	}
	was := e.orders.away
	e.orders.away = e.camera.State == bridge.Offline
	if e.orders.away && !was {
		e.endLocked(now, bridge.EndDisconnected)
		e.mail.visitAgain() // which closes the judge
	}
}

// offLocked lets go of the camera.
func (e *eye) offLocked(why bridge.Ending) {
	if e.feed == nil {
		return
	}
	e.feed.Leave(&e.mail)
	e.feed = nil
	e.endLocked(e.w.deps.Now(), why)
	e.mail.end()
	e.life.sensors = nil
	e.sight.judgement, e.orders.on = nil, false
	e.mail.visitAgain()
	e.w.detectors.forget(e.id)
}

// stop ends the event because Run ends.
func (e *eye) stop() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.offLocked(bridge.EndStopped)
}

// visit is a worker's turn: it judges the picture that waits.
func (e *eye) visit(ctx context.Context) {
	defer e.mail.done()
	f, generation := e.mail.take()
	e.mu.Lock()
	orders := e.orders
	e.mu.Unlock()
	switch {
	case !orders.on, f.IsZero() && orders.away:
		e.examiner.close()
	case !f.IsZero():
		j := e.examiner.examine(orders, f, generation)
		if open, ok := e.judged(f, generation, j); ok && j.Quiet != motion.Damaged {
			e.w.detectors.offer(ctx, e, shot{f, boxes(j.Boxes)}, open)
		}
	}
}

// judged makes what a picture shows part of an event. It reports whether one
// goes on, and whether the picture still counts.
func (e *eye) judged(f bridge.Frame, generation uint64, j motion.Judgement) (open, ok bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	now := e.w.deps.Now()
	e.sight.count(j, now)
	e.expireLocked(now)
	begins := j.Motion && j.Score > 0 && !e.life.open // not what only the pictures before saw
	if begins {
		e.followLocked() // nobody is told of motion that was switched off a moment ago
	}
	if !e.mail.fresh(generation) || e.feed == nil {
		return false, false
	}
	e.sight.judgement = &j
	if begins && !e.life.open {
		e.beginLocked(f.Received)
		e.life.seen(f, j)
		e.tellBeginLocked()
	} else if e.life.open && e.life.seen(f, j) {
		e.w.tell(e.life.event, e.life.minor(now))
	}
	e.flushLocked()
	return e.life.open, true
}

// sense takes a change of a sensor.
func (e *eye) sense(name string, active bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	now := e.w.deps.Now()
	if !active {
		e.life.falls(name, now)
		e.w.hurry()
		return
	}
	e.expireLocked(now)
	e.followLocked()
	if e.feed == nil || !e.life.rises(name) {
		return
	}
	if e.life.open {
		e.life.by(name, now)
		e.w.tell(e.life.event, false)
		return
	}
	e.beginLocked(now)
	e.life.by(name, now)
	if f := e.feed.Latest(); !f.IsZero() && now.Sub(f.Received) <= e.w.cfg.PreRoll {
		e.life.event.Picture = f
	}
	e.tellBeginLocked()
	e.flushLocked()
}

func (e *eye) beginLocked(at time.Time) {
	e.life.begin(e.w.ids.next(at), e.id, at)
	e.sight.since = at
	e.w.begun.Add(1)
	e.w.hurry()
}

// tellBeginLocked tells the event, and hands over what was before it.
func (e *eye) tellBeginLocked() {
	event := e.life.event
	e.w.tell(event, false)
	e.w.deps.Log.Info("motion", "camera", e.id, "event", event.ID, "sources", strings.Join(event.Sources, " "))
	if e.w.deps.Recorder == nil {
		return
	}
	frames := e.mail.record(event.Begin.Add(-e.w.cfg.PreRoll))
	first := event.Begin
	if len(frames) > 0 && frames[0].Received.Before(first) {
		first = frames[0].Received
	}
	e.clipEnd = first.Add(e.w.cfg.ClipLength)
	e.recordLocked(frames)
}

// flushLocked hands what came since to the recorder.
func (e *eye) flushLocked() {
	if !e.clipEnd.IsZero() {
		e.recordLocked(e.mail.unsent())
	}
}

func (e *eye) recordLocked(frames []bridge.Frame) {
	for _, f := range frames {
		if f.Received.After(e.clipEnd) {
			e.cutLocked()
			return
		}
		if !e.w.deps.Recorder.Record(e.life.event.ID, f) {
			e.w.lost.Add(1)
		}
	}
}

func (e *eye) cutLocked() {
	e.clipEnd = time.Time{}
	e.mail.cut()
}

// endLocked ends the event, if one goes on.
func (e *eye) endLocked(at time.Time, why bridge.Ending) {
	if !e.life.open {
		return
	}
	e.flushLocked()
	e.cutLocked()
	event := e.life.end(at, why)
	e.sight.since = at
	e.w.tell(event, false)
	e.w.deps.Log.Info("motion over", "camera", e.id, "event", event.ID, "ending", event.Ending,
		"score", event.Score, "length", event.End.Sub(event.Begin).Round(time.Millisecond))
}

// expire ends the event if its time has come; else it returns how long it has.
func (e *eye) expire() (left time.Duration, going bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	now := e.w.deps.Now()
	e.expireLocked(now)
	if !e.life.open {
		return 0, false
	}
	at, _ := e.life.deadline()
	return at.Sub(now), true
}

func (e *eye) expireLocked(now time.Time) {
	if !e.life.open {
		return
	}
	if at, why := e.life.deadline(); !now.Before(at) {
		e.endLocked(now, why)
	}
}

// detected takes what a detector found in a picture, if the event that the
// picture belongs to still goes on.
func (e *eye) detected(f bridge.Frame, found []bridge.Detection) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.life.open || f.Received.Before(e.life.event.Begin.Add(-e.w.cfg.PreRoll)) {
		return
	}
	if e.life.label(found) {
		e.w.tell(e.life.event, false)
	}
}

// current is the event that goes on.
func (e *eye) current() (bridge.Event, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.life.event, e.life.open
}
