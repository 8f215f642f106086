package app_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge"
	"github.com/espcam-bridge/espcam-bridge/bridge/config"
)

// The tokens of the test's people and machines.
const (
	adminToken  = "esb_admin-0123456789-0123456789"
	viewerToken = "esb_viewer-0123456789-0123456789"
)

func withTokens(cfg *config.Config) {
	cfg.HTTP.Auth = true
	cfg.HTTP.Tokens = []config.Token{
		{Name: "owner", Token: config.NewSecret(adminToken), Role: bridge.Admin},
		{Name: "nvr", Token: config.NewSecret(viewerToken), Role: bridge.Viewer},
	}
}

// keysOf lists the keys of StreamHub's API by their ids.
func keysOf(t *testing.T, w *world) map[string]map[string]any {
	t.Helper()
	list, ok := at(w.call(http.StatusOK, "GET", "/api/v1/apps/live/ws-ingest", ""), "data").([]any)
	if !ok {
		t.Fatal("the list of keys is no list")
	}
	out := map[string]map[string]any{}
	for _, k := range list {
		out[fmt.Sprint(at(k, "id"))] = k.(map[string]any)
	}
	return out
}

// frontDoor is a world with one provisioned camera.
type frontDoor struct {
	*world
	key, id, wsURL string
}

// TestStreamHubCamera follows a camera with StreamHub's unmodified sketch from
// its key to its end, and looks at it in every way there is.
func TestStreamHubCamera(t *testing.T) {
	t.Parallel()
	cfg := configured(t)
	withTokens(cfg)
	d := &frontDoor{world: start(t, cfg)}
	d.token, d.secrets = adminToken, []string{adminToken, viewerToken}
	mqtt := observe(t, d.mqtt)
	d.mint(t)
	cam := connect(t, d.wsURL, d.key, keyInHeader)
	if ready := cam.welcome(); cam.maxFPS != 15 || !strings.Contains(ready, `"room":"live-Front-Door"`) || !strings.Contains(ready, `"maxFrameBytes":262144`) || !strings.Contains(ready, `"idleTimeoutSec":30`) {
		t.Errorf("ready is %s", ready)
	}
	eventually(t, "the camera is live", func() bool { l := d.lookUp(); return at(l, "active") == true && at(l, "type") == "ws-mjpeg" })
	d.show(t, cam)
	// Stats, as early sketches and as later ones send them.
	cam.stats(-61, -1)
	eventually(t, "the API knows the RSSI", func() bool { return at(d.camera("front-door"), "stats", "rssi") == -61.0 })
	cam.stats(-62, 8)
	mqttShowsStreamHubCamera(t, d.world, mqtt, cam)
	d.revoke(t, cam)
}

// lookUp is StreamHub's question whether somebody is live in a room.
func (d *frontDoor) lookUp() any {
	d.t.Helper()
	return at(d.call(http.StatusOK, "GET", "/api/v1/apps/live/ws-ingest/live/Front-Door", ""), "data")
}

// mint provisions the camera: the key in full once, then never again.
func (d *frontDoor) mint(t *testing.T) {
	t.Helper()
	minted := at(d.call(http.StatusCreated, "POST", "/api/v1/apps/live/ws-ingest", `{"room":"Front-Door","identity":"door-cam"}`), "data")
	d.key, d.id, d.wsURL = fmt.Sprint(at(minted, "streamKey")), fmt.Sprint(at(minted, "id")), fmt.Sprint(at(minted, "wsUrl"))
	d.secrets = append(d.secrets, d.key)
	if !strings.HasPrefix(d.key, "wsk_") || !strings.HasPrefix(d.id, "wsi_") || d.wsURL != "ws://"+d.addr+"/ingest/ws?app=live&room=Front-Door" {
		t.Fatalf("minting answered %v", minted)
	}
	for field, want := range map[string]string{
		"room": "Front-Door", "identity": "door-cam", "viewerWsUrl": "ws://" + d.addr + "/live/ws?app=live&room=Front-Door",
		"mjpegUrl": d.url + "/live/live/Front-Door/mjpeg", "frameUrl": d.url + "/live/live/Front-Door/frame.jpg",
	} {
		if got := at(minted, field); got != want {
			t.Errorf("%s is %v, want %s", field, got, want)
		}
	}
	if k := keysOf(t, d.world)[d.id]; k["room"] != "Front-Door" || k["active"] != false || k["streamKey"] == d.key || !strings.HasPrefix(fmt.Sprint(k["streamKey"]), d.key[:8]) {
		t.Errorf("the list has %v", k)
	}
	if l := d.lookUp(); at(l, "active") != false || at(l, "type") != nil {
		t.Errorf("before the camera came, live says %v", l)
	}
}

