package pluginhost

import (
	"sync"
	"time"
)

// memoryScan knows the memory of process groups. All processes are looked at
// together, for all instances that ask within a second.
type memoryScan struct {
	mu     sync.Mutex
	at     time.Time
	groups map[int]int64 // bytes, resident, by process group
}

// group is the resident memory of all processes of a group, in bytes; 0 if it is
// not known.
func (m *memoryScan) group(pid int) int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	if time.Since(m.at) > time.Second {
		m.groups, m.at = scanGroups(), time.Now()
	}
	return m.groups[pid]
}

// process is the resident memory of one process, in bytes; 0 if it is not known.
func (m *memoryScan) process(pid int) int64 { return residentOf(pid) }
