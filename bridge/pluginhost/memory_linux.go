package pluginhost

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
)

// scanGroups reads /proc (proc_pid_stat(5)). What cannot be read has ended.
func scanGroups() map[int]int64 {
	out := map[int]int64{}
	dir, err := os.Open("/proc")
	if err != nil {
		return out
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return out
	}
	for _, name := range names {
		if pid, err := strconv.Atoi(name); err == nil {
			group, bytes := statOf(pid)
			out[group] += bytes
		}
	}
	return out
}

func residentOf(pid int) int64 {
	_, bytes := statOf(pid)
	return bytes
}

// statOf returns a process's group and resident bytes, or zeros. Fields are
// counted behind the name, which may hold anything.
func statOf(pid int) (group int, resident int64) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, 0
	}
	fields := bytes.Fields(text[bytes.LastIndexByte(text, ')')+1:])
	const pgrp, rss = 2, 21 // fields 5 and 24
	if len(fields) <= rss {
		return 0, 0
	}
	group, err = strconv.Atoi(string(fields[pgrp]))
	if err != nil {
		return 0, 0
	}
	pages, err := strconv.ParseInt(string(fields[rss]), 10, 64)
	if err != nil {
		return 0, 0
	}
	return group, pages * int64(os.Getpagesize())
}
