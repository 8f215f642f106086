package app_test

import (
	"context"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge"
	"github.com/espcam-bridge/espcam-bridge/bridge/fakecam"
)

// porch is a world with one native camera, and somebody at each of its doors.
type porch struct {
	*world
	cam  *fakecam.Camera
	kill func() // takes the camera's power away
	key  string
	mqtt *observer
	page *pageSocket
}

func openPorch(t *testing.T, cfg fakecam.Config) *porch {
	t.Helper()
	p := &porch{world: start(t, configured(t))}
	p.key, _ = p.provision("porch")
	p.mqtt, p.page = observe(t, p.world.mqtt), openPage(t, p.world)
	p.plug(cfg)
	return p
}

// plug gives the camera power and waits until everybody knows what it can do.
func (p *porch) plug(cfg fakecam.Config) {
	p.t.Helper()
	cfg.Key, cfg.Retry = p.key, 20*time.Millisecond
	p.cam, p.kill = play(p.t, p.world, cfg)
	p.seen("its hello", func(c map[string]any) bool { return c["dialect"] == "native" && c["connected"] == true })
	p.mqtt.wants("espcam/porch/availability", "online")
	eventually(p.t, "pictures come", func() bool { pic, _ := p.picture("porch"); return !isPlaceholder(pic) })
}

// seen waits until API and page both say so of the camera.
func (p *porch) seen(what string, holds func(map[string]any) bool) {
	p.t.Helper()
	eventually(p.t, "the API and the page say: "+what, func() bool {
		c := p.page.camera("porch")
		return c != nil && holds(c) && holds(p.camera("porch"))
	})
}

// inForce waits until the device itself, API, page and MQTT agree on a setting.
func (p *porch) inForce(name string, want any, topic, payload string) {
	p.t.Helper()
	eventually(p.t, fmt.Sprintf("the camera has %s %v", name, want), func() bool { return p.cam.Report().Settings[name] == want })
	p.seen(fmt.Sprintf("%s is %v", name, want), func(c map[string]any) bool {
		return fmt.Sprint(at(c, "settings", "reported", name)) == fmt.Sprint(want)
	})
	p.mqtt.wants("espcam/porch/"+topic, payload)
}

// TestOfferIsTheSameEverywhere: what the camera said of itself is what the API,
// the page's socket and MQTT offer, no more and no less.
func TestOfferIsTheSameEverywhere(t *testing.T) {
	t.Parallel()
	for name, caps := range map[string]*bridge.Capabilities{
		"everything":    nil, // with Full
		"nothing":       {},
		"a light":       {LED: 1, FrameSizes: []string{"QVGA", "VGA"}},
		"a dim light":   {LED: 100, Settings: map[string]bridge.Limit{"vflip": {}, "special_effect": {Options: []string{"None", "Sepia"}}}},
		"narrow ranges": {Settings: map[string]bridge.Limit{"brightness": {Range: &bridge.Range{-1, 1}}, "label": {}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := openPorch(t, fakecam.Config{Caps: caps, Full: caps == nil})
			offer := p.camera("porch")["capabilities"]
			want := map[string]string{ // the bridge's own: every camera has them
				"motion_detection": "switch", "motion_sensitivity": "number 1 100",
				"enabled": "switch", "snapshot_interval": "number 0 3600",
			}
			for _, s := range at(offer, "settings").([]any) {
				if topic := mqttName(s.(map[string]any)["name"].(string)); topic != "" {
					want[topic] = limits(s.(map[string]any))
				}
			}
			for _, a := range at(offer, "actions").([]any) {
				if slices.Contains([]string{"snapshot", "restart", "identify"}, a.(string)) {
					want[a.(string)] = "button"
				}
				if span, ok := at(offer, a.(string)).([]any); ok { // pan and tilt
					want[a.(string)] = fmt.Sprint("number ", span[0], " ", span[1])
				}
			}
			eventually(t, "MQTT offers the same", func() bool { return reflect.DeepEqual(p.announced(), want) })
			if got := p.page.camera("porch")["capabilities"]; !reflect.DeepEqual(got, offer) {
				t.Errorf("the page is offered\n%v\nthe API\n%v", got, offer)
			}
			if info := p.mqtt.json("espcam/porch/info"); !reflect.DeepEqual(info["capabilities"], offer) {
				t.Errorf("T/info says\n%v\nthe API\n%v", info["capabilities"], offer)
			}
		})
	}
}

func mqttName(setting string) string {
	for _, p := range bridge.Properties() {
		if p.Name == setting {
			return p.Topic
		}
	}
	return ""
}

