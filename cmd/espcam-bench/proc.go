//go:build linux

package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// cpuTime is the CPU that all threads of the process have used since it began,
// those that ended included, to the nanosecond.
func cpuTime(pid int) (time.Duration, error) {
	// The clock of another process, as clock_getcpuclockid(3) makes it:
	// the pid inverted, and 2 for the scheduler's count.
	clock := int32(^pid<<3 | 2)
	var ts unix.Timespec
	if err := unix.ClockGettime(clock, &ts); err != nil {
		return 0, fmt.Errorf("CPU clock of process %d: %w", pid, err)
	}
	return time.Duration(ts.Nano()), nil
}

// residentBytes is the memory that the process holds, its program included.
func residentBytes(pid int) (int64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return 0, err
	}
	pages, err := residentPages(b)
	return pages * int64(os.Getpagesize()), err
}

func residentPages(statm []byte) (int64, error) {
	f := bytes.Fields(statm)
	if len(f) < 2 {
		return 0, fmt.Errorf("statm has %d fields", len(f))
	}
	return strconv.ParseInt(string(f[1]), 10, 64)
}

// libraries is what a process holds of the shared libraries that it stands on.
type libraries struct {
	resident int64 // bytes
	opencv   bool  // OpenCV is one of them
}

func librariesOf(pid int) (libraries, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps", pid))
	if err != nil {
		return libraries{}, err
	}
	return readSmaps(string(b))
}

// readSmaps reads a list of mappings: a line that ends with the file's name,
// then lines such as "Rss:  12 kB".
func readSmaps(smaps string) (libraries, error) {
	var l libraries
	library := false
	for line := range strings.Lines(smaps) {
		f := strings.Fields(line)
		switch {
		case len(f) >= 5 && !strings.HasSuffix(f[0], ":"): // address, rights, offset, device, inode, file
			name := f[len(f)-1]
			library = strings.Contains(name, ".so")
			l.opencv = l.opencv || strings.Contains(name, "/libopencv_")
		case library && len(f) == 3 && f[0] == "Rss:":
			kB, err := strconv.ParseInt(f[1], 10, 64)
			if err != nil {
				return l, err
			}
			l.resident += kB << 10
		}
	}
	return l, nil
}

// heldSockets counts the connections from the given ports to the server's that
// the server still holds. One that it closed may stay in the kernel, to send
// what it had promised; that one no longer belongs to anybody and does not
// count. pid says in which network namespace to look.
func heldSockets(pid, server int, ports map[int]bool) (int, error) {
	held := 0
	for _, name := range []string{"tcp", "tcp6"} {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/net/%s", pid, name))
		if errors.Is(err, os.ErrNotExist) {
			continue // no IPv6 here
		}
		if err != nil {
			return 0, err
		}
		held += heldIn(string(b), server, ports)
	}
	return held, nil
}

// heldIn reads a table of /proc/net/tcp: sl, local, remote, state, queues, timer,
// retransmissions, user, time-out, inode (0: nobody's).
func heldIn(table string, server int, ports map[int]bool) int {
	held := 0
	for line := range strings.Lines(table) {
		f := strings.Fields(line)
		if len(f) >= 10 && f[9] != "0" && portOf(f[1]) == server && ports[portOf(f[2])] {
			held++
		}
	}
	return held
}

// portOf reads the port of an address such as 0100007F:1F90; 0 if there is none.
func portOf(address string) int {
	_, hex, _ := strings.Cut(address, ":")
	port, err := strconv.ParseUint(hex, 16, 16)
	if err != nil {
		return 0
	}
	return int(port)
}
