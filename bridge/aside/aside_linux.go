package aside

import (
	"encoding/binary"
	"errors"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// StandBack binds the calling goroutine to its thread and makes that give way:
// SCHED_IDLE (sched(7)) runs while nobody else wants the core, and whoever wakes
// up to pass a picture on takes it at once. Everybody may ask for it; only the way
// back needs a privilege.
func StandBack() error {
	runtime.LockOSThread() // for good: the thread ends with the goroutine
	return unix.SchedSetAttr(0, &unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_IDLE}, 0)
}

// later is how long a woken worker sleeps on: a picture's own way to its viewers
// is over by then, and others have come that are judged in the same turn.
const later = 8 * time.Millisecond

// Bell does for bound goroutines what sync.Cond does for others. They wait in the
// kernel: a bound goroutine that Go's scheduler wakes is given the processor of
// the thread that found it, and whatever is queued there waits for it, for half a
// millisecond at a time. Methods are called with mu held.
type Bell struct {
	mu      *sync.Mutex
	fd      int
	waiting uint64
}

// NewBell makes a bell whose methods are called with mu held.
func NewBell(mu *sync.Mutex) (*Bell, error) {
	fd, err := unix.Eventfd(0, unix.EFD_SEMAPHORE|unix.EFD_CLOEXEC)
	return &Bell{mu: mu, fd: fd}, err
}

// Wait lets go of mu until somebody wakes it.
func (b *Bell) Wait() {
	b.waiting++
	b.mu.Unlock()
	defer b.mu.Lock()
	var one [8]byte
	for {
		if _, err := unix.Read(b.fd, one[:]); !errors.Is(err, unix.EINTR) {
			break
		}
	}
	pause := unix.NsecToTimespec(int64(later))
	_ = unix.Nanosleep(&pause, nil) // cut short by a signal it does as well
}

// Signal wakes one.
func (b *Bell) Signal() {
	if b.waiting > 0 {
		b.ring(1)
	}
}

// Broadcast wakes all.
func (b *Bell) Broadcast() {
	if b.waiting > 0 {
		b.ring(b.waiting)
	}
}

func (b *Bell) ring(n uint64) {
	b.waiting -= n
	if _, err := unix.Write(b.fd, binary.NativeEndian.AppendUint64(nil, n)); err != nil {
		panic("aside: eventfd: " + err.Error()) // it has room for 2^64-2 and is closed by nobody else
	}
}

// Close is called when nobody waits any more.
func (b *Bell) Close() error { return unix.Close(b.fd) }
