package journal

import (
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge/aside"
)

// Two can write. Ten megabytes of clips a second, and all that is done when an
// event begins, would take a core from pictures on their way; so it is left to one
// who stands back for everybody, and the other does it when that does not get on.
// Each event is in the hands of one of them at a time.

// share is what one of them does.
type share int

const (
	nothing share = iota // it is left to who stands back
	due                  // what is due
	all                  // all there is: nothing is put off
)

// relief is how long who stands back may not get on before its work is done by
// the other: a machine may be busy for long.
const relief = 2 * beatEvery

// plenty is when so many bytes wait that it cannot be left to who stands back.
func (j *Journal) plenty() int64 { return j.cfg.Memory / 2 }

// shareLocked is what is to be done by who does not stand back.
func (j *Journal) shareLocked(now time.Time) share {
	if j.cfg.Apart && j.fault == nil && j.memory <= j.plenty() && now.Sub(j.stood) <= relief {
		return nothing
	}
	return due
}

// left reports whether writing is left to who stands back.
func (j *Journal) left() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.shareLocked(time.Now()) == nothing
}

// standBack writes what is due, at once and every beat as the other does, until
// stop is closed.
func (j *Journal) standBack(stop <-chan struct{}) {
	if err := aside.StandBack(); err != nil {
		j.log.Debug("the thread that writes events does not stand back", "err", err)
	}
	beat := time.NewTicker(beatEvery)
	defer beat.Stop()
	j.got(time.Now())
	for {
		select {
		case <-stop:
			return
		case <-j.wake:
		case <-beat.C:
		}
		if !j.failing() {
			j.turn(stop)
		}
	}
}

// turn gives every event its turn. An error is left to the other, who tries the
// same with the next beat and says so.
func (j *Journal) turn(stop <-chan struct{}) {
	for _, id := range j.livingIDs() {
		select {
		case <-stop:
			return
		default:
		}
		if err := j.save(id, due); err != nil {
			j.got(time.Time{})
			return
		}
		j.got(time.Now())
	}
	j.got(time.Now())
}

// got notes that who stands back got on.
func (j *Journal) got(on time.Time) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.stood = on
}