// limits is what the API says that a setting accepts, as MQTT would say it.
func limits(s map[string]any) string {
	switch {
	case s["name"] == "led" && s["max"] == 1.0:
		return "switch"
	case s["name"] == "led":
		return fmt.Sprint("light [brightness] ", s["max"])
	case s["type"] == "choice":
		// To Home Assistant, None is no option.
		return strings.ReplaceAll(fmt.Sprint("select ", s["options"]), "None", "Normal")
	case s["type"] == "bool":
		return "switch"
	}
	return fmt.Sprint(s["type"], " ", s["min"], " ", s["max"])
}

// announced is what the camera's document lets people change.
func (p *porch) announced() map[string]string {
	out := map[string]string{}
	parts, _ := at(p.mqtt.json("homeassistant/device/espcam_porch/config"), "components").(map[string]any)
	for key, part := range parts {
		part := part.(map[string]any)
		switch kind := part["platform"]; {
		case part["command_topic"] == nil:
		case kind == "light":
			out[key] = fmt.Sprint("light ", part["supported_color_modes"], " ", part["brightness_scale"])
		case kind == "select":
			out[key] = fmt.Sprint("select ", part["options"])
		case kind == "number", kind == "text":
			out[key] = fmt.Sprint(kind, " ", part["min"], " ", part["max"])
		default:
			out[key] = fmt.Sprint(kind)
		}
	}
	return out
}

// TestControlFromEverywhere: each way to change a setting ends at the device,
// whose answer everybody hears.
func TestControlFromEverywhere(t *testing.T) {
	t.Parallel()
	p := openPorch(t, fakecam.Config{})

	p.mqtt.publish("espcam/porch/jpeg_quality/set", "30")
	p.inForce("quality", 30, "jpeg_quality", "30")
	p.mqtt.publish("espcam/porch/flash/set", `{"state":"ON","brightness":77}`)
	p.inForce("led", 77, "flash", `{"brightness":77,"color_mode":"brightness","state":"ON"}`)
	p.mqtt.publish("espcam/porch/set", `{"mirror":"ON","contrast":-2}`)
	p.inForce("hmirror", true, "mirror", "ON")
	p.inForce("contrast", -2, "contrast", "-2")

	c := p.call(http.StatusOK, "PATCH", "/api/v1/cameras/porch", `{"name":"Front porch","settings":{"label":"Hello","quality":20}}`)
	if at(c, "settings", "reported", "label") != "Hello" || c["name"] != "Front porch" || p.cam.Report().Settings["quality"] != 20 {
		t.Errorf("PATCH answered %v; in force is %v", c["settings"], p.cam.Report().Settings)
	}
	p.inForce("label", "Hello", "label", "Hello")
	p.inForce("quality", 20, "jpeg_quality", "20")

	r := p.page.ask("1", `{"type":"set","id":"1","camera":"porch","settings":{"framesize":"QVGA","fps":7}}`)
	if r["ok"] != true || at(r, "camera", "settings", "reported", "framesize") != "QVGA" || p.cam.Report().Settings["fps"] != 7 {
		t.Errorf("the page was answered %v", r)
	}
	p.inForce("framesize", "QVGA", "resolution", "QVGA")
	p.inForce("fps", 7, "max_fps", "7")

	// A change on the device itself.
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := p.cam.Change(ctx, bridge.Settings{"vflip": true, "brightness": 1}); err != nil {
		t.Fatal(err)
	}
	p.inForce("vflip", true, "flip", "ON")
	p.inForce("brightness", 1, "brightness", "1")

	// Refusals: in words, and the state as it is told again.
	before := time.Now()
	p.mqtt.publish("espcam/porch/jpeg_quality/set", "64")
	eventually(t, "the wrong value is refused", func() bool {
		e := p.mqtt.json("espcam/porch/error")
		return e["property"] == "jpeg_quality" && e["code"] == "invalid" && strings.Contains(fmt.Sprint(e["reason"]), "4 to 63")
	})
	eventually(t, "the true state is told again", func() bool { return len(p.mqtt.since(before, "espcam/porch/jpeg_quality")) > 0 })
	p.mqtt.wants("espcam/porch/jpeg_quality", "20")
	if r := p.page.ask("2", `{"type":"set","id":"2","camera":"porch","settings":{"quality":64}}`); r["ok"] != false || at(r, "error", "field") != "settings.quality" {
		t.Errorf("the page was answered %v", r)
	}
	if e := p.call(http.StatusBadRequest, "PATCH", "/api/v1/cameras/porch", `{"settings":{"quality":64}}`); at(e, "error", "field") != "settings.quality" {
		t.Errorf("PATCH answered %v", e)
	}
	if got := p.cam.Report().Settings["quality"]; got != 20 {
		t.Errorf("after refusals the camera has quality %v", got)
	}
}

