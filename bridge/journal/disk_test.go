package journal_test

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge"
	"github.com/espcam-bridge/espcam-bridge/bridge/journal"
	"github.com/espcam-bridge/espcam-bridge/bridge/store"
)

// fullDisk mounts a disk of so many bytes; it needs root.
func fullDisk(t *testing.T, size string) string {
	t.Helper()
	dir := t.TempDir()
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size="+size, "tmpfs", dir).CombinedOutput(); err != nil {
		t.Skipf("a small disk cannot be mounted here: %v %s", err, out)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("umount", dir).CombinedOutput(); err != nil {
			t.Errorf("umount: %v %s", err, out)
		}
	})
	return dir
}

// fill takes what is left of a disk and returns how to give it back.
func fill(t *testing.T, dir string) (free func()) {
	t.Helper()
	name := filepath.Join(dir, "ballast")
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	for err == nil {
		_, err = f.Write(make([]byte, 4096))
	}
	f.Close()
	return func() {
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
	}
}

// TestFullDisk: the journal goes on, says so once, keeps new events in memory,
// loses no older one, and writes what waits when there is room again.
func TestFullDisk(t *testing.T) {
	disk := fullDisk(t, "1m")
	w := newWorld(t, journal.Config{Dir: filepath.Join(disk, "events"), Retry: time.Millisecond})
	t.Cleanup(func() { w.stop() })
	before := begun(0)
	w.keep(before)
	w.settled()
	free := fill(t, disk)
	during := begun(10)
	w.keep(during)
	w.until("it says so", func() bool { return w.Check() != nil })
	if err := w.Check(); bridge.CodeOf(err) != bridge.CodeUnavailable || !strings.Contains(err.Error(), "cannot be saved since 2026-11-21T12:00:00Z") ||
		!strings.Contains(err.Error(), "no space left") || !strings.Contains(err.Error(), "make room on the disk of "+w.dir) {
		t.Errorf("Check: %v", err)
	}
	for n := range 3 {
		w.keep(begun(20 + n))
	}
	if e, err := w.Event(during.ID); err != nil || !e.Over() {
		t.Errorf("an event of the full time: %+v, %v", e, err)
	}
	if b := read(t, w.Picture, during.ID); !bytes.Equal(b, frame(3, 5000).JPEG()) {
		t.Errorf("its picture: %d bytes", len(b))
	}
	if ids := w.list(bridge.EventFilter{}); len(ids) != 5 {
		t.Errorf("the list is %v", ids)
	}
	if b := read(t, w.Clip, before.ID); !bytes.Equal(b, closedClip(1, 4)) {
		t.Errorf("the clip of an older event: %d bytes", len(b))
	}
	free()
	w.until("it is told that all is well", func() bool { return w.Check() == nil })
	w.settled()
	if b := read(t, w.Clip, during.ID); !bytes.Equal(b, closedClip(1, 4)) {
		t.Errorf("the clip of the full time: %d bytes", len(b))
	}
	if s := w.Stats(); s.Events != 5 || s.Lost != 0 || s.FramesDropped != 0 || s.Removed != 0 {
		t.Errorf("in the end: %+v", s)
	}
	if n := strings.Count(w.log.String(), "events cannot be saved"); n != 1 {
		t.Errorf("it was said %d times that events cannot be saved:\n%s", n, w.log)
	}
	if n := strings.Count(w.log.String(), "events are saved again"); n != 1 {
		t.Errorf("it was said %d times that they are again:\n%s", n, w.log)
	}
	w.restart()
	if s := w.Stats(); s.Events != 5 || s.Corrupt != 0 {
		t.Errorf("after a restart: %+v", s)
	}
}

