package httpapi

import (
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"

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

// guesses limits wrong tokens per address: 1 a second, 5 a minute, 20 an hour.
// IPv6 counts by /64, since every home has one of those.
type guesses struct {
	now func() time.Time

	mu    sync.Mutex
	table map[netip.Prefix]*suspect
}

// maxSuspects bounds the table; the one silent longest is forgotten.
const maxSuspects = 10_000

type suspect struct {
	limits [3]*rate.Limiter
	last   time.Time
}

func newGuesses(now func() time.Time) *guesses {
	return &guesses{now: now, table: map[netip.Prefix]*suspect{}}
}

func network(a netip.Addr) netip.Prefix {
	bits := 32
	if a.Is6() {
		bits = 64
	}
	p, _ := a.Prefix(bits) // the zero Prefix for no address at all
	return p
}

// blocked returns how long the address is refused from now on; 0 if it is not.
func (g *guesses) blocked(a netip.Addr) time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	s := g.table[network(a)]
	if s == nil {
		return 0
	}
	var wait time.Duration
	for _, l := range s.limits {
		if have := l.TokensAt(g.now()); have < 1 {
			wait = max(wait, time.Duration((1-have)/float64(l.Limit())*float64(time.Second)))
		}
	}
	return wait
}

// wrong counts one wrong token.
func (g *guesses) wrong(a netip.Addr) {
	g.mu.Lock()
	defer g.mu.Unlock()
	s := g.table[network(a)]
	if s == nil {
		g.makeRoomLocked()
		s = &suspect{limits: [3]*rate.Limiter{
			rate.NewLimiter(rate.Every(time.Second), 1),
			rate.NewLimiter(rate.Every(time.Minute/5), 5),
			rate.NewLimiter(rate.Every(time.Hour/20), 20),
		}}
		g.table[network(a)] = s
	}
	s.last = g.now()
	for _, l := range s.limits {
		l.AllowN(s.last, 1)
	}
}

func (g *guesses) makeRoomLocked() {
	if len(g.table) < maxSuspects {
		return
	}
	var oldest netip.Prefix
	var last time.Time
	for a, s := range g.table {
		if last.IsZero() || s.last.Before(last) {
			oldest, last = a, s.last
		}
	}
	delete(g.table, oldest)
}