// TestRestart: a camera that was told to restart forgets its settings, comes
// back, and is told them again.
func TestRestart(t *testing.T) {
	t.Parallel()
	p := openPorch(t, fakecam.Config{})
	p.call(http.StatusOK, "PATCH", "/api/v1/cameras/porch", `{"settings":{"quality":33}}`)
	for i, restart := range []func(){
		func() { p.call(http.StatusOK, "POST", "/api/v1/cameras/porch/do", `{"action":"restart"}`) },
		func() { p.mqtt.publish("espcam/porch/restart/set", "PRESS") },
		func() { p.page.ask("r", `{"type":"do","id":"r","camera":"porch","action":"restart"}`) },
	} {
		restart()
		eventually(t, "the camera restarts", func() bool { return p.cam.Report().Boots == i+1 })
		p.inForce("quality", 33, "jpeg_quality", "33")
	}
	p.seen("two came after the first", func(c map[string]any) bool { return c["connected"] == true && at(c, "device", "reset") == "software" })
	if n := len(p.mqtt.since(time.Time{}, "espcam/porch/availability")); n != 1 {
		t.Errorf("restarts changed the availability: it was told %d times", n)
	}
}

// TestWishesOutliveEverything: what is asked of a camera that is away is kept,
// over a restart of the bridge too, and comes into force when it returns.
func TestWishesOutliveEverything(t *testing.T) {
	t.Parallel()
	cfg := configured(t)
	w := start(t, cfg)
	p := &porch{world: w}
	p.key, _ = w.provision("porch")
	p.mqtt, p.page = observe(t, w.mqtt), openPage(t, w)
	p.plug(fakecam.Config{})
	offer := p.camera("porch")["capabilities"]
	p.kill()
	p.seen("not connected", func(c map[string]any) bool { return c["connected"] == false })

	e := p.ask("PATCH", "/api/v1/cameras/porch", `{"name":"Porch in the rain","settings":{"quality":44,"label":"rain"}}`)
	if e.status != http.StatusGatewayTimeout || e.code() != "timeout" || !strings.Contains(string(e.body), "label, quality") {
		t.Errorf("PATCH of an absent camera: %d %s", e.status, e.body)
	}
	if e := p.ask("POST", "/api/v1/cameras/porch/do", `{"action":"restart"}`); e.status != http.StatusServiceUnavailable {
		t.Errorf("an action of an absent camera: %d %s", e.status, e.body)
	}
	w.stop()

	p.world = start(t, cfg)
	p.mqtt, p.page = observe(t, p.world.mqtt), openPage(t, p.world)
	c := p.camera("porch")
	if c["name"] != "Porch in the rain" || c["state"] != "offline" || at(c, "settings", "desired", "quality") != 44.0 || !reflect.DeepEqual(c["capabilities"], offer) {
		t.Errorf("after a restart of the bridge the camera is %v", c)
	}
	eventually(t, "the absent camera is announced as it was", func() bool { return p.announced()["flash"] == "light [brightness] 255" })
	p.mqtt.wants("espcam/porch/availability", "offline")
	p.plug(fakecam.Config{})
	p.inForce("quality", 44, "jpeg_quality", "44")
	p.inForce("label", "rain", "label", "rain")
}

