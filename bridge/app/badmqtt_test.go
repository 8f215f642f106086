package app_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge/broker"
	"github.com/espcam-bridge/espcam-bridge/bridge/fakecam"
)

// elsewhere is a broker that is not part of the bridge, and lives longer.
func elsewhere(t *testing.T) (address string) {
	t.Helper()
	b, err := broker.New(broker.Config{Listen: "127.0.0.1:0"}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- b.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return b.Addr()
}

// TestBadCommands: an MQTT message that is no good command is answered in words
// or ignored, and no camera is told anything.
func TestBadCommands(t *testing.T) {
	t.Parallel()
	h := openHealthy(t, nil)
	key, _ := h.provision("porch")
	cam, _ := play(t, h.world, fakecam.Config{Key: key, FPS: 5})
	mqtt := observe(t, h.mqtt)
	mqtt.wants("espcam/porch/jpeg_quality", "12")

	long := strings.Repeat("9", 5000)
	for _, tt := range []struct{ topic, payload, property, code, words string }{
		{"porch/jpeg_quality/set", "good", "jpeg_quality", "invalid", "4 to 63"},
		{"porch/jpeg_quality/set", "3", "jpeg_quality", "invalid", "4 to 63"},
		{"porch/jpeg_quality/set", "12.5", "jpeg_quality", "invalid", "4 to 63"},
		{"porch/jpeg_quality/set", "NaN", "jpeg_quality", "invalid", "4 to 63"},
		{"porch/jpeg_quality/set", "1e99", "jpeg_quality", "invalid", "4 to 63"},
		{"porch/jpeg_quality/set", "\xff\xfe", "jpeg_quality", "invalid", "UTF-8"},
		{"porch/jpeg_quality/set", long, "jpeg_quality", "too_large", "4096"},
		{"porch/resolution/set", "HUGE", "resolution", "invalid", "QVGA"},
		{"porch/mirror/set", "perhaps", "mirror", "invalid", "ON or OFF"},
		{"porch/flash/set", `{"state":"ON","brightness":999}`, "flash", "invalid", "255"},
		{"porch/flash/set", `{"state":`, "flash", "invalid", "ON"},
		{"porch/label/set", strings.Repeat("x", 33), "label", "invalid", "32"},
		{"porch/restart/set", "RESTART", "restart", "invalid", "PRESS"},
		{"porch/colour/set", "red", "colour", "unsupported", "colour"},
		{"porch/set", "12", "", "invalid", "JSON object"},
		{"porch/set", `{"colour":"red"}`, "colour", "unsupported", "colour"},
		{"porch/set", `{"restart":"PRESS"}`, "restart", "invalid", "no setting"},
		{"healthy/restart/set", "PRESS", "restart", "unsupported", "restart"},
	} {
		camera, _, _ := strings.Cut(tt.topic, "/")
		before := time.Now()
		mqtt.publish("espcam/"+tt.topic, tt.payload)
		eventually(t, fmt.Sprintf("%s %.30q is refused with %s, %q", tt.topic, tt.payload, tt.code, tt.words), func() bool {
			e := mqtt.json("espcam/" + camera + "/error")
			return len(mqtt.since(before, "espcam/"+camera+"/error")) > 0 && e["property"] == tt.property && e["code"] == tt.code &&
				strings.Contains(fmt.Sprint(e["reason"]), tt.words)
		})
	}
	errors := len(mqtt.since(time.Time{}, "espcam/porch/error"))
	for topic, payload := range map[string]string{
		"porch/jpeg_quality/set":             "",
		"nobody/jpeg_quality/set":            "12",
		"porch/jpeg_quality/more/set":        "12",
		strings.Repeat("a", 300) + "/on/set": "ON",
		"bridge/restart/set":                 "PRESS",
		"bridge/set":                         "{}",
		"/set":                               "12",
		"PORCH/jpeg_quality/set":             "12",
	} {
		mqtt.publish("espcam/"+topic, payload)
	}
	for _, garbage := range []string{"GET / HTTP/1.1\r\n\r\n", "\x10\xff\xff\xff\x7f", "\x10\x0c\x00\x04MQTT\x09\x02\x00\x3c\x00\x00", strings.Repeat("\x00", 1000)} {
		if _, took := tell(t, h.mqtt, garbage); took > 15*time.Second {
			t.Errorf("the broker kept a connection that said %.10q for %v", garbage, took)
		}
	}
	mqtt.publish("espcam/porch/label/set", "Still here")
	mqtt.wants("espcam/porch/label", "Still here")
	if r := cam.Report(); r.Obeyed != 1 || r.Boots != 0 {
		t.Errorf("the camera obeyed %d commands: %v", r.Obeyed, r.Commands)
	}
	if got := len(mqtt.since(time.Time{}, "espcam/porch/error")); got != errors {
		t.Errorf("what is ignored was answered: %s", mqtt.state("espcam/porch/error"))
	}
	h.check(t)
}

// TestRetainedCommand: a command that somebody left on the broker is not obeyed,
// however often the bridge comes back, and is cleared away.
func TestRetainedCommand(t *testing.T) {
	t.Parallel()
	address := elsewhere(t)
	mqtt := observe(t, address)
	mqtt.put("espcam/porch/restart/set", "PRESS", true)
	mqtt.put("espcam/porch/jpeg_quality/set", "63", true)
	cfg := configured(t)
	cfg.MQTT.Broker = "mqtt://" + address
	w := start(t, cfg)
	p := &porch{world: w, mqtt: mqtt, page: openPage(t, w)}
	p.key, _ = w.provision("porch")
	p.plug(fakecam.Config{})
	mqtt.wants("espcam/porch/restart/set", "")
	mqtt.wants("espcam/porch/jpeg_quality/set", "")
	p.inForce("quality", 12, "jpeg_quality", "12")
	if r := p.cam.Report(); r.Obeyed != 0 {
		t.Errorf("the camera obeyed %v", r.Commands)
	}
	p.mqtt.publish("espcam/porch/jpeg_quality/set", "40")
	p.inForce("quality", 40, "jpeg_quality", "40")
}

// TestGoodbye: a bridge that is stopped says so to everybody, soon.
func TestGoodbye(t *testing.T) {
	t.Parallel()
	address := elsewhere(t)
	mqtt := observe(t, address)
	cfg := configured(t)
	cfg.MQTT.Broker = "mqtt://" + address
	w := start(t, cfg)
	key, wsURL := w.provision("yard")
	cam := connect(t, wsURL, key, keyInHeader)
	cam.welcome()
	cam.send(picture(t, 1, 3000))
	page, mjpeg := openPage(t, w), openMachine(t, w, "/live/live/yard/mjpeg")
	mqtt.wants("espcam/yard/availability", "online")
	mqtt.wants("espcam/bridge/state", "online")
	began := time.Now()
	w.stop()
	if took := time.Since(began); took > 4*time.Second {
		t.Errorf("the bridge took %v to stop", took)
	}
	mqtt.wants("espcam/bridge/state", "offline")
	if got := mqtt.state("espcam/yard/availability"); got != "online" {
		t.Errorf("the bridge that stopped says that the camera is %s: it cannot know", got)
	}
	cam.wantClosed(1000, "")
	<-page.over
	if page.ended == nil || !strings.Contains(page.ended.Error(), "1001") {
		t.Errorf("the page was told %v, want 1001", page.ended)
	}
	for {
		if _, err := mjpeg.picture(); err != nil {
			break
		}
	}
}

// TestRemovedCamera: everything that there was of a camera is gone with it, and
// its name may be given again.
func TestRemovedCamera(t *testing.T) {
	t.Parallel()
	w := start(t, configured(t))
	key, wsURL := w.provision("yard")
	mqtt, page := observe(t, w.mqtt), openPage(t, w)
	cam := connect(t, wsURL, key, keyInHeader)
	cam.welcome()
	cam.send(picture(t, 1, 3000))
	mjpeg, socket := openMachine(t, w, "/live/live/yard/mjpeg"), rawSocket{dialSocket(t, w, "/live/ws?app=live&room=yard")}
	mqtt.wants("espcam/yard/availability", "online")

	w.call(http.StatusOK, "DELETE", "/api/v1/cameras/yard", "")
	cam.wantClosed(4403, `{"type":"error","code":"4403","message":"removed"}`)
	for name, v := range map[string]viewer{"MJPEG": mjpeg, "StreamHub's viewer": socket} {
		eventually(t, name+" ends", func() bool { _, err := v.picture(); return err != nil })
	}
	eventually(t, "the page is told", func() bool { return page.camera("yard") == nil })
	if r := w.ask("GET", "/live/live/yard/frame.jpg", ""); r.status != http.StatusNotFound {
		t.Errorf("its picture: %d", r.status)
	}
	if keys := keysOf(t, w); len(keys) != 0 {
		t.Errorf("its keys are still there: %v", keys)
	}
	connect(t, wsURL, key, keyInHeader).wantClosed(4401, `{"type":"error","code":"4401","message":"invalid_key"}`)
	eventually(t, "nothing of it is left on MQTT", func() bool {
		left := slices.DeleteFunc(mqtt.topics("espcam/yard/"), func(topic string) bool { return topic == "espcam/yard/image" }) // is not retained
		return len(left) == 0 && mqtt.state("homeassistant/device/espcam_yard/config") == ""
	})

	key, wsURL = w.provision("yard")
	again := connect(t, wsURL, key, keyInHeader)
	again.welcome()
	pic := picture(t, 2, 3000)
	again.send(pic)
	eventually(t, "a new camera may have the name", func() bool { got, _ := w.picture("yard"); return string(got) == string(pic) })
	mqtt.wants("espcam/yard/availability", "online")
}
