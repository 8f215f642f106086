package mqtt_test

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"

	"github.com/espcam-bridge/espcam-bridge/bridge"
	"github.com/espcam-bridge/espcam-bridge/bridge/mqtt/fakeha"
)

// TestSuite runs every case against real Mosquitto and the broker in the
// program.
func TestSuite(t *testing.T) {
	cases := map[string]func(*rig){
		"announce":           announce,
		"order":              order,
		"telemetry":          telemetry,
		"pictures":           pictures,
		"commands":           commands,
		"refused commands":   refused,
		"ignored commands":   ignored,
		"many at once":       many,
		"bridge commands":    bridgeCommands,
		"requests":           requests,
		"intervals":          intervals,
		"last error":         lastError,
		"deletion":           deletion,
		"privacy":            privacy,
		"flood":              flood,
		"rename":             rename,
		"capabilities":       capabilities,
		"removal":            removal,
		"removal and return": removalAndReturn,
		"first seen":         firstSeen,
		"switched off":       switchedOff,
		"motion":             motion,
		"quick motion":       quickMotion,
		"motion off":         motionSwitchedOff,
		"motion away":        motionAway,
		"motion restarts":    motionRestarts,
		"lost motion":        lostMotion,
		"notices":            notices,
		"sweep":              sweep,
		"sweep elsewhere":    sweepElsewhere,
		"ha restarts":        haRestarts,
		"broker restarts":    brokerRestarts,
		"broker forgets":     brokerForgets,
		"bridge restarts":    bridgeRestarts,
		"bridge dies":        bridgeDies,
		"broker comes late":  brokerComesLate,
		"stale will":         staleWill,
		"second bridge":      secondBridge,
		"dead rival":         deadRival,
		"copied directory":   copiedDirectory,
		"same moment":        sameMoment,
		"plugins":            pluginsRun,
		"plugin states":      pluginStates,
		"plugins left":       pluginsLeft,
		"without plugins":    withoutPlugins,
	}
	t.Parallel()
	for name, start := range brokers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, c := range slices.Sorted(maps.Keys(cases)) {
				t.Run(c, func(t *testing.T) {
					t.Parallel()
					cases[c](newRig(t, start(t)))
				})
			}
		})
	}
}

