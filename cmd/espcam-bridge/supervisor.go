package main

import (
	"os"
	"strconv"
	"strings"
)

// surroundings is what a process sees of who started it.
type surroundings struct {
	getenv func(string) string
	exists func(path string) bool
	parent string // name of the parent process
	pid    int
}

func here() surroundings {
	name, _ := os.ReadFile("/proc/" + strconv.Itoa(os.Getppid()) + "/comm") // none on other systems
	return surroundings{
		getenv: os.Getenv,
		exists: func(path string) bool { _, err := os.Stat(path); return err == nil },
		parent: strings.TrimSpace(string(name)),
		pid:    os.Getpid(),
	}
}

// supervised reports whether somebody starts the program again when it ends:
// systemd (which tells a service its own process id; INVOCATION_ID alone is also
// seen by everything that a desktop session starts), s6, runit, supervisord, a
// container, the Home Assistant app.
func (s surroundings) supervised() bool {
	switch {
	case s.getenv("SYSTEMD_EXEC_PID") == strconv.Itoa(s.pid), s.getenv("NOTIFY_SOCKET") != "":
		return true
	case s.getenv("INVOCATION_ID") != "" && s.parent == "systemd":
		return true
	case s.getenv("SUPERVISOR_TOKEN") != "", s.getenv("SUPERVISOR_ENABLED") != "":
		return true
	case s.parent == "s6-supervise", s.parent == "runsv":
		return true
	}
	return s.pid == 1 || s.exists("/.dockerenv") || s.exists("/run/.containerenv")
}
