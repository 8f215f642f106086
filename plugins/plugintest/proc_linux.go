package plugintest

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// marked returns the processes that have the text as one variable of their
// environment.
func marked(variable string) (pids []int, known bool) {
	found, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		return nil, false
	}
	for _, path := range found {
		env, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended, or is somebody else's
		}
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path))); err == nil && has(env, variable) {
			pids = append(pids, pid)
		}
	}
	return pids, true
}

func has(env []byte, variable string) bool {
	for kv := range bytes.SplitSeq(env, []byte{0}) {
		if string(kv) == variable {
			return true
		}
	}
	return false
}

// resident is the memory of a process that is not swapped out, in bytes.
func resident(pid int) (int64, bool) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return 0, false
	}
	fields := strings.Fields(string(text))
	if len(fields) < 2 {
		return 0, false
	}
	pages, err := strconv.ParseInt(fields[1], 10, 64)
	return pages * int64(os.Getpagesize()), err == nil
}
