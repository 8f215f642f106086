package ingest_test

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge"
	"github.com/espcam-bridge/espcam-bridge/bridge/ingest"
)

// registry is a small real registry: keys admit cameras, the newest connection
// of a camera replaces the older one.
type registry struct {
	keys map[string]string // key -> camera
	fps  atomic.Int64
	off  atomic.Bool // all cameras are switched off

	mu       sync.Mutex
	sessions []*session // all there ever were
	current  map[string]*session
	claims   []bridge.Claim
}

var _ ingest.Registry = (*registry)(nil)

func newRegistry() *registry {
	r := &registry{keys: map[string]string{goodKey: "porch", otherKey: "garage"}, current: map[string]*session{}}
	r.fps.Store(1_000_000)
	return r
}

func (r *registry) Admit(c bridge.Claim, l bridge.Link) (bridge.Session, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.claims = append(r.claims, c)
	camera, ok := r.keys[c.Key]
	switch {
	case !ok:
		return nil, &bridge.Refusal{Reason: bridge.ReasonInvalidKey}
	case c.App != "" && c.App != "live":
		return nil, &bridge.Refusal{Reason: bridge.ReasonUnknownApp, Detail: c.App}
	case c.Room == "denied":
		return nil, &bridge.Refusal{Reason: bridge.ReasonRemoved}
	case c.Room == "broken":
		return nil, fmt.Errorf("store: the disk is gone")
	case c.Room != "" && c.Room != camera:
		return nil, &bridge.Refusal{Reason: bridge.ReasonRoomMismatch}
	}
	s := &session{registry: r, camera: camera, link: l, dialect: bridge.StreamHub}
	if old := r.current[camera]; old != nil {
		old.link.Close(bridge.ReasonReplaced)
	}
	r.current[camera] = s
	r.sessions = append(r.sessions, s)
	return s, nil
}

// session returns the nth session, once it is there.
func (r *registry) session(t testing.TB, n int) *session {
	t.Helper()
	var s *session
	until(t, fmt.Sprintf("session %d", n), func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		if len(r.sessions) > n {
			s = r.sessions[n]
		}
		return s != nil
	})
	return s
}

// forget checks that each session ended once, and forgets them all.
func (r *registry) forget(t testing.TB) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range r.sessions {
		until(t, "the session's end", func() bool { return len(s.ended()) == 1 })
	}
	r.sessions, r.claims = nil, nil
}

// session records what it is told.
type session struct {
	registry *registry
	camera   string
	link     bridge.Link

	mu      sync.Mutex
	dialect bridge.Dialect
	said    []string // one line for each call
	stats   bridge.Stats
	caps    bridge.Capabilities
	ends    []bridge.Reason
}

func (s *session) Camera() string { return s.camera }
func (s *session) MaxFPS() int    { return int(s.registry.fps.Load()) }
func (s *session) Wanted() bool   { return !s.registry.off.Load() }

func (s *session) Dialect() bridge.Dialect {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.dialect
}

func (s *session) say(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.said = append(s.said, fmt.Sprintf(format, args...))
}

func (s *session) Hello(d bridge.Device, c bridge.Capabilities, set bridge.Settings) {
	s.say("hello %s %v", d.MAC, set)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dialect, s.caps = bridge.Native, c
}

func (s *session) Stats(st bridge.Stats) {
	s.say("stats")
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stats = st
}

func (s *session) Reported(set bridge.Settings)      { s.say("reported %v", set) }
func (s *session) Event(name string, active bool)    { s.say("event %s %v", name, active) }
func (s *session) Notice(c bridge.Code, text string) { s.say("notice %s %s", c, text) }
func (s *session) lines() []string                   { s.mu.Lock(); defer s.mu.Unlock(); return slices.Clone(s.said) }
func (s *session) device() bridge.Stats              { s.mu.Lock(); defer s.mu.Unlock(); return s.stats }
func (s *session) ended() []bridge.Reason {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.ends)
}
func (s *session) End(r bridge.Reason) { s.mu.Lock(); defer s.mu.Unlock(); s.ends = append(s.ends, r) }
func (s *session) heard(t testing.TB, line string) {
	t.Helper()
	until(t, "the session to hear "+line, func() bool { return slices.Contains(s.lines(), line) })
}

// endedWith waits for the end and checks that there is only one.
func (s *session) endedWith(t testing.TB, want bridge.Reason) {
	t.Helper()
	until(t, "the session's end", func() bool { return len(s.ended()) > 0 })
	if got := s.ended(); len(got) != 1 || got[0] != want {
		t.Errorf("session ended with %v, want once %s", got, want)
	}
}

// until polls cond.
func until(t testing.TB, what string, cond func() bool) {
	t.Helper()
	deadline := time.NewTimer(10 * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !cond() {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("waited too long for %s", what)
		}
	}
}
