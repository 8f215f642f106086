package journal_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge"
	"github.com/espcam-bridge/espcam-bridge/bridge/journal"
)

// TestOldEventsGo: those whose time is over go as a whole, the others stay.
func TestOldEventsGo(t *testing.T) {
	w := newWorld(t, journal.Config{Keep: time.Hour})
	old, young := begun(0), begun(1800)
	w.keep(old)
	w.keep(young)
	w.settled()
	w.clock.set(noon.Add(59 * time.Minute))
	w.inbox.Tell(over(begun(3500)))
	w.until("the third is there", func() bool { return w.Stats().Events == 3 })
	w.clock.set(noon.Add(61 * time.Minute))
	w.until("the first is gone", func() bool { return w.Stats().Removed == 1 })
	if _, err := w.Event(old.ID); bridge.CodeOf(err) != bridge.CodeNotFound {
		t.Errorf("the old event: %v", err)
	}
	if _, err := w.Picture(old.ID); bridge.CodeOf(err) != bridge.CodeNotFound {
		t.Errorf("its picture: %v", err)
	}
	if _, err := os.Stat(w.folder(old.ID)); !os.IsNotExist(err) {
		t.Errorf("its folder: %v", err)
	}
	if ids := w.list(bridge.EventFilter{}); len(ids) != 2 || ids[1] != young.ID {
		t.Errorf("the list is %v", ids)
	}
	w.clock.set(noon.Add(48 * time.Hour))
	w.until("all are gone", func() bool { s := w.Stats(); return s.Events == 0 && s.Bytes == 0 })
	if days, err := os.ReadDir(w.dir); err != nil || len(days) != 0 {
		t.Errorf("left behind: %v, %v", days, err)
	}
}

// TestTheOldestMakeRoom: the size of all is bounded, and the one that is going
// on is never touched.
func TestTheOldestMakeRoom(t *testing.T) {
	w := newWorld(t, journal.Config{MaxSize: 100 << 10}) // three of 32 KiB
	goesOn := begun(-100)
	goesOn.Picture = frame(1, 2000)
	w.inbox.Tell(goesOn)
	for n := range 10 {
		w.keep(begun(n))
	}
	w.until("old ones are gone", func() bool { s := w.Stats(); return s.Removed == 8 && s.Bytes <= 100<<10 })
	want := []string{begun(9).ID, begun(8).ID, goesOn.ID}
	if ids := w.list(bridge.EventFilter{}); !slices.Equal(ids, want) {
		t.Errorf("left: %v, want %v", ids, want)
	}
	if _, err := os.Stat(filepath.Join(w.folder(goesOn.ID), "picture.jpg")); err != nil {
		t.Errorf("the one that goes on: %v", err)
	}
	w.restart()
	if ids := w.list(bridge.EventFilter{}); !slices.Equal(ids, want) {
		t.Errorf("after a restart: %v, want %v", ids, want)
	}
}

// TestClockJumpsBack: events of a time that has not come are the first to make
// room, so that a clock that was wrong once does not cost all that comes after.
func TestClockJumpsBack(t *testing.T) {
	const year = 365 * 24 * 3600
	w := newWorld(t, journal.Config{MaxSize: 100 << 10})
	w.clock.set(noon.Add(10 * year * time.Second))
	for n := range 3 {
		w.keep(begun(10*year + n))
	}
	w.settled()
	w.clock.set(noon)
	for n := range 2 {
		w.keep(begun(n))
	}
	want := []string{begun(10*year + 2).ID, begun(1).ID, begun(0).ID}
	w.until("room was made", func() bool { return w.Stats().Removed == 2 })
	if ids := w.list(bridge.EventFilter{}); !slices.Equal(ids, want) {
		t.Errorf("left: %v, want %v", ids, want)
	}
	w.keep(begun(2))
	w.until("room was made", func() bool { return w.Stats().Removed == 3 })
	w.keep(begun(3))
	w.until("room was made", func() bool { return w.Stats().Removed == 4 })
	if ids := w.list(bridge.EventFilter{}); !slices.Equal(ids, []string{begun(3).ID, begun(2).ID, begun(1).ID}) {
		t.Errorf("left: %v", ids)
	}
}

