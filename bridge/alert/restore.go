package alert

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge"
)

// restore takes up what the last run left. What was being sent then is not sent
// again, since it may have arrived.
func (a *Alerts) restore() error {
	all, err := a.ledger.read()
	if err != nil {
		return err
	}
	now := time.Now()
	for _, m := range all { // in the order in which they were made
		l := a.lanes[m.Instance]
		switch {
		case m.State == cooled:
			a.restoreCooling(m, now)
		case m.State == failed:
			a.dead = append(a.dead, m)
		case l == nil && m.State == receipt:
			a.ledger.remove(m.ID)
		case l == nil:
			a.bury(m, fmt.Sprintf("there is no plugin instance %q any more", m.Instance))
		case m.State == receipt:
			l.receipts[m.tale()] = m
		case m.State == sending:
			m.Attempts++
			l.giveUp(m, "the bridge stopped while it was being sent, so it may have arrived")
		case !now.Before(m.Expires):
			l.giveUp(m, fmt.Sprintf("it could not be sent within %s, because the bridge was not running", minutes(a.cfg.Expiry)))
		default:
			m.lasting = a.lasting(m.Route)
			l.queue = append(l.queue, m)
		}
	}
	slices.SortStableFunc(a.dead, func(x, y *letter) int { return x.At.Compare(y.At) })
	return nil
}

func (a *Alerts) restoreCooling(m *letter, now time.Time) {
	r := a.route(m.Route)
	if r == nil || now.Sub(m.At) >= r.Cooldown {
		a.ledger.remove(m.ID)
		return
	}
	a.cooling[coolKey{m.Route, m.Event.Camera}] = m.At
}

func (a *Alerts) route(name string) *route {
	if i := slices.IndexFunc(a.routes, func(r *route) bool { return r.Name == name }); i >= 0 {
		return a.routes[i]
	}
	return nil
}

func (a *Alerts) lasting(name string) bool {
	r := a.route(name)
	return r != nil && r.lasts()
}

// resume tells how events ended that people heard of before the start: the
// journal knows, and nobody else will say so.
func (a *Alerts) resume() {
	now := time.Now()
	for _, l := range a.lanes {
		for tale, m := range l.unfinished() {
			e, err := a.deps.Journal.Event(m.Event.ID)
			r := a.route(m.Route)
			if err == nil && r != nil && e.Over() && r.tells(bridge.PhaseEnd) && now.Sub(e.End) < a.cfg.Expiry && !r.hushed(now) {
				end := a.compose(r, e, bridge.PhaseEnd, now)
				end.ID, end.Instance = a.ids.next(now), l.instance
				l.put(&end)
			} else {
				l.settle(tale)
			}
		}
	}
}

// unfinished returns a letter of each event that was told, or is to be, and whose
// end is not.
func (l *lane) unfinished() map[string]*letter {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := maps.Clone(l.receipts)
	for _, m := range l.queue {
		if m.lasting {
			out[m.tale()] = m
		}
	}
	for _, m := range l.queue {
		if m.Phase == bridge.PhaseEnd {
			delete(out, m.tale())
		}
	}
	return out
}

// settle forgets the receipt of an event that nothing more will be told of.
func (l *lane) settle(tale string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if slices.ContainsFunc(l.queue, func(m *letter) bool { return m.tale() == tale }) {
		return
	}
	delete(l.receipts, tale)
	l.a.ledger.remove(receiptID(tale))
}
