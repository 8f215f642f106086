package pluginhost

import (
	"maps"
	"sync"
	"sync/atomic"

	"github.com/espcam-bridge/espcam-bridge/bridge"
)

// Stats are an instance's counters since the program started, for metrics.
type Stats struct {
	Instance    string
	Type        string
	State       bridge.PluginState
	Memory      int64                         // bytes, resident, of its whole group; 0: not known
	Entered     map[bridge.PluginState]uint64 // how often it came into each state
	Exits       uint64                        // ends by itself, failed starts among them
	Calls       uint64                        // Notify, Detect and Deliver
	Failures    uint64                        // of those: without an answer in time, or with an error
	Refused     uint64                        // calls to the bridge that were not allowed or too many
	SinkDropped uint64                        // events that its queue had no room for
	LinesLost   uint64                        // lines of its log that were too many
}

// counts are the counters of one instance.
type counts struct {
	exits, calls, failures, refused, sinkDropped, lines atomic.Uint64

	mu     sync.Mutex
	states map[bridge.PluginState]uint64
}

func (c *counts) entered(s bridge.PluginState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.states == nil {
		c.states = map[bridge.PluginState]uint64{}
	}
	c.states[s]++
}

// Stats returns the counters of all instances in the order of the file.
func (h *Host) Stats() []Stats {
	out := make([]Stats, len(h.instances))
	for n, i := range h.instances {
		p := i.snapshot()
		i.counts.mu.Lock()
		states := maps.Clone(i.counts.states)
		i.counts.mu.Unlock()
		out[n] = Stats{
			Instance: i.cfg.Name, Type: i.cfg.Type, State: p.State, Memory: p.Memory, Entered: states,
			Exits: i.counts.exits.Load(), Calls: i.counts.calls.Load(), Failures: i.counts.failures.Load(),
			Refused: i.counts.refused.Load(), SinkDropped: i.counts.sinkDropped.Load(), LinesLost: i.counts.lines.Load(),
		}
	}
	return out
}
