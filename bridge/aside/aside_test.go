//go:build linux

package aside_test

import (
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/espcam-bridge/espcam-bridge/bridge/aside"
)

// TestStandBack: the thread gives way, and with its goroutine it is gone, so that
// nobody else ever runs on it.
func TestStandBack(t *testing.T) {
	policy := func() uint32 {
		a, err := unix.SchedGetAttr(0, 0)
		if err != nil {
			t.Error(err)
			return 0
		}
		return a.Policy
	}
	var threads sync.WaitGroup
	for range 8 {
		threads.Go(func() {
			if err := aside.StandBack(); err != nil {
				t.Error(err)
			}
			if p := policy(); p != unix.SCHED_IDLE {
				t.Errorf("the thread has policy %d", p)
			}
		})
	}
	threads.Wait()
	for range 64 {
		threads.Go(func() {
			if p := policy(); p == unix.SCHED_IDLE {
				t.Error("an ordinary goroutine stands back")
			}
		})
	}
	threads.Wait()
}
