package httpapi

import (
	"net/netip"
	"sync"

	"github.com/espcam-bridge/espcam-bridge/bridge"
)

// seats bounds how many streams and sockets are open, in all and per address.
type seats struct {
	total, each int

	mu     sync.Mutex
	taken  int
	byAddr map[netip.Addr]int
}

func newSeats(total, each int) *seats {
	return &seats{total: total, each: each, byAddr: map[netip.Addr]int{}}
}

// take takes a seat; the caller calls leave.
func (s *seats) take(a netip.Addr) (leave func(), err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.byAddr[a] >= s.each:
		return nil, bridge.Errorf(bridge.CodeRateLimited, "%s has %d streams open, as many as one address may: close some, or raise http.limits.per_address", a, s.each)
	case s.taken >= s.total:
		return nil, bridge.Errorf(bridge.CodeUnavailable, "%d streams are open, as many as there may be: try again later, or raise http.limits.viewers", s.total)
	}
	s.taken++
	s.byAddr[a]++
	return func() { s.leave(a) }, nil
}

func (s *seats) leave(a netip.Addr) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.taken--
	if s.byAddr[a]--; s.byAddr[a] == 0 {
		delete(s.byAddr, a)
	}
}

// open returns how many seats are taken.
func (s *seats) open() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.taken
}
