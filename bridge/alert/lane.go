package alert

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge"
)

// lane is what waits for one plugin instance, and the goroutine that sends it.
// Messages of one event stay in order; others overtake one that has to wait.
type lane struct {
	a        *Alerts
	instance string
	wake     chan struct{}
	trials   chan *trial

	mu       sync.Mutex
	queue    []*letter          // in order; without the one that is under way
	pause    time.Time          // the service asked for silence until then
	trouble  string             // why the newest attempt, or wait for the plugin, failed
	receipts map[string]*letter // of events that may go on, by tale
	counts   InstanceStats      // only the counters
}

func newLane(a *Alerts, instance string) *lane {
	return &lane{
		a: a, instance: instance, wake: make(chan struct{}, 1), trials: make(chan *trial),
		receipts: map[string]*letter{},
	}
}

// put queues a letter. It takes the place of an update of the same event that
// waits; of too many letters one is given up.
func (l *lane) put(m *letter) {
	l.mu.Lock()
	if m.Phase != bridge.PhaseBegin {
		l.supersedeLocked(m)
	}
	var victim *letter
	if len(l.queue) >= l.a.cfg.Queue {
		victim = l.dropLocked()
	}
	l.queue = append(l.queue, m)
	l.a.ledger.save(m)
	l.mu.Unlock()
	l.ring()
	if victim != nil {
		l.a.bury(victim, fmt.Sprintf("%d newer alerts waited for %s", l.a.cfg.Queue, l.instance))
	}
}

func (l *lane) ring() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// supersedeLocked removes an update that waits; what comes instead is not sent
// sooner than that would have been.
func (l *lane) supersedeLocked(m *letter) {
	l.queue = slices.DeleteFunc(l.queue, func(old *letter) bool {
		if old.Phase != bridge.PhaseUpdate || old.tale() != m.tale() {
			return false
		}
		m.Due = latest(m.Due, old.Due)
		l.a.ledger.remove(old.ID)
		l.counts.Replaced++
		return true
	})
}

// dropLocked makes room: an update goes first, else the oldest.
func (l *lane) dropLocked() *letter {
	i := max(slices.IndexFunc(l.queue, func(m *letter) bool { return m.Phase == bridge.PhaseUpdate }), 0)
	victim := l.queue[i]
	l.queue = slices.Delete(l.queue, i, i+1)
	l.counts.Dropped++
	return victim
}

// run sends until ctx ends.
func (l *lane) run(ctx context.Context) {
	for ctx.Err() == nil {
		select {
		case t := <-l.trials: // a person waits for it
			t.run(ctx, l)
		default:
		}
		l.expire(time.Now())
		wait, expiry := l.next(time.Now())
		if wait > 0 {
			l.rest(ctx, wait)
			continue
		}
		if l.await(ctx, expiry) {
			if m := l.take(time.Now()); m != nil {
				l.send(ctx, m)
			}
		}
	}
}

// rest waits for something to do.
func (l *lane) rest(ctx context.Context, wait time.Duration) {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-l.wake:
	case <-timer.C:
	case t := <-l.trials:
		t.run(ctx, l)
	}
}

// expire gives up what waited for too long.
func (l *lane) expire(now time.Time) {
	var old []*letter
	l.mu.Lock()
	l.queue = slices.DeleteFunc(l.queue, func(m *letter) bool {
		if now.Before(m.Expires) {
			return false
		}
		old = append(old, m)
		return true
	})
	trouble := l.trouble
	l.mu.Unlock()
	for _, m := range old {
		l.giveUp(m, fmt.Sprintf("it could not be sent within %s: %s", minutes(l.a.cfg.Expiry), or(or(m.Reason, trouble), "others were sent first")))
	}
}

// next says how long until a letter may be sent, 0 if one may now, and when the
// first of all expires.
func (l *lane) next(now time.Time) (wait time.Duration, expiry time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	wait, expiry = restless, now.Add(restless)
	for i, m := range l.queue {
		if m.Expires.Before(expiry) {
			expiry = m.Expires
		}
		if l.firstLocked(i) {
			wait = min(wait, latest(m.Due, l.pause).Sub(now))
		}
	}
	return max(min(wait, expiry.Sub(now)), 0), expiry
}

// firstLocked reports whether no earlier letter of the same event waits.
func (l *lane) firstLocked(i int) bool {
	return !slices.ContainsFunc(l.queue[:i], func(m *letter) bool { return m.tale() == l.queue[i].tale() })
}

// take removes the first letter that may be sent from the queue; nil if none may.
func (l *lane) take(now time.Time) *letter {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, m := range l.queue {
		if l.firstLocked(i) && !latest(m.Due, l.pause).After(now) {
			l.queue = slices.Delete(l.queue, i, i+1)
			return m
		}
	}
	return nil
}

// await waits until the plugin takes work, at most until the first letter
// expires. A plugin that starts again costs nothing but time.
func (l *lane) await(ctx context.Context, expiry time.Time) bool {
	within, cancel := context.WithDeadline(ctx, expiry)
	defer cancel()
	err := l.a.deps.Notifier.Await(within, l.instance)
	if err == nil || ctx.Err() != nil {
		return err == nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.trouble = err.Error()
	if within.Err() == nil { // it does not even wait
		l.pause = latest(l.pause, time.Now().Add(time.Second))
	}
	return false
}

// back puts a letter back in front of the queue, unless a newer one took its
// place meanwhile.
func (l *lane) back(m *letter) {
	m.State = queued
	l.mu.Lock()
	defer l.mu.Unlock()
	i := slices.IndexFunc(l.queue, func(o *letter) bool { return o.tale() == m.tale() })
	if m.Phase == bridge.PhaseUpdate && i >= 0 {
		l.queue[i].Due = latest(l.queue[i].Due, m.Due)
		l.a.ledger.remove(m.ID)
		l.counts.Replaced++
		return
	}
	l.queue = slices.Insert(l.queue, 0, m)
	l.a.ledger.save(m)
}

func (l *lane) giveUp(m *letter, reason string) {
	l.mu.Lock()
	l.counts.Failed++
	l.mu.Unlock()
	l.a.bury(m, reason)
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// minutes writes 10m where Duration.String has 10m0s.
func minutes(d time.Duration) string {
	if s := d.String(); d >= time.Minute && d%time.Minute == 0 {
		return s[:len(s)-2]
	}
	return d.String()
}
