package journal

import (
	"errors"
	"io/fs"
	"path"
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge"
)

// beatEvery is how often the writer looks at what is not urgent: the frames of
// many clips together cost the disk, and the CPU, far less than each by itself.
const beatEvery = 500 * time.Millisecond

// write writes: the begin and the end of an event at once, all else every beat. It
// is not for what is left to who stands back. It ends after stop is closed.
func (j *Journal) write(stop <-chan struct{}) {
	beat := time.NewTicker(beatEvery)
	defer beat.Stop()
	tried := time.Now()
	j.round()
	for {
		wake := j.wake
		failing := j.failing()
		if failing || j.left() {
			wake = nil
		}
		select {
		case <-stop:
			return
		case <-wake:
		case <-beat.C:
			if failing && time.Since(tried) < j.cfg.Retry {
				continue
			}
		}
		tried = time.Now()
		j.round()
	}
}

func (j *Journal) failing() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.fault != nil
}

// round writes what is due, and removes what is too old or too much.
func (j *Journal) round() {
	if j.failing() {
		j.reopen()
	}
	now := time.Now()
	j.mu.Lock()
	j.forgetUntoldLocked(now)
	s := j.shareLocked(now)
	j.mu.Unlock()
	err := j.makeRoom()
	if e := j.pass(s, now.Add(time.Hour)); e != nil {
		err = e
	}
	j.report(err)
}

// reopen finds the directory again, which may have been another disk's, or have
// been removed and made anew.
func (j *Journal) reopen() {
	d, err := openFiles(j.cfg.Dir)
	if err != nil {
		return // the next write says why
	}
	j.mu.Lock()
	old := j.files
	j.files = d
	j.mu.Unlock()
	_ = old.root.Close() // nothing was written through it that is not safe
}

// pass gives every event its turn, so that one whose folder cannot be written
// does not hold up the others. It returns the first error.
func (j *Journal) pass(s share, deadline time.Time) (first error) {
	for _, id := range j.livingIDs() {
		if time.Now().After(deadline) {
			return errors.New("the disk is too slow")
		}
		if err := j.save(id, s); err != nil && first == nil {
			first = err
		}
	}
	return first
}

// report says once when the disk stops taking events, and once when it takes
// them again.
func (j *Journal) report(err error) {
	j.mu.Lock()
	before, waiting := j.fault, len(j.living)
	j.fault = err
	if err != nil && before == nil {
		j.since = j.cfg.Now()
	}
	j.mu.Unlock()
	switch {
	case err != nil && before == nil:
		j.log.Error("events cannot be saved: the newest wait in memory until the disk takes them", "path", j.cfg.Dir, "err", err)
	case err == nil && before != nil:
		j.log.Info("events are saved again", "path", j.cfg.Dir, "waiting", waiting)
	}
}

// drain writes everything that there is when nobody else writes any more, for as
// long as Config.Flush.
func (j *Journal) drain() {
	err := j.pass(all, time.Now().Add(j.cfg.Flush))
	j.report(err)
	j.mu.Lock()
	defer j.mu.Unlock()
	unsaved := 0
	for _, e := range j.living {
		if e.told() && e.disk.event == 0 {
			unsaved++
		}
	}
	if unsaved > 0 {
		j.counts.Lost += uint64(unsaved)
		j.log.Warn("events are lost: the disk did not take them", "count", unsaved)
	}
}

// work is what there is to write of one event now.
type work struct {
	*entry
	event    bridge.Event
	doc, pic bool
	frames   []bridge.Frame
	disk     sizes
}

