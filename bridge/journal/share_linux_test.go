package journal_test

import (
	"os"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/espcam-bridge/espcam-bridge/bridge/journal"
)

// standingBack lists the threads of this process that stand back.
func standingBack(t *testing.T) map[int]bool {
	t.Helper()
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		t.Fatal(err)
	}
	threads := map[int]bool{}
	for _, task := range tasks {
		id, err := strconv.Atoi(task.Name())
		if err != nil {
			t.Fatal(err)
		}
		if a, err := unix.SchedGetAttr(id, 0); err == nil && a.Policy == unix.SCHED_IDLE { // else it has ended
			threads[id] = true
		}
	}
	return threads
}

// TestAThreadStandsBack: the one that writes clips.
func TestAThreadStandsBack(t *testing.T) {
	before := standingBack(t)
	w := newWorld(t, journal.Config{})
	w.until("another thread stands back", func() bool {
		for id := range standingBack(t) {
			if !before[id] {
				return true
			}
		}
		return false
	})
}
