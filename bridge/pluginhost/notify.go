package pluginhost

import (
	"context"
	"errors"
	"fmt"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/espcam-bridge/espcam-bridge/bridge"
	"github.com/espcam-bridge/espcam-bridge/bridge/jpeg"
	"github.com/espcam-bridge/espcam-bridge/plugins/pluginpb"
)

const maxHandle = 1024 // bytes

// Await returns nil when the instance takes work. CodeNotFound if there is no
// such instance; CodeUnavailable with its state in words when ctx ends before.
func (h *Host) Await(ctx context.Context, instance string) error {
	i, err := h.find(instance)
	if err != nil {
		return err
	}
	for {
		state, problem, turned := i.state()
		if i.work.Load() != nil {
			return nil
		}
		select {
		case <-turned:
		case <-i.gone:
			return i.unavailable(bridge.PluginStopped, "")
		case <-ctx.Done():
			return i.unavailable(state, problem)
		}
	}
}

func (i *instance) unavailable(state bridge.PluginState, problem string) error {
	if problem == "" {
		return bridge.Errorf(bridge.CodeUnavailable, "plugin %s is %s", i.cfg.Name, state)
	}
	return bridge.Errorf(bridge.CodeUnavailable, "plugin %s is %s: %s", i.cfg.Name, state, problem)
}

// working returns the process that takes work.
func (h *Host) working(instance string) (*life, error) {
	i, err := h.find(instance)
	if err != nil {
		return nil, err
	}
	if l := i.work.Load(); l != nil {
		return l, nil
	}
	state, problem, _ := i.state()
	return nil, i.unavailable(state, problem)
}

// Notify has one alert sent and returns the notifier's receipt. Its errors: a
// *bridge.RetryError if it may work later; CodeDenied if it never will;
// CodeUnavailable if the plugin does not run or ended before its answer;
// CodeNotFound if there is no such instance. It takes at most 15 s.
func (h *Host) Notify(ctx context.Context, instance string, a bridge.Alert) (bridge.Receipt, error) {
	l, err := h.working(instance)
	if err != nil {
		return bridge.Receipt{}, err
	}
	if !l.has(pluginpb.Role_ROLE_NOTIFIER) {
		return bridge.Receipt{}, bridge.Errorf(bridge.CodeDenied, "plugin %s cannot notify: it is of the type %s", instance, l.cfg.Type)
	}
	r, err := l.notify(ctx, a)
	return r, l.cleanError(err)
}

func (l *life) notify(ctx context.Context, a bridge.Alert) (bridge.Receipt, error) {
	ctx, cancel := context.WithTimeout(ctx, l.host.timing.notify)
	defer cancel()
	a.Event.Picture = l.fitting(ctx, a.Event.Picture)
	l.counts.calls.Add(1)
	r, err := l.process.Notifier().Notify(ctx, alertOf(a, l.namedCamera(a.Event.Camera)))
	if err != nil {
		return bridge.Receipt{}, l.failedNotify(err)
	}
	l.success.Store(l.host.deps.Now().UnixNano())
	message := oneLine(l.secrets.clean(r.Message), "")
	switch r.Outcome {
	case pluginpb.Outcome_OUTCOME_DELIVERED:
		if len(r.Handle) > maxHandle {
			return bridge.Receipt{Message: message}, nil
		}
		return bridge.Receipt{Handle: r.Handle, Message: message}, nil
	case pluginpb.Outcome_OUTCOME_RETRY:
		return bridge.Receipt{}, &bridge.RetryError{After: time.Duration(r.RetryAfterMs) * time.Millisecond, Err: l.says(message, "it could not send the alert now")}
	case pluginpb.Outcome_OUTCOME_REJECTED:
		return bridge.Receipt{}, bridge.Errorf(bridge.CodeDenied, "%w", l.says(message, "it rejected the alert"))
	}
	return bridge.Receipt{}, &bridge.RetryError{Err: l.says("", "it did not say what became of the alert")}
}

func (l *life) says(message, otherwise string) error {
	if message == "" {
		message = otherwise
	}
	return fmt.Errorf("%s: %s", l.cfg.Name, message)
}

// failedNotify sorts the failures of the call itself.
func (l *life) failedNotify(err error) error {
	l.counts.failures.Add(1)
	why := status.Convert(err).Message()
	switch status.Code(err) {
	case codes.Unavailable, codes.Canceled:
		if l.ended() {
			return bridge.Errorf(bridge.CodeUnavailable, "plugin %s ended while it sent the alert: %s", l.cfg.Name, l.process.Exit())
		}
		return bridge.Errorf(bridge.CodeUnavailable, "plugin %s was lost while it sent the alert: %s", l.cfg.Name, why)
	case codes.DeadlineExceeded:
		return &bridge.RetryError{Err: l.says("", fmt.Sprintf("no answer within %v", l.host.timing.notify))}
	case codes.Unimplemented:
		return bridge.Errorf(bridge.CodeDenied, "plugin %s says that it notifies, and cannot: %s", l.cfg.Name, why)
	}
	return &bridge.RetryError{Err: l.says(oneLine(why, ""), "the call failed")}
}

// fitting is the picture as the notifier takes it: none, whole or smaller.
func (l *life) fitting(ctx context.Context, f bridge.Frame) bridge.Frame {
	traits := l.about.Notifier
	if f.IsZero() || !traits.GetWantsPicture() {
		return bridge.Frame{}
	}
	limit := uint64(maxPicture)
	if m := traits.GetMaxPictureBytes(); m > 0 {
		limit = min(limit, m)
	}
	for width := f.Width / 2; uint64(len(f.JPEG())) > limit; width /= 2 {
		small, err := l.host.shrink(ctx, f, width)
		if err != nil || width < 80 {
			l.log.Warn("a picture is too large for the plugin and is left out", "bytes", len(f.JPEG()), "err", err)
			return bridge.Frame{}
		}
		f = small
	}
	return f
}

// shrinkers is how many pictures are made smaller at a time: that costs far more
// than sending them.
const shrinkers = 2

// shrink makes a picture smaller. A width of 0 or above its own leaves it.
func (h *Host) shrink(ctx context.Context, f bridge.Frame, width int) (bridge.Frame, error) {
	if width <= 0 || width >= f.Width {
		return f, nil
	}
	select {
	case h.shrinker <- struct{}{}:
		defer func() { <-h.shrinker }()
	case <-ctx.Done():
		return f, ctx.Err()
	}
	small, height, err := jpeg.Shrink(f.JPEG(), width)
	if err != nil {
		return f, err
	}
	meta := bridge.Frame{Camera: f.Camera, Seq: f.Seq, Received: f.Received, Captured: f.Captured, Width: width, Height: height}
	return bridge.NewBuffer(small).Frame(len(small), meta), nil
}

// Check asks whether the instance would work, without sending anything that
// people see. Its error is what the plugin says is wrong, with CodeUnavailable.
func (h *Host) Check(ctx context.Context, instance string) error {
	l, err := h.working(instance)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, h.timing.check)
	defer cancel()
	r, err := l.process.Plugin().Check(ctx, &pluginpb.CheckRequest{})
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return bridge.Errorf(bridge.CodeTimeout, "plugin %s did not answer within %v", instance, h.timing.check)
	case err != nil:
		return l.cleanError(bridge.Errorf(bridge.CodeUnavailable, "%w", l.says(status.Convert(err).Message(), "")))
	case r.Degraded:
		return l.cleanError(bridge.Errorf(bridge.CodeUnavailable, "%w", l.says(oneLine(r.Message, ""), "it says that it does not work")))
	}
	return nil
}
