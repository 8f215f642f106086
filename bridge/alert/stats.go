package alert

import (
	"maps"
	"slices"
)

// Stats are the figures of all alerts. Counters begin with the program.
type Stats struct {
	Instances  []InstanceStats   // sorted by name
	Suppressed map[string]uint64 // events that a route did not tell, by reason: quiet, cooldown, or the condition that was not fulfilled: labels, zones, sources, min_score
	Lost       uint64            // events that came too fast
	Dead       int               // on the list of failed ones
}

// InstanceStats are the figures of one plugin instance.
type InstanceStats struct {
	Instance string
	Queued   int    // alerts that wait
	Sent     uint64 // delivered
	Retried  uint64 // attempts that failed and were to be repeated
	Failed   uint64 // alerts that were given up
	Dropped  uint64 // alerts that were given up because too many waited
	Replaced uint64 // updates that a newer one took the place of
}

// Stats returns the figures of this moment.
func (a *Alerts) Stats() Stats {
	var out Stats
	for _, name := range slices.Sorted(maps.Keys(a.lanes)) {
		out.Instances = append(out.Instances, a.lanes[name].stats())
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	out.Suppressed, out.Lost, out.Dead = maps.Clone(a.suppressed), a.lost, len(a.dead)
	return out
}

func (l *lane) stats() InstanceStats {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.counts
	s.Instance, s.Queued = l.instance, len(l.queue)
	return s
}
