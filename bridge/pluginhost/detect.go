package pluginhost

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"

	"google.golang.org/grpc/status"

	"github.com/espcam-bridge/espcam-bridge/bridge"
	"github.com/espcam-bridge/espcam-bridge/plugins/pluginpb"
)

// tooLate is how many detections in a row may be late before a detector is asked
// half as often.
const tooLate = 5

// detector shows pictures to one process. Package watch calls it, one call per
// camera at a time.
type detector struct {
	l     *life
	turns atomic.Uint64
}

func (l *life) detectorOptions() bridge.DetectorOptions {
	needs := l.about.Detector
	o := bridge.DetectorOptions{
		Timeout: l.host.timing.detect, Always: needs.GetStateful() || l.cfg.Every > 0, Every: l.cfg.Every,
		MaxFPS: needs.GetMaxFps(), Cameras: l.cfg.Cameras,
	}
	if m := l.cfg.MaxFPS; m > 0 && (o.MaxFPS <= 0 || m < o.MaxFPS) {
		o.MaxFPS = m
	}
	return o
}

// Name is the instance's.
func (d *detector) Name() string { return d.l.cfg.Name }

// Detect asks the plugin what it finds. While it is slow every second picture is
// answered with CodeBusy instead.
func (d *detector) Detect(ctx context.Context, f bridge.Frame, boxes []bridge.Box) ([]bridge.Detection, error) {
	l := d.l
	if l.slow() && d.turns.Add(1)%2 == 0 {
		return nil, bridge.Errorf(bridge.CodeBusy, "%s is slow", l.cfg.Name)
	}
	small, err := l.host.shrink(ctx, f, int(l.about.Detector.GetMaxWidth()))
	if err != nil && ctx.Err() == nil {
		return nil, err
	}
	l.counts.calls.Add(1)
	r, err := l.process.Detector().Detect(ctx, &pluginpb.DetectRequest{
		Camera: f.Camera, Sequence: f.Seq, CapturedMs: millis(f.Time()),
		Jpeg: small.JPEG(), Width: uint32(small.Width), Height: uint32(small.Height), Motion: boxesOf(boxes),
	})
	if err != nil {
		l.counts.failures.Add(1)
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			l.wasLate()
		}
		return nil, l.cleanError(bridge.Errorf(bridge.CodeUnavailable, "%s: %s", l.cfg.Name, status.Convert(err).Message()))
	}
	l.inTime()
	if r.Busy {
		return nil, bridge.Errorf(bridge.CodeBusy, "%s is busy", l.cfg.Name)
	}
	found := detections(r.Detections)
	for n := range found {
		found[n].Label = l.secrets.clean(found[n].Label)
	}
	return l.declaredOnly(found), nil
}

// declaredOnly leaves out labels that the plugin did not declare.
func (l *life) declaredOnly(found []bridge.Detection) []bridge.Detection {
	labels := l.about.Detector.GetLabels()
	if len(labels) == 0 {
		return found
	}
	return slices.DeleteFunc(found, func(d bridge.Detection) bool { return !slices.Contains(labels, d.Label) })
}

func (l *life) slow() bool { return l.late.Load() >= tooLate }

func (l *life) wasLate() {
	if l.late.Add(1) == tooLate {
		l.wake()
	}
}

func (l *life) inTime() {
	l.success.Store(l.host.deps.Now().UnixNano())
	if l.late.Swap(0) >= tooLate {
		l.wake()
	}
}
