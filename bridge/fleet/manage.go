package fleet

import (
	"errors"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/espcam-bridge/espcam-bridge/bridge"
)

// maxName is the longest display name, in characters.
const maxName = 64

// Add makes a camera known before it connects. An empty room is the id, an
// empty name too. CodeInvalid if a name cannot be one, CodeConflict if it is
// taken.
func (f *Fleet) Add(id, room, name string) (bridge.Camera, error) {
	if err := bridge.CheckID(id); err != nil {
		return bridge.Camera{}, err
	}
	if room != "" && !bridge.ValidRoom(room) {
		return bridge.Camera{}, bridge.Errorf(bridge.CodeInvalid, "room %.70q must be 1 to 64 letters, digits, - or _", room).At("room")
	}
	name, err := cleanName(name)
	if err != nil && name != "" {
		return bridge.Camera{}, err
	}
	if room == id {
		room = ""
	}
	c, err := f.add(id, record{Room: room, Name: name})
	if err != nil {
		return bridge.Camera{}, err
	}
	if err := f.save(c); err != nil {
		f.discard(c)
		return bridge.Camera{}, bridge.Errorf(bridge.CodeUnavailable, "camera %s could not be added: %w", id, errors.Unwrap(err))
	}
	return f.Camera(id)
}

// discard takes back a camera that could not be saved: keys that it gets later
// would be saved, and open to nobody after a restart.
func (f *Fleet) discard(c *camera) {
	f.mu.Lock()
	delete(f.cameras, c.id)
	f.changedLocked(c.id)
	f.mu.Unlock()
	f.hub.Remove(c.id)
}

func (f *Fleet) add(id string, rec record) (*camera, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, taken := range []string{id, rec.Room} {
		if taken == "" {
			continue
		}
		if c, err := f.findLocked(taken); err == nil {
			return nil, bridge.Errorf(bridge.CodeConflict, "%q is already the id or room of camera %s", taken, c.id)
		}
	}
	c := f.insert(id, rec)
	f.changedLocked(id)
	return c, nil
}

// cleanName trims a display name and refuses what cannot be one.
func cleanName(s string) (string, error) {
	s = strings.TrimSpace(s)
	switch {
	case s == "":
		return "", bridge.Errorf(bridge.CodeInvalid, "a camera's name must not be empty").At("name")
	case !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl):
		return s, bridge.Errorf(bridge.CodeInvalid, "a camera's name must be text without control characters").At("name")
	case utf8.RuneCountInString(s) > maxName:
		return s, bridge.Errorf(bridge.CodeInvalid, "a camera's name has at most %d characters", maxName).At("name")
	}
	return s, nil
}

// Rename changes the display name; the id stays. CodeConflict if the
// configuration file holds the name.
func (f *Fleet) Rename(id, name string) error {
	name, err := cleanName(name)
	if err != nil {
		return err
	}
	f.mu.Lock()
	c, err := f.findLocked(id)
	if err == nil && c.named {
		err = bridge.Errorf(bridge.CodeConflict, "the name of %s stands in %s: change it there", c.id, c.source).At("name")
	}
	if err != nil {
		f.mu.Unlock()
		return err
	}
	c.rec.Name = name
	f.changedLocked(c.id)
	f.mu.Unlock()
	return f.save(c)
}

// SetEnabled switches a camera on or off. Off means that no picture of it
// leaves the bridge from now on, whether or not the camera can be reached; one
// that can is told to stop sending.
func (f *Fleet) SetEnabled(id string, on bool) error {
	f.mu.Lock()
	c, err := f.findLocked(id)
	if err != nil {
		f.mu.Unlock()
		return err
	}
	c.rec.Disabled = !on
	if s := c.session; s != nil {
		s.wanted.Store(on)
		if s.native.Load() {
			f.goLocked(func() { f.tellStream(s) })
		}
	}
	f.changedLocked(c.id)
	f.mu.Unlock()
	f.hub.Feed(c.id).Mute(!on)
	return f.save(c)
}

