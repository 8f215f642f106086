package watch

import (
	"container/heap"
	"sync"
)

// rotation is the queue of cameras that have something to judge. A camera
// stands in it at most once, so its length is bounded by their number, and the
// one whose last visit is the longest ago is next. First come, first served would
// be less fair: near the limit of the CPU, cameras whose pictures come just
// after a visit would be judged up to a sixth more often than others.
type rotation struct {
	mu      sync.Mutex
	changed signal
	waiting line
	visits  uint64
	closed  bool
}

// signal is the part of sync.Cond that the rotation uses; aside.Bell has it, too. It is
// called with the rotation's lock held.
type signal interface {
	Wait()
	Signal()
	Broadcast()
}

// wakeBy replaces what wakes workers, before there are any.
func (r *rotation) wakeBy(s signal) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.changed = s
}

// push adds a camera. Its mailbox knows that it is not in yet.
func (r *rotation) push(e *eye) {
	r.mu.Lock()
	defer r.mu.Unlock()
	heap.Push(&r.waiting, e)
	r.changed.Signal()
}

// next waits for a camera; false after close, when none waits any more.
func (r *rotation) next() (*eye, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for len(r.waiting) == 0 && !r.closed {
		r.changed.Wait()
	}
	return r.popLocked()
}

// try is next without waiting.
func (r *rotation) try() (*eye, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.popLocked()
}

func (r *rotation) popLocked() (*eye, bool) {
	if len(r.waiting) == 0 {
		return nil, false
	}
	e := heap.Pop(&r.waiting).(*eye)
	r.visits++
	e.visited = r.visits
	return e, true
}

func (r *rotation) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	r.changed.Broadcast()
}

// line is a heap of cameras by their last visit.
type line []*eye

func (l line) Len() int           { return len(l) }
func (l line) Less(i, j int) bool { return l[i].visited < l[j].visited }
func (l line) Swap(i, j int)      { l[i], l[j] = l[j], l[i] }
func (l *line) Push(e any)        { *l = append(*l, e.(*eye)) }

func (l *line) Pop() any {
	last := len(*l) - 1
	e := (*l)[last]
	(*l)[last] = nil
	*l = (*l)[:last]
	return e
}