// take takes what is due of an event. The first and the last state of an event
// are due at once, what is between from time to time. It is busy until release.
func (j *Journal) take(id string, s share) (work, bool) {
	now := time.Now()
	j.mu.Lock()
	defer j.mu.Unlock()
	e := j.living[id]
	if e == nil || !e.told() || e.busy || s == nothing {
		return work{}, false
	}
	over := e.event.Over()
	whole := over || s == all
	w := work{entry: e, event: e.event, frames: e.frames, disk: e.disk}
	w.doc = e.changed && (whole || !e.begun || now.Sub(e.saved) >= docEvery)
	better := !e.event.Picture.IsZero() && !same(e.event.Picture, e.shot)
	w.pic = better && (whole || now.Sub(e.painted) >= picEvery)
	if w.doc {
		e.changed = false
	}
	e.frames = nil
	e.busy = over || w.doc || w.pic || len(w.frames) > 0
	return w, e.busy
}

// release lets others have the event, whose end may have come meanwhile.
func (j *Journal) release(w work) {
	j.mu.Lock()
	defer j.mu.Unlock()
	w.busy = false
	if w.entry.event.Over() && !w.event.Over() {
		j.ring()
	}
}

// same reports whether two frames are one picture.
func same(a, b bridge.Frame) bool { return a.Seq == b.Seq && a.Received.Equal(b.Received) }

// save writes what is due of an event. What fails is due again.
func (j *Journal) save(id string, s share) error {
	w, ok := j.take(id, s)
	if !ok {
		return nil
	}
	defer j.release(w)
	d := j.disk()
	err := w.saveEvent(d)
	if err == nil {
		err = w.savePicture(d)
	}
	n := 0
	if err == nil && len(w.frames) > 0 {
		w.disk.clip, n, err = d.appendClip(id, w.disk.clip, w.frames)
	}
	j.settle(w, n, err)
	if err == nil && w.event.Over() {
		if err = j.finish(w); err != nil {
			j.settle(work{entry: w.entry, disk: w.disk}, 0, err)
		}
	}
	return err
}

func (w *work) saveEvent(d files) error {
	if !w.doc {
		return nil
	}
	n, err := d.saveEvent(w.event, !w.begun)
	if err == nil {
		w.begun, w.saved, w.disk.event = true, time.Now(), n
	}
	return err
}

func (w *work) savePicture(d files) error {
	if !w.pic {
		return nil
	}
	f := w.event.Picture
	err := d.replace(path.Join(folder(w.id), pictureFile), f.JPEG())
	if err == nil {
		w.shot, w.painted = bridge.Frame{Seq: f.Seq, Received: f.Received}, time.Now()
		w.disk.picture = int64(len(f.JPEG()))
	}
	return err
}

// settle notes what came to the disk: of the frames the first n. The others are
// due again, unless the event was given up meanwhile.
func (j *Journal) settle(w work, n int, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	done, left := w.frames[:n], w.frames[n:]
	if j.living[w.id] != w.entry {
		done, left = w.frames, nil
	}
	for _, f := range done {
		j.memory -= weight(f)
	}
	e := w.entry
	e.disk = w.disk
	e.frames = append(left, e.frames...)
	e.changed = e.changed || err != nil // its folder may be gone
}

// finish makes an event that is over safe and puts it into the index.
func (j *Journal) finish(w work) error {
	d := j.disk()
	if w.disk.clip > 0 {
		if err := d.finishClip(w.id, w.disk.clip); err != nil && !errors.Is(err, fs.ErrNotExist) { // then somebody took it away
			return err
		}
	}
	if err := d.sync(folder(w.id)); err != nil {
		return err
	}
	s, changed := d.measure(w.id)
	r := newRecord(w.event, s, changed)
	if err := j.index.Update(map[string]record{w.id: r}, nil); err != nil {
		return err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.living[w.id] == w.entry {
		delete(j.living, w.id)
		j.addLocked(w.id, r.item())
	}
	return nil
}

// newRecord is what the index says of an event on disk.
func newRecord(e bridge.Event, s sizes, changed time.Time) record {
	return record{e, entryFiles{Bytes: s.total(), Picture: s.picture > 0, Clip: s.clip > 0, Length: s.event, Changed: changed.UnixNano()}}
}

func (f entryFiles) item() item { return item{bytes: f.Bytes, picture: f.Picture, clip: f.Clip} }
