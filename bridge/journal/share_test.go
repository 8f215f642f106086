package journal_test

import (
	"bytes"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge"
	"github.com/espcam-bridge/espcam-bridge/bridge/journal"
	"github.com/espcam-bridge/espcam-bridge/bridge/store"
)

// newLonelyWorld is one in which who stands back got on at a time and then gets
// no core any more.
func newLonelyWorld(t *testing.T, cfg journal.Config, got time.Time) *world {
	t.Helper()
	w := &world{t: t, log: &lines{}, inbox: bridge.NewEventListener()}
	db, err := store.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	cfg.Dir, cfg.Apart = t.TempDir(), true
	w.Journal, err = journal.Open(cfg, db, slog.New(slog.NewTextHandler(w.log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	stop := make(chan struct{})
	var running sync.WaitGroup
	running.Go(func() { w.WriteAlone(stop, got, w.inbox) })
	t.Cleanup(func() {
		close(stop)
		running.Wait()
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

// begin tells an event and waits until it is on disk, with a clip of one frame.
func (w *world) begin(e bridge.Event) {
	w.t.Helper()
	w.Record(e.ID, frame(1, 3000))
	w.inbox.Tell(e)
	w.until("the begin is on disk", func() bool { _, clip := w.Has(e.ID); return clip })
}

// TestRelief: on a machine that is busy for long, events are written all the same,
// but not before the time of relief has come.
func TestRelief(t *testing.T) {
	got := time.Now()
	w := newLonelyWorld(t, journal.Config{}, got)
	w.begin(begun(0))
	if after := time.Since(got); after <= journal.Relief {
		t.Errorf("relief came after %v", after)
	}
}

// TestPlentyIsNotLeft: who stands back is not waited for when memory gets short.
func TestPlentyIsNotLeft(t *testing.T) {
	w := newLonelyWorld(t, journal.Config{Memory: 30_000}, time.Now().Add(time.Hour))
	e := begun(0)
	w.inbox.Tell(e)
	for seq := range 4 {
		w.Record(e.ID, frame(uint64(seq+1), 3000))
	}
	if _, clip := w.Has(e.ID); clip {
		t.Error("it was not left to who stands back")
	}
	w.Record(e.ID, frame(5, 3000)) // now half of the memory is taken
	w.until("it is written", func() bool {
		_, clip := w.Has(e.ID)
		return clip && bytes.Equal(read(t, w.Clip, e.ID), clipOf(1, 5))
	})
}

// TestApart writes clips while events begin and end elsewhere: each is whole and
// in order.
func TestApart(t *testing.T) {
	w := newWorld(t, journal.Config{})
	const events = 12
	for n := range events {
		w.inbox.Tell(begun(n))
	}
	last := begun(events - 1).ID
	for seq := range events {
		for n := seq; n < events; n++ {
			w.Record(begun(n).ID, frame(uint64(seq+1), 3000))
		}
		if seq%4 == 3 {
			w.until("the last clip goes on", func() bool {
				_, clip := w.Has(last)
				return clip && bytes.Equal(read(t, w.Clip, last), clipOf(1, seq+1))
			})
		}
		w.inbox.Tell(over(begun(seq)))
	}
	w.settled()
	for n := range events {
		if b := read(t, w.Clip, begun(n).ID); !bytes.Equal(b, closedClip(1, n+1)) {
			t.Errorf("clip %d has %d bytes, want %d", n, len(b), len(closedClip(1, n+1)))
		}
	}
	if s := w.Stats(); s.Lost != 0 || s.FramesDropped != 0 {
		t.Errorf("%+v", s)
	}
}
