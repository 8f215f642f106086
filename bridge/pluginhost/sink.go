package pluginhost

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge"
	"github.com/espcam-bridge/espcam-bridge/plugins/pluginpb"
)

// Of events that wait for a sink, and of one call.
const (
	maxQueued      = 1024
	maxQueuedBytes = 8 << 20
	maxBatch       = 64
	maxBatchBytes  = 8 << 20
)

// sink holds the events that a sink has not acknowledged, also while its process
// is being restarted. The oldest go if there are too many, and the gap is told.
type sink struct {
	i    *instance
	wake chan struct{}
	pump sync.WaitGroup
	stop func() // ends pump and the subscription; nil: there is none; run's own

	mu    sync.Mutex
	queue []queued
	bytes int
	gap   uint64          // events lost behind the last one of the queue
	begun map[string]bool // events whose begin was queued and whose end was not
}

// queued is one state of an event.
type queued struct {
	event bridge.Event
	phase bridge.Phase
	gap   uint64 // lost right before it
	seq   uint64 // by which the process knows it; 0: it has not got it
}

func (q queued) size() int {
	if q.event.Picture.IsZero() {
		return 512
	}
	return 512 + len(q.event.Picture.JPEG())
}

func (s *sink) init(i *instance) {
	s.i, s.wake, s.begun = i, make(chan struct{}, 1), map[string]bool{}
}

// feed delivers events to the process until stop, which returns when the last
// call has ended. At the first time it begins to collect events, and goes on with
// that between processes, until forget or ctx ends.
func (s *sink) feed(ctx context.Context, l *life) (stop func()) {
	s.renumber()
	if s.stop == nil {
		s.subscribe(ctx)
	}
	ctx, cancel := context.WithCancel(ctx)
	var done sync.WaitGroup
	done.Go(func() { s.deliver(ctx, l) })
	return func() {
		cancel()
		done.Wait()
	}
}

// renumber is for a new process, which begins at 1.
func (s *sink) renumber() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for n := range s.queue {
		s.queue[n].seq = 0
	}
}

func (s *sink) subscribe(ctx context.Context) {
	heard, unsubscribe := s.i.host.deps.Events()
	ctx, cancel := context.WithCancel(ctx)
	s.pump.Go(func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-heard.Ready():
				s.collect(heard)
			}
		}
	})
	s.stop = func() {
		cancel()
		s.pump.Wait()
		unsubscribe()
	}
}

// forget ends the collecting and drops what waits: the instance was switched off.
func (s *sink) forget() {
	if s.stop == nil {
		return
	}
	s.stop()
	s.stop = nil
	s.mu.Lock()
	defer s.mu.Unlock()
	s.queue, s.bytes, s.gap = nil, 0, 0
	clear(s.begun)
}

// collect moves what was heard into the queue.
func (s *sink) collect(heard *bridge.EventListener) {
	events, lost := heard.Take()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lostLocked(lost)
	for _, e := range events {
		if s.i.sees(e.Camera) {
			s.addLocked(e)
		}
	}
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

func (s *sink) lostLocked(n uint64) {
	s.gap += n
	s.i.counts.sinkDropped.Add(n)
}

// addLocked queues an event's newest state. Every event begins once and ends once,
// whatever was missed between; an update replaces one that waits.
func (s *sink) addLocked(e bridge.Event) {
	known := s.begun[e.ID]
	if !known {
		first := e
		first.End, first.Ending = time.Time{}, ""
		s.begun[e.ID] = true
		s.pushLocked(queued{event: first, phase: bridge.PhaseBegin})
	}
	switch {
	case e.Over():
		delete(s.begun, e.ID)
		s.pushLocked(queued{event: e, phase: bridge.PhaseEnd})
	case !known:
	default:
		if n := slices.IndexFunc(s.queue, func(q queued) bool {
			return q.event.ID == e.ID && q.phase == bridge.PhaseUpdate && q.seq == 0
		}); n >= 0 {
			s.bytes -= s.queue[n].size()
			s.queue[n].event = e
			s.bytes += s.queue[n].size()
			return
		}
		s.pushLocked(queued{event: e, phase: bridge.PhaseUpdate})
	}
}

func (s *sink) pushLocked(q queued) {
	q.gap, s.gap = s.gap, 0
	s.queue = append(s.queue, q)
	s.bytes += q.size()
	for len(s.queue) > maxQueued || s.bytes > maxQueuedBytes && len(s.queue) > 1 {
		old := s.queue[0]
		s.queue[0] = queued{}
		s.queue = s.queue[1:]
		s.bytes -= old.size()
		s.queue[0].gap += old.gap + 1
		s.i.counts.sinkDropped.Add(1)
	}
}

// deliver hands events over as they come, and again what was not acknowledged.
func (s *sink) deliver(ctx context.Context, l *life) {
	var last uint64 // sequence that was given
	failures := 0
	for ctx.Err() == nil {
		batch := s.batch(l, &last)
		if len(batch) == 0 {
			select {
			case <-ctx.Done():
			case <-s.wake:
			}
			continue
		}
		some, err := s.send(ctx, l, batch)
		if some {
			failures = 0
			continue
		}
		if failures++; failures == 1 && ctx.Err() == nil {
			l.log.Warn("a sink does not take events; they come again", "events", len(batch), "err", l.cleanError(err))
		}
		select {
		case <-ctx.Done():
		case <-time.After(doubled(l.host.timing.redeliver, failures, l.host.timing.maxRedeliver)):
		}
	}
}

// batch numbers the first events that wait and makes them a request.
func (s *sink) batch(l *life, last *uint64) []*pluginpb.SinkEvent {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []*pluginpb.SinkEvent
	bytes := 0
	for n := range s.queue {
		q := &s.queue[n]
		if bytes += q.size(); len(out) == maxBatch || bytes > maxBatchBytes && len(out) > 0 {
			break
		}
		if q.seq == 0 {
			*last++
			q.seq = *last
		}
		out = append(out, &pluginpb.SinkEvent{Sequence: q.seq, Gap: q.gap, Event: eventOf(q.event, q.phase, l.namedCamera(q.event.Camera))})
	}
	return out
}

// send reports whether the sink acknowledged something.
func (s *sink) send(ctx context.Context, l *life, batch []*pluginpb.SinkEvent) (some bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, l.host.timing.deliver)
	defer cancel()
	l.counts.calls.Add(1)
	r, err := l.process.Sink().Deliver(ctx, &pluginpb.DeliverRequest{Events: batch})
	if err != nil {
		l.counts.failures.Add(1)
		return false, err
	}
	l.success.Store(l.host.deps.Now().UnixNano())
	return s.acknowledge(min(r.Acked, batch[len(batch)-1].Sequence)), nil
}

func (s *sink) acknowledge(upTo uint64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	some := false
	for len(s.queue) > 0 && s.queue[0].seq != 0 && s.queue[0].seq <= upTo {
		s.bytes -= s.queue[0].size()
		s.queue[0] = queued{}
		s.queue = s.queue[1:]
		some = true
	}
	return some
}
