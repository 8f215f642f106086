package motion

// past is a picture judged before, with what was expected then.
type past struct {
	pic    []byte
	curve  [256]uint8
	ms     int64 // when
	filled bool
}

// history keeps the pictures of the last second, at most one per spacing.
type history struct {
	slots [historySlots]past
	next  int
}

const (
	historySlots   = 6
	historySpacing = 170  // ms
	historyOldest  = 2500 // ms; at a slower pace nothing is compared
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

// swap keeps pic, unless the picture before is too new, and returns memory for
// the next one.
func (h *history) swap(pic []byte, curve *[256]uint8, ms int64) []byte {
	last := &h.slots[(h.next+historySlots-1)%historySlots]
	if last.filled && ms-last.ms < historySpacing {
		return pic
	}
	s := &h.slots[h.next]
	h.next = (h.next + 1) % historySlots
	free := s.pic
	*s = past{pic: pic, curve: *curve, ms: ms, filled: true}
	return free
}

// ago returns the newest picture that is at least age old, or nil.
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