func announce(r *rig) {
	_, ha := r.home(porch(), yard())
	devices := []fakeha.Device{{ID: "espcam_bridge", Name: "espcam-bridge home"}, {ID: "espcam_porch", Name: "Front porch"}, {ID: "espcam_yard", Name: "Yard"}}
	if got := ha.Devices(); !slices.Equal(got, devices) {
		r.Errorf("devices %v, want %v", got, devices)
	}
	want := map[string]string{
		"espcam_bridge_connection": "on", "espcam_bridge_version": "0.1.0", "espcam_bridge_last_boot": "2026-11-21T12:00:00Z",
		"espcam_bridge_cameras_online": "2", "espcam_bridge_cameras_total": "2", "espcam_bridge_viewers": "2", "espcam_bridge_rediscover": "unknown",
		"espcam_bridge_throughput": "123.5", "espcam_bridge_memory": "", "espcam_bridge_goroutines": "", "espcam_bridge_last_error": "unknown",
		"espcam_bridge_permit_join": "off", "espcam_bridge_update": "off 0.1.0",
		"espcam_porch_enabled": "on", "espcam_porch_snapshot_interval": "0", "espcam_porch_pan": "unknown", "espcam_porch_tilt": "unknown",
		"espcam_porch_firmware": "off 1.4.2", "espcam_yard_enabled": "on", "espcam_yard_snapshot_interval": "0",
		"espcam_porch_camera": "unknown", "espcam_porch_connection": "on", "espcam_porch_flash": "off",
		"espcam_porch_resolution": "SVGA", "espcam_porch_jpeg_quality": "12", "espcam_porch_max_fps": "10",
		"espcam_porch_brightness": "0", "espcam_porch_contrast": "1", "espcam_porch_saturation": "-1",
		"espcam_porch_mirror": "on", "espcam_porch_flip": "off", "espcam_porch_special_effect": "Normal",
		"espcam_porch_white_balance": "Auto", "espcam_porch_label": `""`,
		"espcam_porch_snapshot": "unknown", "espcam_porch_restart": "unknown", "espcam_porch_identify": "unknown",
		"espcam_porch_rssi": "-61", "espcam_porch_fps": "10", "espcam_porch_bitrate": "123.5", "espcam_porch_viewers": "2",
		"espcam_porch_ip": "192.0.2.7", "espcam_porch_last_boot": "2026-01-02T03:04:05Z", "espcam_porch_frame_size": "20.5",
		"espcam_porch_heap": "41", "espcam_porch_psram": "4194", "espcam_porch_temperature": "49",
		"espcam_porch_dropped": "3", "espcam_porch_reconnects": "0",
		"espcam_porch_motion": "off", "espcam_porch_motion_detection": "on", "espcam_porch_motion_sensitivity": "50",
		"espcam_porch_event": "unknown", "espcam_porch_motion_image": "unknown", "espcam_porch_last_motion": "unknown",
		"espcam_yard_motion": "off", "espcam_yard_motion_detection": "on", "espcam_yard_motion_sensitivity": "50",
		"espcam_yard_event": "unknown", "espcam_yard_motion_image": "unknown", "espcam_yard_last_motion": "unknown",
		"espcam_yard_camera": "unknown", "espcam_yard_connection": "on", "espcam_yard_max_fps": "15", "espcam_yard_snapshot": "unknown",
		"espcam_yard_fps": "0", "espcam_yard_bitrate": "0", "espcam_yard_viewers": "0", "espcam_yard_ip": "192.0.2.8",
		"espcam_yard_frame_size": "0", "espcam_yard_dropped": "0", "espcam_yard_reconnects": "0",
	}
	for unique, state := range want {
		if state == "" { // some number
			r.await(unique+" is known", func() bool { return ha.Entity(unique).State != fakeha.Unknown })
			continue
		}
		r.is(ha, unique, state)
	}
	for _, e := range ha.Entities() {
		if _, ok := want[e.UniqueID]; !ok {
			r.Errorf("unexpected entity %s", e.UniqueID)
		}
	}
	if e := ha.Entity("espcam_porch_brightness"); !e.Disabled || ha.Entity("espcam_porch_flash").Disabled {
		r.Error("brightness must be disabled by default, the flash not")
	}
	checkTopics(r, ha)
}

// checkTopics looks at what the broker keeps: every state topic has spoken, and
// nothing is kept that nobody reads.
func checkTopics(r *rig, ha *fakeha.HA) {
	r.Helper()
	kept := r.retained()
	read := map[string]bool{"espcam/bridge/info": true, "espcam/porch/info": true, "espcam/yard/info": true}
	commands := map[string]bool{}
	for _, e := range ha.Entities() {
		commands[e.CommandTopic] = true
		if topic, ok := e.Config["state_topic"].(string); ok {
			read[topic] = true
			if kept[topic] == "" && e.Platform != "event" && e.Key != "last_motion" && e.Key != "last_error" { // nothing has moved yet
				r.Errorf("%s: nothing is kept on %s", e.UniqueID, topic)
			}
		}
	}
	for topic := range kept {
		if strings.HasPrefix(topic, "espcam/") && !read[topic] && !strings.HasSuffix(topic, "/availability") {
			r.Errorf("nobody reads %s", topic)
		}
		if commands[topic] {
			r.Errorf("the command topic %s is kept", topic)
		}
	}
	var info map[string]any
	if err := json.Unmarshal([]byte(kept["espcam/porch/info"]), &info); err != nil {
		r.Fatal(err)
	}
	if info["stream"] != "/live/live/porch/mjpeg" || info["snapshot"] != "/live/live/porch/frame.jpg" || info["mac"] != "a0:b1:c2:d3:e4:f5" {
		r.Errorf("info %v", info)
	}
}

