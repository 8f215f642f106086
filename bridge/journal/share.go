package journal

import (
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge/aside"
)

// Two write. Ten megabytes of clips a second, in bursts, would take a core from
// pictures on their way; so they are left to one who stands back for everybody.
// Each event is in the hands of one of them at a time.

// share is what one of them does.
type share int

const (
	edges   share = iota // begin and end of an event
	between              // what comes between
	whole                // both
	last                 // both, and nothing is put off
)

// has reports whether an event's turn has come, which nobody else writes.
func (s share) has(e *entry) bool {
	edge := !e.begun || e.event.Over()
	return s >= whole || edge == (s == edges)
}

// relief is how long who stands back may not get on before its work is done by
// the other: a machine may be busy for long.
const relief = 2 * beatEvery

// plenty is when so many bytes wait that it cannot be left to who stands back.
func (j *Journal) plenty() int64 { return j.cfg.Memory / 2 }

// shareLocked is what is to be done by who does not stand back.
func (j *Journal) shareLocked(now time.Time) share {
	if j.fault != nil || j.memory > j.plenty() || now.Sub(j.stood) > relief {
		return whole
	}
	return edges
}

// standBack writes what comes between begin and end, every beat, until stop is
// closed.
func (j *Journal) standBack(stop <-chan struct{}) {
	if j.cfg.Apart {
		if err := aside.StandBack(); err != nil {
			j.log.Debug("the thread that writes clips does not stand back", "err", err)
		}
	}
	beat := time.NewTicker(beatEvery)
	defer beat.Stop()
	for {
		select {
		case <-stop:
			return
		case <-beat.C:
		}
		if !j.failing() {
			j.between(stop)
		}
	}
}

// between gives every event its turn. An error is left to the other, who tries
// the same and says so.
func (j *Journal) between(stop <-chan struct{}) {
	j.got(time.Now())
	for _, id := range j.livingIDs() {
		select {
		case <-stop:
			return
		default:
		}
		if err := j.save(id, between); err != nil {
			j.got(time.Time{})
			j.ring()
			return
		}
		j.got(time.Now())
	}
}

// got notes that who stands back got on.
func (j *Journal) got(on time.Time) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.stood = on
}
