//go:build linux

package pluginhost

import (
	"bytes"
	"errors"
	"image"
	"image/color"
	"image/jpeg"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge"
)

// picture is a frame of porch.
func picture(width, height int) bridge.Frame {
	m := image.NewRGBA(image.Rect(0, 0, width, height))
	for y := range height {
		for x := range width {
			m.Set(x, y, color.RGBA{uint8(x * y), uint8(x), uint8(y), 255})
		}
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, m, nil); err != nil {
		panic(err)
	}
	return bridge.NewBuffer(b.Bytes()).Frame(b.Len(), bridge.Frame{Camera: "porch", Received: time.Now(), Width: width, Height: height})
}

func TestAnInstanceComesUpAndNotifies(t *testing.T) {
	r := newRig(t)
	r.install("roles=notifier")
	r.add(Instance{Name: "phone", Settings: map[string]any{"topic": "cats", "token": "s3cret-token"}, Source: "bridge.yaml:7"})
	r.start()
	begin := time.Now()
	if err := r.Await(t.Context(), "phone"); err != nil {
		t.Fatal(err)
	}
	t.Logf("start to Ready: %v", time.Since(begin))
	p := r.plugin("phone")
	if p.State != bridge.PluginReady || p.Version != "1.2.0" || p.Type != "evil" || len(p.Roles) != 1 || p.Roles[0] != "notifier" ||
		len(p.Fields) != 4 || string(p.Settings) != `{"priority":3,"topic":"cats"}` || strings.Join(p.Secrets, ",") != "token" ||
		len(p.Permissions) != 4 || p.Started.IsZero() || p.Source != "bridge.yaml:7" || p.Restarts != 0 || p.Problem != "" {
		t.Errorf("it is shown as %+v", p)
	}
	got, err := r.tell("hello")
	if err != nil || got.Handle != "h1" || !strings.HasPrefix(got.Message, "PHASE_BEGIN Porch Motion ") {
		t.Errorf("the receipt is %+v, %v", got, err)
	}
	if err := r.Check(t.Context(), "phone"); err != nil {
		t.Error(err)
	}
	var later *bridge.RetryError
	if _, err := r.tell("retry"); !errors.As(err, &later) || later.After != 1500*time.Millisecond || !strings.Contains(err.Error(), "phone: later; [redacted]") {
		t.Errorf("later is %v", err)
	}
	if _, err := r.tell("reject"); bridge.CodeOf(err) != bridge.CodeDenied || !strings.Contains(err.Error(), "phone: never; [redacted]") {
		t.Errorf("never is %v", err)
	}
	if _, err := r.tell("error"); !errors.As(err, &later) || strings.Contains(err.Error(), "s3cret") {
		t.Errorf("an error of the call is %v", err)
	}
	if _, err := r.Notify(t.Context(), "fone", bridge.Alert{}); bridge.CodeOf(err) != bridge.CodeNotFound || !strings.Contains(err.Error(), "did you mean phone?") {
		t.Errorf("another instance: %v", err)
	}
	pid := r.pid()
	r.stop()
	if p := r.plugin("phone"); p.State != bridge.PluginStopped || !p.Started.IsZero() {
		t.Errorf("after the end it is %+v", p)
	}
	if syscall.Kill(pid, 0) == nil {
		t.Error("its process is still there")
	}
	if _, err := r.tell("hello"); bridge.CodeOf(err) != bridge.CodeUnavailable {
		t.Errorf("after the end: %v", err)
	}
}
