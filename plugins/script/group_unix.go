//go:build unix && !linux

package main

import (
	"os"
	"os/exec"
	"syscall"
)

// ownGroup puts the program into a process group of its own. When the plugin is
// killed, its input ends.
func ownGroup(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

func killGroup(cmd *exec.Cmd) error {
	err := syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	if err == syscall.ESRCH {
		return os.ErrProcessDone
	}
	return err
}
