//go:build unix

package launch

import (
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"syscall"
)

const network = "unix"

// startGroup starts the command as the first of its own process group.
func startGroup(cmd *exec.Cmd, s Spec) error {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if s.RunAs != "" {
		uid, gid, err := lookup(s.RunAs)
		if err != nil {
			return err
		}
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uid, Gid: gid}
	}
	return cmd.Start()
}

// killGroup kills all of the group. That nobody is left is no error.
func killGroup(pid int) { _ = syscall.Kill(-pid, syscall.SIGKILL) }

// giveTo makes a file or directory the user's.
func giveTo(path, name string) error {
	uid, gid, err := lookup(name)
	if err != nil {
		return err
	}
	return os.Chown(path, int(uid), int(gid))
}

func lookup(name string) (uid, gid uint32, err error) {
	u, err := user.Lookup(name)
	if err != nil {
		return 0, 0, err
	}
	id, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return 0, 0, fmt.Errorf("user %s: %w", name, err)
	}
	group, err := strconv.ParseUint(u.Gid, 10, 32)
	if err != nil {
		return 0, 0, fmt.Errorf("group of user %s: %w", name, err)
	}
	return uint32(id), uint32(group), nil
}
