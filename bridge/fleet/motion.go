package fleet

import (
	"reflect"
	"slices"
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge"
)

// SetMotion changes how a camera's pictures are judged and returns the camera as
// it is then. Nothing is asked of the camera itself, so it may be away. Errors:
// CodeInvalid for a value that cannot be (nothing is changed), CodeUnavailable
// if the change holds only until a restart because the disk did not take it.
func (f *Fleet) SetMotion(id string, in map[string]any) (bridge.Camera, error) {
	change, err := bridge.CheckMotion(in)
	if err != nil {
		return bridge.Camera{}, err
	}
	f.mu.Lock()
	c, err := f.findLocked(id)
	if err != nil {
		f.mu.Unlock()
		return bridge.Camera{}, err
	}
	c.rec.Motion = c.rec.Motion.Merge(change)
	c.motion = f.motionOf(c.rec)
	f.changedLocked(c.id)
	f.mu.Unlock()
	if err := f.save(c); err != nil {
		return bridge.Camera{}, err
	}
	return f.Camera(c.id)
}

// motionOf is what is in force: the defaults, over them the file's values for
// all cameras, over them the camera's own.
func (f *Fleet) motionOf(rec record) bridge.Motion {
	return bridge.DefaultMotion().With(f.cfg.Motion).With(rec.Motion)
}

// joinMotion takes over the values that changed in the file since it was last
// read; what was changed at run time stays otherwise. A value that the file no
// longer has goes back to the default, unless it was changed at run time.
func (f *Fleet) joinMotion(c *camera, file bridge.MotionChange) {
	for _, name := range bridge.MotionNames() {
		now, has := file[name]
		old, had := c.rec.FileMotion[name]
		switch {
		case has && !(had && reflect.DeepEqual(now, old)):
			c.rec.Motion = c.rec.Motion.Merge(bridge.MotionChange{name: now})
		case had && !has && reflect.DeepEqual(c.rec.Motion[name], old):
			c.rec.Motion = c.rec.Motion.Merge(bridge.MotionChange{name: nil})
		}
	}
	c.rec.FileMotion = file
	c.motion = f.motionOf(c.rec)
}

// OnSensor names who hears of a change of a sensor on a camera, such as "pir".
// It must not block: it is called by the goroutine that reads the camera. It is
// set once, before the first camera is admitted.
func (f *Fleet) OnSensor(hear func(camera, name string, active bool)) { f.sense = hear }

// A picture also changes because somebody wants it to: the flash, another
// resolution, a turn of the camera. That is no motion. Camera.Disturbed tells
// until when it may go on.
const (
	settles = time.Second     // for a setting, from the order and again from the answer
	blinks  = 6 * time.Second // identify plays with the flash
	turns   = 3 * time.Second // a board moves, at most
)

// unseen are the settings that do not change what is seen.
var unseen = []string{"fps", "stream", bridge.TimedLED}

func (f *Fleet) disturb(c *camera, s bridge.Settings) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.disturbLocked(c, s)
}

// disturbLocked notes that s is being set, if that changes what is seen.
func (f *Fleet) disturbLocked(c *camera, s bridge.Settings) {
	if slices.ContainsFunc(s.Names(), func(name string) bool { return !slices.Contains(unseen, name) }) {
		f.disturbForLocked(c, settles)
	}
}

func (f *Fleet) disturbFor(c *camera, d time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.disturbForLocked(c, d)
}

func (f *Fleet) disturbForLocked(c *camera, d time.Duration) {
	if until := time.Now().Add(d); d > 0 && until.After(c.disturbed) {
		c.disturbed = until
		f.changedLocked(c.id)
	}
}

// actionTime is how long an action changes what is seen; 0: it does not.
func actionTime(a bridge.Action) time.Duration {
	switch a.Name {
	case "identify":
		return blinks
	case "pan", "tilt", "drive", "stop":
		return turns
	}
	return 0
}
