package fleet

import (
	"slices"
	"sync/atomic"
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge"
)

// session is one admitted connection. What the reader asks for with every frame
// is atomic; the rest goes through Fleet.mu.
type session struct {
	fleet *Fleet
	cam   *camera
	link  bridge.Link
	key   string // id of the key that it came with
	since time.Time

	maxFPS atomic.Int64
	wanted atomic.Bool
	native atomic.Bool
}

// maxFlips is how often within a minute a connection may take the place of a
// live one before the key counts as used twice.
const maxFlips = 3

// Admit decides whether a connection may be a camera. Its error is a
// *bridge.Refusal. The newest connection with a key wins: an older one of the
// same camera is closed.
func (f *Fleet) Admit(c bridge.Claim, l bridge.Link) (bridge.Session, error) {
	switch {
	case c.App != "" && !bridge.ValidRoom(c.App):
		return nil, &bridge.Refusal{Reason: bridge.ReasonInvalidApp}
	case c.Room != "" && !bridge.ValidRoom(c.Room):
		return nil, &bridge.Refusal{Reason: bridge.ReasonInvalidRoom}
	}
	k, ok := f.keys.VerifyKey(c.Key)
	if !ok {
		k, ok = f.takeIn(c)
	}
	if !ok {
		return nil, &bridge.Refusal{Reason: bridge.ReasonInvalidKey}
	}
	if c.App != "" && c.App != f.cfg.App {
		return nil, &bridge.Refusal{Reason: bridge.ReasonUnknownApp, Detail: "app " + c.App}
	}
	s, old, err := f.enter(c, k, l)
	if err != nil {
		return nil, err
	}
	if old != nil {
		old.link.Close(bridge.ReasonReplaced)
	}
	if _, ok := f.keys.VerifyKey(c.Key); !ok {
		l.Close(bridge.ReasonKeyRevoked) // who revoked it meanwhile did not see it yet
	}
	f.log.Info("camera connected", "camera", s.cam.id, "address", c.Address)
	return s, nil
}

// enter puts the session in its camera's place and returns the one that was
// there.
func (f *Fleet) enter(c bridge.Claim, k bridge.Key, l bridge.Link) (s, old *session, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	cam, ok := f.cameras[k.Camera]
	switch {
	case !ok:
		return nil, nil, &bridge.Refusal{Reason: bridge.ReasonInvalidKey, Detail: "key of a removed camera " + k.Camera}
	case c.Room != "" && c.Room != cam.room() && c.Room != cam.id && c.Room != f.cfg.App+"-"+cam.room():
		return nil, nil, &bridge.Refusal{Reason: bridge.ReasonRoomMismatch, Detail: "key of " + cam.id}
	case cam.session == nil && f.connectedLocked() >= f.cfg.MaxCameras:
		return nil, nil, &bridge.Refusal{Reason: bridge.ReasonMaxCameras}
	case cam.session != nil && f.usedTwiceLocked(cam):
		return nil, nil, &bridge.Refusal{Reason: bridge.ReasonReplaced, Detail: "key of " + cam.id + " is used twice"}
	}
	old = cam.session
	s = &session{fleet: f, cam: cam, link: l, key: k.ID, since: time.Now()}
	s.wanted.Store(!cam.rec.Disabled)
	s.maxFPS.Store(int64(f.limitLocked(cam)))
	cam.session, cam.online, cam.address = s, true, c.Address
	cam.connections++
	if cam.away != nil {
		cam.away.Stop()
	}
	if cam.rec.Dialect == "" {
		f.setDialectLocked(cam, bridge.StreamHub)
		f.goLocked(func() { f.saveOrNotify(cam) })
	}
	f.changedLocked(cam.id)
	return s, old, nil
}

func (f *Fleet) connectedLocked() int {
	n := 0
	for _, c := range f.cameras {
		if c.session != nil {
			n++
		}
	}
	return n
}

// usedTwiceLocked counts a replacement and reports whether it is one too many.
// A connection that has sent nothing for a while is dead, and replacing it is no
// flip.
func (f *Fleet) usedTwiceLocked(c *camera) bool {
	now := time.Now()
	if now.Sub(f.hub.Feed(c.id).Latest().Received) > 10*time.Second {
		return false
	}
	c.flips = slices.DeleteFunc(c.flips, func(t time.Time) bool { return now.Sub(t) > time.Minute })
	if len(c.flips) < maxFlips {
		c.flips = append(c.flips, now)
		return false
	}
	n := bridge.Notice{Time: now, Camera: c.id, Code: bridge.CodeConflict,
		Message: "The key of " + c.name() + " is used by two cameras at once: give each its own key."}
	f.log.Warn("key used twice", "camera", c.id)
	for l := range f.listeners {
		l.Notify(n)
	}
	return true
}

