package watch

import "sync"

// rotation is the queue of cameras that have something to judge. A camera
// stands in it at most once and behind all that wait already, so that workers
// visit all cameras equally often. Its length is bounded by their number.
type rotation struct {
	mu      sync.Mutex
	changed sync.Cond
	waiting []*eye
	closed  bool
}

// push adds a camera at the end. Its mailbox knows that it is not in yet.
func (r *rotation) push(e *eye) {
	r.mu.Lock()
	r.waiting = append(r.waiting, e)
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
	e := r.waiting[0]
	r.waiting[0] = nil
	r.waiting = r.waiting[1:]
	return e, true
}

func (r *rotation) close() {
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	r.changed.Broadcast()
}
