package httpapi_test

import (
	"bytes"
	"context"
	"encoding/json"
	"image/jpeg"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge"
	"github.com/espcam-bridge/espcam-bridge/bridge/httpapi"
)

func TestCameraJSON(t *testing.T) {
	w := open(t, httpapi.Config{})
	rssi := -61
	w.fleet.change("porch", func(c *bridge.Camera) {
		*c = bridge.Camera{
			ID: "porch", Room: "Room-porch", Name: "Front porch", Dialect: bridge.Native, State: bridge.Online, Connected: true, Enabled: true,
			Address: "192.0.2.9:1234", ConnectedAt: time.Date(2026, 3, 1, 12, 0, 0, 123456789, time.UTC), Source: "bridge.yaml:12",
			Device: bridge.Device{MAC: "aa:bb:cc:dd:ee:ff", Board: "ai-thinker"}, Offer: c.Offer,
			Desired: bridge.Settings{"quality": 12}, Stats: bridge.Stats{RSSI: &rssi},
		}
	})
	w.publish("porch", picture(4000))
	w.hub.Feed("porch").Drop(bridge.DropRate)
	var got map[string]any
	w.get("/api/v1/cameras/porch").decode(t, &got)
	offer := got["capabilities"].(map[string]any)
	if offer["led"] != 255.0 || len(offer["settings"].([]any)) != 4 || len(offer["actions"].([]any)) != 5 {
		t.Errorf("capabilities %v", offer)
	}
	delete(got, "capabilities")
	text, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"address":"192.0.2.9:1234","announced":true,"booted_at":null,"connected":true,"connected_at":"2026-03-01T12:00:00.123Z",` +
		`"device":{"board":"ai-thinker","mac":"aa:bb:cc:dd:ee:ff"},"dialect":"native","enabled":true,"id":"porch","last_frame_at":null,` +
		`"name":"Front porch","room":"Room-porch","settings":{"desired":{"quality":12},"reported":{}},"source":"bridge.yaml:12","state":"online",` +
		`"stats":{"bytes_per_second":0,"device_fps":null,"dropped":{"rate":1},"fps":0,"frame_size":4000,"frames":1,"heap_free":null,` +
		`"psram_free":null,"rssi":-61,"temperature":null,"uptime_s":null,"viewers":0}}`
	if string(text) != want {
		t.Errorf("got\n%s\nwant\n%s", text, want)
	}
	var list struct{ Items []struct{ ID string } }
	w.get("/api/v1/cameras").decode(t, &list)
	if len(list.Items) != 2 || list.Items[0].ID != "porch" {
		t.Errorf("listed %v", list)
	}
}

// TestRediscover brings a camera back that was removed in Home Assistant.
func TestRediscover(t *testing.T) {
	w := open(t, httpapi.Config{Auth: true})
	if err := w.fleet.SetHidden("porch", true); err != nil {
		t.Fatal(err)
	}
	var got struct{ Announced bool }
	w.get("/api/v1/cameras/porch", bearer(adminToken)...).decode(t, &got)
	if got.Announced {
		t.Error("a hidden camera is shown as announced")
	}
	w.ask("POST", "/api/v1/cameras/porch/rediscover", "{}", bearer(adminToken)...).decode(t, &got)
	if c, err := w.fleet.Camera("porch"); err != nil || c.Hidden || !got.Announced {
		t.Errorf("hidden %v, answered %v, %v", c.Hidden, got, err)
	}
}

func TestLimitedTokenSeesItsCameras(t *testing.T) {
	w := open(t, httpapi.Config{Auth: true})
	var list struct{ Items []struct{ ID string } }
	w.get("/api/v1/cameras", bearer(porchToken)...).decode(t, &list)
	if len(list.Items) != 1 || list.Items[0].ID != "porch" {
		t.Errorf("listed %v", list)
	}
	// A camera that exists and one that does not look the same.
	w.get("/api/v1/cameras/yard", bearer(porchToken)...).fails(t, 403, bridge.CodeDenied, `may not see a camera "yard"`)
	w.get("/api/v1/cameras/none", bearer(porchToken)...).fails(t, 403, bridge.CodeDenied, `may not see a camera "none"`)
	w.get("/live/live/Room-yard/mjpeg", bearer(porchToken)...).fails(t, 403, bridge.CodeDenied, "may not see")
	headers := append(strings.Split(upgradeHeaders, "|"), bearer(porchToken)...)
	w.get("/live/ws?room=yard", headers...).fails(t, 403, bridge.CodeDenied, "may not see")
}

func TestPatch(t *testing.T) {
	w := open(t, httpapi.Config{Auth: true})
	patch := func(token, body string) reply {
		return w.ask("PATCH", "/api/v1/cameras/porch", body, bearer(token)...)
	}
	var got struct {
		Name     string
		State    string
		Settings struct{ Desired, Reported bridge.Settings }
	}
	patch(adminToken, `{"name":"Gate","enabled":true,"settings":{"quality":20,"led":0}}`).decode(t, &got)
	if got.Name != "Gate" || got.Settings.Reported["quality"] != 20.0 || got.Settings.Desired["led"] != 0.0 {
		t.Errorf("answered %+v", got)
	}
	patch(operatorToken, `{"settings":{"quality":21}}`).decode(t, &got)
	patch(operatorToken, `{"name":"x"}`).fails(t, 403, bridge.CodeDenied, "to change name needs the role admin")
	patch(operatorToken, `{"enabled":false}`).fails(t, 403, bridge.CodeDenied, "to change enabled needs the role admin")
	patch(adminToken, `{"name":"Changed","settings":{"quality":99}}`).fails(t, 400, bridge.CodeInvalid, "from 4 to 63")
	patch(adminToken, `{"name":"Changed","settings":{"sharpness":1}}`).fails(t, 422, bridge.CodeUnsupported, "no setting")
	if c, _ := w.fleet.Camera("porch"); c.Name != "Gate" {
		t.Errorf("half of a refused change was made: %q", c.Name)
	}
	w.fleet.device = func(context.Context, string) error {
		return bridge.Errorf(bridge.CodeTimeout, "porch did not answer; quality 30 stays desired").At("settings.quality")
	}
	got2 := patch(adminToken, `{"settings":{"quality":30}}`)
	got2.fails(t, 504, bridge.CodeTimeout, "stays desired")
	if _, _, field := got2.fault(); field != "settings.quality" {
		t.Errorf("field %q", field)
	}
	w.fleet.device = func(context.Context, string) error { return io.ErrUnexpectedEOF }
	patch(adminToken, `{"settings":{"quality":30}}`).fails(t, 500, bridge.CodeInternal, "its log says more")
	if !strings.Contains(w.log.String(), "unexpected EOF") {
		t.Error("the log does not say more")
	}
}

func TestBodies(t *testing.T) {
	w := open(t, httpapi.Config{})
	const path = "/api/v1/cameras/porch"
	cases := []struct {
		name, body, kind string
		status           int
		code             bridge.Code
		sentence, field  string
	}{
		{"unknown field", `{"nmae":"x"}`, "", 400, bridge.CodeInvalid, `no field "nmae"`, "nmae"},
		{"wrong type", `{"enabled":"yes"}`, "", 400, bridge.CodeInvalid, "enabled cannot be a JSON string", "enabled"},
		{"not JSON", `hello`, "", 400, bridge.CodeInvalid, "this is not JSON", ""},
		{"cut off", `{"name":`, "", 400, bridge.CodeInvalid, "missing or not complete", ""},
		{"an array", `[1]`, "", 400, bridge.CodeInvalid, "must be a JSON object, not a array", ""},
		{"garbage behind", `{"name":"x"} x`, "", 400, bridge.CodeInvalid, "something after", ""},
		{"two objects", `{}{}`, "", 400, bridge.CodeInvalid, "something after", ""},
		{"too large", `{"name":"` + strings.Repeat("x", 1<<20) + `"}`, "", 413, bridge.CodeTooLarge, "larger than 1048576 bytes", ""},
		{"a form", `name=x`, "application/x-www-form-urlencoded", 415, bridge.CodeInvalid, "Content-Type: application/json", ""},
		{"plain text", `{"name":"x"}`, "text/plain", 415, bridge.CodeInvalid, "Content-Type: application/json", ""},
		{"fleet's fault", `{"name":"` + strings.Repeat("x", 61) + `"}`, "", 400, bridge.CodeInvalid, "longer than 60", "name"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			headers := []string{}
			if c.kind != "" {
				headers = append(headers, "Content-Type: "+c.kind)
			}
			got := w.ask("PATCH", path, c.body, headers...)
			got.fails(t, c.status, c.code, c.sentence)
			if _, _, field := got.fault(); field != c.field {
				t.Errorf("field %q, want %q", field, c.field)
			}
		})
	}
	if got := w.ask("PATCH", path, `{}`, "Content-Type: application/json; charset=utf-8"); got.StatusCode != 200 {
		t.Errorf("JSON with a charset: %s", got.Status)
	}
	w.ask("PATCH", path, "").fails(t, 415, bridge.CodeInvalid, "Content-Type")
}

func TestActionsAndRemoval(t *testing.T) {
	w := open(t, httpapi.Config{})
	if got := w.ask("POST", "/api/v1/cameras/porch/do", `{"action":"restart"}`); string(got.body) != "{\"ok\":true}\n" {
		t.Errorf("answered %s", got.body)
	}
	if len(w.fleet.does) != 1 || w.fleet.does[0] != "porch restart" {
		t.Errorf("done: %v", w.fleet.does)
	}
	w.ask("POST", "/api/v1/cameras/porch/do", `{"action":"explode"}`).fails(t, 400, bridge.CodeInvalid, "no action")
	w.ask("POST", "/api/v1/cameras/porch/do", `{"action":"pan","args":{"angle":1}}`).fails(t, 422, bridge.CodeUnsupported, "cannot pan")
	w.fleet.change("porch", func(c *bridge.Camera) { c.Source = "bridge.yaml:12" })
	w.ask("DELETE", "/api/v1/cameras/porch", "").fails(t, 409, bridge.CodeConflict, "bridge.yaml:12")
	if got := w.ask("DELETE", "/api/v1/cameras/yard", ""); got.StatusCode != 200 {
		t.Errorf("DELETE: %s", got.Status)
	}
	w.get("/api/v1/cameras/yard").fails(t, 404, bridge.CodeNotFound, "no camera")
}

func TestProvisioning(t *testing.T) {
	w := open(t, httpapi.Config{TrustedProxies: loopback})
	var made struct{ Data map[string]string }
	w.ask("POST", "/api/v1/apps/live/ws-ingest", `{"room":"Cellar-1","identity":"esp-7"}`).decode(t, &made)
	want := map[string]string{
		"id": "wsi_k1234567", "streamKey": mintedSecret, "room": "Cellar-1", "identity": "esp-7",
		"wsUrl": "ws://" + w.addr + "/ingest/ws?app=live&room=Cellar-1", "viewerWsUrl": "ws://" + w.addr + "/live/ws?app=live&room=Cellar-1",
		"mjpegUrl": "http://" + w.addr + "/live/live/Cellar-1/mjpeg", "frameUrl": "http://" + w.addr + "/live/live/Cellar-1/frame.jpg",
		"playerUrl": "http://" + w.addr + "/play/live/Cellar-1", "embedUrl": "http://" + w.addr + "/play/live/Cellar-1",
	}
	if len(made.Data) != len(want) {
		t.Errorf("minted %v", made.Data)
	}
	for k, v := range want {
		if made.Data[k] != v {
			t.Errorf("%s is %q, want %q", k, made.Data[k], v)
		}
	}
	w.ask("POST", "/api/v1/apps/live/ws-ingest", `{"room":"Cellar-1"}`, "X-Forwarded-Proto: https", "X-Forwarded-Host: cams.local", "X-Ingress-Path: /x").decode(t, &made)
	if got := made.Data["wsUrl"]; got != "wss://cams.local/x/ingest/ws?app=live&room=Cellar-1" {
		t.Errorf("behind a proxy: %s", got)
	}
	for body, field := range map[string]string{`{"room":"a b"}`: "room", `{}`: "room", `{"room":"a","identity":"ä"}`: "identity", `{"room":"a","key":"x"}`: "key"} {
		got := w.ask("POST", "/api/v1/apps/live/ws-ingest", body)
		got.fails(t, 400, bridge.CodeInvalid, "")
		if _, _, f := got.fault(); f != field {
			t.Errorf("%s: field %q, want %q", body, f, field)
		}
	}
	var list struct{ Data []map[string]any }
	w.get("/api/v1/apps/live/ws-ingest").decode(t, &list)
	if len(list.Data) != 1 || list.Data[0]["streamKey"] != "wsk_k123…" || list.Data[0]["active"] != true || list.Data[0]["id"] != "wsi_k1234567" {
		t.Errorf("listed %v", list.Data)
	}
	w.ask("DELETE", "/api/v1/apps/live/ws-ingest/wsi_nope", "").fails(t, 404, bridge.CodeNotFound, "no key")
	if got := w.ask("DELETE", "/api/v1/apps/live/ws-ingest/wsi_k1234567", ""); string(got.body) != `{"data":{"deleted":true,"id":"wsi_k1234567"}}`+"\n" {
		t.Errorf("revoked: %s %s", got.Status, got.body)
	}
	w.get("/api/v1/apps/other/ws-ingest").fails(t, 404, bridge.CodeNotFound, "no application")
}

func TestLiveInfo(t *testing.T) {
	w := open(t, httpapi.Config{Auth: true}) // public all the same
	info := func(room string) (out struct {
		Data struct {
			Active bool
			Type   *string
			Room   string
			WSURL  string `json:"wsUrl"`
		}
	}) {
		w.get("/api/v1/apps/live/ws-ingest/live/"+room).decode(t, &out)
		return out
	}
	if d := info("Room-porch").Data; !d.Active || d.Type == nil || *d.Type != "ws-mjpeg" || d.WSURL != "ws://"+w.addr+"/live/ws?app=live&room=Room-porch" {
		t.Errorf("a live room: %+v", d)
	}
	if d := info("nowhere").Data; d.Active || d.Type != nil || d.Room != "nowhere" {
		t.Errorf("an unknown room: %+v", d)
	}
	if err := w.fleet.SetEnabled("porch", false); err != nil {
		t.Fatal(err)
	}
	if d := info("Room-porch").Data; d.Active {
		t.Errorf("a room that is switched off: %+v", d)
	}
}

func TestSnapshot(t *testing.T) {
	w := open(t, httpapi.Config{Timing: httpapi.Timing{Fresh: 100 * time.Millisecond}})
	const path = "/live/live/porch/frame.jpg"
	got := w.get(path)
	if img, err := jpeg.Decode(bytes.NewReader(got.body)); err != nil || img.Bounds().Dx() != 640 || img.Bounds().Dy() != 480 {
		t.Errorf("placeholder: %v", err)
	}
	one := picture(4000)
	captured := time.Date(2026, 3, 1, 12, 0, 0, 123456000, time.UTC)
	f := bridge.NewBuffer(one).Frame(len(one), bridge.Frame{Camera: "porch", Received: time.Now(), Captured: captured, Width: 160, Height: 120})
	w.hub.Feed("porch").Publish(f)
	got = w.get(path)
	if !bytes.Equal(got.body, one) || got.ContentLength != int64(len(one)) {
		t.Errorf("%d bytes, length %d", len(got.body), got.ContentLength)
	}
	for k, v := range map[string]string{"Content-Type": "image/jpeg", "X-Timestamp": "1772366400.123456", "X-Camera-State": "online", "Cache-Control": "no-store"} {
		if got.Header.Get(k) != v {
			t.Errorf("%s is %q, want %q", k, got.Header.Get(k), v)
		}
	}
	w.fleet.change("porch", func(c *bridge.Camera) { c.State, c.Connected = bridge.Offline, false })
	if got := w.get(path); got.Header.Get("X-Camera-State") != "offline" || !bytes.Equal(got.body, one) {
		t.Errorf("offline: state %s", got.Header.Get("X-Camera-State"))
	}
}

func TestFreshSnapshot(t *testing.T) {
	w := open(t, httpapi.Config{Timing: httpapi.Timing{Fresh: 150 * time.Millisecond}})
	const path = "/live/live/porch/frame.jpg?max_age=1m"
	w.get(path).fails(t, 503, bridge.CodeUnavailable, "camera porch sent no fresh picture within 150ms; it is online")
	one, two := picture(4000), picture(5000)
	w.publish("porch", one)
	if got := w.get(path); !bytes.Equal(got.body, one) {
		t.Error("a young picture is not taken at once")
	}
	go func() {
		until(t, "somebody waits", func() bool { return w.hub.Feed("porch").Stats().Viewers == 1 })
		w.publish("porch", two)
	}()
	if got := w.get("/live/live/porch/frame.jpg?max_age=1ns"); !bytes.Equal(got.body, two) {
		t.Errorf("not the picture that came meanwhile: %s", got.Status)
	}
	if err := w.fleet.SetEnabled("porch", false); err != nil {
		t.Fatal(err)
	}
	w.get(path).fails(t, 503, bridge.CodeUnavailable, "is switched off")
	if n := w.hub.Feed("porch").Stats().Viewers; n != 0 {
		t.Errorf("%d viewers left", n)
	}
	for _, bad := range []string{"2", "-1s", "soon", "2h", "0s"} {
		w.get("/live/live/porch/frame.jpg?max_age="+bad).fails(t, 400, bridge.CodeInvalid, "a duration such as 2s")
	}
}

func TestScaledSnapshot(t *testing.T) {
	w := open(t, httpapi.Config{})
	w.publish("porch", picture(9000))
	for width, want := range map[string]int{"80": 80, "160": 160, "4096": 160} {
		got := w.get("/live/live/porch/frame.jpg?w=" + width)
		img, err := jpeg.Decode(bytes.NewReader(got.body))
		if err != nil {
			t.Fatal(err)
		}
		if s := img.Bounds().Size(); s.X != want || s.Y != want*3/4 {
			t.Errorf("w=%s: %v", width, s)
		}
	}
	for _, bad := range []string{"0", "15", "5000", "x", "-80", "1e3"} {
		w.get("/live/live/porch/frame.jpg?w="+bad).fails(t, 400, bridge.CodeInvalid, "from 16 to 4096")
	}
	damaged := picture(9000)
	copy(damaged[8500:], bytes.Repeat([]byte{0xFF, 0xD8}, 20))
	w.publish("porch", damaged)
	if got := w.get("/live/live/porch/frame.jpg?w=80"); !bytes.Equal(got.body, damaged) {
		t.Errorf("a picture that cannot be scaled: %s, %d bytes", got.Status, len(got.body))
	}
}

func TestAlias(t *testing.T) {
	w := open(t, httpapi.Config{Auth: true})
	one := picture(4000)
	w.publish("porch", one)
	token := "&token=" + viewerToken
	if got := w.get("/?action=snapshot&camera=porch" + token); !bytes.Equal(got.body, one) {
		t.Errorf("snapshot: %s", got.Status)
	}
	s := w.stream("/?action=stream&camera=porch" + token)
	if !bytes.Equal(s.part(), one) {
		t.Error("stream: another picture")
	}
	w.get("/?action=snapshot&camera=porch").fails(t, 401, bridge.CodeDenied, "needs a token")
	w.get("/?action=explode&camera=porch"+token).fails(t, 400, bridge.CodeInvalid, "action is stream or snapshot")
	w.get("/?action=stream"+token).fails(t, 400, bridge.CodeInvalid, "say which camera")
	w.get("/?action=stream&camera=../../x"+token).fails(t, 400, bridge.CodeInvalid, "say which camera")
	if err := w.fleet.Remove("yard"); err != nil {
		t.Fatal(err)
	}
	if got := w.get("/?action=snapshot" + token); !bytes.Equal(got.body, one) {
		t.Errorf("the only camera need not be named: %s", got.Status)
	}
}

func TestHealthAndMetrics(t *testing.T) {
	var broken error
	mqtt, why := true, ""
	w := open(t, httpapi.Config{Version: "1.2.3"}, func(d *httpapi.Deps) {
		d.Sources = httpapi.Sources{
			Store:   func() error { return broken },
			MQTT:    func() (bool, string) { return mqtt, why },
			Refused: func() map[bridge.Reason]uint64 { return map[bridge.Reason]uint64{bridge.ReasonInvalidKey: 7} },
		}
	})
	if got := w.get("/healthz"); string(got.body) != "ok\n" {
		t.Errorf("healthz: %s %q", got.Status, got.body)
	}
	ready := func(status int, want string) {
		t.Helper()
		if got := w.get("/readyz"); got.StatusCode != status || strings.TrimSpace(string(got.body)) != want {
			t.Errorf("readyz: %s %s, want %d %s", got.Status, got.body, status, want)
		}
	}
	w.fleet.change("yard", func(c *bridge.Camera) { c.State, c.Connected = bridge.Offline, false })
	ready(200, `{"ready":true,"degraded":false,"store":"ok","mqtt":"connected","cameras":{"known":2,"online":1}}`)
	mqtt, why = false, "no broker at home.local:1883"
	ready(200, `{"ready":true,"degraded":true,"store":"ok","mqtt":"no broker at home.local:1883","cameras":{"known":2,"online":1}}`)
	mqtt, why = true, "the broker refuses espcam/+/+/set"
	ready(200, `{"ready":true,"degraded":true,"store":"ok","mqtt":"the broker refuses espcam/+/+/set","cameras":{"known":2,"online":1}}`)
	mqtt, why = false, "no broker at home.local:1883"
	broken = bridge.Errorf(bridge.CodeUnavailable, "disk full")
	ready(503, `{"ready":false,"degraded":true,"store":"disk full","mqtt":"no broker at home.local:1883","cameras":{"known":2,"online":1}}`)

	rssi := -61
	w.fleet.change("porch", func(c *bridge.Camera) { c.Stats.RSSI, c.Reconnects = &rssi, 3 })
	w.publish("porch", picture(4000))
	w.hub.Feed("porch").Drop(bridge.DropRate)
	text := string(w.get("/metrics").body)
	for _, line := range []string{
		`espcam_frames_received_total{camera="porch"} 1`, `espcam_frame_bytes_total{camera="porch"} 4000`,
		`espcam_frames_dropped_total{camera="porch",reason="rate"} 1`, `espcam_frames_dropped_total{camera="yard",reason="viewer_slow"} 0`,
		`espcam_camera_connected{camera="yard"} 0`, `espcam_camera_rssi_dbm{camera="porch"} -61`, `espcam_camera_fps{camera="porch"} 0`,
		`espcam_reconnects_total{camera="porch"} 3`, `espcam_viewers{camera="porch"} 0`, `espcam_mqtt_connected 0`,
		`espcam_handshakes_refused_total{reason="invalid_key"} 7`, `version="1.2.3"} 1`, "espcam_open_streams 0", "go_goroutines", "process_resident_memory_bytes",
	} {
		if !strings.Contains(text, line) {
			t.Errorf("metrics lack %s", line)
		}
	}
	if strings.Contains(text, `camera_rssi_dbm{camera="yard"}`) {
		t.Error("a signal strength that nobody reported")
	}
}

func TestPage(t *testing.T) {
	w := open(t, httpapi.Config{Auth: true})
	got := w.get("/")
	_, rest, ok := strings.Cut(string(got.body), `src="assets/`)
	hash, _, ok2 := strings.Cut(rest, "/app.js")
	if !ok || !ok2 || len(hash) < 8 || got.Header.Get("Cache-Control") != "no-cache" || got.Header.Get("Content-Type") != "text/html; charset=utf-8" {
		t.Fatalf("index: %s %v", got.body, got.Header)
	}
	if again := w.get("/", "If-None-Match: "+got.Header.Get("ETag")); again.StatusCode != 304 {
		t.Errorf("the same index again: %s", again.Status)
	}
	zipped := w.get("/assets/"+hash+"/app.js", "Accept-Encoding: gzip")
	plain := w.get("/assets/"+hash+"/app.js", "Accept-Encoding: gzip;q=0, identity")
	if zipped.Header.Get("Content-Encoding") != "gzip" || plain.Header.Get("Content-Encoding") != "" || len(zipped.body) >= len(plain.body) {
		t.Errorf("%d bytes zipped, %d plain", len(zipped.body), len(plain.body))
	}
	if string(plain.body) != string(pageFiles["app.js"].Data) || plain.Header.Get("Content-Type") != "text/javascript; charset=utf-8" {
		t.Errorf("app.js: %v", plain.Header)
	}
	if c := plain.Header.Get("Cache-Control"); c != "public, max-age=31536000, immutable" {
		t.Errorf("assets are cached %q", c)
	}
	if got := w.get("/assets/" + hash + "/lib/a.js"); got.StatusCode != 200 {
		t.Errorf("a file below: %s", got.Status)
	}
	w.get("/assets/0123456789abcdef/app.js").fails(t, 404, bridge.CodeNotFound, "reload the page")
	w.get("/assets/"+hash+"/nothing.js").fails(t, 404, bridge.CodeNotFound, "there is nothing")
}

