package main

import "testing"

func TestSupervised(t *testing.T) {
	tests := []struct {
		name   string
		env    map[string]string
		parent string
		file   string
		pid    int
		want   bool
	}{
		{"a shell", nil, "bash", "", 99, false},
		{"a terminal of a desktop session", map[string]string{"INVOCATION_ID": "a", "SYSTEMD_EXEC_PID": "98"}, "bash", "", 99, false},
		{"a systemd service", map[string]string{"INVOCATION_ID": "a", "SYSTEMD_EXEC_PID": "99"}, "systemd", "", 99, true},
		{"an old systemd", map[string]string{"INVOCATION_ID": "a"}, "systemd", "", 99, true},
		{"systemd with Type=notify", map[string]string{"NOTIFY_SOCKET": "/run/n"}, "systemd", "", 99, true},
		{"s6", nil, "s6-supervise", "", 99, true},
		{"runit", nil, "runsv", "", 99, true},
		{"supervisord", map[string]string{"SUPERVISOR_ENABLED": "1"}, "supervisord", "", 99, true},
		{"the Home Assistant app", map[string]string{"SUPERVISOR_TOKEN": "a"}, "", "", 99, true},
		{"docker", nil, "tini", "/.dockerenv", 7, true},
		{"podman", nil, "", "/run/.containerenv", 7, true},
		{"first process", nil, "", "", 1, true},
	}
	for _, tt := range tests {
		s := surroundings{
			getenv: func(k string) string { return tt.env[k] },
			exists: func(path string) bool { return path == tt.file },
			parent: tt.parent, pid: tt.pid,
		}
		if got := s.supervised(); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}