// order is that of the reference: what came later must find what came before.
func order(r *rig) {
	r.broker.start(r.T)
	all := r.anyone("#")
	r.bridge(r.config(), newMemory(), newFleet(porch(), yard()))
	r.await("the bridge is online", func() bool { return slices.Contains(all.heard("espcam/bridge/state"), "online") })
	all.mu.Lock()
	defer all.mu.Unlock()
	at := func(topic string) int {
		i := slices.IndexFunc(all.messages, func(m paho.Message) bool { return m.Topic() == topic })
		if i < 0 {
			r.Errorf("nothing on %s", topic)
		}
		return i
	}
	sequences := [][]string{{
		"espcam/bridge/info", "homeassistant/device/espcam_bridge/config", "homeassistant/device/espcam_porch/config", "homeassistant/device/espcam_yard/config",
		"espcam/porch/enabled", "espcam/porch/jpeg_quality", "espcam/porch/motion", "espcam/porch/motion_sensitivity",
		"espcam/porch/availability", "espcam/yard/availability", "espcam/bridge/state",
	}, { // without acknowledgement, so they may overtake the others on their way from the broker
		"espcam/porch/telemetry", "espcam/yard/telemetry", "espcam/bridge/stats",
	}}
	for _, sequence := range sequences {
		for i := range sequence[1:] {
			if at(sequence[i]) > at(sequence[i+1]) {
				r.Errorf("%s came before %s", sequence[i+1], sequence[i])
			}
		}
	}
}

func telemetry(r *rig) {
	b, ha := r.home(porch())
	all := r.anyone("espcam/porch/telemetry")
	r.await("the retained value came", func() bool { return len(all.heard("espcam/porch/telemetry")) == 1 })
	b.fleet.change("porch", func(c *bridge.Camera) { c.Stats.FPS = 9 })
	r.is(ha, "espcam_porch_fps", "9") // some seconds after its arrival
	r.await("that value came", func() bool { return len(all.heard("espcam/porch/telemetry")) == 2 })

	// What changes all the time waits for its minute, and so does a boot time
	// that only jitters.
	for i := range 20 {
		b.fleet.change("porch", func(c *bridge.Camera) {
			c.Stats.FPS, c.Stats.RSSI = float64(i), ptr(-40-i)
			c.BootedAt = c.BootedAt.Add(time.Duration(i%3-1) * 2 * time.Second)
		})
	}
	b.fleet.change("porch", func(c *bridge.Camera) { c.Reported = c.Reported.With(bridge.Settings{"quality": 30}) })
	r.is(ha, "espcam_porch_jpeg_quality", "30")
	if got := all.heard("espcam/porch/telemetry"); len(got) != 2 {
		r.Errorf("figures were published before their time: %v", got)
	}
	r.pass(61 * time.Second)
	r.is(ha, "espcam_porch_fps", "19")
	r.is(ha, "espcam_porch_rssi", "-59")
	r.is(ha, "espcam_porch_last_boot", "2026-01-02T03:04:05Z")

	// What changes seldom is told at once.
	b.fleet.change("porch", func(c *bridge.Camera) { c.Stats.Viewers = 5 })
	r.is(ha, "espcam_porch_viewers", "5")
	b.fleet.change("porch", func(c *bridge.Camera) { c.BootedAt = c.BootedAt.Add(time.Hour) })
	r.is(ha, "espcam_porch_last_boot", "2026-01-02T04:04:03Z")

	// Offline: availability, and figures that are unknown rather than missing.
	b.fleet.change("porch", func(c *bridge.Camera) {
		c.State, c.Connected = bridge.Offline, false
		c.Stats = bridge.Stats{}
	})
	r.await("porch is offline", func() bool { return !ha.Entity("espcam_porch_fps").Available })
	r.is(ha, "espcam_porch_connection", "off")
	r.is(ha, "espcam_bridge_cameras_online", "0")
	r.is(ha, "espcam_bridge_cameras_total", "1")
	if e := ha.Entity("espcam_porch_rssi"); e.Platform == "" || e.State != fakeha.Unknown {
		r.Errorf("signal strength of a camera that is away: %+v", e)
	}
	b.fleet.change("porch", func(c *bridge.Camera) { c.State, c.Connected = bridge.Online, true })
	r.is(ha, "espcam_bridge_cameras_online", "1")
	r.await("porch is back", func() bool { return ha.Entity("espcam_porch_fps").Available })
}