// show lets pictures through to all kinds of viewers: every size that libraries
// write in a way of their own, the limit, and a message in pieces.
func (d *frontDoor) show(t *testing.T, cam *sketch) {
	t.Helper()
	page := openPage(t, d.world)
	page.send(`{"type":"subscribe","camera":"Front-Door","channel":7}`)
	viewers := map[string]viewer{
		"a machine's MJPEG":                 openMachine(t, d.world, "/live/live/Front-Door/mjpeg?token="+viewerToken),
		"MJPEG by the alias of old cameras": openMachine(t, d.world, "/?action=stream&camera=front-door&token="+viewerToken),
		"a browser's MJPEG":                 openBrowser(t, d.world, "/live/live/front-door/mjpeg?token="+viewerToken),
		"MJPEG with early=1":                &browser{stream: openStream(t, d.world, "/live/live/live-Front-Door/mjpeg?early=1&token="+viewerToken, "Accept: */*")},
		"StreamHub's viewer":                rawSocket{dialSocket(t, d.world, "/live/ws?app=live&room=Front-Door")},
		"the page":                          page,
	}
	for name, v := range viewers {
		showsPlaceholder(t, name, v)
	}
	if _, state := d.picture("front-door"); state != "online" {
		t.Errorf("frame.jpg of a camera without a picture says %s", state)
	}
	sent := [][]byte(nil)
	for i, size := range []int{1100, 1399, 1400, 65534, 65535, 65536, 200_000, 262_144} {
		pic := picture(t, i, size)
		if sent = append(sent, pic); size == 200_000 {
			cam.sendPieces(pic, 1024)
		} else {
			cam.send(pic)
		}
		for name, v := range viewers {
			shows(t, fmt.Sprintf("%s after %d bytes", name, size), v, pic, sent[:i]...)
		}
		if got, state := d.picture("Front-Door"); string(got) != string(pic) || state != "online" {
			t.Errorf("frame.jpg has %d bytes and says %s", len(got), state)
		}
	}
}

// revoke ends the key, and with it the connection within a second.
func (d *frontDoor) revoke(t *testing.T, cam *sketch) {
	t.Helper()
	began := time.Now()
	gone := d.call(http.StatusOK, "DELETE", "/api/v1/apps/live/ws-ingest/"+d.id, "")
	if at(gone, "data", "deleted") != true || at(gone, "data", "id") != d.id {
		t.Errorf("revoking answered %v", gone)
	}
	cam.wantClosed(4401, `{"type":"error","code":"4401","message":"key_revoked"}`)
	if took := time.Since(began); took > time.Second {
		t.Errorf("the socket of a revoked key was closed after %v", took)
	}
	connect(t, d.wsURL, d.key, keyInHeader).wantClosed(4401, `{"type":"error","code":"4401","message":"invalid_key"}`)
	if k, ok := keysOf(t, d.world)[d.id]; ok {
		t.Errorf("a revoked key is still listed: %v", k)
	}
	eventually(t, "nobody is live", func() bool { return at(d.lookUp(), "active") == false })
}

