package alert

import (
	"context"
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge"
)

const (
	testTitle = "Test from espcam-bridge"
	testText  = "This is what an alert looks like."

	testWait = 5 * time.Second // for a plugin that is not running
)

// trial is an alert that a person asked for. It is never stored or repeated.
type trial struct {
	ctx   context.Context
	alert bridge.Alert
	done  chan outcome
}

type outcome struct {
	receipt bridge.Receipt
	err     error
}

// Test sends a message to an instance on the way of all alerts, behind the one
// that is under way, and returns what became of it. Errors say why it did not
// arrive: CodeNotFound if there is no such instance, CodeUnavailable if it is not
// running or its service fails, CodeDenied if that refuses.
func (a *Alerts) Test(ctx context.Context, instance string) (bridge.Receipt, error) {
	l := a.lanes[instance]
	if l == nil {
		return bridge.Receipt{}, bridge.Errorf(bridge.CodeNotFound, "there is no plugin instance %.40q", instance)
	}
	within, cancel := context.WithTimeout(ctx, testWait)
	defer cancel()
	if err := a.deps.Notifier.Await(within, instance); err != nil {
		return bridge.Receipt{}, readable(err)
	}
	t := &trial{ctx: ctx, alert: a.sample(time.Now()), done: make(chan outcome, 1)}
	select {
	case l.trials <- t:
	case <-ctx.Done():
		return bridge.Receipt{}, bridge.Errorf(bridge.CodeTimeout, "%s is busy with other alerts: try again in a moment", instance)
	case <-a.stopped:
		return bridge.Receipt{}, bridge.Errorf(bridge.CodeUnavailable, "the bridge is stopping")
	}
	out := <-t.done
	return out.receipt, readable(out.err)
}

// sample is what a test sends.
func (a *Alerts) sample(now time.Time) bridge.Alert {
	camera, picture := a.deps.Sample()
	id := bridge.NewEventID(now, 0)
	return bridge.Alert{
		Event: bridge.Event{
			ID: id, Camera: camera, Begin: now, Last: now, Score: 1, Picture: picture,
			Sources: []string{bridge.SourcePixels}, Boxes: []bridge.Box{}, Zones: []string{}, Labels: []bridge.Detection{},
		},
		Phase: bridge.PhaseTest, Name: a.deps.Name(camera), Title: testTitle, Text: testText,
		Priority: 3, URL: a.deps.URL(camera, ""), Attempt: 1,
	}
}

// run sends the trial on the lane's goroutine.
func (t *trial) run(ctx context.Context, l *lane) {
	call, cancel := l.call(ctx)
	defer cancel()
	defer context.AfterFunc(t.ctx, cancel)()
	r, err := l.a.deps.Notifier.Notify(call, l.instance, t.alert)
	l.mu.Lock()
	if err == nil {
		l.counts.Sent++
	} else {
		l.counts.Failed++
	}
	l.mu.Unlock()
	t.done <- outcome{r, err}
}

// readable gives an error a code, so that its sentence is shown to people.
func readable(err error) error {
	if err == nil || bridge.CodeOf(err) != bridge.CodeInternal {
		return err
	}
	return bridge.Errorf(bridge.CodeUnavailable, "%w", err)
}
