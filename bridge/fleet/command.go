package fleet

import (
	"context"
	"errors"
	"maps"
	"strconv"
	"strings"

	"github.com/espcam-bridge/espcam-bridge/bridge"
)

// Set changes settings of a camera. It returns the camera as it is after the
// device's acknowledgement. Errors: CodeInvalid and CodeUnsupported for what the
// camera does not take (nothing is changed), CodeTimeout if the camera is away
// or silent (the wish is kept and applied when it returns), CodeBusy if too many
// commands wait.
func (f *Fleet) Set(ctx context.Context, id string, s bridge.Settings) (bridge.Camera, error) {
	c, offer, err := f.lookup(id)
	if err != nil {
		return bridge.Camera{}, err
	}
	if s, err = offer.Check(s); err != nil {
		return bridge.Camera{}, err
	}
	release, err := c.take(ctx)
	if err != nil {
		return bridge.Camera{}, err
	}
	defer release()
	before := f.desire(c, s)
	unsaved := f.save(c) // the camera is told all the same: until a restart it holds
	if err := f.push(ctx, c, s); err != nil {
		if refused(err) {
			err = errors.Join(err, f.restore(c, s, before))
		}
		return bridge.Camera{}, err
	}
	if unsaved != nil {
		return bridge.Camera{}, unsaved
	}
	return f.Camera(id)
}

func (f *Fleet) lookup(id string) (*camera, bridge.Offer, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	c, err := f.findLocked(id)
	if err != nil {
		return nil, bridge.Offer{}, err
	}
	return c, c.offer, nil
}

// take waits for the camera's turn.
func (c *camera) take(ctx context.Context) (release func(), err error) {
	select {
	case c.waiting <- struct{}{}:
		defer func() { <-c.waiting }()
	default:
		return nil, bridge.Errorf(bridge.CodeBusy, "%d commands already wait for %s: try again in a moment", maxWaiting, c.id)
	}
	select {
	case c.turn <- struct{}{}:
		return func() { <-c.turn }, nil
	case <-ctx.Done():
		return nil, bridge.Errorf(bridge.CodeTimeout, "%s is busy with another command: %w", c.id, ctx.Err())
	}
}

// desire keeps the wish and returns what was desired before. A timed LED is not
// a wish for later.
func (f *Fleet) desire(c *camera, s bridge.Settings) bridge.Settings {
	f.mu.Lock()
	defer f.mu.Unlock()
	before := c.rec.Desired
	c.rec.Desired = before.With(lasting(s))
	if c.session != nil {
		c.session.maxFPS.Store(int64(f.limitLocked(c)))
	}
	f.changedLocked(c.id)
	return before
}

// lasting is s without what holds only for a while.
func lasting(s bridge.Settings) bridge.Settings {
	out := s.With(nil)
	if _, timed := s[bridge.TimedLED]; timed {
		delete(out, "led")
		delete(out, bridge.TimedLED)
	}
	return out
}

// restore takes back a wish that the camera refused.
func (f *Fleet) restore(c *camera, s, before bridge.Settings) error {
	f.mu.Lock()
	desired := c.rec.Desired.With(nil)
	for k := range lasting(s) {
		if old, ok := before[k]; ok {
			desired[k] = old
		} else {
			delete(desired, k)
		}
	}
	c.rec.Desired = desired
	if c.session != nil {
		c.session.maxFPS.Store(int64(f.limitLocked(c)))
	}
	f.changedLocked(c.id)
	f.mu.Unlock()
	return f.save(c)
}

// refused reports whether the device itself said no, as opposed to silence.
func refused(err error) bool {
	code := bridge.CodeOf(err)
	return code != bridge.CodeTimeout && code != bridge.CodeUnavailable
}

// push brings settings into force. The caller has the camera's turn.
func (f *Fleet) push(ctx context.Context, c *camera, s bridge.Settings) error {
	s0, request := f.current(c)
	if s0 == nil {
		return f.away(c, s)
	}
	inForce := s
	if s0.native.Load() {
		f.disturb(c, s)
		ctx, cancel := context.WithTimeout(ctx, f.cfg.CommandTimeout)
		defer cancel()
		var err error
		if inForce, err = s0.link.Set(ctx, request, s); err != nil {
			return f.explain(ctx, c, s, err)
		}
	}
	return f.inForce(s0, s, bridge.Known(inForce))
}

// current returns the camera's session, or nil, and an id for one request.
func (f *Fleet) current(c *camera) (*session, string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.requests++
	return c.session, strconv.FormatUint(f.requests, 10)
}

func (f *Fleet) away(c *camera, s bridge.Settings) error {
	if len(lasting(s)) == 0 {
		return bridge.Errorf(bridge.CodeUnavailable, "%s is not connected", c.id)
	}
	return bridge.Errorf(bridge.CodeTimeout, "%s is not connected: %s when it returns", c.id, kept(s))
}

// kept says what of s is a wish for later.
func kept(s bridge.Settings) string {
	names := lasting(s).Names()
	if len(names) == 1 {
		return names[0] + " stays desired and is set"
	}
	return strings.Join(names, ", ") + " stay desired and are set"
}

