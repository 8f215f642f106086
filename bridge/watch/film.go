package watch

import (
	"slices"
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge"
)

// reel says how much film there is.
type reel struct {
	length time.Duration
	gap    time.Duration // between pictures, at least
}

// film is a camera's newest pictures, kept for the pre-roll of an event that may
// begin, and during a clip until the recorder has them. It is guarded by its
// mailbox's lock.
type film struct {
	frames    []bridge.Frame // oldest first
	bytes     int            // of these
	sent      int            // so many of these the recorder has
	recording bool
	pace      pacer
	lost      uint64 // dropped before the recorder had them
}

// add puts a picture at the end, unless it comes too soon. Where the share in
// bytes is too small for the whole length, pictures get rarer rather than the
// film shorter.
func (m *film) add(f bridge.Frame, r reel, share int) {
	size := len(f.JPEG())
	gap := r.gap
	if !m.recording {
		gap = max(gap, r.length/time.Duration(max(1, share/max(1, size))))
	}
	if !m.pace.due(f.Received, gap, gap/4) {
		return
	}
	m.frames = append(m.frames, f)
	m.bytes += size
	n := 0
	for f.Received.Sub(m.frames[n].Received) > r.length {
		n++
	}
	m.drop(n)
	m.trim(share)
}

// trim drops the oldest until the rest is within the share; the newest stays
// while there is somebody to record it.
func (m *film) trim(share int) {
	keep := 0
	if m.recording {
		keep = 1
	}
	n, bytes := 0, m.bytes
	for ; bytes > share && len(m.frames)-n > keep; n++ {
		bytes -= len(m.frames[n].JPEG())
	}
	m.drop(n)
}

// drop takes n pictures off the old end.
func (m *film) drop(n int) {
	for _, f := range m.frames[:n] {
		m.bytes -= len(f.JPEG())
	}
	m.frames = slices.Delete(m.frames, 0, n)
	if m.recording && n > m.sent {
		m.lost += uint64(n - m.sent)
	}
	m.sent = max(0, m.sent-n)
}

func (m *film) clear() { m.drop(len(m.frames)) }

// record begins a clip with what is on the film from a time on.
func (m *film) record(from time.Time) []bridge.Frame {
	m.recording, m.sent = true, 0
	for m.sent < len(m.frames) && m.frames[m.sent].Received.Before(from) {
		m.sent++
	}
	return m.unsent()
}

func (m *film) unsent() []bridge.Frame {
	out := slices.Clone(m.frames[m.sent:])
	m.sent = len(m.frames)
	return out
}