func pictures(r *rig) {
	r.broker.start(r.T)
	ha := r.homeAssistant()
	f := newFleet(porch(), yard())
	f.shoot("porch", "first")
	cfg := r.config()
	cfg.Preview = 10 * time.Second
	b := r.bridge(cfg, newMemory(), f)
	picture := func(id, want string) {
		r.Helper()
		r.await(id+" shows "+want, func() bool { return string(ha.Entity("espcam_"+id+"_camera").Picture) == want })
	}
	picture("porch", "first")
	r.step = 0 // time passes only where this test says so
	r.settle(b)
	r.clock.advance(20 * time.Second)
	r.settle(b)
	f.shoot("porch", "second")
	f.shoot("yard", "first of yard")
	all := r.anyone("espcam/+/image")
	r.clock.advance(9 * time.Second)
	f.change("porch", func(c *bridge.Camera) { c.Reported = c.Reported.With(bridge.Settings{"quality": 13}) })
	r.is(ha, "espcam_porch_jpeg_quality", "13")
	r.settle(b)
	if len(all.heard("espcam/porch/image")) > 0 {
		r.Error("a picture before its time")
	}
	r.clock.advance(time.Second)
	picture("porch", "second")
	picture("yard", "first of yard")

	ha.Operate("espcam_porch_snapshot", "PRESS")
	picture("porch", "snapshot of porch")
	if got := f.actions(); !slices.Equal(got, []string{"porch snapshot"}) {
		r.Errorf("actions %v", got)
	}
	// After a restart Home Assistant has no picture: each online camera sends one.
	if err := ha.Restart(); err != nil {
		r.Fatal(err)
	}
	r.await("entities are back", func() bool { return ha.Entity("espcam_yard_camera").Platform != "" })
	ha.Birth()
	r.step = 100 * time.Millisecond
	picture("porch", "snapshot of porch")
	picture("yard", "first of yard")
	if kept := r.retained(); kept["espcam/porch/image"] != "" {
		r.Error("a picture is kept")
	}
}

func commands(r *rig) {
	b, ha := r.home(porch())
	tests := []struct{ key, send, state string }{
		{"flash", `{"state":"ON","brightness":128}`, "on 128"},
		{"flash", `{"state":"OFF"}`, "off"},
		{"flash", `{"state":"ON"}`, "on 128"},
		{"flash", `OFF`, "off"},
		{"resolution", "VGA", "VGA"},
		{"jpeg_quality", "20", "20"},
		{"jpeg_quality", "21.0", "21"},
		{"max_fps", "5", "5"},
		{"brightness", "-2", "-2"},
		{"contrast", "2", "2"},
		{"saturation", "0", "0"},
		{"mirror", "OFF", "off"},
		{"mirror", "on", "on"},
		{"mirror", "0", "off"},
		{"flip", "true", "on"},
		{"special_effect", "Sepia", "Sepia"},
		{"special_effect", "Normal", "Normal"},
		{"white_balance", "Sunny", "Sunny"},
		{"snapshot_interval", "30", "30"},
		{"snapshot_interval", "2.0", "2"},
		{"snapshot_interval", "0", "0"},
		{"pan", "90", "90"},
		{"tilt", "45", "45"},
		{"pan", "0", "0"},
		{"motion_detection", "OFF", "off"},
		{"motion_detection", "ON", "on"},
		{"motion_sensitivity", "80", "80"},
		{"motion_sensitivity", "1.0", "1"},
		{"motion_sensitivity", "high", "75"},
		{"label", "Grüße <b>&", `"Grüße <b>&"`},
		{"label", "", `""`},
		{"label", `{"text":1}`, `"{\"text\":1}"`},
	}
	for _, tt := range tests {
		if !ha.Operate("espcam_porch_"+tt.key, tt.send) {
			r.Errorf("%s cannot be operated", tt.key)
		}
		r.is(ha, "espcam_porch_"+tt.key, tt.state)
	}
	if got := b.fleet.settings(); !slices.Contains(got, "porch map[special_effect:None]") {
		r.Errorf("Normal must reach the camera as None: %v", got)
	}
	for _, key := range []string{"restart", "identify"} {
		ha.Operate("espcam_porch_"+key, "PRESS")
		r.await(key, func() bool { return slices.Contains(b.fleet.actions(), "porch "+key) })
	}
	ha.Publish("espcam/porch/drive/set", `{"x": 0.5, "y": -1, "ttl_ms": 200}`, false)
	r.await("drives", func() bool { return slices.Contains(b.fleet.actions(), "porch drive map[ttl_ms:200 x:0.5 y:-1]") })
	for _, want := range []string{"porch pan map[angle:90]", "porch tilt map[angle:45]"} {
		if got := b.fleet.actions(); !slices.Contains(got, want) {
			r.Errorf("no %s in %v", want, got)
		}
	}
	ha.Publish("espcam/porch/set", `{"snapshot_interval": 5, "jpeg_quality": 33, "mirror": "ON", "flash": {"state": "ON", "brightness": 7}, "label": "both"}`, false)
	r.is(ha, "espcam_porch_jpeg_quality", "33")
	r.is(ha, "espcam_porch_mirror", "on")
	r.is(ha, "espcam_porch_flash", "on 7")
	r.is(ha, "espcam_porch_label", `"both"`)
	ha.Operate("espcam_bridge_rediscover", "PRESS")
	ha.Publish("espcam/porch/set", `{"motion_detection": false, "motion_sensitivity": 30, "jpeg_quality": 34}`, false)
	r.is(ha, "espcam_porch_motion_detection", "off")
	r.is(ha, "espcam_porch_motion_sensitivity", "30")
	r.is(ha, "espcam_porch_jpeg_quality", "34")
	r.is(ha, "espcam_porch_snapshot_interval", "5")
	// All of the table and two with many settings, three actions, one of the bridge.
	r.await("all are counted", func() bool { return b.Status().Commands == uint64(len(tests))+6 })
	if n := b.Status().Ignored; n != 0 {
		r.Errorf("%d ignored", n)
	}
}

