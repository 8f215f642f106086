package motion

// past is an earlier picture with what was expected then.
type past struct {
	pic    []byte
	table  [256]byte // expected level for each background level
	ms     int64
	filled bool
}

// history keeps pictures of the last second, a spacing apart.
type history struct {
	slots [historySlots]past
	next  int
}

const (
	historySlots   = 6
	historySpacing = 170  // ms
	historyOldest  = 2500 // ms; what is older says nothing about now
)

func newHistory(n int) history {
	var h history
	for i := range h.slots {
		h.slots[i].pic = make([]byte, n)
	}
	return h
}

func (h *history) clear() {
	for i := range h.slots {
		h.slots[i].filled = false
	}
}

// add copies a picture, unless the one before is too new.
func (h *history) add(pic []byte, table *[256]byte, ms int64) {
	last := &h.slots[(h.next+historySlots-1)%historySlots]
	if last.filled && ms-last.ms < historySpacing {
		return
	}
	h.slots[h.next].set(pic, table, ms)
	h.next = (h.next + 1) % historySlots
}

func (p *past) set(pic []byte, table *[256]byte, ms int64) {
	copy(p.pic, pic)
	p.table, p.ms, p.filled = *table, ms, true
}

// ago returns the newest picture at least age old, or nil.
func (h *history) ago(age int, ms int64) *past {
	var best *past
	for i := range h.slots {
		s := &h.slots[i]
		if !s.filled || ms-s.ms < int64(age) || ms-s.ms > historyOldest {
			continue
		}
		if best == nil || s.ms > best.ms {
			best = s
		}
	}
	return best
}

// offset is how far pixel i, of that background level, was from what was
// expected; without a picture it is now, the present offset.
func (p *past) offset(i int, base byte, now int) int {
	if p == nil {
		return now
	}
	return int(p.pic[i]) - int(p.table[base])
}
