package httpapi_test

import (
	"errors"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/espcam-bridge/espcam-bridge/bridge"
	"github.com/espcam-bridge/espcam-bridge/bridge/httpapi"
)

// TestTroublesReachThePage: what degrades the bridge is told to pages of the whole
// bridge when it begins, changes and ends.
func TestTroublesReachThePage(t *testing.T) {
	var why, full atomic.Value
	why.Store("the MQTT broker refuses us")
	full.Store("")
	w := open(t, httpapi.Config{Auth: true}, func(d *httpapi.Deps) {
		d.Sources = httpapi.Sources{
			MQTT: func() (bool, string) { return false, why.Load().(string) },
			Events: func() error {
				if s := full.Load().(string); s != "" {
					return errors.New(s)
				}
				return nil
			},
		}
	})
	p, m := w.tab(bearer(viewerToken)...)
	limited, less := w.tab(bearer(porchToken)...)
	if fmt.Sprint(m.Troubles, less.Troubles) != "[{mqtt the MQTT broker refuses us}] []" {
		t.Errorf("welcomed with %v, and a page for one camera with %v", m.Troubles, less.Troubles)
	}
	for _, next := range []struct{ why, full, want string }{
		{"it refuses us still", "", "[{mqtt it refuses us still}]"},
		{"it refuses us still", "the disk is full", "[{mqtt it refuses us still} {events the disk is full}]"},
		{"", "", "[]"},
	} {
		full.Store(next.full)
		why.Store(next.why)
		if got := fmt.Sprint(p.await("health").Troubles); got != next.want {
			// Both at once may be told one after the other.
			if got = fmt.Sprint(p.await("health").Troubles); got != next.want {
				t.Errorf("told %s, want %s", got, next.want)
			}
		}
	}
	w.fleet.notify(bridge.Notice{Camera: "porch", Code: bridge.CodeBusy, Message: "the last"})
	for m := limited.text(); m.Type != "notice"; m = limited.text() {
		if m.Type == "health" {
			t.Errorf("a page for one camera was told %v", m.Troubles)
		}
	}
}
