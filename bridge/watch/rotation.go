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
	changed sync.Cond
	waiting line
	visits  uint64
	closed  bool
}

// push adds a camera. Its mailbox knows that it is not in yet.
func (r *rotation) push(e *eye) {
	r.mu.Lock()
	heap.Push(&r.waiting, e)
	r.mu.Unlock()
	r.changed.Signal()
}

// next waits for a camera; false after close, when none waits any more.
func (r *rotation) next() (*eye, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for len(r.waiting) == 0 && !r.closed {
		r.changed.Wait()
	}
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
	r.closed = true
	r.mu.Unlock()
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