// failure is what T/error says.
type failure struct{ Property, Value, Reason, Code, Time string }

func (a *anyone) failures(topic string) []failure {
	a.rig.Helper()
	var list []failure
	for _, text := range a.heard(topic) {
		var f failure
		if err := json.Unmarshal([]byte(text), &f); err != nil {
			a.rig.Fatal(err)
		}
		list = append(list, f)
	}
	return list
}

func refused(r *rig) {
	b, ha := r.home(porch(), yard())
	all := r.anyone("espcam/#")
	tests := []struct {
		topic, send string
		property    string
		code        bridge.Code
		say         string
		echo        string // topic and value that are published again
	}{
		{"porch/jpeg_quality", "99", "jpeg_quality", bridge.CodeInvalid, "it must be from 4 to 63", "jpeg_quality 12"},
		{"porch/jpeg_quality", "12.5", "jpeg_quality", bridge.CodeInvalid, "whole number from 4 to 63", "jpeg_quality 12"},
		{"porch/jpeg_quality", "NaN", "jpeg_quality", bridge.CodeInvalid, "whole number", "jpeg_quality 12"},
		{"porch/max_fps", "16", "max_fps", bridge.CodeInvalid, "from 1 to 15", "max_fps 10"},
		{"porch/resolution", "HUGE", "resolution", bridge.CodeInvalid, "this camera has QVGA, VGA, SVGA", "resolution SVGA"},
		{"porch/mirror", "perhaps", "mirror", bridge.CodeInvalid, "ON or OFF", "mirror ON"},
		{"porch/flash", `{"state":"ON","brightness":300}`, "flash", bridge.CodeInvalid, "1 to 255", `flash {"state":"OFF"}`},
		{"porch/flash", `{"state":`, "flash", bridge.CodeInvalid, "1 to 255", `flash {"state":"OFF"}`},
		{"porch/label", strings.Repeat("ä", 33), "label", bridge.CodeInvalid, "longer than 32", "label  "},
		{"porch/special_effect", "Normall", "special_effect", bridge.CodeInvalid, "special_effect is", "special_effect Normal"},
		{"porch/brightness", strings.Repeat("1", 5000), "brightness", bridge.CodeTooLarge, "at most 4096 bytes", "brightness 0"},
		{"porch/brightness", "\xff\xfe", "brightness", bridge.CodeInvalid, "UTF-8", "brightness 0"},
		{"porch/motion_sensitivity", "101", "motion_sensitivity", bridge.CodeInvalid, "motion.sensitivity must be low, medium, high or a whole number from 1 to 100, not 101", "motion_sensitivity 50"},
		{"porch/motion_sensitivity", "12.5", "motion_sensitivity", bridge.CodeInvalid, "from 1 to 100, not 12.5", "motion_sensitivity 50"},
		{"porch/motion_detection", "perhaps", "motion_detection", bridge.CodeInvalid, "motion.enabled takes true or false, not \"perhaps\"", "motion_detection ON"},
		{"porch", `{"motion_sensitivity":0}`, "motion_sensitivity", bridge.CodeInvalid, "from 1 to 100, not 0", "motion_sensitivity 50"},
		{"porch/enabled", "perhaps", "enabled", bridge.CodeInvalid, "enabled takes ON or OFF", "enabled ON"},
		{"porch/snapshot_interval", "1", "snapshot_interval", bridge.CodeInvalid, "0 or a whole number of seconds from 2 to 3600", "snapshot_interval 0"},
		{"porch/snapshot_interval", "3601", "snapshot_interval", bridge.CodeInvalid, "from 2 to 3600", "snapshot_interval 0"},
		{"porch/snapshot_interval", "soon", "snapshot_interval", bridge.CodeInvalid, "from 2 to 3600", "snapshot_interval 0"},
		{"porch/pan", "181", "pan", bridge.CodeInvalid, `pan takes {"angle": 0 to 180}`, "pan None"},
		{"porch/tilt", "up", "tilt", bridge.CodeInvalid, "whole number of degrees", "tilt None"},
		{"porch/drive", "left", "drive", bridge.CodeInvalid, `drive takes {"x": -1 to 1`, ""},
		{"porch/drive", `{"x":2}`, "drive", bridge.CodeInvalid, "drive takes x from -1 to 1", ""},
		{"porch/drive", `{"x":1,"ttl_ms":5000}`, "drive", bridge.CodeInvalid, "ttl_ms from 50 to 2000", ""},
		{"yard/pan", "90", "pan", bridge.CodeUnsupported, "no \"pan\"", ""},
		{"porch/brightness", strings.Repeat("x", 1<<20), "brightness", bridge.CodeTooLarge, "at most 4096 bytes", "brightness 0"},
		{"porch/motion", "ON", "motion", bridge.CodeUnsupported, "no \"motion\"", ""},
		{"porch/restart", "now", "restart", bridge.CodeInvalid, "PRESS", ""},
		{"porch/telemetry", "1", "telemetry", bridge.CodeUnsupported, "it takes enabled, snapshot, restart, identify, pan, tilt, drive, flash, motion_detection, motion_sensitivity, snapshot_interval, resolution", ""},
		{"porch/awb", "ON", "awb", bridge.CodeUnsupported, "no \"awb\"", ""},
		{"yard/jpeg_quality", "12", "jpeg_quality", bridge.CodeUnsupported, "it takes enabled, snapshot, motion_detection, motion_sensitivity, snapshot_interval, max_fps", ""},
		{"porch", `{"jpeg_quality":12,"mirror":"perhaps"}`, "mirror", bridge.CodeInvalid, "ON or OFF", "mirror ON"},
		{"porch", `{"restart":"PRESS"}`, "restart", bridge.CodeInvalid, "espcam/porch/restart/set", ""},
		{"porch", `[1]`, "", bridge.CodeInvalid, "must be a JSON object", ""},
		{"porch", `{}`, "", bridge.CodeInvalid, "must be a JSON object", ""},
	}
	for _, tt := range tests {
		all.forget()
		id, _, _ := strings.Cut(tt.topic, "/")
		ha.Publish("espcam/"+tt.topic+"/set", tt.send, false)
		topic := "espcam/" + id + "/error"
		r.await(tt.topic+" is refused", func() bool { return len(all.heard(topic)) > 0 })
		f := all.failures(topic)[0]
		if f.Property != tt.property || f.Code != string(tt.code) || !strings.Contains(f.Reason, tt.say) || len(f.Value) > 270 {
			r.Errorf("%s %.40q: %+v", tt.topic, tt.send, f)
		}
		if _, err := time.Parse(time.RFC3339, f.Time); err != nil {
			r.Error(err)
		}
		if name, value, ok := strings.Cut(tt.echo, " "); ok {
			state := "espcam/" + id + "/" + name
			r.await(state+" is published again", func() bool { return slices.Contains(all.heard(state), value) })
		}
	}
	if kept := r.retained(); kept["espcam/porch/error"] != "" {
		r.Error("an error is kept")
	}

	// What the camera itself refuses, and a camera that is away.
	all.forget()
	b.fleet.behave(nil, bridge.Errorf(bridge.CodeBusy, "the sensor is busy"))
	ha.Operate("espcam_porch_jpeg_quality", "20")
	r.await("the refusal is told", func() bool { return len(all.heard("espcam/porch/error")) == 1 })
	r.await("12 holds", func() bool { return slices.Equal(all.heard("espcam/porch/jpeg_quality"), []string{"12"}) })
	b.fleet.behave(nil, nil)
	b.fleet.change("porch", func(c *bridge.Camera) { c.State, c.Connected = bridge.Offline, false })
	ha.Publish("espcam/porch/restart/set", "PRESS", false)
	ha.Publish("espcam/porch/jpeg_quality/set", "20", false)
	r.await("both are told", func() bool { return len(all.heard("espcam/porch/error")) == 3 })
	if f := all.failures("espcam/porch/error"); f[1].Code != "unavailable" || f[2].Code != "timeout" || !strings.Contains(f[2].Reason, "stays desired") {
		r.Errorf("away: %+v", f)
	}
	if got := b.fleet.actions(); len(got) > 0 {
		r.Errorf("done all the same: %v", got)
	}
}

