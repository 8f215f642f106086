package launch

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"

	"golang.org/x/sys/unix"
)

// spawn starts the command from a thread of its own, which has the file mask and
// the priority that the plugin is to inherit, and ends then: both belong to
// threads here, and a priority cannot be taken back.
func spawn(cmd *exec.Cmd, s Spec) error {
	result := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // for good: the thread ends with the goroutine
		result <- spawnHere(cmd, s)
	}()
	return <-result
}

func spawnHere(cmd *exec.Cmd, s Spec) error {
	if err := unix.Unshare(unix.CLONE_FS); err != nil {
		return err
	}
	unix.Umask(0o077)
	if s.Nice > 0 {
		if err := unix.Setpriority(unix.PRIO_PROCESS, 0, s.Nice); err != nil {
			return err
		}
	}
	if err := startGroup(cmd, s); err != nil {
		return err
	}
	// When memory runs out a plugin is to go before the bridge. It is no fault
	// where that cannot be said, or the process has already ended.
	_ = os.WriteFile(fmt.Sprintf("/proc/%d/oom_score_adj", cmd.Process.Pid), []byte("500"), 0)
	return nil
}

// await waits for the process and kills the rest of its group. That happens
// between its end and the moment when its id can be another's, which left marks.
func await(cmd *exec.Cmd, left func()) error {
	pid := cmd.Process.Pid
	for errors.Is(unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil), unix.EINTR) {
	}
	killGroup(pid)
	left()
	return cmd.Wait()
}