// TestCameraIsSwitchedOff: from then on nobody sees a picture, and afterwards
// everybody does again.
func TestCameraIsSwitchedOff(t *testing.T) {
	t.Parallel()
	p := openPorch(t, fakecam.Config{})
	p.page.send(`{"type":"subscribe","camera":"porch","channel":1}`)
	viewers := map[string]viewer{
		"MJPEG": openMachine(t, p.world, "/live/live/porch/mjpeg"), "a browser's MJPEG": openBrowser(t, p.world, "/live/live/porch/mjpeg"), "the page": p.page,
	}
	for name, v := range viewers {
		if _, err := v.picture(); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	p.call(http.StatusOK, "PATCH", "/api/v1/cameras/porch", `{"enabled":false}`)
	off := time.Now()
	if pic, state := p.picture("porch"); !isPlaceholder(pic) || state != "disabled" {
		t.Errorf("frame.jpg says %s and shows %d bytes", state, len(pic))
	}
	if r := p.ask("GET", "/live/live/porch/frame.jpg?max_age=1s", ""); r.status != http.StatusServiceUnavailable {
		t.Errorf("a fresh picture of it: %d", r.status)
	}
	for name, v := range viewers {
		if showsPlaceholder(t, name, v); time.Since(off) > 4*time.Second { // a picture that stays is repeated after 5 s
			t.Errorf("%s showed the camera for %v after it was switched off", name, time.Since(off))
		}
	}
	p.seen("disabled", func(c map[string]any) bool { return c["state"] == "disabled" && c["enabled"] == false })
	p.mqtt.wants("espcam/porch/availability", "offline")
	eventually(t, "the camera is told to send nothing", func() bool { return p.cam.Report().Settings["stream"] == false })
	frames := at(p.camera("porch"), "stats", "frames")
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := p.cam.SendPicture(ctx, picture(t, 1, 3000)); err != nil {
		t.Fatal(err)
	}
	eventually(t, "its picture is thrown away", func() bool { return at(p.camera("porch"), "stats", "dropped", "disabled") != nil })
	if got := at(p.camera("porch"), "stats", "frames"); got != frames {
		t.Errorf("%v frames were taken, before it was switched off %v", got, frames)
	}

	p.call(http.StatusOK, "PATCH", "/api/v1/cameras/porch", `{"enabled":true}`)
	for name, v := range viewers {
		eventually(t, name+" shows pictures again", func() bool {
			pic, err := v.picture()
			if err != nil {
				t.Fatal(err)
			}
			return !isPlaceholder(pic)
		})
	}
	p.inForce("quality", 12, "availability", "online")
}

// TestKilledCamera: one that returns at once was never away; one that does not is
// offline after 6 s, everywhere.
func TestKilledCamera(t *testing.T) {
	t.Parallel()
	p := openPorch(t, fakecam.Config{})
	mjpeg := openMachine(t, p.world, "/live/live/porch/mjpeg")
	p.page.send(`{"type":"subscribe","camera":"porch","channel":1}`)
	start, frames := time.Now(), p.cam.Report().Frames
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := p.cam.HangUp(ctx); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it dials again and streams", func() bool { r := p.cam.Report(); return r.Connections == 2 && r.Frames > frames })
	p.seen("a reconnect", func(c map[string]any) bool { return c["connected"] == true && c["state"] == "online" })
	p.kill()
	killed := time.Now()
	p.seen("not connected, but still online", func(c map[string]any) bool { return c["connected"] == false && c["state"] == "online" })
	p.mqtt.wants("espcam/porch/availability", "offline")
	told := p.mqtt.since(start, "espcam/porch/availability")
	if after := told[0].at.Sub(killed); len(told) != 1 || after < 5500*time.Millisecond || after > 9*time.Second {
		t.Errorf("the availability was told %d times, after %v; want once, after 6 s", len(told), after)
	}
	p.seen("offline", func(c map[string]any) bool { return c["state"] == "offline" })
	showsPlaceholder(t, "the page", p.page)
	showsPlaceholder(t, "MJPEG", mjpeg)
	if pic, state := p.picture("porch"); isPlaceholder(pic) || state != "offline" {
		t.Errorf("frame.jpg says %s; its last picture must stay", state)
	}
}

// TestTwoCamerasWithOneKey: the newest wins; when they go on pushing each other
// out, the one that is there stays, and people are told.
func TestTwoCamerasWithOneKey(t *testing.T) {
	t.Parallel()
	w := start(t, configured(t))
	page := openPage(t, w)
	key, wsURL := w.provision("yard")
	join := func(number int) *sketch {
		cam := connect(t, wsURL, key, keyInHeader)
		cam.welcome()
		pic := picture(t, number, 3000)
		cam.send(pic)
		eventually(t, "its picture is there", func() bool { got, _ := w.picture("yard"); return string(got) == string(pic) })
		return cam
	}
	const replaced = `{"type":"error","code":"4409","message":"replaced"}`
	holder := join(0)
	for i := range 3 {
		next := join(i + 1)
		holder.wantClosed(4409, replaced)
		holder = next
	}
	connect(t, wsURL, key, keyInHeader).wantClosed(4409, replaced)
	eventually(t, "people are told", func() bool { return page.noticed("used by two cameras") })
	pic := picture(t, 9, 3000)
	holder.send(pic)
	eventually(t, "the older one goes on", func() bool { got, _ := w.picture("yard"); return string(got) == string(pic) })
	if c := w.camera("yard"); at(c, "stats", "frames") != 5.0 || c["state"] != "online" {
		t.Errorf("the camera is %v", c)
	}
}
