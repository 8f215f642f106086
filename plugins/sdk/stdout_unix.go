//go:build unix

package sdk

import (
	"os"

	"golang.org/x/sys/unix"
)

// stdoutToStderr lets everything that writes to stdout, children too, write to
// stderr.
func stdoutToStderr() error {
	return unix.Dup2(int(os.Stderr.Fd()), int(os.Stdout.Fd()))
}
