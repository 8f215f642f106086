package pluginhost

import (
	"math/rand/v2"
	"time"
)

// timing holds all waits, so that tests can make them short.
type timing struct {
	handshake, interpreter, describe, configure time.Duration // at a start

	backoff, maxBackoff time.Duration // after an end: the first, doubling up to the last
	settled             time.Duration // so long Ready, and earlier ends are forgotten
	window              time.Duration // of the breaker
	exits               int           // in that window, and it trips
	probe, maxProbe     time.Duration // until a tripped one is tried, doubling

	health, healthCall time.Duration // each so often it must answer within
	misses             int           // in a row, and it is killed
	memory             time.Duration // each so often the first process is looked at
	files              time.Duration // each so often files are looked at, where new ones would help
	drain              time.Duration

	check, notify, detect, deliver, host time.Duration // deadlines of calls
	redeliver, maxRedeliver              time.Duration // until what a sink did not take comes again
	penalty                              time.Duration // before a call too many is refused
}

func defaultTiming() timing {
	return timing{
		handshake: 5 * time.Second, interpreter: 20 * time.Second, describe: 3 * time.Second, configure: 10 * time.Second,
		backoff: time.Second, maxBackoff: time.Minute, settled: 5 * time.Minute,
		window: 10 * time.Minute, exits: 5, probe: 15 * time.Minute, maxProbe: 4 * time.Hour,
		health: 10 * time.Second, healthCall: 2 * time.Second, misses: 3, memory: 2 * time.Second, files: 5 * time.Second, drain: 5 * time.Second,
		check: 5 * time.Second, notify: 15 * time.Second, detect: time.Second, deliver: 15 * time.Second, host: 5 * time.Second,
		redeliver: time.Second, maxRedeliver: 30 * time.Second, penalty: 500 * time.Millisecond,
	}
}

func randomly() float64 { return rand.Float64() }

// breaker decides when a plugin that ended by itself is started again.
type breaker struct {
	timing
	random func() float64

	exits    []time.Time // within the window
	failures int         // since it last settled
	trips    int         // the same
}

// ended notes an end and returns how long to wait, and whether that is because
// it ended too often.
func (b *breaker) ended(now time.Time) (wait time.Duration, tripped bool) {
	b.failures++
	b.exits = append(b.exits, now)
	for len(b.exits) > 0 && now.Sub(b.exits[0]) > b.window {
		b.exits = b.exits[1:]
	}
	if len(b.exits) >= b.timing.exits || b.trips > 0 {
		b.trips++
		return b.jitter(doubled(b.probe, b.trips, b.maxProbe)), true
	}
	return b.jitter(doubled(b.backoff, b.failures, b.maxBackoff)), false
}

// reset forgets all ends: it has settled, or a person wants another start.
func (b *breaker) reset() { b.exits, b.failures, b.trips = nil, 0, 0 }

// jitter moves d by up to a fifth, so that plugins that ended together do not
// start together.
func (b *breaker) jitter(d time.Duration) time.Duration {
	return time.Duration(float64(d) * (0.8 + 0.4*b.random()))
}

// doubled is first, 2 first, 4 first ... for n = 1, 2, 3 ..., at most last.
func doubled(first time.Duration, n int, last time.Duration) time.Duration {
	d := first
	for range n - 1 {
		if d *= 2; d >= last {
			return last
		}
	}
	return min(d, last)
}
