package alert

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge/store"
)

// ledger writes letters to the store, the newest state of each, in one place and
// many at a time: saving never waits, flush waits until all that was saved before
// is on disk. While the disk takes nothing it keeps what it has to write and
// tries again.
type ledger struct {
	table *store.Table[letter]
	log   *slog.Logger
	wake  chan struct{} // flush wants a write now

	mu      sync.Mutex
	dirty   map[string]*letter // nil: to be removed
	waiting []chan error       // flushes
	broken  bool               // the last write failed
}

const (
	lull     = 50 * time.Millisecond // between a save and its write, unless flush asks
	again    = 5 * time.Second       // between two attempts to write
	flushFor = time.Second           // at most, then the alert goes first
)

func openLedger(s *store.Store, log *slog.Logger) (*ledger, error) {
	table, err := store.NewTable[letter](s, "alerts")
	if err != nil {
		return nil, err
	}
	return &ledger{table: table, log: log, wake: make(chan struct{}, 1), dirty: map[string]*letter{}}, nil
}

// read returns all letters in the order of their ids. One that cannot be read is
// reported and removed.
func (l *ledger) read() ([]*letter, error) {
	var all []*letter
	err := l.table.Descend("", func(id string, m letter, err error) bool {
		if err != nil {
			l.log.Error("an alert in the store cannot be read and is dropped", "err", err)
			l.remove(id)
		} else {
			all = append(all, &m)
		}
		return true
	})
	slices.Reverse(all)
	return all, err
}

// save keeps the letter as it is now.
func (l *ledger) save(m *letter) { l.replace(m) }

// remove forgets letters.
func (l *ledger) remove(ids ...string) { l.replace(nil, ids...) }

// replace saves a letter and forgets others, all or nothing.
func (l *ledger) replace(m *letter, gone ...string) {
	l.mu.Lock()
	first := len(l.dirty) == 0
	if m != nil {
		snapshot := *m
		l.dirty[m.ID] = &snapshot
	}
	for _, id := range gone {
		l.dirty[id] = nil
	}
	l.mu.Unlock()
	if first {
		l.ring()
	}
}

func (l *ledger) ring() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// flush returns when everything saved before is on disk, or could not be
// written, or ctx ends.
func (l *ledger) flush(ctx context.Context) error {
	done := make(chan error, 1)
	l.mu.Lock()
	l.waiting = append(l.waiting, done)
	l.mu.Unlock()
	l.ring()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// run writes until stop is closed, and then once more.
func (l *ledger) run(stop <-chan struct{}) {
	for {
		rest := l.rest()
		if rest == 0 {
			l.write()
			continue
		}
		timer := time.NewTimer(rest)
		select {
		case <-l.wake:
			timer.Stop()
			if l.urgent() {
				l.write()
			}
		case <-timer.C:
			l.write()
		case <-stop:
			timer.Stop()
			l.write()
			return
		}
	}
}

// rest is how long to wait for more before the next write.
func (l *ledger) rest() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case len(l.waiting) > 0:
		return 0
	case len(l.dirty) == 0:
		return restless
	case l.broken:
		return again
	}
	return lull
}

func (l *ledger) urgent() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.waiting) > 0
}

// write brings all changes to the disk in one transaction.
func (l *ledger) write() {
	l.mu.Lock()
	changes, waiting := l.dirty, l.waiting
	l.dirty, l.waiting = map[string]*letter{}, nil
	l.mu.Unlock()
	put := map[string]letter{}
	var remove []string
	for id, m := range changes {
		if m == nil {
			remove = append(remove, id)
		} else {
			put[id] = *m
		}
	}
	var err error
	if len(changes) > 0 {
		err = l.table.Update(put, remove)
	}
	l.wrote(changes, err)
	for _, done := range waiting {
		done <- err
	}
}

// wrote takes back what could not be written, unless it changed meanwhile.
func (l *ledger) wrote(changes map[string]*letter, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil {
		for id, m := range changes {
			if _, newer := l.dirty[id]; !newer {
				l.dirty[id] = m
			}
		}
	}
	if err != nil && !l.broken {
		l.log.Error("alerts cannot be saved; they are sent, but a restart may lose or repeat some", "err", err)
	}
	if err == nil && l.broken && len(changes) > 0 {
		l.log.Info("alerts can be saved again")
	}
	if len(changes) > 0 || err != nil {
		l.broken = err != nil
	}
}
