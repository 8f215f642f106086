package httpapi

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge"
	"github.com/espcam-bridge/espcam-bridge/bridge/jpeg"
)

// snapshot answers with one picture: the newest, a fresh one (max_age), or a
// small one (w). A camera without a picture answers with a placeholder, since
// Home Assistant will not add a camera whose picture is an error.
func (s *Server) snapshot(w http.ResponseWriter, r *http.Request, v *visit) error {
	age, err := queryAge(r)
	if err != nil {
		return err
	}
	width, err := queryWidth(r)
	if err != nil {
		return err
	}
	f := s.newest(v.camera)
	if age > 0 {
		if f, err = s.fresh(r.Context(), v, age); err != nil {
			return err
		}
	}
	body := f.JPEG()
	if width > 0 && width < f.Width {
		if body, err = s.scaler.scale(r.Context(), f, width); err != nil {
			return err
		}
	}
	h := w.Header()
	h.Set("Content-Type", "image/jpeg")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	micros := f.Time().UnixMicro()
	h.Set("X-Timestamp", fmt.Sprintf("%d.%06d", micros/1e6, micros%1e6))
	h.Set("X-Camera-State", string(v.camera.State))
	_, _ = w.Write(body) // a client that left is no fault
	return nil
}

// newest returns the newest picture, however old, or a placeholder.
func (s *Server) newest(c bridge.Camera) bridge.Frame {
	if f := s.deps.Hub.Latest(c.ID); !f.IsZero() && c.Enabled {
		return f
	}
	return s.painter.placeholder(c)
}

// fresh returns a picture not older than age and waits for one if need be.
func (s *Server) fresh(ctx context.Context, v *visit, age time.Duration) (bridge.Frame, error) {
	c := v.camera
	if !c.Enabled {
		return bridge.Frame{}, bridge.Errorf(bridge.CodeUnavailable, "camera %s is switched off: it has no fresh picture", c.ID)
	}
	leave, err := s.seat(v)
	if err != nil {
		return bridge.Frame{}, err
	}
	defer leave()
	one := make(waiter, 1)
	feed := s.deps.Hub.Feed(c.ID)
	defer feed.Leave(one)
	if f := feed.Join(one); !f.IsZero() && s.now().Sub(f.Received) <= age {
		return f, nil
	}
	timeout := time.NewTimer(s.cfg.Timing.Fresh)
	defer timeout.Stop()
	select {
	case f := <-one:
		if !f.IsZero() {
			return f, nil
		}
	case <-timeout.C:
	case <-ctx.Done():
	case <-s.done:
	}
	return bridge.Frame{}, bridge.Errorf(bridge.CodeUnavailable, "camera %s sent no fresh picture within %s; it is %s", c.ID, s.cfg.Timing.Fresh, c.State)
}

// waiter takes the next frame of a camera; the zero Frame if there will be none.
type waiter chan bridge.Frame

// Offer takes the first frame and drops the others, which nobody waits for.
func (w waiter) Offer(f bridge.Frame) {
	select {
	case w <- f:
	default:
	}
}

// End takes the camera's end for "none".
func (w waiter) End() { w.Offer(bridge.Frame{}) }

func queryAge(r *http.Request) (time.Duration, error) {
	text := r.URL.Query().Get("max_age")
	if text == "" {
		return 0, nil
	}
	age, err := time.ParseDuration(text)
	if err != nil || age <= 0 || age > time.Hour {
		return 0, bridge.Errorf(bridge.CodeInvalid, "max_age is %.20q: it must be a duration such as 2s, at most 1h", text).At("max_age")
	}
	return age, nil
}

func queryWidth(r *http.Request) (int, error) {
	text := r.URL.Query().Get("w")
	if text == "" {
		return 0, nil
	}
	width, err := strconv.Atoi(text)
	if err != nil || width < 16 || width > 4096 {
		return 0, bridge.Errorf(bridge.CodeInvalid, "w is %.20q: it must be a width from 16 to 4096", text).At("w")
	}
	return width, nil
}

// scaler makes pictures smaller, few at a time: decoding is by far the most
// expensive thing that a GET can ask for.
type scaler struct {
	slots chan struct{}
}

const (
	scalers    = 2
	scaledWait = 3 * time.Second
)

func newScaler() *scaler { return &scaler{make(chan struct{}, scalers)} }

// scale returns f's picture at that width. A picture that Go's decoder, which
// is stricter than browsers, does not take is returned as it is.
func (s *scaler) scale(ctx context.Context, f bridge.Frame, width int) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, scaledWait)
	defer cancel()
	select {
	case s.slots <- struct{}{}:
		defer func() { <-s.slots }()
	case <-ctx.Done():
		return nil, bridge.Errorf(bridge.CodeUnavailable, "the bridge is busy making pictures smaller: ask again, or without w")
	}
	small, _, err := jpeg.Shrink(f.JPEG(), width)
	if err != nil {
		return f.JPEG(), nil
	}
	return small, nil
}
