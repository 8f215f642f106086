package mqtt

import (
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// counts are what Status shows and metrics collect.
type counts struct {
	published, failed, commands, ignored atomic.Uint64
}

// status is the part of Status that is no counter.
type status struct {
	mu        sync.Mutex
	connected bool
	since     time.Time
	err       string
}

func (s *status) get() Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	return Status{Connected: s.connected, Since: s.since, LastError: s.err}
}

func (s *status) set(now time.Time, connected bool, err string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.connected != connected {
		s.connected, s.since = connected, now
	}
	s.err = err
}

// sayAgain is how long the same thing is not said again.
const sayAgain = time.Minute

// limitedLog says each thing at most once a minute. It belongs to one goroutine.
type limitedLog struct {
	*slog.Logger
	clock Clock
	last  map[string]time.Time // by what it is about
}

func newLimitedLog(log *slog.Logger, clock Clock) *limitedLog {
	return &limitedLog{log, clock, map[string]time.Time{}}
}

// Limited warns, unless it warned of the same thing a moment ago. about must be
// one of few: what arrives from outside is no part of it.
func (l *limitedLog) Limited(about, msg string, args ...any) {
	now := l.clock.Now()
	if last, ok := l.last[about]; ok && now.Sub(last) < sayAgain {
		return
	}
	l.last[about] = now
	l.Warn(msg, args...)
}
