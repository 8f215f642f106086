//go:build unix

package folder

import (
	"io/fs"
	"os"
	"syscall"

	"github.com/espcam-bridge/espcam-bridge/bridge"
)

// owned refuses a file or directory that others than root and the user of this
// program can write: they could run what they like as that user.
func owned(name string, info fs.FileInfo) error {
	if info.Mode()&0o022 != 0 {
		return bridge.Errorf(bridge.CodeDenied, "others than its owner can write %s, and so run programs as the user of the bridge; forbid it with: chmod go-w %s", name, name)
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if me := os.Geteuid(); ok && st.Uid != 0 && int(st.Uid) != me {
		return bridge.Errorf(bridge.CodeDenied, "%s belongs to another user (%d) than the bridge (%d), who could change what runs; give it to the bridge's user with: chown %d %s", name, st.Uid, me, me, name)
	}
	return nil
}