// TestDiskFillsUnderAClip: what was written half is overwritten, and the clip
// is whole in the end.
func TestDiskFillsUnderAClip(t *testing.T) {
	disk := fullDisk(t, "512k")
	w := newWorld(t, journal.Config{Dir: filepath.Join(disk, "events"), Retry: time.Millisecond})
	t.Cleanup(func() { w.stop() })
	if err := os.WriteFile(filepath.Join(disk, "other"), make([]byte, 380<<10), 0o600); err != nil {
		t.Fatal(err)
	}
	e := begun(0)
	w.inbox.Tell(e)
	for seq := range 50 {
		if !w.Record(e.ID, frame(uint64(seq+1), 3000)) {
			t.Fatal("a frame is refused")
		}
	}
	w.until("the disk is full", func() bool { return w.Check() != nil })
	so := read(t, w.Clip, e.ID)
	if !bytes.HasPrefix(clipOf(1, 50), so) || len(so) < 20_000 || !bytes.HasSuffix(so, []byte("\r\n"+bridge.FirstBoundary)) {
		t.Errorf("the clip so far has %d bytes", len(so))
	}
	if err := os.Remove(filepath.Join(disk, "other")); err != nil {
		t.Fatal(err)
	}
	w.until("all is well", func() bool { return w.Check() == nil })
	w.inbox.Tell(over(e))
	w.settled()
	if b := read(t, w.Clip, e.ID); !bytes.Equal(b, closedClip(1, 50)) {
		t.Errorf("the clip has %d bytes, want %d", len(b), len(closedClip(1, 50)))
	}
}

// TestDiskThatRefuses is the same without a mounted disk: a file stands where
// the day's folder should be.
func TestDiskThatRefuses(t *testing.T) {
	w := newWorld(t, journal.Config{Retry: time.Millisecond, Memory: 20_000, Waiting: 40})
	w.keep(begun(-24 * 3600))
	w.settled()
	day := filepath.Dir(w.folder(begun(0).ID))
	if err := os.WriteFile(day, []byte("in the way"), 0o600); err != nil {
		t.Fatal(err)
	}
	for n := range 50 { // ten more than may wait, and more pictures than there is memory for
		e := begun(n)
		e.Picture = frame(1, 5000)
		w.inbox.Tell(over(e))
	}
	w.until("the oldest are given up", func() bool { return w.Stats().Lost == 10 && w.Check() != nil })
	w.inbox.Tell(begun(100)) // one more: one fewer
	w.until("the oldest is given up", func() bool { return w.Stats().Lost == 11 })
	s := w.Stats()
	if s.Waiting != 40 || s.FramesDropped < 30 {
		t.Errorf("while it refuses: %+v", s)
	}
	if picture, _ := w.Has(begun(49).ID); !picture {
		t.Error("the newest picture was given up")
	}
	if err := os.Remove(day); err != nil {
		t.Fatal(err)
	}
	w.until("all is well", func() bool { return w.Stats().Waiting == 1 && w.Check() == nil })
	if s := w.Stats(); s.Events != 40 || s.Lost != 11 {
		t.Errorf("in the end: %+v", s)
	}
}

// TestDirectoryIsTakenAway: somebody removes everything while an event goes on.
func TestDirectoryIsTakenAway(t *testing.T) {
	w := newWorld(t, journal.Config{Retry: time.Millisecond})
	w.keep(begun(0))
	w.settled()
	e, f := begun(5), begun(6)
	for _, e := range []bridge.Event{e, f} {
		w.inbox.Tell(e)
		w.Record(e.ID, frame(1, 3000))
		w.until("its clip is there", func() bool { _, clip := w.Has(e.ID); return clip })
	}
	if err := os.RemoveAll(w.dir); err != nil {
		t.Fatal(err)
	}
	w.Record(e.ID, frame(2, 3000))
	w.inbox.Tell(over(e))
	w.inbox.Tell(over(f))
	w.settled()
	if _, clip := w.Has(f.ID); clip {
		t.Error("it has a clip that was taken away")
	}
	if _, err := w.Picture(begun(0).ID); bridge.CodeOf(err) != bridge.CodeNotFound {
		t.Errorf("a picture that was taken away: %v", err)
	}
	w.restart()
	if ids := w.list(bridge.EventFilter{}); len(ids) != 2 || ids[0] != f.ID || ids[1] != e.ID {
		t.Errorf("left: %v\n%s", ids, w.log)
	}
	if b := read(t, w.Clip, e.ID); !bytes.Equal(b, closedClip(2, 2)) {
		t.Errorf("its clip: %d bytes", len(b))
	}
}

