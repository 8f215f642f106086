package journal_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/espcam-bridge/espcam-bridge/bridge"
	"github.com/espcam-bridge/espcam-bridge/bridge/journal"
	"github.com/espcam-bridge/espcam-bridge/bridge/store"
)

// lines is a log that can be read.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// clock is a time that a test sets.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) set(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = t
}

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// world is a journal on disk that runs, and can be stopped and opened again.
type world struct {
	t     testing.TB
	dir   string // of the events
	data  string // of the index
	cfg   journal.Config
	clock *clock
	log   *lines
	inbox *bridge.EventListener
	stop  func()
	*journal.Journal
}

func newWorld(t testing.TB, cfg journal.Config) *world {
	t.Helper()
	return newWorldOver(t, cfg, t.TempDir())
}

// newWorldOver is one whose index lies in data.
func newWorldOver(t testing.TB, cfg journal.Config, data string) *world {
	t.Helper()
	before := goleak.IgnoreCurrent()
	w := &world{t: t, data: data, clock: &clock{now: noon}, log: &lines{}}
	if cfg.Dir == "" {
		cfg.Dir = filepath.Join(t.TempDir(), "events")
	}
	cfg.Now, cfg.Apart = w.clock.Now, true // as the program has it
	w.cfg, w.dir = cfg, cfg.Dir
	w.start()
	t.Cleanup(func() {
		w.stop()
		goleak.VerifyNone(t, before)
	})
	return w
}

// start opens the journal and runs it.
func (w *world) start() {
	w.t.Helper()
	db, err := store.Open(w.data)
	if err != nil {
		w.t.Fatal(err)
	}
	w.Journal, err = journal.Open(w.cfg, db, slog.New(slog.NewTextHandler(w.log, nil)))
	if err != nil {
		w.t.Fatal(err)
	}
	w.inbox = bridge.NewEventListener()
	ctx, cancel := context.WithCancel(w.t.Context())
	var running sync.WaitGroup
	running.Go(func() {
		if err := w.Run(ctx, w.inbox); err != nil {
			w.t.Error(err)
		}
	})
	w.stop = sync.OnceFunc(func() {
		cancel()
		running.Wait()
		if err := db.Close(); err != nil {
			w.t.Error(err)
		}
	})
}

func (w *world) restart() {
	w.t.Helper()
	w.stop()
	w.start()
}

// frame makes a frame that is not quite a JPEG, which nobody here looks at.
func frame(seq uint64, size int) bridge.Frame {
	jpg := bytes.Repeat([]byte{byte(seq)}, size)
	copy(jpg, fmt.Sprintf("\xff\xd8 picture %d ", seq))
	at := noon.Add(time.Duration(seq) * 200 * time.Millisecond)
	return bridge.NewBuffer(jpg).Frame(size, bridge.Frame{Camera: "porch", Seq: seq, Received: at})
}

// begun makes an event that began n seconds after noon and goes on.
func begun(n int) bridge.Event {
	at := noon.Add(time.Duration(n) * time.Second)
	return bridge.Event{ID: bridge.NewEventID(at, 7), Camera: "porch", Sources: []string{bridge.SourcePixels}, Begin: at, Last: at.Add(time.Second),
		Score: 0.5, Boxes: []bridge.Box{{X: 0.1, Y: 0.2, W: 0.3, H: 0.4}}, Zones: []string{"door"}, Labels: []bridge.Detection{}}
}

func over(e bridge.Event) bridge.Event {
	e.End, e.Ending, e.Now = e.Last.Add(time.Second), bridge.EndQuiet, nil
	return e
}

// keep tells an event from begin to end, with picture and clip.
func (w *world) keep(e bridge.Event) {
	e.Picture = frame(3, 5000)
	w.inbox.Tell(e)
	for seq := range 4 {
		w.Record(e.ID, frame(uint64(seq+1), 3000))
	}
	w.until("the event came", func() bool { _, err := w.Event(e.ID); return err == nil })
	w.inbox.Tell(over(e))
}

