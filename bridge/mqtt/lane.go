package mqtt

import (
	"slices"
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge"
)

const (
	// maxJobs is how many commands may wait for one camera; more are refused.
	maxJobs = 16
	// laneGap is the time between two commands of one camera.
	laneGap = 50 * time.Millisecond
)

// job is one command.
type job struct {
	property string   // as in the topic; empty for many
	text     string   // as it came, for errors
	keys     []string // rows that it sets
	settings bridge.Settings
	motion   bridge.MotionChange
	enabled  *bool
	interval *time.Duration
	action   string
	args     map[string]any // of the action; nil for a button
}

// replaces reports whether an older job need not be done any more. A press is
// never replaced.
func (j job) replaces(old job) bool {
	return j.action == old.action && (j.action == "" || j.args != nil) && slices.Equal(j.keys, old.keys)
}

// lane is a queue of commands of one camera: one at a time, in order, but a newer
// value of the same settings takes the place of an older one that still waits,
// as a slider sends many.
type lane struct {
	queue   []job
	busy    bool
	next    time.Time            // not before
	pressed map[string]time.Time // by action
}

func (l *lane) add(j job) error {
	for i, old := range l.queue {
		if j.replaces(old) {
			l.queue[i] = j
			return nil
		}
	}
	if len(l.queue) >= maxJobs {
		return bridge.Errorf(bridge.CodeRateLimited, "%d commands already wait for this camera: send fewer", maxJobs)
	}
	l.queue = append(l.queue, j)
	return nil
}

func (l *lane) take(now time.Time) job {
	j := l.queue[0]
	l.queue = l.queue[1:]
	l.busy, l.next = true, now.Add(laneGap)
	return j
}

// again reports whether a button was pressed a moment ago, and notes the press.
func (l *lane) again(j job, now time.Time) bool {
	if j.action == "" || j.args != nil {
		return false
	}
	last, pressed := l.pressed[j.action]
	if l.pressed == nil {
		l.pressed = map[string]time.Time{}
	}
	l.pressed[j.action] = now
	return pressed && now.Sub(last) < pressAgain
}
