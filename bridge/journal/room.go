package journal

import (
	"slices"
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge"
)

// atOnce is how many events are removed before it is the turn of new ones.
const atOnce = 64

// makeRoom removes events that are too old or too many, some at a time. Those
// that are going on, or wait for the disk, are never among them.
func (j *Journal) makeRoom() error {
	j.mu.Lock()
	ids := j.surplusLocked(atOnce)
	j.mu.Unlock()
	if len(ids) == 0 {
		return nil
	}
	d := j.disk()
	var err error
	gone := ids
	for i, id := range ids {
		if err = d.remove(id); err != nil {
			gone = ids[:i]
			break
		}
	}
	j.mu.Lock()
	for _, id := range gone {
		j.dropLocked(id)
		j.counts.Removed++
	}
	j.mu.Unlock()
	if e := j.index.Update(nil, gone); e != nil {
		err = e // what stays in the index without an item is not shown
	}
	if len(ids) == atOnce {
		j.ring()
	}
	return err
}

// surplusLocked lists at most n events that have to go: first those whose time
// is over, then, while there are too many bytes, the oldest.
func (j *Journal) surplusLocked(n int) (out []string) {
	now := j.cfg.Now()
	order := j.order
	size := j.stored
	for _, e := range j.living {
		size += e.disk.total()
	}
	expired := bridge.NewEventID(now.Add(-j.cfg.Keep), 0)
	for len(order) > 0 && len(out) < n && (order[0] < expired || size > j.cfg.MaxSize) {
		at := 0
		if order[0] >= expired {
			at = eldest(order, now)
		}
		id := order[at]
		out = append(out, id)
		size -= j.items[id].bytes
		if at == 0 {
			order = order[1:]
		} else {
			order = slices.Delete(slices.Clone(order), at, at+1)
		}
	}
	return out
}

// eldest returns the place of the event that counts as the oldest. A clock that
// was wrong for a while leaves events of a time that has not come: they go
// first, else everything that is new would have to make room for them.
func eldest(order []string, now time.Time) int {
	at, _ := slices.BinarySearch(order, bridge.NewEventID(now.Add(24*time.Hour), 0))
	if at == len(order) {
		return 0
	}
	return at
}