// settled waits until everything told is on disk.
func (w *world) settled() {
	w.t.Helper()
	w.until("everything is on disk", func() bool { return w.Stats().Waiting == 0 })
}

// until polls a condition for up to a minute: the disk may have other work.
func (w *world) until(what string, ok func() bool) {
	w.t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); <-tick.C {
		if ok() {
			return
		}
	}
	w.t.Fatalf("still not: %s; %+v; log:\n%s", what, w.Stats(), w.log)
}

func (w *world) folder(id string) string {
	at, _ := bridge.EventTime(id)
	return filepath.Join(w.dir, at.UTC().Format(time.DateOnly), id)
}

// list returns the ids that a filter finds, page by page.
func (w *world) list(f bridge.EventFilter) (ids []string) {
	w.t.Helper()
	for {
		events, next, err := w.List(f)
		if err != nil {
			w.t.Fatal(err)
		}
		for _, e := range events {
			ids = append(ids, e.ID)
		}
		if next == "" {
			return ids
		}
		f.Before = next
	}
}

func read(t testing.TB, open func(string) (io.ReadSeekCloser, error), id string) []byte {
	t.Helper()
	f, err := open(id)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// clipOf is the MJPEG body of the frames with these numbers, so far.
func clipOf(from, to int) (b []byte) {
	b = append(b, bridge.FirstBoundary...)
	for seq := from; seq <= to; seq++ {
		b = append(b, frame(uint64(seq), 3000).Machine()...)
	}
	return b
}

// closedClip is the same of an event that is over: no part follows.
func closedClip(from, to int) []byte {
	return append(bytes.TrimSuffix(clipOf(from, to), []byte("\r\n")), "--\r\n"...)
}

func TestEventPictureAndClipComeBack(t *testing.T) {
	w := newWorld(t, journal.Config{})
	e := begun(0)
	w.keep(e)
	w.settled()
	check := func(when string) {
		t.Helper()
		got, err := w.Event(e.ID)
		if err != nil || !got.Over() || got.Ending != bridge.EndQuiet || got.Camera != "porch" || len(got.Boxes) != 1 || got.Boxes[0].H != 0.4 {
			t.Fatalf("%s: %+v, %v", when, got, err)
		}
		if picture, clip := w.Has(e.ID); !picture || !clip {
			t.Errorf("%s: picture %v, clip %v", when, picture, clip)
		}
		if b := read(t, w.Picture, e.ID); !bytes.Equal(b, frame(3, 5000).JPEG()) {
			t.Errorf("%s: another picture, %d bytes", when, len(b))
		}
		if b := read(t, w.Clip, e.ID); !bytes.Equal(b, closedClip(1, 4)) {
			t.Errorf("%s: another clip, %d bytes %.100q", when, len(b), b)
		}
		if ids := w.list(bridge.EventFilter{}); len(ids) != 1 || ids[0] != e.ID {
			t.Errorf("%s: the list is %v", when, ids)
		}
		if s := w.Stats(); s.Events != 1 || s.Bytes != 4<<10+4<<10+8<<10+16<<10 || s.Lost+s.FramesDropped != 0 || s.Corrupt != 0 {
			t.Errorf("%s: %+v", when, s)
		}
		if err := w.Check(); err != nil {
			t.Errorf("%s: %v", when, err)
		}
	}
	check("at once")
	w.restart()
	check("after a restart")
	for _, name := range []string{"event.json", "picture.jpg", "clip.mjpeg"} {
		if info, err := os.Stat(filepath.Join(w.folder(e.ID), name)); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v %v", name, info, err)
		}
	}
}

