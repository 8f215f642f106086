//go:build unix && !linux

package launch

import (
	"os/exec"
	"syscall"
)

// spawn starts the command and then lowers the priority of its group. The file
// mask stays ours: the plugin's directories are closed to others anyway.
func spawn(cmd *exec.Cmd, s Spec) error {
	if err := startGroup(cmd, s); err != nil || s.Nice <= 0 {
		return err
	}
	_ = syscall.Setpriority(syscall.PRIO_PGRP, cmd.Process.Pid, s.Nice) // it may have ended already
	return nil
}

// await waits for the process and kills the rest of its group.
func await(cmd *exec.Cmd, left func()) error {
	err := cmd.Wait()
	left()
	killGroup(cmd.Process.Pid)
	return err
}