// mqttShowsStreamHubCamera: a camera without control has its entities, states,
// figures and snapshots, and no more.
func mqttShowsStreamHubCamera(t *testing.T, w *world, mqtt *observer, cam *sketch) {
	const topic = "espcam/front-door/"
	var parts map[string]any
	eventually(t, "the camera is announced, with the signal that it told", func() bool {
		parts, _ = at(mqtt.json("homeassistant/device/espcam_front-door/config"), "components").(map[string]any)
		return parts["rssi"] != nil
	})
	for _, key := range []string{"camera", "connection", "snapshot", "max_fps", "rssi", "fps", "ip"} {
		if fmt.Sprint(at(parts, key, "unique_id")) != "espcam_front-door_"+key {
			t.Errorf("component %s is %v", key, parts[key])
		}
	}
	for _, key := range []string{"flash", "resolution", "jpeg_quality", "restart", "identify"} {
		if parts[key] != nil {
			t.Errorf("a camera that takes no commands is announced with %s", key)
		}
	}
	if mqtt.json("homeassistant/device/espcam_bridge/config") == nil {
		t.Error("the bridge itself is not announced")
	}
	mqtt.wants("espcam/bridge/state", "online")
	mqtt.wants(topic+"availability", "online")
	mqtt.wants(topic+"max_fps", "15")
	eventually(t, "the telemetry has the signal", func() bool { return mqtt.json(topic + "telemetry")["rssi"] != nil })

	pic := picture(t, 99, 5000)
	mqtt.publish(topic+"snapshot/set", "PRESS")
	cam.send(pic)
	mqtt.wants(topic+"image", string(pic))
	mqtt.publish(topic+"max_fps/set", "5")
	mqtt.wants(topic+"max_fps", "5")
	if got := at(w.camera("front-door"), "settings", "desired", "fps"); got != 5.0 {
		t.Errorf("the API says that fps is %v", got)
	}
	mqtt.publish(topic+"jpeg_quality/set", "12")
	eventually(t, "what a camera cannot do is refused", func() bool { return mqtt.json(topic + "error")["code"] == "unsupported" })
}

// TestStreamHubKeyInURL: the library's own Origin comes with a key in the URL;
// app and room may be missing, the key says it all.
func TestStreamHubKeyInURL(t *testing.T) {
	t.Parallel()
	w := start(t, configured(t))
	key, wsURL := w.provision("yard")
	short, _, _ := strings.Cut(wsURL, "?")
	for i, u := range []string{wsURL, short + "?x=1"} {
		cam := connect(t, u, key, keyInQuery)
		cam.welcome()
		pic := picture(t, i, 2000)
		cam.send(pic)
		eventually(t, "the picture is there", func() bool { got, _ := w.picture("yard"); return string(got) == string(pic) })
		cam.alive()
	}
}

// TestRefusedCameras: each gets the upgrade first, then its own words and code.
func TestRefusedCameras(t *testing.T) {
	t.Parallel()
	w := start(t, configured(t))
	key, wsURL := w.provision("yard")
	w.provision("porch")
	with := func(old, new string) string { return strings.Replace(wsURL, old, new, 1) }
	for name, tt := range map[string]struct{ url, key, message string }{
		"wrong key":     {wsURL, "wsk_aaaaaa_" + strings.Repeat("a", 52), "invalid_key"},
		"no key":        {wsURL, "", "invalid_key"},
		"endless key":   {wsURL, "wsk_" + strings.Repeat("a", 5000), "invalid_key"},
		"unknown app":   {with("app=live", "app=other"), key, "unknown_app"},
		"app is none":   {with("app=live", "app=.."), key, "invalid_app"},
		"room is none":  {with("room=yard", "room=%2e%2e%2f"), key, "invalid_room"},
		"room too long": {with("room=yard", "room="+strings.Repeat("a", 65)), key, "invalid_room"},
		"another room":  {with("room=yard", "room=porch"), key, "room_mismatch"},
	} {
		t.Run(name, func(t *testing.T) {
			connect(t, tt.url, tt.key, keyInHeader).wantClosed(4401, `{"type":"error","code":"4401","message":"`+tt.message+`"}`)
		})
	}
	good := connect(t, wsURL, key, keyInHeader)
	good.welcome()
	good.alive()
}
