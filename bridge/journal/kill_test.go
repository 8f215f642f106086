package journal_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge"
	"github.com/espcam-bridge/espcam-bridge/bridge/journal"
	"github.com/espcam-bridge/espcam-bridge/bridge/store"
)

// killRounds is how often the writer is killed; JOURNAL_KILL_ROUNDS changes it.
func killRounds(t *testing.T) int {
	n, err := strconv.Atoi(os.Getenv("JOURNAL_KILL_ROUNDS"))
	if err != nil {
		n = 12
	}
	if testing.Short() {
		n = min(n, 3)
	}
	return n
}

// TestKill runs a writer in a process of its own and kills it with SIGKILL at
// any moment, again and again over the same directory. The next start always
// succeeds, finds every event whole that the writer saw on disk, closes the one
// that was going on, and nothing is damaged.
func TestKill(t *testing.T) {
	if dir := os.Getenv("JOURNAL_TEST_WRITER"); dir != "" {
		writeEvents(t, dir)
		return
	}
	dir := t.TempDir()
	var kept []string
	for round := range killRounds(t) {
		kept = append(kept, killWriter(t, dir)...)
		kept = kept[max(0, len(kept)-20):] // older ones may have made room
		checkAfterKill(t, round, dir, kept)
	}
}

// killWriter starts the writer, kills it, and returns what it saw on disk.
func killWriter(t *testing.T, dir string) (kept []string) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestKill$")
	cmd.Env = append(os.Environ(), "JOURNAL_TEST_WRITER="+dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for want := 1 + rand.IntN(12); len(kept) < want && lines.Scan(); {
		id, ok := strings.CutPrefix(lines.Text(), "kept ")
		if !ok {
			t.Fatalf("the writer said %q", lines.Text())
		}
		kept = append(kept, id)
	}
	<-time.After(time.Duration(rand.IntN(30_000)) * time.Microsecond) // anywhere in the next event
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	for lines.Scan() {
		if id, ok := strings.CutPrefix(lines.Text(), "kept "); ok {
			kept = append(kept, id)
		}
	}
	_ = cmd.Wait() // it was killed
	return kept
}

func checkAfterKill(t *testing.T, round int, dir string, kept []string) {
	t.Helper()
	w := newWorldOver(t, journal.Config{Dir: filepath.Join(dir, "events")}, dir)
	defer w.stop()
	if s := w.Stats(); s.Corrupt != 0 || s.Lost != 0 {
		t.Fatalf("round %d: %+v\n%s", round, s, w.log)
	}
	ids := w.list(bridge.EventFilter{Limit: 1000})
	for _, id := range kept {
		if !slices.Contains(ids, id) {
			t.Fatalf("round %d: event %s, which was on disk, is gone", round, id)
		}
	}
	for _, id := range ids {
		e, err := w.Event(id)
		if err != nil || !e.Over() {
			t.Fatalf("round %d: %+v, %v", round, e, err)
		}
		picture, clip := w.Has(id)
		if whole := slices.Contains(kept, id); whole && (!picture || !clip) {
			t.Fatalf("round %d: event %s: picture %v, clip %v", round, id, picture, clip)
		}
		if picture && !bytes.Equal(read(t, w.Picture, id), frame(3, 20_000).JPEG()) {
			t.Fatalf("round %d: the picture of event %s is not whole", round, id)
		}
		if clip && !bytes.HasPrefix(clipOf(1, 9), bytes.TrimRight(read(t, w.Clip, id), "-\r\n")) { // closed or not
			t.Fatalf("round %d: the clip of event %s is not whole", round, id)
		}
	}
}

// writeEvents keeps one event after the other, until it is killed.
func writeEvents(t *testing.T, dir string) {
	db, err := store.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	j, err := journal.Open(journal.Config{Dir: filepath.Join(dir, "events"), MaxSize: 2 << 20, Apart: true}, db, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	inbox := bridge.NewEventListener()
	go j.Run(context.Background(), inbox)
	for n := uint16(0); ; n++ {
		now := time.Now()
		e := bridge.Event{ID: bridge.NewEventID(now, n), Camera: "porch", Begin: now, Last: now, Picture: frame(3, 20_000)}
		for seq := range 4 {
			j.Record(e.ID, frame(uint64(seq+1), 3000))
		}
		inbox.Tell(e)
		for _, clip := j.Has(e.ID); !clip; _, clip = j.Has(e.ID) {
			<-time.After(100 * time.Microsecond)
		}
		for seq := range 5 {
			j.Record(e.ID, frame(uint64(seq+5), 3000))
		}
		inbox.Tell(over(e))
		for j.Stats().Waiting > 0 {
			<-time.After(100 * time.Microsecond)
		}
		fmt.Println("kept", e.ID)
	}
}