func ignored(r *rig) {
	r.broker.start(r.T)
	all := r.anyone("espcam/#")
	all.publish("espcam/porch/restart/set", "PRESS", true)
	all.publish("espcam/porch/jpeg_quality/set", "20", true)
	b := r.bridge(r.config(), newMemory(), newFleet(porch()))
	r.await("retained commands are cleared", func() bool {
		return slices.Contains(all.heard("espcam/porch/restart/set"), "") && slices.Contains(all.heard("espcam/porch/jpeg_quality/set"), "")
	})
	for _, topic := range []string{"porch/jpeg_quality", "nobody/jpeg_quality", "Porch/jpeg_quality", "bridge/jpeg_quality", "bridge/restart", "nobody", "bridge"} {
		all.publish("espcam/"+topic+"/set", "", false)
		all.publish("espcam/"+topic+"/set", "20", false)
	}
	// The one that is a command shows that the others were worked through.
	r.await("the command arrives", func() bool { return slices.Equal(b.fleet.settings(), []string{"porch map[quality:20]"}) })
	r.await("the others are counted", func() bool { return b.Status().Ignored >= 12 })
	// The other three are for the bridge, which does not take them.
	r.await("four are counted as commands", func() bool { return b.Status().Commands == 4 })
	r.await("who sent a retained one is told", func() bool {
		return slices.ContainsFunc(all.failures("espcam/porch/error"), func(f failure) bool {
			return f.Property == "restart" && strings.Contains(f.Reason, "must not set the retain flag")
		})
	})
	if got := b.fleet.actions(); len(got) > 0 {
		r.Errorf("retained actions were done: %v", got)
	}
	if n := strings.Count(b.log.String(), "retained MQTT command"); n != 1 {
		r.Errorf("%d lines about retained commands, want 1:\n%s", n, b.log)
	}
	if kept := r.retained(); kept["espcam/porch/restart/set"] != "" {
		r.Error("the retained command is still there")
	}
}

