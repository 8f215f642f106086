package ingest

import (
	"maps"
	"sync"
	"sync/atomic"

	"github.com/espcam-bridge/espcam-bridge/bridge"
)

// Stats are the endpoint's counters since the program started. Frames and
// their drops are counted by the hub, per camera.
type Stats struct {
	Open         int                      // connections now, refused ones included until they are gone
	Admitted     uint64                   // handshakes
	Refused      map[bridge.Reason]uint64 // handshakes, by what the camera was told
	Ended        map[bridge.Reason]uint64 // admitted connections that are over
	NotWebSocket uint64                   // requests that were no handshake

	TextsMalformed  uint64 // texts that are no message: not JSON, too long, a member missing
	TextsUnknown    uint64 // texts of unknown type or at the wrong time, unasked results included
	TextsFlooded    uint64 // texts above the rate, unread
	PingsDropped    uint64 // not sent because the camera does not read
	CommandsDropped uint64 // not sent for the same reason
}

// Stats returns the counters.
func (in *Ingest) Stats() Stats {
	in.mu.Lock()
	open := len(in.conns)
	in.mu.Unlock()
	c := &in.counts
	return Stats{
		Open:            open,
		Admitted:        c.admitted.Load(),
		Refused:         c.refused.all(),
		Ended:           c.ended.all(),
		NotWebSocket:    c.notWebSocket.Load(),
		TextsMalformed:  c.malformed.Load(),
		TextsUnknown:    c.unknown.Load(),
		TextsFlooded:    c.flooded.Load(),
		PingsDropped:    c.pingsDropped.Load(),
		CommandsDropped: c.commandsDropped.Load(),
	}
}

type counts struct {
	admitted, notWebSocket        atomic.Uint64
	malformed, unknown, flooded   atomic.Uint64
	pingsDropped, commandsDropped atomic.Uint64
	refused, ended                tally
}

// tally counts by reason. The reasons are a fixed set, so it is bounded.
type tally struct {
	mu sync.Mutex
	n  map[bridge.Reason]uint64
}

func (t *tally) add(r bridge.Reason) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.n == nil {
		t.n = map[bridge.Reason]uint64{}
	}
	t.n[r]++
}

func (t *tally) all() map[bridge.Reason]uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return maps.Clone(t.n)
}
