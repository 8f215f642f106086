package watch

import (
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// modest makes the calling goroutine's thread stand back for the relay: whoever
// wakes up to pass a picture on gets the core at once, where it would otherwise
// wait until the kernel's time slice of some milliseconds is over. The thread's
// share of the CPU stays the same, so nobody who waits for it waits long.
//
// SCHED_BATCH never takes the core from somebody else (sched(7)); a long slice
// lets everybody with a shorter one come first (Linux 6.12 and newer,
// sched_setattr(2); older kernels ignore it). Without either it works as well,
// with pictures some milliseconds later at times.
func modest() error {
	runtime.LockOSThread() // for good: the thread ends with the goroutine
	attr, err := unix.SchedGetAttr(0, 0)
	if err != nil {
		return err
	}
	attr.Policy, attr.Runtime = unix.SCHED_BATCH, uint64(100*time.Millisecond)
	return unix.SchedSetAttr(0, attr, 0)
}
