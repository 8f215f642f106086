package watch

import (
	"fmt"

	"golang.org/x/sys/unix"
)

const wantKind = "idle"

// threadKind says what the calling thread is to the kernel.
func threadKind() string {
	a, err := unix.SchedGetAttr(0, 0)
	switch {
	case err != nil:
		return err.Error()
	case a.Policy == unix.SCHED_IDLE:
		return "idle"
	}
	return fmt.Sprintf("policy %d", a.Policy)
}
