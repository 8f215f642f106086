package sdk

import (
	"context"
	"errors"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/espcam-bridge/espcam-bridge/plugins/pluginpb"
)

func (s *service) Notify(ctx context.Context, in *pluginpb.Alert) (*pluginpb.Receipt, error) {
	r, err := invoke(ctx, s, func(ctx context.Context, c *configuration) (Receipt, error) {
		return s.program.notify(ctx, c.settings, alertOf(in))
	})
	if failure := s.failed(ctx, err); failure != nil {
		return nil, failure
	}
	if len(r.Handle) > maxHandle {
		s.log.Warn("the handle is too long and is left out", "bytes", len(r.Handle), "most", maxHandle)
		r.Handle = ""
	}
	out := &pluginpb.Receipt{Outcome: pluginpb.Outcome_OUTCOME_DELIVERED, Handle: s.redact.text(r.Handle), Message: s.redact.text(r.Message)}
	if err == nil {
		return out, nil
	}
	out.Outcome, out.Message = pluginpb.Outcome_OUTCOME_RETRY, s.redact.text(err.Error())
	if _, ok := errors.AsType[*RejectError](err); ok {
		out.Outcome = pluginpb.Outcome_OUTCOME_REJECTED
	} else if later, ok := errors.AsType[*RetryError](err); ok {
		out.RetryAfterMs = milliseconds(later.After)
	}
	return out, nil
}

// milliseconds is d on the wire: none below 0 or above an hour.
func milliseconds(d time.Duration) uint32 {
	return uint32(min(max(d, 0), time.Hour).Milliseconds())
}

func (s *service) Detect(ctx context.Context, in *pluginpb.DetectRequest) (*pluginpb.DetectResponse, error) {
	found, err := invoke(ctx, s, func(ctx context.Context, c *configuration) ([]Detection, error) {
		if !s.look(in.GetCamera()) {
			return nil, ErrBusy
		}
		defer s.lookAway(in.GetCamera())
		return s.program.detect(ctx, c.settings, pictureOf(in))
	})
	if failure := s.failed(ctx, err); failure != nil {
		return nil, failure
	}
	if errors.Is(err, ErrBusy) {
		return &pluginpb.DetectResponse{Busy: true}, nil
	}
	if err != nil {
		return nil, status.Error(codes.Unknown, s.redact.text(err.Error()))
	}
	return &pluginpb.DetectResponse{Detections: detectionsTo(found, s.program.description.GetDetector().GetLabels())}, nil
}

// look reports whether no picture of the camera is being looked at; then lookAway
// must follow. It holds for as long as Detect really runs, not for as long as
// somebody waits for it: that is how slow detectors do not pile up.
func (s *service) look(camera string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.looking[camera] {
		return false
	}
	s.looking[camera] = true
	return true
}

func (s *service) lookAway(camera string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.looking, camera)
}

func (s *service) Deliver(ctx context.Context, in *pluginpb.DeliverRequest) (*pluginpb.DeliverResponse, error) {
	acked, err := invoke(ctx, s, func(ctx context.Context, c *configuration) (uint64, error) {
		select {
		case s.delivering <- struct{}{}:
			defer func() { <-s.delivering }()
		case <-ctx.Done():
			return 0, ctx.Err()
		}
		return s.deliver(ctx, c, in.GetEvents())
	})
	if failure := s.failed(ctx, err); failure != nil {
		return nil, failure
	}
	if err != nil {
		if acked == 0 {
			return nil, status.Error(codes.Unknown, s.redact.text(err.Error()))
		}
		s.log.Warn("an event was not delivered and comes again", "err", err)
	}
	return &pluginpb.DeliverResponse{Acked: acked}, nil
}

// deliver hands over events one by one and returns the sequence of the last that
// is safe. Those that are come no second time, even if the bridge was not told.
func (s *service) deliver(ctx context.Context, c *configuration, events []*pluginpb.SinkEvent) (acked uint64, err error) {
	for _, in := range events {
		if ctx.Err() != nil {
			return acked, ctx.Err()
		}
		if in.GetSequence() > s.delivered {
			e := eventOf(in.GetEvent())
			e.Gap = in.GetGap()
			err := s.program.deliver(ctx, c.settings, e)
			if _, final := errors.AsType[*RejectError](err); final {
				s.log.Error("an event is left out", "event", e.ID, "err", err)
			} else if err != nil {
				return acked, err
			}
			s.delivered = in.GetSequence()
		}
		acked = in.GetSequence()
	}
	return acked, nil
}