// TestEventThatGoesOnIsThere: it is listed, with the newest picture and the clip
// so far, before it is over.
func TestEventThatGoesOnIsThere(t *testing.T) {
	w := newWorld(t, journal.Config{})
	e := begun(0)
	w.Record(e.ID, frame(1, 3000)) // the pre-roll may come before the event
	w.Record(e.ID, frame(2, 3000))
	if _, err := w.Event(e.ID); bridge.CodeOf(err) != bridge.CodeNotFound {
		t.Errorf("an event that was not told: %v", err)
	}
	if ids := w.list(bridge.EventFilter{}); len(ids) != 0 {
		t.Errorf("the list is %v", ids)
	}
	w.inbox.Tell(e)
	w.until("the clip so far is on disk", func() bool { _, clip := w.Has(e.ID); return clip })
	if b := read(t, w.Clip, e.ID); !bytes.Equal(b, clipOf(1, 2)) {
		t.Errorf("the clip so far: %d bytes", len(b))
	}
	if picture, _ := w.Has(e.ID); picture {
		t.Error("it has a picture before there is one")
	}
	if _, err := w.Picture(e.ID); bridge.CodeOf(err) != bridge.CodeNotFound {
		t.Errorf("a picture that is not there: %v", err)
	}
	e.Picture, e.Score = frame(9, 800), 0.9
	w.inbox.Tell(e)
	w.until("the better state is told", func() bool { got, err := w.Event(e.ID); return err == nil && got.Score == 0.9 })
	if b := read(t, w.Picture, e.ID); !bytes.Equal(b, frame(9, 800).JPEG()) {
		t.Errorf("the picture so far: %d bytes", len(b))
	}
	events, _, err := w.List(bridge.EventFilter{})
	if err != nil || len(events) != 1 || events[0].Over() {
		t.Errorf("the list is %+v, %v", events, err)
	}
	w.inbox.Tell(over(e))
	w.settled()
	if w.Record(e.ID, frame(10, 100)) {
		t.Error("a frame of an event that is over is taken")
	}
	if b := read(t, w.Picture, e.ID); !bytes.Equal(b, frame(9, 800).JPEG()) {
		t.Errorf("the last picture: %d bytes", len(b))
	}
}

func TestRunWritesWhatWasToldBeforeItEnds(t *testing.T) {
	w := newWorld(t, journal.Config{})
	for n := range 20 {
		e := begun(n)
		e.Picture = frame(1, 1000)
		w.Record(e.ID, frame(1, 1000))
		w.inbox.Tell(over(e))
	}
	w.restart()
	if s := w.Stats(); s.Events != 20 || s.Lost != 0 {
		t.Errorf("after a stop at once: %+v", s)
	}
	if n := strings.Count(w.log.String(), "never ended"); n != 0 {
		t.Errorf("the log says:\n%s", w.log)
	}
}

// TestMemoryIsBounded: frames that the disk has not taken are refused beyond a
// number of bytes, those of an event that never comes are given up.
func TestMemoryIsBounded(t *testing.T) {
	db, err := store.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	j, err := journal.Open(journal.Config{Dir: t.TempDir(), Memory: 100_000}, db, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	taken := 0
	for n := range 50 {
		if j.Record(begun(n%5).ID, frame(uint64(n+1), 10_000)) {
			taken++
		}
	}
	if s := j.Stats(); taken != 9 || s.FramesDropped != 41 {
		t.Errorf("%d frames were taken; %+v", taken, s)
	}
	if j.Record("../../../etc/x", frame(1, 10)) || j.Record(begun(0).ID, bridge.Frame{}) {
		t.Error("nonsense is taken")
	}
}

func TestEventsThatCannotBe(t *testing.T) {
	w := newWorld(t, journal.Config{})
	good := begun(1)
	w.keep(good)
	w.settled()
	for _, id := range []string{"", "../../escape", "0000000000000000", "UPPERCASE0000"} {
		bad := over(begun(2))
		bad.ID = id
		w.inbox.Tell(bad)
		w.until("it is refused", func() bool { return strings.Contains(w.log.String(), "cannot be kept") })
	}
	again := good
	again.Camera = "yard"
	w.inbox.Tell(again) // the id of one that is on disk: that one stays
	w.until("all are refused", func() bool { return w.Stats().Lost == 5 })
	if e, err := w.Event(good.ID); err != nil || e.Camera != "porch" {
		t.Errorf("%+v, %v", e, err)
	}
}
