package watch

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge/aside"
)

// pool is the workers that visit cameras. Where the system can do it, each has a
// thread of its own that runs only while nobody else wants the core, so that
// judging, which takes half a millisecond at a time, never delays a picture on
// its way. On a machine that is busy with other things for long, such threads do
// not run at all; then relief takes their place.
type pool struct {
	visits atomic.Uint64 // that workers, not relief, have finished
	bell   *aside.Bell   // nil: the workers are ordinary goroutines
}

const (
	// reliefEvery is how long cameras may wait without any visit being finished.
	reliefEvery = 250 * time.Millisecond
	// longestRest bounds an ordinary worker's rest, which is half as long as its
	// work was.
	longestRest = 5 * time.Millisecond
)

// startPool starts the workers and returns what waits for them, after the
// rotation was closed.
func (w *Watch) startPool(ctx context.Context) (wait func()) {
	if w.cfg.Apart {
		w.ringBell()
	}
	var workers sync.WaitGroup
	for range w.cfg.Workers {
		workers.Go(func() { w.work(ctx) })
	}
	if w.pool.bell != nil {
		workers.Go(func() { w.relieve(ctx) })
	}
	return func() {
		workers.Wait()
		if w.pool.bell != nil {
			if err := w.pool.bell.Close(); err != nil {
				w.deps.Log.Error("cannot close the workers' bell", "err", err)
			}
		}
	}
}

// ringBell lets the rotation wake threads instead of goroutines, if there are
// such.
func (w *Watch) ringBell() {
	b, err := aside.NewBell(&w.rotation.mu)
	if err != nil {
		w.deps.Log.Debug("pictures are judged by ordinary threads", "err", err)
		return
	}
	w.pool.bell = b
	w.rotation.wakeBy(b)
}

// work is one worker.
func (w *Watch) work(ctx context.Context) {
	apart := w.pool.bell != nil
	if apart {
		if err := aside.StandBack(); err != nil {
			w.deps.Log.Debug("a thread that judges pictures does not stand back", "err", err)
			apart = false
		}
	}
	for {
		e, ok := w.rotation.next()
		if !ok {
			return
		}
		began := time.Now()
		e.visit(ctx)
		w.pool.visits.Add(1)
		if !apart { // or it would keep a core from the relay for as long as cameras wait
			time.Sleep(min(time.Since(began)/2, longestRest))
		}
	}
}

// relieve does the workers' work while they get no core.
func (w *Watch) relieve(ctx context.Context) {
	tick := time.NewTicker(reliefEvery)
	defer tick.Stop()
	before := w.pool.visits.Load()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now := w.pool.visits.Load()
		if now == before {
			w.relieveFor(ctx, reliefEvery)
		}
		before = now
	}
}

// relieveFor visits cameras for some time, or as long as some wait.
func (w *Watch) relieveFor(ctx context.Context, d time.Duration) {
	for end := time.Now().Add(d); time.Now().Before(end); {
		e, ok := w.rotation.try()
		if !ok {
			return
		}
		e.visit(ctx)
	}
}
