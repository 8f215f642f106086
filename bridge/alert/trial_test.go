package alert

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge"
)

func TestTest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := begin(t, "", phones(Route{Quiet: []Quiet{{}}, Cooldown: time.Hour}))
		r.post.answers(func(context.Context, string, bridge.Alert) (bridge.Receipt, error) {
			return bridge.Receipt{Handle: "7", Message: "sent to two phones"}, nil
		})
		got, err := r.alerts.Test(t.Context(), "mail") // no route names it
		if err != nil || got.Message != "sent to two phones" {
			t.Errorf("got %+v, %v", got, err)
		}
		c := r.post.last(t)
		if c.instance != "mail" || c.Phase != bridge.PhaseTest || c.Title == "" || c.Text == "" || c.Name != "Camera porch" || c.Priority != 3 ||
			c.Attempt != 1 || c.Event.Picture.Seq != 7 || c.Event.Camera != "porch" || c.URL == "" || c.Event.Begin.IsZero() {
			t.Errorf("sent %+v", c)
		}
		if s := r.alerts.Stats().Instances[0]; s.Instance != "mail" || s.Sent != 1 {
			t.Errorf("figures are %+v", s)
		}
	})
}

func TestTestFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := begin(t, "", phones(Route{}))
		for _, tt := range []struct {
			err  error
			code bridge.Code
			text string
		}{
			{bridge.Errorf(bridge.CodeDenied, "the token is wrong"), bridge.CodeDenied, "the token is wrong"},
			{&bridge.RetryError{After: time.Minute, Err: errors.New("the service is overloaded")}, bridge.CodeUnavailable, "the service is overloaded"},
		} {
			r.post.answers(always(tt.err))
			if _, err := r.alerts.Test(t.Context(), "phone"); bridge.CodeOf(err) != tt.code || err.Error() != tt.text {
				t.Errorf("got %v, want %s", err, tt.text)
			}
		}
		time.Sleep(time.Minute)
		if n := len(r.post.told()); n != 2 {
			t.Errorf("%d calls: a test is never repeated", n)
		}
		r.wantFailed()
		if _, err := r.alerts.Test(t.Context(), "elsewhere"); bridge.CodeOf(err) != bridge.CodeNotFound {
			t.Errorf("got %v", err)
		}

		start := time.Now()
		up := r.post.stop("phone")
		if _, err := r.alerts.Test(t.Context(), "phone"); bridge.CodeOf(err) != bridge.CodeUnavailable || err.Error() != "phone is starting again" || time.Since(start) != testWait {
			t.Errorf("after %v: %v", time.Since(start), err)
		}
		up()
		r.end()
		if _, err := r.alerts.Test(t.Context(), "phone"); bridge.CodeOf(err) != bridge.CodeUnavailable {
			t.Errorf("got %v", err)
		}
	})
}

// TestTestWaitsItsTurn: behind the call that is under way, before all that waits,
// and not longer than the person does.
func TestTestWaitsItsTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := begin(t, "", phones(Route{}))
		r.post.answers(func(ctx context.Context, _ string, _ bridge.Alert) (bridge.Receipt, error) {
			select {
			case <-time.After(8 * time.Second):
				return bridge.Receipt{}, nil
			case <-ctx.Done():
				return bridge.Receipt{}, ctx.Err()
			}
		})
		r.hear(happens("porch"), happens("yard"))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := r.alerts.Test(ctx, "phone"); bridge.CodeOf(err) != bridge.CodeTimeout {
			t.Errorf("got %v", err)
		}
		if _, err := r.alerts.Test(t.Context(), "phone"); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Minute)
		r.wantTold("phone begin porch", "phone test porch", "phone begin yard")

		ctx, cancel = context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := r.alerts.Test(ctx, "phone"); err == nil {
			t.Error("the person is gone, and the test goes on")
		}
	})
}
