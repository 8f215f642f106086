package journal

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/espcam-bridge/espcam-bridge/bridge"
	"github.com/espcam-bridge/espcam-bridge/bridge/store"
)

// inventory is how files and index are made to agree.
type inventory struct {
	*Journal
	indexed map[string]entryFiles // not yet found on disk
	put     map[string]record     // missing in the index
	strange int                   // names that are no events
	unread  map[string]bool       // days whose folder cannot be read
	closed  int                   // events that had not ended
	told    int                   // damaged events that the log names
}

// reconcile takes all events on disk into account. The files are the truth: the
// index only spares reading them.
func (j *Journal) reconcile(known *store.Table[entryFiles]) error {
	v := &inventory{Journal: j, indexed: map[string]entryFiles{}, put: map[string]record{}, unread: map[string]bool{}}
	err := known.Descend("", func(id string, f entryFiles, err error) bool {
		if err == nil { // else it is read from its folder again
			v.indexed[id] = f
		}
		return true
	})
	if err != nil {
		return err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	days, strange, err := j.files.days()
	if err != nil {
		return bridge.Errorf(bridge.CodeUnavailable, "cannot read the events in %s: %w", j.cfg.Dir, err)
	}
	v.strange = strange
	for _, day := range days {
		v.readDay(day)
	}
	return v.end()
}

// end brings the index up to date and says what was found.
func (v *inventory) end() error {
	var orphans []string
	for id, r := range v.indexed {
		if v.unread[day(id)] {
			v.addLocked(id, r.item())
		} else {
			orphans = append(orphans, id)
		}
	}
	if v.closed+len(v.put)+len(orphans)+v.strange+v.counts.Corrupt > 0 {
		v.log.Info("looked through the events on disk", "path", v.cfg.Dir, "kept", len(v.order), "never ended", v.closed,
			"new in the index", len(v.put), "removed by others", len(orphans), "damaged", v.counts.Corrupt, "not events", v.strange)
	}
	if len(v.put)+len(orphans) == 0 {
		return nil
	}
	if err := v.index.Update(v.put, orphans); err != nil {
		v.log.Warn("the index of events is not up to date: the next start tries again", "err", err)
	}
	return nil
}

func (v *inventory) readDay(name string) {
	all, err := fs.ReadDir(v.files.root.FS(), name)
	if err != nil {
		v.unread[name] = true
		v.log.Warn("cannot read the events of a day: they are not shown", "path", path.Join(v.cfg.Dir, name), "err", err)
		return
	}
	for _, entry := range all {
		id := entry.Name()
		_, valid := bridge.EventTime(id)
		switch {
		case strings.HasSuffix(id, goneSuffix):
			_ = v.files.root.RemoveAll(path.Join(name, id)) // the next start tries again
		case !valid || day(id) != name || !entry.IsDir():
			v.strange++
		default:
			v.find(id)
		}
	}
}

// find takes one event into account.
func (v *inventory) find(id string) {
	r, known := v.indexed[id]
	delete(v.indexed, id)
	if known && v.unchanged(id, r) {
		v.addLocked(id, r.item())
		return
	}
	e, err := v.files.loadEvent(id)
	s, changed := v.files.measure(id)
	switch {
	case errors.Is(err, fs.ErrNotExist) && s == (sizes{}):
		_ = v.files.remove(id) // its event never was
	case err != nil:
		v.damaged(id, s, known, err)
	case !e.Over():
		v.close(e, s)
	default:
		r := newRecord(e, s, changed)
		v.put[id] = r
		v.addLocked(id, r.item())
	}
}

// unchanged reports whether event.json is as it was when the index was told.
func (v *inventory) unchanged(id string, r entryFiles) bool {
	info, err := os.Lstat(filepath.Join(v.path(id), eventFile)) // one system call; through a Root it is five
	return err == nil && info.Size() == r.Length && info.ModTime().UnixNano() == r.Changed
}

// close ends an event at its last motion: the program was killed before it
// could. The writer then saves it as any other.
func (v *inventory) close(e bridge.Event, s sizes) {
	if e.End = e.Last; e.Last.Before(e.Begin) {
		e.End = e.Begin
	}
	e.Ending = bridge.EndStopped
	if s.clip > 0 {
		whole, err := v.files.wholeClip(e.ID)
		if err != nil {
			v.log.Warn("cannot read a clip", "event", e.ID, "err", err)
		}
		if s.clip = whole; whole == 0 {
			_ = v.files.root.Remove(path.Join(folder(e.ID), clipFile)) // nothing in it can be seen
		}
	}
	old := v.entryLocked(e.ID)
	old.event, old.changed, old.begun, old.disk = e, true, true, s
	v.closed++
}

// namedAtMost is how many damaged events the log names one by one.
const namedAtMost = 20

// damaged counts an event that cannot be read and leaves it where it is, for
// somebody who can mend it; only age and size remove it.
func (v *inventory) damaged(id string, s sizes, known bool, err error) {
	v.addLocked(id, item{bytes: s.total(), corrupt: true})
	if known {
		v.indexed[id] = entryFiles{} // take it out of the index
	}
	if v.told++; v.told <= namedAtMost {
		v.log.Warn("an event on disk is damaged: it is not shown, and stays until its time is over", "event", id, "path", v.path(id), "err", err)
	}
}
