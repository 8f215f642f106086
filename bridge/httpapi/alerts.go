package httpapi

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"

	"github.com/espcam-bridge/espcam-bridge/bridge"
)

// This file shows the alerts that were given up, and sends one on request.

// Alerts tell people through plugins. Errors are *bridge.Error or, from Test, a
// *bridge.RetryError.
type Alerts interface {
	Test(ctx context.Context, instance string) (bridge.Receipt, error) // really sends
	Failed() []bridge.FailedAlert                                      // the newest first
	Retry(id string) error
	Dismiss(id string) error
}

// AlertFigures are the alerts of one plugin instance since the program started.
type AlertFigures struct {
	Plugin    string
	Delivered uint64
	Retried   uint64 // attempts that failed and were repeated
	Failed    uint64 // alerts that were given up
	Replaced  uint64 // by a newer one of the same event while they waited
	Waiting   int
}

// testPlugin sends a test through an instance. The body may be left out: it has
// nothing to say.
func (s *Server) testPlugin(w http.ResponseWriter, r *http.Request, v *visit) error {
	p, err := s.findPlugin(r)
	if err != nil {
		return err
	}
	if r.ContentLength != 0 {
		if err := decode(w, r, &struct{}{}); err != nil {
			return err
		}
	}
	if s.deps.Alerts == nil {
		return bridge.Errorf(bridge.CodeNotFound, "this bridge sends no alerts")
	}
	ctx, cancel := context.WithTimeout(r.Context(), tryTime)
	defer cancel()
	receipt, err := s.deps.Alerts.Test(ctx, p.Instance)
	s.log.Info("plugin tested", "plugin", p.Instance, "name", v.who.Name, "ok", err == nil)
	if err != nil {
		return theirs(ctx, err)
	}
	send(w, http.StatusOK, map[string]any{"ok": true, "message": receipt.Message})
	return nil
}

func (s *Server) listFailed(w http.ResponseWriter, _ *http.Request, _ *visit) error {
	items := []bridge.FailedAlert{}
	if s.deps.Alerts != nil {
		items = append(items, s.deps.Alerts.Failed()...)
	}
	send(w, http.StatusOK, map[string]any{"items": items})
	return nil
}

// doFailed sends an alert that was given up once more, or forgets it.
func (s *Server) doFailed(w http.ResponseWriter, r *http.Request, v *visit) error {
	var in struct {
		Action string `json:"action"`
	}
	if err := decode(w, r, &in); err != nil {
		return err
	}
	id := r.PathValue("id")
	known := s.deps.Alerts != nil && slices.ContainsFunc(s.deps.Alerts.Failed(), func(f bridge.FailedAlert) bool { return f.ID == id })
	if !known {
		return bridge.Errorf(bridge.CodeNotFound, "there is no failed alert %.40q: it may have been sent or dismissed since", id)
	}
	var err error
	switch in.Action {
	case "retry":
		err = s.deps.Alerts.Retry(id)
	case "dismiss":
		err = s.deps.Alerts.Dismiss(id)
	default:
		err = bridge.Errorf(bridge.CodeInvalid, "there is no action %.40q: use retry or dismiss", in.Action).At("action")
	}
	if err != nil {
		return err
	}
	s.log.Info("failed alert", "alert", id, "action", in.Action, "name", v.who.Name)
	send(w, http.StatusOK, json.RawMessage(`{"ok":true}`))
	return nil
}