// TestPagesStayWhileEventsCome walks page by page while newer events begin.
func TestPagesStayWhileEventsCome(t *testing.T) {
	w := newWorld(t, journal.Config{})
	var want []string
	for n := range 23 {
		e := begun(n)
		w.inbox.Tell(over(e))
		want = append([]string{e.ID}, want...)
	}
	w.until("all are there", func() bool { return w.Stats().Events == 23 })
	var got []string
	f := bridge.EventFilter{Limit: 5}
	for page := 0; ; page++ {
		events, next, err := w.List(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range events {
			got = append(got, e.ID)
		}
		newer := begun(1000 + page)
		w.inbox.Tell(newer)
		w.until("it came", func() bool { _, err := w.Event(newer.ID); return err == nil })
		if page%2 == 0 {
			w.inbox.Tell(over(newer))
			w.until("it is on disk", func() bool { e, err := w.Event(newer.ID); return err == nil && e.Over() })
		}
		if next == "" {
			break
		}
		f.Before = next
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %d events %v, want %v", len(got), got, want)
	}
	if events, next, err := w.List(bridge.EventFilter{Before: want[22]}); err != nil || len(events) != 0 || next != "" {
		t.Errorf("beyond the end: %v %q %v", events, next, err)
	}
	exact, next, err := w.List(bridge.EventFilter{Before: begun(500).ID, Limit: 23})
	if err != nil || len(exact) != 23 || next != "" {
		t.Errorf("a page of just so many: %d %q %v", len(exact), next, err)
	}
}

func TestFilters(t *testing.T) {
	w := newWorld(t, journal.Config{})
	id := map[string]string{}
	for n, name := range []string{"a", "b", "c", "d"} {
		e := begun(n * 60)
		switch name {
		case "b":
			e.Camera, e.Score = "yard", 0.9
		case "c":
			e.Sources, e.Zones = []string{bridge.SourcePixels, bridge.SourcePIR}, []string{"door", "path"}
		case "d": // goes on
			e.Labels = []bridge.Detection{{Label: "cat", Score: 0.7}}
		}
		id[e.ID] = name
		if name != "d" {
			e = over(e)
		}
		w.inbox.Tell(e)
	}
	w.until("all are there", func() bool { s := w.Stats(); return s.Events == 3 && s.Waiting == 1 })
	for _, c := range []struct {
		f    bridge.EventFilter
		want string
	}{
		{bridge.EventFilter{}, "dcba"},
		{bridge.EventFilter{Limit: 1}, "dcba"}, // four pages
		{bridge.EventFilter{Cameras: []string{}}, ""},
		{bridge.EventFilter{Cameras: []string{"yard"}}, "b"},
		{bridge.EventFilter{Cameras: []string{"yard", "porch"}}, "dcba"},
		{bridge.EventFilter{Since: begun(60).Begin}, "dcb"},
		{bridge.EventFilter{Since: begun(60).Begin.Add(1)}, "dc"},
		{bridge.EventFilter{Until: begun(60).Begin}, "a"},
		{bridge.EventFilter{Until: begun(60).Begin.Add(1)}, "ba"},
		{bridge.EventFilter{Since: begun(60).Begin, Until: begun(180).Begin}, "cb"},
		{bridge.EventFilter{Since: begun(180).Begin, Until: begun(60).Begin}, ""},
		{bridge.EventFilter{Zone: "path"}, "c"},
		{bridge.EventFilter{Label: "cat"}, "d"},
		{bridge.EventFilter{Source: bridge.SourcePIR}, "c"},
		{bridge.EventFilter{MinScore: 0.8}, "b"},
		{bridge.EventFilter{MinScore: 0.5, Cameras: []string{"porch"}, Zone: "door", Limit: 2}, "dca"},
		{bridge.EventFilter{Before: begun(120).ID}, "ba"},
		{bridge.EventFilter{Before: "0000000000000"}, ""},
	} {
		got := ""
		for _, found := range w.list(c.f) {
			got += id[found]
		}
		if got != c.want {
			t.Errorf("%+v finds %q, want %q", c.f, got, c.want)
		}
	}
}

// TestManyEvents: opening does not read them, and lists stay quick. There are
// JOURNAL_EVENTS of them.
func TestManyEvents(t *testing.T) {
	many, err := strconv.Atoi(os.Getenv("JOURNAL_EVENTS"))
	if err != nil {
		many = 1000
	}
	dir := t.TempDir()
	for n := range many {
		e := over(begun(n))
		at, _ := bridge.EventTime(e.ID)
		folder := filepath.Join(dir, at.UTC().Format(time.DateOnly), e.ID)
		doc, err := json.Marshal(e)
		if err == nil {
			err = os.MkdirAll(folder, 0o700)
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(folder, "event.json"), doc, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	began := time.Now()
	w := newWorld(t, journal.Config{Dir: dir})
	first := time.Since(began)
	if s := w.Stats(); s.Events != many || s.Corrupt != 0 {
		t.Fatalf("without an index: %+v", s)
	}
	w.stop()
	began = time.Now()
	w.start()
	t.Logf("opened in %v without an index, in %v with it", first, time.Since(began))
	if took := time.Since(began); took > 5*time.Second { // some ms when nothing else runs
		t.Errorf("opened in %v", took)
	}
	if s := w.Stats(); s.Events != many {
		t.Errorf("with an index: %+v", s)
	}
	began = time.Now()
	events, _, err := w.List(bridge.EventFilter{Label: "dragon"})
	t.Logf("looked through all in %v", time.Since(began))
	if err != nil || len(events) != 0 {
		t.Errorf("dragons: %v, %v", events, err)
	}
	if strings.Count(w.log.String(), "\n") > 2 {
		t.Errorf("the log says:\n%s", w.log)
	}
}