// many drags a slider and presses a button with a finger that trembles.
func many(r *rig) {
	b, ha := r.home(porch())
	hold := make(chan struct{})
	b.fleet.behave(hold, nil)
	ha.Publish("espcam/porch/jpeg_quality/set", "10", false)
	r.await("the first is under way", func() bool { return len(b.fleet.settings()) == 1 })
	slider := r.anyone("nothing")
	for i := range 999 {
		slider.client.Publish("espcam/porch/jpeg_quality/set", 1, false, []string{"10", "11", "12"}[i%3])
	}
	r.await("the slider has arrived", func() bool { return b.Status().Commands == 1000 })
	ha.Publish("espcam/porch/brightness/set", "1", false)
	ha.Publish("espcam/porch/jpeg_quality/set", "40", false)
	for range 5 {
		ha.Publish("espcam/porch/restart/set", "PRESS", false)
	}
	r.await("all arrived", func() bool { return b.Status().Commands == 1007 })
	close(hold)
	r.is(ha, "espcam_porch_jpeg_quality", "40")
	r.is(ha, "espcam_porch_brightness", "1")
	r.await("restarted", func() bool { return len(b.fleet.actions()) > 0 })
	want := []string{"porch map[quality:10]", "porch map[quality:40]", "porch map[brightness:1]"}
	if got := b.fleet.settings(); !slices.Equal(got, want) {
		r.Errorf("settings %v, want %v", got, want)
	}
	if got := b.fleet.actions(); len(got) != 1 {
		r.Errorf("actions %v, want one restart", got)
	}

	// One camera that hangs keeps neither the others nor more than a few waiting.
	b.fleet.change("yard", func(c *bridge.Camera) { *c = yard() })
	r.await("yard is there", func() bool { return ha.Entity("espcam_yard_camera").Available })
	hold = make(chan struct{})
	b.fleet.behave(hold, nil)
	all := r.anyone("espcam/porch/error")
	ha.Publish("espcam/porch/max_fps/set", "3", false)
	r.await("porch hangs", func() bool { return len(b.fleet.settings()) == 4 })
	for _, name := range []string{"flash", "resolution", "jpeg_quality", "max_fps", "brightness", "contrast", "saturation", "mirror", "flip", "special_effect", "white_balance", "label"} {
		ha.Publish("espcam/porch/"+name+"/set", map[string]string{"resolution": "VGA", "special_effect": "Sepia", "white_balance": "Auto", "saturation": "0", "brightness": "0", "contrast": "0"}[name]+"", false)
	}
	for _, text := range []string{`{"max_fps":1,"jpeg_quality":9}`, `{"max_fps":1,"brightness":1}`, `{"max_fps":1,"contrast":1}`, `{"max_fps":1,"saturation":1}`, `{"max_fps":1,"mirror":1}`, `{"max_fps":1,"flip":1}`, `{"max_fps":1,"label":"x"}`, `{"jpeg_quality":9,"label":"x"}`, `{"jpeg_quality":9,"flip":1}`, `{"jpeg_quality":9,"mirror":1}`, `{"brightness":1,"mirror":1}`, `{"contrast":1,"mirror":1}`, `{"contrast":1,"flip":1}`} {
		ha.Publish("espcam/porch/set", text, false)
	}
	b.fleet.behave(nil, nil)
	ha.Publish("espcam/yard/max_fps/set", "4", false)
	r.step = 0
	r.is(ha, "espcam_yard_max_fps", "4")
	r.await("one too many is refused", func() bool { return len(all.failures("espcam/porch/error")) > 0 })
	if f := all.failures("espcam/porch/error")[0]; f.Code != string(bridge.CodeRateLimited) {
		r.Errorf("%+v", f)
	}
	close(hold)
	r.step = 100 * time.Millisecond
	r.is(ha, "espcam_porch_flip", "on")
}

func notices(r *rig) {
	b, _ := r.home(porch())
	all := r.anyone("espcam/#")
	b.fleet.notify(bridge.Notice{Camera: "porch", Code: bridge.CodeConflict, Message: "the key is used twice", Property: "quality", Value: "9"})
	r.await("the notice is published", func() bool { return len(all.heard("espcam/porch/error")) == 1 })
	if f := all.failures("espcam/porch/error")[0]; f.Property != "jpeg_quality" || f.Value != "9" || f.Reason != "the key is used twice" || f.Code != "conflict" {
		r.Errorf("%+v", f)
	}
}
