package alert

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge"
)

// TestLatency measures from the begin of motion to the call of the notifier, with
// the write of the mark on a real disk between them.
func TestLatency(t *testing.T) {
	r := begin(t, "", phones(Route{Picture: true}))
	called := make(chan time.Time)
	r.post.answers(func(_ context.Context, _ string, a bridge.Alert) (bridge.Receipt, error) {
		called <- time.Now()
		return bridge.Receipt{}, nil
	})
	var took []time.Duration
	for n := range uint16(60) {
		e := happens("porch")
		e.ID = bridge.NewEventID(e.Begin, n)
		r.events.Tell(e)
		took = append(took, (<-called).Sub(e.Begin))
	}
	slices.Sort(took)
	median, worst := took[len(took)/2], took[len(took)-1]
	t.Logf("median %v, p90 %v, worst %v", median, took[len(took)*9/10], worst)
	if median > 50*time.Millisecond {
		t.Errorf("motion to notifier takes %v, more than 50 ms", median)
	}
}