// tellStream tells the camera whether its pictures are wanted: as it is when its
// turn comes, so that of two quick switches the last one holds.
func (f *Fleet) tellStream(s *session) {
	release, err := s.cam.take(f.ctx)
	if err != nil {
		return // frames are discarded here all the same
	}
	defer release()
	if err := f.push(f.ctx, s.cam, bridge.Settings{"stream": s.wanted.Load()}); err != nil && f.ctx.Err() == nil {
		f.notify(bridge.Notice{Camera: s.cam.id, Code: bridge.CodeOf(err), Message: err.Error(), Property: "stream"})
	}
}

// SetHidden keeps that somebody removed the camera in Home Assistant, so that it
// is not announced there again, or that it may be.
func (f *Fleet) SetHidden(id string, hidden bool) error {
	f.mu.Lock()
	c, err := f.findLocked(id)
	if err != nil {
		f.mu.Unlock()
		return err
	}
	changed := c.rec.Hidden != hidden
	c.rec.Hidden = hidden
	if changed {
		f.changedLocked(c.id)
	}
	f.mu.Unlock()
	if !changed {
		return nil
	}
	return f.save(c)
}

// Remove forgets a camera: its keys end, its connection is closed, its viewers
// end. CodeConflict if the configuration file names it.
func (f *Fleet) Remove(id string) error {
	f.mu.Lock()
	c, err := f.findLocked(id)
	if err == nil && c.source != "" {
		err = bridge.Errorf(bridge.CodeConflict, "%s stands in %s: remove it there", c.id, c.source)
	}
	f.mu.Unlock()
	if err != nil {
		return err
	}
	if err := f.keys.RevokeCamera(c.id); err != nil {
		return err
	}
	f.mu.Lock()
	delete(f.cameras, c.id)
	s := c.session
	if c.away != nil {
		c.away.Stop()
	}
	f.changedLocked(c.id)
	f.mu.Unlock()
	if s != nil {
		s.link.Close(bridge.ReasonRemoved)
	}
	f.hub.Remove(c.id)
	c.saving.Lock()
	defer c.saving.Unlock()
	return f.table.Delete(c.id)
}

// MintKey makes a further key for a camera. The secret is told only here.
func (f *Fleet) MintKey(camera, identity string) (secret string, k bridge.Key, err error) {
	if identity != "" && !bridge.ValidRoom(identity) {
		return "", k, bridge.Errorf(bridge.CodeInvalid, "identity %.70q must be 1 to 64 letters, digits, - or _", identity).At("identity")
	}
	c, _, err := f.lookup(camera)
	if err != nil {
		return "", k, err
	}
	return f.keys.Mint(c.id, identity)
}

// RevokeKey ends a key and the connection that came with it.
func (f *Fleet) RevokeKey(id string) error {
	k, err := f.keys.Revoke(id)
	if err != nil {
		return err
	}
	f.mu.Lock()
	var s *session
	if c, ok := f.cameras[k.Camera]; ok && c.session != nil && c.session.key == id {
		s = c.session
	}
	f.mu.Unlock()
	if s != nil {
		s.link.Close(bridge.ReasonKeyRevoked)
	}
	return nil
}

// Keys lists all keys of all cameras.
func (f *Fleet) Keys() []bridge.Key { return f.keys.Keys() }

// Provision is StreamHub's way to add a camera: a key for a room, and the camera
// with it if no camera has that room yet.
func (f *Fleet) Provision(room, identity string) (bridge.Camera, string, bridge.Key, error) {
	if !bridge.ValidRoom(room) {
		return bridge.Camera{}, "", bridge.Key{}, bridge.Errorf(bridge.CodeInvalid, "room %.70q must be 1 to 64 letters, digits, - or _", room).At("room")
	}
	cam, err := f.Camera(room)
	if bridge.CodeOf(err) == bridge.CodeNotFound {
		cam, err = f.Add(f.idFor(room), room, room)
	}
	if err != nil {
		return bridge.Camera{}, "", bridge.Key{}, err
	}
	secret, k, err := f.MintKey(cam.ID, identity)
	return cam, secret, k, err
}

// idFor makes a free camera id out of a room.
func (f *Fleet) idFor(room string) string {
	base := strings.ToLower(room)
	if len(base) > 28 {
		base = base[:28]
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	id := base
	for n := 2; ; n++ {
		if _, err := f.findLocked(id); err != nil && bridge.CheckID(id) == nil {
			return id
		}
		id = base + "-" + strconv.Itoa(n)
	}
}
