package app_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge/app"
	"github.com/espcam-bridge/espcam-bridge/bridge/fakecam"
)

// TestPermitJoin: a board with a key of its own comes in while that is permitted,
// and only then; afterwards it is a camera like all others.
func TestPermitJoin(t *testing.T) {
	t.Parallel()
	w := start(t, configured(t))
	mqtt := observe(t, w.mqtt)
	mqtt.wants("espcam/bridge/permit_join", "OFF")
	key := "wsk_" + strings.Repeat("myOwnKey", 4)
	w.secrets = append(w.secrets, key)
	cam, _ := play(t, w, fakecam.Config{Key: key, App: "live", Room: "Garage", FPS: 5, Retry: 20 * time.Millisecond})
	eventually(t, "it is refused", func() bool { return cam.Report().CloseCode == 4401 })
	if r := w.ask("GET", "/api/v1/cameras/garage", ""); r.status != http.StatusNotFound {
		t.Errorf("it is known: %d", r.status)
	}
	page := openPage(t, w)
	mqtt.publish("espcam/bridge/request/permit_join", `{"value":true,"time":60,"transaction":1}`)
	mqtt.wants("espcam/bridge/permit_join", "ON")
	mqtt.wants("espcam/garage/availability", "online")
	if c := w.camera("garage"); c["name"] != "Garage" || c["announced"] != true {
		t.Errorf("%v", c)
	}
	eventually(t, "the page knows it", func() bool { return page.camera("garage") != nil })
	mqtt.publish("espcam/bridge/permit_join/set", "OFF")
	mqtt.wants("espcam/bridge/permit_join", "OFF")
	stranger, _ := play(t, w, fakecam.Config{Key: key + "2", App: "live", Room: "Attic", FPS: 5})
	eventually(t, "the next one is refused", func() bool { return stranger.Report().CloseCode == 4401 })
	if err := cam.HangUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the first comes back", func() bool { return cam.Report().Connections == 2 })
}

// TestRemovedInHomeAssistant: a deleted device stays away, and the page's button
// brings it back.
func TestRemovedInHomeAssistant(t *testing.T) {
	t.Parallel()
	p := openPorch(t, fakecam.Config{})
	const document = "homeassistant/device/espcam_porch/config"
	for range 39 {
		p.mqtt.client.Publish(document, 0, true, "")
	}
	p.seen("it is not announced", func(c map[string]any) bool { return c["announced"] == false })
	eventually(t, "nothing of it is retained", func() bool { return p.mqtt.state("espcam/porch/availability") == "" })
	p.mqtt.publish("homeassistant/status", "online")
	p.mqtt.publish("espcam/porch/jpeg_quality/set", "30")
	eventually(t, "it still obeys", func() bool { return p.cam.Report().Settings["quality"] == 30 })
	if s := p.mqtt.state(document); s != "" {
		t.Errorf("announced all the same: %.100s", s)
	}
	p.call(http.StatusOK, "POST", "/api/v1/cameras/porch/rediscover", "{}")
	p.seen("it is announced", func(c map[string]any) bool { return c["announced"] == true })
	eventually(t, "the document is back", func() bool { return p.mqtt.json(document) != nil })
	p.mqtt.wants("espcam/porch/jpeg_quality", "30")
}

// TestPanOverMQTT: whoever turns the camera, everybody knows where it looks.
func TestPanOverMQTT(t *testing.T) {
	t.Parallel()
	p := openPorch(t, fakecam.Config{})
	p.mqtt.wants("espcam/porch/pan", "None")
	p.mqtt.publish("espcam/porch/pan/set", "120")
	p.mqtt.wants("espcam/porch/pan", "120")
	p.call(http.StatusOK, "POST", "/api/v1/cameras/porch/do", `{"action":"tilt","args":{"angle":60}}`)
	p.mqtt.wants("espcam/porch/tilt", "60")
	p.mqtt.publish("espcam/porch/drive/set", `{"x":0.5,"y":1}`)
	eventually(t, "it drives", func() bool {
		return strings.Contains(fmt.Sprint(p.cam.Report().Commands), "drive map[ttl_ms:600 x:0.5 y:1]")
	})
}

// TestRestartAndLogLevel: what the program itself is told over MQTT.
func TestRestartAndLogLevel(t *testing.T) {
	t.Parallel()
	address := elsewhere(t)
	cfg := configured(t)
	cfg.MQTT.Broker = "mqtt://" + address
	level := &slog.LevelVar{}
	a, err := app.New(t.Context(), cfg, app.Options{Version: "1", Log: slog.New(slog.DiscardHandler), Level: level, Supervised: true})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() { ended <- a.Run(ctx) }()
	mqtt := observe(t, address)
	mqtt.wants("espcam/bridge/log_level", "info")
	mqtt.publish("espcam/bridge/log_level/set", "error")
	mqtt.wants("espcam/bridge/log_level", "error")
	if level.Level() != slog.LevelError {
		t.Errorf("the level is %v", level.Level())
	}
	mqtt.publish("espcam/bridge/request/restart", `{"transaction":"r"}`)
	select {
	case err := <-ended:
		if !errors.Is(err, app.ErrRestart) {
			t.Errorf("it ended with %v", err)
		}
	case <-time.After(patience):
		t.Fatal("it does not end")
	}
	if r := mqtt.json("espcam/bridge/response/restart"); r["status"] != "ok" || r["transaction"] != "r" {
		t.Errorf("answered %v", r)
	}
	mqtt.wants("espcam/bridge/state", "offline")
}

// TestPrivacyOverMQTT: a camera that is switched off in Home Assistant is told to
// send nothing, also when it comes back, until it is switched on.
func TestPrivacyOverMQTT(t *testing.T) {
	t.Parallel()
	p := openPorch(t, fakecam.Config{})
	sends := func(want bool) {
		t.Helper()
		eventually(t, fmt.Sprintf("the camera has stream %v", want), func() bool { return p.cam.Report().Settings["stream"] == want })
	}
	p.mqtt.publish("espcam/porch/enabled/set", "OFF")
	p.mqtt.wants("espcam/porch/enabled", "OFF")
	p.mqtt.wants("espcam/porch/availability", "offline")
	sends(false)
	if pic, _ := p.picture("porch"); !isPlaceholder(pic) {
		t.Error("a picture is shown")
	}
	p.kill()
	p.cam, p.kill = play(t, p.world, fakecam.Config{Key: p.key, Seed: 1})
	sends(false)
	p.mqtt.publish("espcam/porch/snapshot/set", "PRESS")
	eventually(t, "a snapshot is refused", func() bool {
		return strings.Contains(fmt.Sprint(p.mqtt.json("espcam/porch/error")["reason"]), "switched off")
	})
	p.mqtt.publish("espcam/porch/enabled/set", "ON")
	p.mqtt.wants("espcam/porch/enabled", "ON")
	sends(true)
	eventually(t, "pictures come", func() bool { pic, _ := p.picture("porch"); return !isPlaceholder(pic) })
}
