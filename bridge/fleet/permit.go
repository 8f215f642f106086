package fleet

import (
	"strings"
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge"
)

// PermitJoin lets cameras come in for that time whose key nobody knows; 0 ends it.
// It is not kept over a restart.
func (f *Fleet) PermitJoin(d time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.permit = time.Now().Add(d)
	f.log.Info("unknown cameras may come in", "for", d)
}

// Permitted is how long unknown cameras may still come in; 0 if they may not.
func (f *Fleet) Permitted() time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	return max(0, time.Until(f.permit))
}

// takeIn makes a camera of a connection with an unknown key, while that is
// permitted: its room is its id, and the key that it shows is its key from now on.
// It is false for one that says too little, and for a room that is known: who has
// another camera's room and not its key is not that camera.
func (f *Fleet) takeIn(c bridge.Claim) (bridge.Key, bool) {
	id := strings.ToLower(c.Room)
	if f.Permitted() == 0 || c.App != f.cfg.App || bridge.CheckID(id) != nil || !f.roomFor(id, c.Room) {
		return bridge.Key{}, false
	}
	k, err := f.keys.Take(id, c.Key, c.Identity)
	if err != nil {
		return bridge.Key{}, false
	}
	if _, err := f.Add(id, c.Room, c.Room); err != nil {
		if _, err := f.keys.Revoke(k.ID); err != nil {
			f.log.Warn("the key of a camera that could not be taken in is not forgotten", "camera", id, "err", err)
		}
		return bridge.Key{}, false
	}
	f.notify(bridge.Notice{Camera: id, Message: "A new camera was taken in: " + id + ", at " + c.Address + "."})
	return k, true
}

// roomFor reports whether nobody has the names, and not so many cameras are known
// that no further one is taken in unasked.
func (f *Fleet) roomFor(names ...string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, name := range names {
		if _, err := f.findLocked(name); err == nil {
			return false
		}
	}
	return len(f.cameras) < f.cfg.MaxCameras
}
