package mqtt_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/espcam-bridge/espcam-bridge/bridge"
	"github.com/espcam-bridge/espcam-bridge/bridge/mqtt"
	"github.com/espcam-bridge/espcam-bridge/bridge/mqtt/fakeha"
)

var update = flag.Bool("update", false, "write the golden documents anew")

// client is one that never runs.
func client(t testing.TB, change ...func(*mqtt.Config, *mqtt.Deps)) *mqtt.Client {
	t.Helper()
	cfg := mqtt.Config{Broker: "mqtt://127.0.0.1:1", DiscoveryPrefix: fakeha.Prefix, Name: "home", Version: "0.1.0",
		PageURL: func(camera string) string { return "http://bridge.local:8080/#" + camera }}
	f := newFleet()
	deps := mqtt.Deps{Fleet: f, Pictures: f, Motion: newWatch(), Store: newMemory(), Log: slog.New(slog.DiscardHandler)}
	for _, do := range change {
		do(&cfg, &deps)
	}
	c, err := mqtt.New(cfg, deps)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// full is a bridge that can do everything: under a supervisor, with a log whose
// level can be changed, and with plugins.
func full(_ *mqtt.Config, d *mqtt.Deps) {
	d.LogLevel, d.Restart, d.Plugins = &slog.LevelVar{}, func() {}, newPlugins()
}

func schema(t testing.TB) *fakeha.Schema {
	t.Helper()
	s, err := fakeha.Load("testdata/ha-mqtt-schema-2026.9.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// accepted complains of everything that Home Assistant would.
func accepted(t testing.TB, s *fakeha.Schema, document []byte) *fakeha.Document {
	t.Helper()
	doc, faults := s.Parse(document)
	for _, f := range faults {
		t.Errorf("%s\n%s", f, document)
	}
	return doc
}

// TestGoldenDocuments: what is announced, as a whole. A changed id gives users
// every entity a second time.
func TestGoldenDocuments(t *testing.T) {
	s := schema(t)
	documents := map[string][]byte{
		"bridge": client(t, full).BridgeDocument(),
		"porch":  client(t).Document(porch()),
		"yard":   client(t).Document(yard()),
	}
	for name, got := range documents {
		accepted(t, s, got)
		if len(got) > 16<<10 {
			t.Errorf("%s: %d bytes, more than 16 KiB", name, len(got))
		}
		var pretty bytes.Buffer
		if err := json.Indent(&pretty, got, "", " "); err != nil {
			t.Fatal(err)
		}
		pretty.WriteByte('\n')
		file := filepath.Join("testdata", "document-"+name+".json")
		if *update {
			if err := os.WriteFile(file, pretty.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(pretty.Bytes(), want) {
			t.Errorf("%s is not as in %s (write it with -update):\n%s", name, file, pretty.Bytes())
		}
	}
}

// TestFrozenIDs: what was once released keeps its platform and its unique id for
// ever, so the list is only ever added to, by hand.
func TestFrozenIDs(t *testing.T) {
	text, err := os.ReadFile("testdata/unique-ids.txt")
	if err != nil {
		t.Fatal(err)
	}
	frozen := strings.Split(strings.TrimSpace(string(text)), "\n")
	onOff := porch()
	onOff.ID = "lamp"
	onOff.Offer = bridge.NewOffer(bridge.Native, bridge.Capabilities{LED: 1}, 15)
	var now []string
	for _, document := range [][]byte{client(t, full).BridgeDocument(), client(t).Document(porch()), client(t).Document(yard()), client(t).Document(onOff)} {
		var doc struct {
			Components map[string]struct{ Platform, Unique_ID string }
		}
		if err := json.Unmarshal(document, &doc); err != nil {
			t.Fatal(err)
		}
		for _, c := range doc.Components {
			now = append(now, c.Platform+" "+c.Unique_ID)
		}
	}
	for _, line := range frozen {
		if !slices.Contains(now, line) {
			t.Errorf("%q is gone: a changed id gives every user that entity a second time and ends its history; give it its id back", line)
		}
	}
	for _, line := range now {
		if !slices.Contains(frozen, line) {
			t.Errorf("%q is new: add it to testdata/unique-ids.txt, where it stays for ever", line)
		}
	}
}

// TestReadme: the README's tables have every entity with its platform, and no
// other.
func TestReadme(t *testing.T) {
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	cameras, bridges, _ := strings.Cut(string(text), "## The bridge")
	for _, part := range []struct {
		text     string
		document []byte
	}{{cameras, client(t).Document(porch())}, {bridges, client(t, full).BridgeDocument()}} {
		doc := accepted(t, schema(t), part.document)
		rows := 0
		for line := range strings.Lines(part.text) {
			if strings.Count(line, "|") == 8 && strings.HasPrefix(line, "| `") {
				rows++
			}
		}
		if rows != len(doc.Components) {
			t.Errorf("the README has %d rows for %d entities", rows, len(doc.Components))
		}
		var typed struct {
			Components map[string]struct{ Platform string }
		}
		if err := json.Unmarshal(part.document, &typed); err != nil {
			t.Fatal(err)
		}
		for key, c := range typed.Components {
			if row := "| `" + key + "` | " + c.Platform + " |"; !strings.Contains(part.text, row) {
				t.Errorf("the README has no row %q", row)
			}
		}
	}
}

// TestEntityCounts: what a camera is worth in Home Assistant.
func TestEntityCounts(t *testing.T) {
	for _, tt := range []struct {
		cam   bridge.Camera
		least int
	}{{porch(), 30}, {yard(), 14}} {
		document := client(t).Document(tt.cam)
		n := len(accepted(t, schema(t), document).Components)
		t.Logf("%s (%s): %d entities, %d bytes", tt.cam.ID, tt.cam.Dialect, n, len(document))
		if n < tt.least {
			t.Errorf("%s has %d entities, want %d at least", tt.cam.ID, n, tt.least)
		}
	}
}

// TestStableBytes: the same camera always gives the same bytes.
func TestStableBytes(t *testing.T) {
	c := client(t)
	first := c.Document(porch())
	for range 20 {
		cam := porch()
		cam.Stats.FPS, cam.Stats.Frames, cam.Address, cam.Reconnects = 1, 99, "192.0.2.99:1", 7
		if got := c.Document(cam); !bytes.Equal(got, first) {
			t.Fatalf("changed:\n%s\n%s", first, got)
		}
	}
}

// TestOddCameras: whatever a device says of itself, its document is accepted.
func TestOddCameras(t *testing.T) {
	long := strings.Repeat("name ", 60)
	texts := []string{"", " ", "\x00", "\n\t", "Grüße 📷", `<b>"x"</b> & 'y'`, "a\xffb", long, "{{ value }}", "ÅÄÖ", "\u202etxt", "None", "null"}
	s := schema(t)
	c := client(t)
	for _, text := range texts {
		cam := porch()
		cam.Name, cam.Room = text, text
		cam.Device = bridge.Device{MAC: text, Firmware: text, Board: text, Sensor: text, Reset: text}
		doc := accepted(t, s, c.Document(cam))
		if doc == nil {
			continue
		}
		if n := doc.Device.Name; n == "" || len([]rune(n)) > 128 || strings.ContainsAny(n, "\x00\n") {
			t.Errorf("%q: device is called %q", text, n)
		}
		if len(doc.Device.Connections) > 0 {
			t.Errorf("%q is no MAC: %v", text, doc.Device.Connections)
		}
	}
	cam := porch()
	cam.Name = "Grüße <b> & Co"
	if got := c.Document(cam); !bytes.Contains(got, []byte(`"name":"Grüße <b> & Co"`)) {
		t.Errorf("the name is escaped: %s", got)
	}
}

func TestDeviceDetails(t *testing.T) {
	s := schema(t)
	c := client(t)
	first, second := porch(), yard()
	second.Device.MAC = first.Device.MAC
	if d := accepted(t, s, c.Document(first)); len(d.Device.Connections) != 1 || d.Device.ViaDevice != "espcam_bridge" {
		t.Errorf("%+v", d.Device)
	}
	if d := accepted(t, s, c.Document(second)); len(d.Device.Connections) != 0 {
		t.Error("two devices with one MAC become one")
	}
	for _, mac := range []string{"00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff", "A0:B1:C2:D3:E4:F5", "a0b1c2d3e4f5"} {
		cam := porch()
		cam.Device.MAC = mac
		if d := accepted(t, s, client(t).Document(cam)); len(d.Device.Connections) != 0 {
			t.Errorf("%s is used as a MAC", mac)
		}
	}
	for url, want := range map[string]bool{"http://x/": true, "https://x:8443/#porch": true, "": false, "javascript:alert(1)": false, "http://": false, "/page": false, "http://%zz": false} {
		c := client(t, func(cfg *mqtt.Config, _ *mqtt.Deps) { cfg.PageURL = func(string) string { return url } })
		if d := accepted(t, s, c.Document(porch())); (d.Device.URL != nil) != want {
			t.Errorf("%q: URL %v", url, d.Device.URL)
		}
		accepted(t, s, c.BridgeDocument())
	}
	c = client(t, func(cfg *mqtt.Config, _ *mqtt.Deps) { cfg.PageURL = nil })
	if d := accepted(t, s, c.Document(porch())); d.Device.URL != nil {
		t.Error("a URL from nowhere")
	}
}

// TestEveryPropertyHasARow: a setting that has a name on MQTT has an entity of
// that name.
func TestEveryPropertyHasARow(t *testing.T) {
	caps := everything()
	for _, p := range bridge.Properties() {
		switch {
		case p.Kind == bridge.Number:
			caps.Settings[p.Name] = bridge.Limit{Range: &bridge.Range{p.Min, p.Max}}
		case p.Kind == bridge.Choice:
			caps.Settings[p.Name] = bridge.Limit{Options: []string{"a", "b"}}
		default:
			caps.Settings[p.Name] = bridge.Limit{}
		}
	}
	cam := porch()
	cam.Offer = bridge.NewOffer(bridge.Native, caps, 30)
	doc := accepted(t, schema(t), client(t).Document(cam))
	for _, p := range cam.Offer.Properties {
		if _, ok := doc.Components[p.Topic]; p.Topic != "" && !ok {
			t.Errorf("%s has no entity %s", p.Name, p.Topic)
		}
	}
}

// TestStates shows values as Home Assistant wants them, odd ones too.
func TestStates(t *testing.T) {
	tests := []struct {
		setting string
		value   any // nil: not known
		topic   string
		want    string
	}{
		{"quality", 12, "jpeg_quality", "12"},
		{"quality", 99, "jpeg_quality", "None"},
		{"quality", nil, "jpeg_quality", "None"},
		{"fps", nil, "max_fps", "15"},
		{"framesize", "UXGA", "resolution", "None"},
		{"special_effect", "None", "special_effect", "Normal"},
		{"special_effect", nil, "special_effect", "None"},
		{"hmirror", nil, "mirror", "None"},
		{"hmirror", false, "mirror", "OFF"},
		{"label", nil, "label", " "},
		{"label", "", "label", " "},
		{"label", "None", "label", "None"},
		{"led", nil, "flash", `{"state":null}`},
		{"led", 0, "flash", `{"state":"OFF"}`},
		{"led", -1, "flash", `{"state":"OFF"}`},
		{"led", 300, "flash", `{"brightness":255,"color_mode":"brightness","state":"ON"}`},
	}
	for _, tt := range tests {
		cam := porch()
		if cam.Reported = cam.Reported.With(bridge.Settings{tt.setting: tt.value}); tt.value == nil {
			delete(cam.Reported, tt.setting)
		}
		if got := client(t).States(cam)["espcam/porch/"+tt.topic]; got != tt.want {
			t.Errorf("%s %v: %q, want %q", tt.setting, tt.value, got, tt.want)
		}
	}
	cam := porch()
	cam.Stats = bridge.Stats{FPS: math.NaN(), BytesPerSecond: math.Inf(1), Temperature: ptr(math.NaN()), DeviceDrops: ptr(int64(-5))}
	cam.Address, cam.BootedAt = "", cam.BootedAt.AddDate(-3000, 0, 0)
	var telemetry map[string]any
	if err := json.Unmarshal([]byte(client(t).States(cam)["espcam/porch/telemetry"]), &telemetry); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"fps", "bitrate", "temperature", "rssi", "ip"} {
		if v, ok := telemetry[key]; !ok || v != nil {
			t.Errorf("%s is %v, %v; want a null", key, v, ok)
		}
	}
}

func TestNew(t *testing.T) {
	good := mqtt.Config{Broker: "mqtt://broker", DiscoveryPrefix: "homeassistant"}
	tests := []struct {
		name   string
		change func(*mqtt.Config)
		say    string
	}{
		{"good", func(*mqtt.Config) {}, ""},
		{"no discovery", func(c *mqtt.Config) { c.DiscoveryPrefix = "" }, ""},
		{"tls", func(c *mqtt.Config) { c.Broker = "wss://[::1]:9001/mqtt" }, ""},
		{"no broker", func(c *mqtt.Config) { c.Broker = "" }, "mqtt.broker must be a URL"},
		{"scheme", func(c *mqtt.Config) { c.Broker = "http://x" }, "mqtt.broker must be a URL"},
		{"no host", func(c *mqtt.Config) { c.Broker = "mqtt://:1883" }, "mqtt.broker must be a URL"},
		{"password in the URL", func(c *mqtt.Config) { c.Broker = "mqtt://u:p@x" }, "have keys of their own"},
		{"wildcard", func(c *mqtt.Config) { c.BaseTopic = "a/+" }, "mqtt.base_topic is"},
		{"empty level", func(c *mqtt.Config) { c.BaseTopic = "a//b" }, "mqtt.base_topic is"},
		{"slash", func(c *mqtt.Config) { c.DiscoveryPrefix = "/a" }, "mqtt.discovery_prefix is"},
		{"dollar", func(c *mqtt.Config) { c.BaseTopic = "$SYS" }, "mqtt.base_topic is"},
		{"long", func(c *mqtt.Config) { c.BaseTopic = strings.Repeat("a", 300) }, "mqtt.base_topic is"},
		{"same", func(c *mqtt.Config) { c.BaseTopic = "homeassistant" }, "choose another"},
	}
	for _, tt := range tests {
		cfg := good
		tt.change(&cfg)
		_, err := mqtt.New(cfg, mqtt.Deps{Fleet: newFleet(), Pictures: newFleet(), Store: newMemory(), Log: slog.New(slog.DiscardHandler)})
		if tt.say == "" && err != nil || tt.say != "" && (bridge.CodeOf(err) != bridge.CodeInvalid || !strings.Contains(err.Error(), tt.say)) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	broken := newMemory()
	broken.fail = errors.New("disk full")
	if _, err := mqtt.New(good, mqtt.Deps{Fleet: newFleet(), Store: broken, Log: slog.New(slog.DiscardHandler)}); err == nil || !strings.Contains(err.Error(), "disk full") {
		t.Errorf("a store that fails: %v", err)
	}
}

func TestOutbox(t *testing.T) {
	o := mqtt.NewOutbox()
	o.Put("state", "a", "lost, as it is made anew")
	o.Put("event", "e", "lost")
	o.Put("image", "i", "lost")
	if n := o.Lost(); n != 2 || len(o.Drain()) != 0 {
		t.Errorf("closed: %d lost", n)
	}
	o.Open(true)
	o.Put("image", "i", "old picture")
	o.Put("state", "a", "1")
	o.Put("state", "b", "1")
	o.Put("event", "e", "1")
	o.Put("state", "a", "2")
	o.Put("image", "i", "new picture")
	o.Put("event", "e", "2")
	want := []string{"e 1", "e 2", "a 2", "b 1", "i new picture"}
	if got := o.Drain(); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if n := o.Lost(); n != 3 {
		t.Errorf("%d lost, want 3: the old picture too", n)
	}
	o.Put("state", "a", "2") // the broker has it
	o.Put("state", "b", "1")
	o.Put("force", "b", "1")
	if got := o.Drain(); !slices.Equal(got, []string{"b 1"}) {
		t.Errorf("got %v, want b alone", got)
	}
	for range 300 {
		o.Put("event", "e", "x")
	}
	if n := len(o.Drain()); n != 256 || o.Lost() != 3+44 {
		t.Errorf("%d events, %d lost", n, o.Lost())
	}
	o.Put("state", "a", "3")
	o.Open(false)
	o.Open(true)
	if got := o.Drain(); len(got) != 0 {
		t.Errorf("a new session begins with %v", got)
	}
}

func TestAgenda(t *testing.T) {
	c := newClock()
	a := mqtt.NewAgenda(c)
	if a.Due() != nil {
		t.Error("something is due")
	}
	var done []string
	plan := func(name string) func() { return func() { done = append(done, name) } }
	a.Plan(3e9, "late", plan("late"))
	a.Plan(1e9, "early", plan("early"))
	a.Plan(2e9, "early", plan("moved"))
	a.Soon(1e6, "late", plan("sooner"))
	a.Plan(1e9, "never", plan("never"))
	a.Cancel("never")
	a.Plan(2e9-1, "again", func() { done = append(done, "again"); a.Plan(0, "more", plan("more")) })
	a.Do()
	due := a.Due()
	c.advance(2e9)
	select {
	case <-due:
	default:
		t.Error("nothing is due after 2 s")
	}
	a.Do()
	if want := []string{"again", "moved", "more"}; !slices.Equal(done, want) && !slices.Equal(done, []string{"again", "more", "moved"}) {
		t.Errorf("done %v, want %v", done, want)
	}
	c.advance(1e9)
	a.Do()
	if done[len(done)-1] != "late" || len(done) != 4 || a.Due() != nil {
		t.Errorf("done %v", done)
	}
}

// FuzzCommand: whatever arrives, the command is one that the camera takes, or an
// error in words.
func FuzzCommand(f *testing.F) {
	for _, property := range []string{"", "flash", "jpeg_quality", "mirror", "label", "special_effect", "resolution", "restart", "motion_detection", "motion_sensitivity", "nothing"} {
		for _, payload := range []string{"", "PRESS", "12", "-1e400", "NaN", "ON", "off", "None", "Normal", "VGA", `{"state":"ON","brightness":1e9}`,
			`{"state":"on"}`, `{"text":"x"}`, `{"text":null}`, `{"flash":{"state":"ON","brightness":3},"label":"x"}`, `{"restart":"PRESS"}`, "\xff", "{", strings.Repeat("9", 5000)} {
			f.Add(property, []byte(payload))
		}
	}
	c := client(f)
	cam := porch()
	f.Fuzz(func(t *testing.T, property string, payload []byte) {
		settings, motion, action, err := c.Read(cam, property, payload)
		if err != nil {
			if code := bridge.CodeOf(err); code == bridge.CodeInternal || err.Error() == "" {
				t.Errorf("%q %q: %v has no words", property, payload, err)
			}
			return
		}
		if len(settings) == 0 && len(motion) == 0 && action == "" {
			t.Errorf("%q %q: neither a setting nor an action", property, payload)
		}
		if _, err := bridge.CheckMotion(motion); err != nil {
			t.Errorf("%q %q: %v", property, payload, err)
		}
		if action != "" && !cam.Offer.Can(action) {
			t.Errorf("%q %q: action %q", property, payload, action)
		}
		for name, v := range settings {
			if _, ok := cam.Offer.Property(name); !ok {
				t.Errorf("%q %q: the camera has no %q", property, payload, name)
			}
			switch v.(type) {
			case int, bool, string:
			default:
				t.Errorf("%q %q: %s is a %T", property, payload, name, v)
			}
		}
	})
}