// limitLocked is the frame rate at which frames of c are dropped.
func (f *Fleet) limitLocked(c *camera) int {
	if n, ok := c.rec.Desired["fps"].(int); ok {
		return min(n, f.cfg.MaxFPS)
	}
	return f.cfg.MaxFPS
}

func (f *Fleet) setDialectLocked(c *camera, d bridge.Dialect) {
	c.rec.Dialect = d
	c.offer = bridge.NewOffer(d, c.rec.Caps, f.cfg.MaxFPS)
}

func (s *session) Camera() string { return s.cam.id }

func (s *session) Dialect() bridge.Dialect {
	if s.native.Load() {
		return bridge.Native
	}
	return bridge.StreamHub
}

func (s *session) MaxFPS() int { return int(s.maxFPS.Load()) }

func (s *session) Wanted() bool { return s.wanted.Load() }

// Hello makes the camera a native one and repairs its settings in the
// background.
func (s *session) Hello(d bridge.Device, caps bridge.Capabilities, in bridge.Settings) {
	f, c := s.fleet, s.cam
	s.native.Store(true)
	f.mu.Lock()
	defer f.mu.Unlock()
	if c.session != s {
		return
	}
	c.rec.Device, c.rec.Caps = d, caps
	f.setDialectLocked(c, bridge.Native)
	c.reported = bridge.Known(in)
	f.changedLocked(c.id)
	f.goLocked(func() { f.settle(s) })
}

// goLocked runs a job that Close waits for.
func (f *Fleet) goLocked(job func()) {
	if f.closed {
		return
	}
	f.wg.Add(1)
	go func() {
		defer f.wg.Done()
		job()
	}()
}

// Reported takes over what was changed on the device itself: a person at the
// device wants it, so it becomes desired where the bridge had a wish.
func (s *session) Reported(in bridge.Settings) {
	f, c := s.fleet, s.cam
	f.mu.Lock()
	defer f.mu.Unlock()
	if c.session != s {
		return
	}
	in = bridge.Known(in)
	f.disturbLocked(c, bridge.Diff(in, c.reported))
	c.reported = c.reported.With(in)
	follow := bridge.Settings{}
	for k, v := range in {
		if want, ok := c.rec.Desired[k]; ok && want != v {
			follow[k] = v
		}
	}
	if len(follow) > 0 {
		c.rec.Desired = c.rec.Desired.With(follow)
		f.goLocked(func() { f.saveOrNotify(c) })
	}
	f.changedLocked(c.id)
}

// Stats takes the device's own figures.
func (s *session) Stats(in bridge.Stats) {
	f, c := s.fleet, s.cam
	f.mu.Lock()
	defer f.mu.Unlock()
	if c.session != s {
		return
	}
	c.figures = withFigures(bridge.Stats{}, in)
	if in.Uptime != nil {
		c.bootedLocked(time.Now().Add(-time.Duration(*in.Uptime) * time.Second))
	}
	f.changedLocked(c.id)
}

// bootedLocked moves the time of boot only when it really is another: the
// device counts whole seconds and its message takes time.
func (c *camera) bootedLocked(at time.Time) {
	if d := at.Sub(c.rec.BootedAt); d > 5*time.Second || d < -5*time.Second {
		c.rec.BootedAt = at.Round(time.Second)
		c.angles = nil // its servos may stand elsewhere
	}
}

// Event passes a change of a sensor on the device on.
func (s *session) Event(name string, active bool) {
	s.fleet.sense(s.cam.id, name, active)
}

func (s *session) Notice(code bridge.Code, message string) {
	s.fleet.notify(bridge.Notice{Camera: s.cam.id, Code: code, Message: message})
}

// End takes the camera away, unless a newer connection already has its place.
// It is offline only when it does not return within the grace time.
func (s *session) End(reason bridge.Reason) {
	f, c := s.fleet, s.cam
	f.log.Info("camera disconnected", "camera", c.id, "reason", reason)
	f.mu.Lock()
	defer f.mu.Unlock()
	if c.session != s {
		return
	}
	c.session = nil
	f.changedLocked(c.id)
	if f.closed {
		return
	}
	c.away = time.AfterFunc(f.cfg.Grace, func() { f.offline(c) })
}

func (f *Fleet) offline(c *camera) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if c.session != nil || !c.online {
		return
	}
	c.online = false
	c.figures = bridge.Stats{}
	f.log.Info("camera offline", "camera", c.id)
	f.changedLocked(c.id)
}
