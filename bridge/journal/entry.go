package journal

import (
	"maps"
	"slices"
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge"
)

const (
	maxClip  = 64 << 20         // bytes of one clip; watch ends it long before
	untold   = 10 * time.Second // that frames wait for the begin of their event
	docEvery = 5 * time.Second  // between two writings of an event that goes on
	picEvery = time.Second      // between two of its pictures
)

// entry is an event that is going on, or waits for the disk.
type entry struct {
	id string

	// Guarded by Journal.mu.
	event   bridge.Event   // zero while only frames of it have come
	heard   time.Time      // when the first of it came
	changed bool           // event.json is older than event
	frames  []bridge.Frame // of the clip, not yet on disk
	disk    sizes
	busy    bool // somebody writes it

	// Owned by who made it busy.
	begun   bool         // it has a folder
	saved   time.Time    // when event.json was written
	shot    bridge.Frame // what picture.jpg shows, without its bytes
	painted time.Time    // when picture.jpg was written
}

func (e *entry) told() bool { return e.event.ID != "" }

// hear takes events from the mailbox. lost were too many for it.
func (j *Journal) hear(events []bridge.Event, lost uint64) {
	j.mu.Lock()
	j.counts.Lost += lost
	urgent := false
	for _, e := range events {
		old := j.living[e.ID]
		urgent = urgent || old == nil || !old.told() || e.Over()
		if !j.takeLocked(e) {
			j.counts.Lost++
			lost++
		}
	}
	j.boundLocked()
	j.mu.Unlock()
	if lost > 0 {
		j.log.Warn("events came that cannot be kept", "count", lost)
	}
	if urgent {
		j.ring()
	}
}

// takeLocked takes an event's newest state; false if it cannot be one of ours.
func (j *Journal) takeLocked(e bridge.Event) bool {
	_, valid := bridge.EventTime(e.ID)
	_, known := j.items[e.ID]
	if !valid || known {
		return false
	}
	old := j.entryLocked(e.ID)
	if !old.told() {
		j.counts.Begun++
	}
	if !old.event.Over() {
		old.event, old.changed = e, true
	}
	return true
}

func (j *Journal) entryLocked(id string) *entry {
	e := j.living[id]
	if e == nil {
		e = &entry{id: id, heard: time.Now()}
		j.living[id] = e
	}
	return e
}

// Record takes a frame of an event's clip, the oldest first, perhaps before the
// event itself was told. It never waits: frames are written together, every beat.
// It returns false for a frame that will not be in the clip, which is counted: too
// many bytes wait for the disk, or the event is over.
func (j *Journal) Record(event string, f bridge.Frame) bool {
	if _, valid := bridge.EventTime(event); !valid || f.IsZero() {
		return false
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if !j.fitsLocked(event, f) {
		j.counts.FramesDropped++
		return false
	}
	e := j.entryLocked(event)
	e.frames = append(e.frames, f)
	j.memory += weight(f)
	if j.memory > j.plenty() {
		j.ring() // the next beat may be too late
	}
	return true
}

// weight is what a frame takes of the disk, and about what it takes of memory.
func weight(f bridge.Frame) int64 { return int64(len(f.Machine())) }

func (j *Journal) fitsLocked(event string, f bridge.Frame) bool {
	if j.memory+weight(f) > j.cfg.Memory {
		return false
	}
	if e := j.living[event]; e != nil {
		return !e.event.Over() && e.disk.clip+weight(f) <= maxClip
	}
	_, over := j.items[event]
	return !over && len(j.living) < j.cfg.Waiting
}

func (j *Journal) ring() {
	select {
	case j.wake <- struct{}{}:
	default:
	}
}

func (j *Journal) livingIDs() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.livingIDsLocked()
}

// livingIDsLocked lists the entries, the oldest first.
func (j *Journal) livingIDsLocked() []string { return slices.Sorted(maps.Keys(j.living)) }

// boundLocked keeps memory bounded while the disk takes nothing: of too many
// events the oldest are given up, of too many bytes the oldest pictures.
func (j *Journal) boundLocked() {
	ids := j.livingIDsLocked()
	for len(ids) > j.cfg.Waiting {
		j.giveUpLocked(ids[0])
		ids = ids[1:]
	}
	if j.fault == nil {
		return
	}
	var bytes int64
	for _, id := range slices.Backward(ids) {
		e := j.living[id]
		if p := e.event.Picture; e.event.Over() && !p.IsZero() {
			if bytes += weight(p); bytes > j.cfg.Memory {
				e.event.Picture = bridge.Frame{}
				j.counts.FramesDropped++
			}
		}
	}
}

// giveUpLocked forgets an entry. What the disk already has of it stays there,
// and is taken in at the next start.
func (j *Journal) giveUpLocked(id string) {
	e := j.living[id]
	delete(j.living, id)
	for _, f := range e.frames {
		j.memory -= weight(f)
	}
	j.counts.FramesDropped += uint64(len(e.frames))
	e.frames = nil
	if !e.told() {
		return
	}
	j.counts.Lost++
	if e.disk != (sizes{}) {
		j.addLocked(id, item{bytes: e.disk.total()})
	}
}

// forgetUntoldLocked gives frames up whose event never came.
func (j *Journal) forgetUntoldLocked(now time.Time) {
	for id, e := range j.living {
		if !e.told() && now.Sub(e.heard) > untold {
			j.giveUpLocked(id)
		}
	}
}
