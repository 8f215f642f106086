//go:build !unix

package launch

import (
	"errors"
	"os"
	"os/exec"
)

const network = "tcp"

var errRunAs = errors.New("run_as is not possible on this system")

func spawn(cmd *exec.Cmd, s Spec) error {
	if s.RunAs != "" {
		return errRunAs
	}
	return cmd.Start()
}

func await(cmd *exec.Cmd, left func()) error {
	err := cmd.Wait()
	left()
	return err
}

func killGroup(pid int) {
	if p, err := os.FindProcess(pid); err == nil {
		_ = p.Kill()
	}
}

func giveTo(string, string) error { return errRunAs }