// explain turns a link's error into a sentence.
func (f *Fleet) explain(ctx context.Context, c *camera, s bridge.Settings, err error) error {
	if ctx.Err() == nil && refused(err) {
		return err
	}
	if len(lasting(s)) == 0 {
		return bridge.Errorf(bridge.CodeTimeout, "%s did not answer: %w", c.id, err)
	}
	return bridge.Errorf(bridge.CodeTimeout, "%s did not answer (%w): %s when it answers", c.id, err, kept(s))
}

// inForce notes what the camera acknowledged. Where it chose another value than
// the one asked for (a clamped one), that becomes the wish, or it would be asked
// again at every return.
func (f *Fleet) inForce(s *session, asked, got bridge.Settings) error {
	c := s.cam
	f.mu.Lock()
	if c.session == s {
		c.reported = c.reported.With(got)
	}
	if s.native.Load() {
		f.disturbLocked(c, asked)
	}
	adopted := bridge.Settings{}
	for k := range lasting(asked) {
		if v, ok := got[k]; ok && c.rec.Desired[k] != v && c.rec.Desired[k] == asked[k] {
			adopted[k] = v
		}
	}
	c.rec.Desired = c.rec.Desired.With(adopted)
	f.changedLocked(c.id)
	f.mu.Unlock()
	if len(adopted) == 0 {
		return nil
	}
	return f.save(c)
}

// settle follows a hello: it keeps what the device said of itself and repairs
// what differs from the wishes, as far as this camera can do it.
func (f *Fleet) settle(s *session) {
	c := s.cam
	f.saveOrNotify(c)
	release, err := c.take(f.ctx)
	if err != nil {
		return // Close, or so many commands wait that the newest wish is among them
	}
	defer release()
	want := f.repairs(s)
	if len(want) == 0 {
		return
	}
	f.log.Info("repairing settings", "camera", c.id, "settings", want.Names())
	if err := f.push(f.ctx, c, want); err != nil && f.ctx.Err() == nil {
		f.notify(bridge.Notice{Camera: c.id, Code: bridge.CodeOf(err),
			Message: "Settings could not be restored: " + err.Error(), Property: strings.Join(want.Names(), ", ")})
	}
}

// repairs returns the desired settings that are not in force and that the
// camera takes.
func (f *Fleet) repairs(s *session) bridge.Settings {
	f.mu.Lock()
	defer f.mu.Unlock()
	c := s.cam
	if c.session != s {
		return nil
	}
	want := bridge.Settings{}
	for k, v := range bridge.Diff(c.rec.Desired, c.reported) {
		if ok, err := c.offer.Check(bridge.Settings{k: v}); err == nil {
			want[k] = ok[k]
		}
	}
	if on, ok := c.reported["stream"].(bool); c.rec.Disabled || ok && !on {
		if on != !c.rec.Disabled || !ok {
			want["stream"] = !c.rec.Disabled
		}
	}
	return want
}

func (f *Fleet) saveOrNotify(c *camera) {
	if err := f.save(c); err != nil {
		f.notify(bridge.Notice{Camera: c.id, Code: bridge.CodeOf(err), Message: err.Error()})
	}
}

// Do makes a camera act once and returns after its acknowledgement. Errors as
// of Set; nothing is kept for later. "snapshot" of a camera that cannot be asked
// succeeds if it is connected: its newest frame is the snapshot.
func (f *Fleet) Do(ctx context.Context, id string, a bridge.Action) error {
	c, offer, err := f.lookup(id)
	if err != nil {
		return err
	}
	if a, err = offer.CheckAction(a); err != nil {
		return err
	}
	release, err := c.take(ctx)
	if err != nil {
		return err
	}
	defer release()
	s, request := f.current(c)
	switch {
	case s == nil:
		return bridge.Errorf(bridge.CodeUnavailable, "%s is not connected, so it cannot %s", c.id, a.Name)
	case a.Name == "snapshot" && !s.wanted.Load():
		return bridge.Errorf(bridge.CodeUnavailable, "%s is switched off: switch it on for a snapshot", c.id)
	}
	if !s.native.Load() {
		return nil
	}
	f.disturbFor(c, actionTime(a))
	ctx, cancel := context.WithTimeout(ctx, f.cfg.CommandTimeout)
	defer cancel()
	if err := s.link.Do(ctx, request, a); err != nil {
		if ctx.Err() != nil {
			return bridge.Errorf(bridge.CodeTimeout, "%s did not answer to %s: %w", c.id, a.Name, err)
		}
		return err
	}
	f.turned(c, a)
	return nil
}

// turned notes where a camera looks after a pan or tilt.
func (f *Fleet) turned(c *camera, a bridge.Action) {
	angle, ok := a.Args["angle"].(int)
	if !ok {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	angles := maps.Clone(c.angles)
	if angles == nil {
		angles = map[string]int{}
	}
	angles[a.Name] = angle
	c.angles = angles
	f.changedLocked(c.id)
}