func TestPlay(t *testing.T) {
	w := open(t, httpapi.Config{Auth: true})
	w.fleet.change("porch", func(c *bridge.Camera) { c.Name = `<script>alert("x")</script>` })
	got := w.get("/play/live/live-Room-porch?token=" + viewerToken)
	text := string(got.body)
	if got.StatusCode != 200 || strings.Contains(text, "<script>alert") || !strings.Contains(text, `src="../../live/live/porch/mjpeg?early=1&amp;token=`+viewerToken+`"`) {
		t.Errorf("%s: %s", got.Status, text)
	}
	for file, kind := range map[string]string{"play.css": "text/css; charset=utf-8", "play.js": "text/javascript; charset=utf-8", "icon.svg": "image/svg+xml"} {
		if got := w.get("/play/" + file); got.StatusCode != 200 || got.Header.Get("Content-Type") != kind || !strings.Contains(text, "../"+file) {
			t.Errorf("%s: %s %s", file, got.Status, got.Header.Get("Content-Type"))
		}
	}
}

// TestSlowHeaderIsClosed: a client that never ends its headers must not keep
// its connection. The limit itself is net/http's; that it is set is ours.
func TestLimitsOfTheListener(t *testing.T) {
	w := open(t, httpapi.Config{})
	if s := w.http.Config; s.ReadHeaderTimeout != 10*time.Second || s.IdleTimeout == 0 || s.WriteTimeout != 0 {
		t.Errorf("timeouts: header %v, idle %v, write %v", s.ReadHeaderTimeout, s.IdleTimeout, s.WriteTimeout)
	}
	c, err := net.Dial("tcp", w.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: "+w.addr+"\r\nX: "+strings.Repeat("x", 20<<10)+"\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(io.LimitReader(c, 40))
	if err != nil || !strings.Contains(string(answer), " 431 ") {
		t.Errorf("headers of 20 KiB: %q, %v", answer, err)
	}
}