// TestNotAllowed: a directory that cannot be used is refused with a sentence.
func TestNotAllowed(t *testing.T) {
	db, err := store.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	inTheWay := filepath.Join(t.TempDir(), "events")
	if err := os.WriteFile(inTheWay, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = journal.Open(journal.Config{Dir: inTheWay}, db, slog.New(slog.DiscardHandler))
	if bridge.CodeOf(err) != bridge.CodeUnavailable || !strings.Contains(err.Error(), "cannot keep events in "+inTheWay) {
		t.Errorf("a file in the way: %v", err)
	}
	if os.Geteuid() == 0 {
		t.Log("permissions mean nothing to root")
		return
	}
	closed := t.TempDir()
	if err := os.Chmod(closed, 0o500); err != nil {
		t.Fatal(err)
	}
	_, err = journal.Open(journal.Config{Dir: filepath.Join(closed, "events")}, db, slog.New(slog.DiscardHandler))
	if bridge.CodeOf(err) != bridge.CodeUnavailable || !strings.Contains(err.Error(), "permission denied") {
		t.Errorf("a directory of somebody else: %v", err)
	}
}

// damage is what may be found in an event's folder.
var damage = map[string]string{
	"empty":          "",
	"cut off":        `{"id":"%s","camera":"porch","begin":"2026-11-`,
	"not JSON":       "\x00\x00\x00\x00",
	"another's":      `{"id":"01m7yg6560001","camera":"porch","begin":"2026-11-21T12:00:00Z","score":0.5}`,
	"no camera":      `{"id":"%s","begin":"2026-11-21T12:00:00Z","score":0.5}`,
	"no begin":       `{"id":"%s","camera":"porch","score":0.5}`,
	"another type":   `{"id":"%s","camera":7,"begin":"2026-11-21T12:00:00Z"}`,
	"odd score":      `{"id":"%s","camera":"porch","begin":"2026-11-21T12:00:00Z","score":7}`,
	"a list":         `[]`,
	"far too large":  `{"id":"%s","camera":"` + strings.Repeat("x", 1<<20) + `","begin":"2026-11-21T12:00:00Z"}`,
	"its folder too": "-", // event.json is a directory
}

// TestDamagedEvents: they are left out, counted and named in the log, and stay
// where they are, until their time is over.
func TestDamagedEvents(t *testing.T) {
	w := newWorld(t, journal.Config{Keep: time.Hour})
	good := begun(500)
	w.keep(good)
	var names []string
	for name := range damage {
		names = append(names, name)
	}
	for n := range names {
		w.keep(begun(n))
	}
	w.settled()
	w.stop()
	for n, name := range names {
		id := begun(n).ID
		file := filepath.Join(w.folder(id), "event.json")
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
		var err error
		if damage[name] == "-" {
			err = os.Mkdir(file, 0o700)
		} else {
			err = os.WriteFile(file, []byte(strings.ReplaceAll(damage[name], "%s", id)), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(w.dir, "notes.txt"), []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	for round := range 2 { // the second time without anything in the index
		w.start()
		if s := w.Stats(); s.Corrupt != len(names) || s.Events != 1 {
			t.Fatalf("round %d: %+v\n%s", round, s, w.log)
		}
		if ids := w.list(bridge.EventFilter{}); len(ids) != 1 || ids[0] != good.ID {
			t.Errorf("round %d: the list is %v", round, ids)
		}
		for n, name := range names {
			id := begun(n).ID
			if _, err := w.Event(id); bridge.CodeOf(err) != bridge.CodeNotFound {
				t.Errorf("%s: %v", name, err)
			}
			if _, err := w.Clip(id); bridge.CodeOf(err) != bridge.CodeNotFound {
				t.Errorf("clip, %s: %v", name, err)
			}
			if got := strings.Count(w.log.String(), "path="+w.folder(id)); got != round+1 {
				t.Errorf("%s: the log names it %d times", name, got)
			}
			if _, err := os.Stat(filepath.Join(w.folder(id), "clip.mjpeg")); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		w.stop()
	}
	w.clock.set(noon.Add(2 * time.Hour))
	w.start()
	w.until("their time is over", func() bool { s := w.Stats(); return s.Corrupt == 0 && s.Events == 0 })
	if _, err := os.Stat(filepath.Join(w.dir, "notes.txt")); err != nil {
		t.Errorf("what is no event: %v", err)
	}
}

// TestFilesAndIndexAreMadeToAgree after all that a kill, a person with a shell
// or another program may have left behind.
func TestFilesAndIndexAreMadeToAgree(t *testing.T) {
	w := newWorld(t, journal.Config{})
	for n := range 5 {
		w.keep(begun(n))
	}
	w.settled()
	w.stop()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	put := func(e bridge.Event, files map[string][]byte) {
		t.Helper()
		must(os.MkdirAll(w.folder(e.ID), 0o700))
		for name, b := range files {
			must(os.WriteFile(filepath.Join(w.folder(e.ID), name), b, 0o600))
		}
	}
	doc := func(e bridge.Event) []byte {
		b, err := json.Marshal(e)
		must(err)
		return b
	}
	must(os.RemoveAll(w.folder(begun(0).ID)))                               // in the index alone
	must(os.Rename(w.folder(begun(1).ID), w.folder(begun(1).ID)+".gone"))   // being removed
	changed := over(begun(2))                                               // mended by hand
	changed.Camera = "garden"                                               //
	put(changed, map[string][]byte{"event.json": doc(changed)})             //
	put(begun(10), map[string][]byte{"event.json.tmp": doc(begun(10))[:7]}) // never was
	put(over(begun(11)), map[string][]byte{"event.json": doc(over(begun(11))), "picture.jpg": []byte("x")})
	cut := clipOf(1, 9)
	put(begun(12), map[string][]byte{"event.json": doc(begun(12)), "clip.mjpeg": cut[:len(cut)-2000], "picture.jpg.tmp": nil}) // killed under way
	put(begun(13), map[string][]byte{"event.json": doc(begun(13)), "clip.mjpeg": []byte("--fra")})

	w.start()
	want := []string{begun(13).ID, begun(12).ID, begun(11).ID, begun(4).ID, begun(3).ID, begun(2).ID}
	if ids := w.list(bridge.EventFilter{}); strings.Join(ids, " ") != strings.Join(want, " ") {
		t.Fatalf("there are %v, want %v\n%s", ids, want, w.log)
	}
	w.settled()
	if e, err := w.Event(begun(2).ID); err != nil || e.Camera != "garden" {
		t.Errorf("mended by hand: %+v, %v", e, err)
	}
	if picture, clip := w.Has(begun(11).ID); !picture || clip {
		t.Errorf("not in the index: picture %v, clip %v", picture, clip)
	}
	e, err := w.Event(begun(12).ID)
	if err != nil || e.Ending != bridge.EndStopped || !e.End.Equal(begun(12).Last) {
		t.Errorf("killed under way: %+v, %v", e, err)
	}
	if b := read(t, w.Clip, e.ID); !bytes.Equal(b, closedClip(1, 8)) {
		t.Errorf("its clip: %d bytes, want %d", len(b), len(closedClip(1, 8)))
	}
	if _, clip := w.Has(begun(13).ID); clip {
		t.Error("a clip without a whole picture")
	}
	for _, gone := range []string{w.folder(begun(1).ID) + ".gone", w.folder(begun(10).ID)} {
		if _, err := os.Stat(gone); !os.IsNotExist(err) {
			t.Errorf("%s is still there: %v", gone, err)
		}
	}
	said := len(w.log.String())
	w.restart()
	if ids := w.list(bridge.EventFilter{}); strings.Join(ids, " ") != strings.Join(want, " ") {
		t.Errorf("after one more start: %v", ids)
	}
	if more := w.log.String()[said:]; more != "" {
		t.Errorf("one more start finds something: %s", more)
	}
	if _, err := w.Clip("../../etc/passwd"); bridge.CodeOf(err) != bridge.CodeNotFound {
		t.Errorf("a path for an id: %v", err)
	}
	var f io.Closer
	if f, err = w.Clip(begun(4).ID); err != nil {
		t.Fatal(err)
	}
	f.Close()
}
