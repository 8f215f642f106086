package plugintest

import (
	"context"
	"fmt"
	"time"

	"github.com/espcam-bridge/espcam-bridge/plugins/launch"
	"github.com/espcam-bridge/espcam-bridge/plugins/pluginpb"
)

// TestEvent makes the n-th event of the synthetic camera, with a picture.
func TestEvent(n int, phase pluginpb.Phase) *pluginpb.Event {
	return eventWith(n, phase, Picture(n, width, height))
}

func eventWith(n int, phase pluginpb.Phase, jpeg []byte) *pluginpb.Event {
	now := time.Now().UnixMilli()
	box := &pluginpb.Box{X: 0.4, Y: 0.375, W: 0.1875, H: 0.25}
	e := &pluginpb.Event{
		Id: fmt.Sprintf("%013d", n), Phase: phase, Camera: Camera(), Sources: []string{"pixels"},
		Labels: []*pluginpb.Detection{{Label: "person", Score: 0.9, Box: box}}, Zones: []string{"door"},
		Boxes: []*pluginpb.Box{box}, Score: 0.75, BeginMs: now - 2000, LastMs: now,
		Jpeg: jpeg, TakenMs: now, Width: width, Height: height,
	}
	if phase == pluginpb.Phase_PHASE_END {
		e.EndMs, e.Ending = now, "quiet"
	}
	return e
}

// TestAlert makes an alert of TestEvent.
func TestAlert(n int, phase pluginpb.Phase) *pluginpb.Alert {
	return alertWith(TestEvent(n, phase))
}

func alertWith(e *pluginpb.Event) *pluginpb.Alert {
	return &pluginpb.Alert{
		Event: e, Title: "Test of a plugin", Text: "Motion at the front porch", Priority: 3, Attempt: 1,
		Url: "http://bridge.invalid/#/porch", Actions: []*pluginpb.Action{{Label: "Open", Url: "http://bridge.invalid/#/porch"}},
	}
}

// SendTest gives a configured plugin the n-th test event in each of its roles and
// returns a line for each on what came back.
func SendTest(ctx context.Context, p *launch.Process, d *pluginpb.Description, n int) []string {
	var out []string
	for _, r := range d.GetRoles() {
		begin := time.Now()
		text, err := sendTo(ctx, p, r, n)
		if err != nil {
			text = err.Error()
		}
		out = append(out, fmt.Sprintf("%s (%d ms)", text, time.Since(begin).Milliseconds()))
	}
	return out
}

func sendTo(ctx context.Context, p *launch.Process, r pluginpb.Role, n int) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, notifyTime)
	defer cancel()
	switch r {
	case pluginpb.Role_ROLE_NOTIFIER:
		r, err := p.Notifier().Notify(ctx, TestAlert(n, pluginpb.Phase_PHASE_TEST))
		return fmt.Sprintf("Notify: %s, handle %q, %q", r.GetOutcome(), r.GetHandle(), r.GetMessage()), err
	case pluginpb.Role_ROLE_DETECTOR:
		r, err := p.Detector().Detect(ctx, &pluginpb.DetectRequest{
			Camera: CameraID, Sequence: uint64(n), CapturedMs: time.Now().UnixMilli(), Jpeg: Picture(n, width, height), Width: width, Height: height,
		})
		return fmt.Sprintf("Detect: busy %t, %v", r.GetBusy(), r.GetDetections()), err
	case pluginpb.Role_ROLE_SINK:
		r, err := p.Sink().Deliver(ctx, &pluginpb.DeliverRequest{Events: []*pluginpb.SinkEvent{
			{Sequence: uint64(n), Event: TestEvent(n, pluginpb.Phase_PHASE_BEGIN)},
		}})
		return fmt.Sprintf("Deliver: acked %d", r.GetAcked()), err
	}
	return fmt.Sprintf("%s is a role of a newer protocol", r), nil
}
