package journal_test

import (
	"encoding/json"
	"log/slog"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge"
	"github.com/espcam-bridge/espcam-bridge/bridge/journal"
	"github.com/espcam-bridge/espcam-bridge/bridge/store"
)

// FuzzEventFile: what is read from event.json can be shown, and written again.
func FuzzEventFile(f *testing.F) {
	id := begun(0).ID
	good, err := json.Marshal(over(begun(0)))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	for _, text := range damage {
		if len(text) < 1000 {
			f.Add([]byte(strings.ReplaceAll(text, "%s", id)))
		}
	}
	f.Add([]byte(`{"id":"` + id + `","camera":"porch","begin":"9999-12-31T23:59:59Z","end":"0000-01-01T00:00:00Z","boxes":[{"x":1e308}],"labels":null,"new":{}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := journal.ParseEvent(id, data)
		if err != nil {
			return
		}
		if e.ID != id || e.Camera == "" || e.Begin.IsZero() || !(e.Score >= 0 && e.Score <= 1) {
			t.Fatalf("taken: %+v", e)
		}
		again, err := json.Marshal(e)
		if err != nil {
			t.Fatalf("cannot be written: %v", err)
		}
		if len(again) > 1<<20 {
			return // escapes may make it longer than what is read
		}
		if _, err := journal.ParseEvent(id, again); err != nil {
			t.Fatalf("%s is not read again: %v", again, err)
		}
	})
}

// FuzzID: ids come from URLs. None that is valid leads out of the journal's
// directory, and no other is looked for on disk.
func FuzzID(f *testing.F) {
	for _, id := range []string{"", ".", "..", "../../etc/passwd", "..%2f..%2f..%2f", begun(0).ID, "zzzzzzzzzzzzz", "0000000000000", "a/b/c/d/e/f/g", "c:\\windows\\x", begun(0).ID + "\x00"} {
		f.Add(id)
	}
	dir := f.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "secret"), []byte("secret"), 0o600); err != nil {
		f.Fatal(err)
	}
	db, err := store.Open(f.TempDir())
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { db.Close() })
	j, err := journal.Open(journal.Config{Dir: filepath.Join(dir, "events")}, db, slog.New(slog.DiscardHandler))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, id string) {
		if _, valid := bridge.EventTime(id); valid {
			day, name := path.Split(journal.Folder(id))
			if day = strings.TrimSuffix(day, "/"); name != id || !filepath.IsLocal(journal.Folder(id)) || strings.ContainsAny(day, "/\\.") {
				t.Fatalf("%q lies in %q", id, journal.Folder(id))
			}
			if _, err := time.Parse(time.DateOnly, day); err != nil && len(day) == len(time.DateOnly) {
				t.Fatalf("%q lies in %q", id, journal.Folder(id))
			}
		}
		for _, open := range []func() error{
			func() error { _, err := j.Event(id); return err },
			func() error { _, err := j.Picture(id); return err },
			func() error { _, err := j.Clip(id); return err },
		} {
			if err := open(); bridge.CodeOf(err) != bridge.CodeNotFound {
				t.Fatalf("%q: %v", id, err)
			}
		}
		if _, _, err := j.List(bridge.EventFilter{Before: id}); err != nil {
			t.Fatalf("%q: %v", id, err)
		}
	})
}
