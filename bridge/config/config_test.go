package config_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/espcam-bridge/espcam-bridge/bridge"
	"github.com/espcam-bridge/espcam-bridge/bridge/config"
)

// parse loads text as bridge.yaml; files with secrets hold "from-a-file-of-secrets".
func parse(t *testing.T, text string, environ ...string) *config.Config {
	t.Helper()
	c, _, err := config.Parse("bridge.yaml", []byte(text), environ, "from-a-file-of-secrets\n")
	if err != nil {
		t.Fatalf("refused:\n%v", err)
	}
	return c
}

func TestNothingGivenIsDefault(t *testing.T) {
	for _, text := range []string{"", "\n", "# nothing\n", "---\n", "{}\n", "http:\nmqtt:\ncameras:\n", "http: {hosts: [], tokens: , tls: {}}\n", "\ufeffname: home\n"} {
		if c := parse(t, text); !reflect.DeepEqual(c, config.Default()) {
			t.Errorf("%q is\n%+v\nnot the default", text, c)
		}
	}
}

func TestMissingFile(t *testing.T) {
	c, _, err := config.Load(config.Input{Path: filepath.Join(t.TempDir(), "bridge.yaml")})
	if err != nil || !reflect.DeepEqual(c, config.Default()) {
		t.Errorf("got %+v, %v, want the default", c, err)
	}
}

// fileProblems are those of the file as a whole, which testdata cannot hold.
var fileProblems = []struct {
	name string
	make func(t *testing.T, path string)
	want string
}{
	{"missing", func(*testing.T, string) {}, "bridge.yaml: does not exist"},
	{"a directory", func(t *testing.T, path string) {
		if err := os.Mkdir(path, 0o700); err != nil {
			t.Fatal(err)
		}
	}, "bridge.yaml: cannot be read: is a directory"},
	{"huge", func(t *testing.T, path string) {
		write(t, path, "name: home\n"+strings.Repeat("# padding\n", 1<<20/10), 0o600)
	}, "bridge.yaml: is larger than 1 MiB: this is no configuration"},
	{"very wrong", func(t *testing.T, path string) {
		var text strings.Builder
		for i := range 104 {
			fmt.Fprintf(&text, "k%d: a\n", i)
		}
		write(t, path, text.String(), 0o600)
	}, "bridge.yaml: has 4 more problems, which are not shown"},
	{"huge secret", func(t *testing.T, path string) {
		write(t, "secret", strings.Repeat("x", 1<<17), 0o600)
		write(t, path, "mqtt: {username: ha, password_file: secret}\n", 0o600)
	}, `bridge.yaml:1:37: mqtt.password_file: "secret": must be a regular file of at most 64 KiB`},
}

// TestLook: what has a mistake keeps its default, and the rest can be used.
func TestLook(t *testing.T) {
	look := func(text string) (*config.Config, config.Problems) {
		path := filepath.Join(t.TempDir(), "bridge.yaml")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return config.Look(config.Input{Path: path})
	}
	c, problems := look("data: here\nhttp: {listen: nowhere}\nplugins: {dir: there, instances: {phone: {type: ntfy, settings: {topic: a, token: env:MISSING}}}}\n")
	if c == nil || c.Data != "here" || c.Plugins.Dir != "there" || c.HTTP.Listen != config.Default().HTTP.Listen || len(c.Plugins.Instances) != 1 {
		t.Fatalf("%+v, %v", c, problems)
	}
	if s := c.Plugins.Instances[0].Settings.Reveal(); !reflect.DeepEqual(s, map[string]any{"topic": "a"}) {
		t.Errorf("settings %v", s)
	}
	if len(problems) != 2 || problems[0].Key != "http.listen" || !strings.Contains(problems[1].String(), "MISSING, which is not set") {
		t.Errorf("%v", problems)
	}
	if c, problems := look("data: [\n"); c != nil || len(problems) != 1 {
		t.Errorf("no YAML: %+v, %v", c, problems)
	}
	if c, problems := config.Look(config.Input{Path: filepath.Join(t.TempDir(), "none.yaml"), Required: true}); c != nil || len(problems) != 1 {
		t.Errorf("no file: %+v, %v", c, problems)
	}
}

func TestFileProblems(t *testing.T) {
	for _, tt := range fileProblems {
		t.Run(tt.name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			tt.make(t, "bridge.yaml")
			_, _, err := config.Load(config.Input{Path: "bridge.yaml", Required: true})
			var p config.Problems
			if !errors.As(err, &p) {
				t.Fatalf("error is %T %v, want Problems", err, err)
			}
			if got := p[len(p)-1].String(); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestValues(t *testing.T) {
	c := parse(t, `
name: 12
http:
  listen: "[::1]:0"
  hosts: [Cams.Example.org, 10.0.0.1, "espcam_bridge"]
  trusted_proxies: [10.0.0.7, "fd00::/8"]
  base_path: /cams/home
  tls: {listen: ":8443", cert: c.pem, key: k.pem}
  tokens:
    - {name: nvr, token: "a-token-of-the-recorder", role: viewer, cameras: [porch]}
    - {name: ha, token_file: ha, role: admin}
mqtt:
  broker: MQTTS://broker.local
  username: ha
  password_file: pw
  discovery_prefix: ""
ingest: {max_frame_bytes: 1 MiB, max_pixels: "19200", idle_timeout: 1m30s}
cameras:
  porch: {key: wsk_0123456789abcdefghijklmn, room: Front, settings: {framesize: SVGA, led: 128, hmirror: true, label: 007}}
  garden: {room: garden}
log: {level: debug, format: json}
`)
	want := config.Default()
	want.Name = "12"
	want.HTTP.Listen = "[::1]:0"
	want.HTTP.Hosts = []string{"cams.example.org", "10.0.0.1", "espcam_bridge"}
	want.HTTP.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.7/32"), netip.MustParsePrefix("fd00::/8")}
	want.HTTP.BasePath = "/cams/home"
	want.HTTP.TLS = config.TLS{Listen: ":8443", Cert: "c.pem", Key: "k.pem"}
	want.HTTP.Tokens = []config.Token{
		{Name: "nvr", Token: config.NewSecret("a-token-of-the-recorder"), Role: bridge.Viewer, Cameras: []string{"porch"}},
		{Name: "ha", Token: config.NewSecret("from-a-file-of-secrets"), Role: bridge.Admin},
	}
	want.MQTT.Broker = "mqtts://broker.local:8883"
	want.MQTT.Username, want.MQTT.Password = "ha", config.NewSecret("from-a-file-of-secrets")
	want.MQTT.DiscoveryPrefix = ""
	want.Ingest.MaxFrameBytes, want.Ingest.MaxPixels, want.Ingest.IdleTimeout = 1<<20, 19200, 90*time.Second
	want.Cameras = []config.Camera{
		{
			ID: "porch", Room: "Front", Key: config.NewSecret("wsk_0123456789abcdefghijklmn"),
			Settings: bridge.Settings{"framesize": "SVGA", "led": 128, "hmirror": true, "label": "007"},
			Source:   "bridge.yaml:19", KeySource: "bridge.yaml:19",
		},
		{ID: "garden", Room: "garden", Source: "bridge.yaml:20"},
	}
	want.Log = config.Log{Level: slog.LevelDebug, Format: "json"}
	if !reflect.DeepEqual(c, want) {
		t.Errorf("got\n%+v\nwant\n%+v", c, want)
	}
}

func TestMotion(t *testing.T) {
	c := parse(t, `
motion: {enabled: false, sensitivity: high, fps: 5, width: 320, off_delay: 1m30s, threshold: 12, noise: 3.5, area: 0.01, frames: 3/4, ignore: [], zones: {}}
events: {keep: 87600h, max_size: 1TiB}
cameras:
  porch:
    motion:
      sensitivity: 1
      threshold: ""
      ignore: [[[0, 0], ["1.0", "${EDGE}"], [1, 1]]]
      zones: {Tür: [[0, 0], [1, 0], [1, 1e-1]]}
  garden: {motion: {ignore: [], zones: {}}}
  yard: {motion: {ignore: , zones: }}
`, "EDGE=.5")
	want := bridge.MotionChange{
		"enabled": false, "sensitivity": 75, "fps": 5, "width": 320, "off_delay": 90.0, "threshold": 12, "noise": 3.5, "area": 0.01,
		"frames": "3/4", "ignore": []bridge.Polygon{}, "zones": map[string]bridge.Polygon{},
	}
	if !reflect.DeepEqual(c.Motion, want) {
		t.Errorf("got\n%#v\nwant\n%#v", c.Motion, want)
	}
	for i, want := range []bridge.MotionChange{
		{"sensitivity": 1, "ignore": []bridge.Polygon{{{0, 0}, {1, 0.5}, {1, 1}}}, "zones": map[string]bridge.Polygon{"Tür": {{0, 0}, {1, 0}, {1, 0.1}}}},
		{"ignore": []bridge.Polygon{}, "zones": map[string]bridge.Polygon{}},
		nil,
	} {
		if got := c.Cameras[i].Motion; !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got\n%#v\nwant\n%#v", c.Cameras[i].ID, got, want)
		}
	}
	if want := (config.Events{Keep: 87600 * time.Hour, MaxSize: 1 << 40}); c.Events != want {
		t.Errorf("events %+v, want %+v", c.Events, want)
	}
}

func TestPlugins(t *testing.T) {
	c := parse(t, `
plugins:
  dir: /opt/plugins
  instances:
    phone:
      type: ntfy
      settings:
        topic: "${HOUSE}-door"
        token: env:TOKEN
        "file": file:${HOUSE}/token
        url: file:///tmp/x
        plain: 007
        port: 443
        id: -1001234567890
        large: 123456789012345678901
        gain: 0.50
        loud: true
        quoted: "true"
        yes: yes
        empty: ""
        headers: {X-Key: "1", List: [a, 2, [env:TOKEN], {}]}
    mail: {type: smtp, enabled: false, cameras: [porch], memory: 1GiB, dev: true, run_as: nobody}
    none: {type: script, cameras: ["*"], settings: }
`, "HOUSE=bern", "TOKEN=12345")
	want := config.Plugins{Dir: "/opt/plugins", Instances: []config.Instance{
		{Name: "phone", Type: "ntfy", Enabled: true, Memory: 256 << 20, Source: "bridge.yaml:5", Settings: config.NewPluginSettings(map[string]any{
			"topic": "bern-door", "token": "12345", "file": "from-a-file-of-secrets", "url": "file:///tmp/x", "plain": "007", "port": int64(443),
			"id": int64(-1001234567890), "large": "123456789012345678901", "gain": 0.5, "loud": true, "quoted": "true", "yes": "yes", "empty": "",
			"headers": map[string]any{"X-Key": "1", "List": []any{"a", int64(2), []any{"12345"}, map[string]any{}}},
		}, "12345", "from-a-file-of-secrets", "12345")},
		{Name: "mail", Type: "smtp", Cameras: []string{"porch"}, Memory: 1 << 30, Dev: true, RunAs: "nobody", Source: "bridge.yaml:22"},
		{Name: "none", Type: "script", Enabled: true, Memory: 256 << 20, Source: "bridge.yaml:23"},
	}}
	if !reflect.DeepEqual(c.Plugins, want) {
		t.Errorf("got\n%#v\nwant\n%#v", c.Plugins, want)
	}
	if got := c.Plugins.Instances[0].Settings.Reveal(); !reflect.DeepEqual(got, want.Instances[0].Settings.Reveal()) {
		t.Errorf("settings are\n%#v", got)
	}
	if c := parse(t, "", "ESPCAM_PLUGINS_DIR=elsewhere"); c.Plugins.Dir != "elsewhere" {
		t.Errorf("the directory is %q", c.Plugins.Dir)
	}
}

func TestAlerts(t *testing.T) {
	c := parse(t, `
plugins: {instances: {phone: {type: ntfy}, mail: {type: smtp}}}
alerts:
  - to: phone
  - {to: [mail], labels: [person]}
  - name: night
    to: [phone, mail]
    on: [motion]
    cameras: [porch]
    labels: [person, dog]
    zones: [door]
    sources: [pir]
    min_score: 0.5
    phases: [begin, end]
    cooldown: 0s
    hold_off: 3s
    priority: 5
    picture: false
    title: "{{.Label}}"
    text: "a ${WORD}"
    actions: [{label: Gate, url: "https://gate"}]
    time_zone: Europe/Berlin
    quiet: [{from: 22:00, to: "7:05", days: [mon, sun], zone: UTC}, {from: 00:00, to: 00:00}]
  - {to: phone, cameras: ["*"], time_zone: ""}
`, "WORD=b")
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	usual := config.Alert{On: []string{"motion"}, Phases: []bridge.Phase{"begin"}, Cooldown: time.Minute, Priority: 3, Picture: true}
	first, second, last := usual, usual, usual
	first.Name, first.To, first.Source = "alert 1", []string{"phone"}, "bridge.yaml:4"
	second.Name, second.To, second.Source = "alert 2", []string{"mail"}, "bridge.yaml:5"
	second.Labels, second.HoldOff = []string{"person"}, 10*time.Second
	last.Name, last.To, last.Source = "alert 4", []string{"phone"}, "bridge.yaml:24"
	want := []config.Alert{first, second, {
		Name: "night", To: []string{"phone", "mail"}, On: []string{"motion"}, Cameras: []string{"porch"}, Labels: []string{"person", "dog"}, Zones: []string{"door"},
		Sources: []string{"pir"}, MinScore: 0.5, Phases: []bridge.Phase{"begin", "end"}, HoldOff: 3 * time.Second, Priority: 5,
		Title: "{{.Label}}", Text: "a b", Actions: []bridge.AlertAction{{Label: "Gate", URL: "https://gate"}}, TimeZone: berlin,
		Quiet: []config.Quiet{
			{From: 22 * time.Hour, To: 7*time.Hour + 5*time.Minute, Days: []time.Weekday{time.Monday, time.Sunday}, Zone: time.UTC},
			{},
		},
		Source: "bridge.yaml:6",
	}, last}
	if !reflect.DeepEqual(c.Alerts, want) {
		t.Errorf("got\n%+v\nwant\n%+v", c.Alerts, want)
	}
}

// TestMotionDefault: an empty file judges as a bridge that nobody configured.
func TestMotionDefault(t *testing.T) {
	want := bridge.DefaultMotion()
	got := want.With(parse(t, "").Motion)
	if !reflect.DeepEqual(got.Values(), want.Values()) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	c := parse(t, "motion: {threshold: 12, fps: 5}", "ESPCAM_MOTION_THRESHOLD=", "ESPCAM_MOTION_OFF_DELAY=2m", "ESPCAM_EVENTS_KEEP=2h")
	if m := want.With(c.Motion); m.Threshold != 0 || m.FPS != 5 || m.OffDelay != 2*time.Minute || c.Events.Keep != 2*time.Hour {
		t.Errorf("with the environment: %+v, %+v", m, c.Events)
	}
}

func TestEnvironment(t *testing.T) {
	c := parse(t, `
name: "${CITY}-$${CITY}-$5"
http: {listen: ":1", auth: true}
mqtt: {username: ha, password_file: pw}
cameras: {porch: {name: "${ESPCAM_MINE}"}}
`, "CITY=Bern", "ESPCAM_MINE=Porch", "ESPCAM_HTTP_LISTEN=127.0.0.1:2", "ESPCAM_HTTP_AUTH=false", "ESPCAM_MQTT_BROKER=ws://b/mqtt",
		"ESPCAM_MQTT_PASSWORD=${CITY}", "ESPCAM_INGEST_MAX_FRAME_BYTES=8KiB", "ESPCAM_LOG_LEVEL=warn", "UNRELATED=1", "nonsense")
	for _, tt := range []struct{ what, got, want any }{
		{"expansion", c.Name, "Bern-${CITY}-$5"},
		{"a variable with our prefix that the file uses", c.Cameras[0].Name, "Porch"},
		{"listen", c.HTTP.Listen, "127.0.0.1:2"},
		{"auth", c.HTTP.Auth, false},
		{"broker", c.MQTT.Broker, "ws://b:80/mqtt"},
		{"password, as it is", c.MQTT.Password.Reveal(), "${CITY}"},
		{"size", c.Ingest.MaxFrameBytes, 8192},
		{"level", c.Log.Level, slog.LevelWarn},
	} {
		if tt.got != tt.want {
			t.Errorf("%s is %v, want %v", tt.what, tt.got, tt.want)
		}
	}
	c = parse(t, "mqtt: {broker: 'mqtt://b', username: ha, password: in-the-file}", "ESPCAM_MQTT_PASSWORD_FILE=pw")
	if got := c.MQTT.Password.Reveal(); got != "from-a-file-of-secrets" {
		t.Errorf("password is %q, want that of the file that the environment names", got)
	}
}

func TestKeys(t *testing.T) {
	variables := map[string]string{}
	for _, k := range config.Keys() {
		if k.Variable == "" {
			continue
		}
		if other, twice := variables[k.Variable]; twice {
			t.Errorf("%s means both %s and %s", k.Variable, other, k.Path)
		}
		variables[k.Variable] = k.Path
	}
	for name, path := range map[string]string{
		"ESPCAM_HTTP_LISTEN": "http.listen", "ESPCAM_DATA": "data", "ESPCAM_MQTT_PASSWORD_FILE": "mqtt.password_file", "ESPCAM_MQTT_EMBEDDED_LISTEN": "mqtt.embedded.listen",
	} {
		if variables[name] != path {
			t.Errorf("%s means %q, want %s", name, variables[name], path)
		}
	}
	if _, ok := variables["ESPCAM_HTTP_HOSTS[]"]; ok {
		t.Error("a list has a variable")
	}
}

func TestEmbeddedAddress(t *testing.T) {
	users := []config.User{{Username: "ha"}}
	for _, tt := range []struct {
		embedded config.Embedded
		want     string
	}{
		{config.Embedded{Listen: ":1883"}, "127.0.0.1:1883"},
		{config.Embedded{Listen: "192.168.1.5:0"}, "127.0.0.1:0"},
		{config.Embedded{Listen: "broker.local:1883"}, "127.0.0.1:1883"},
		{config.Embedded{Listen: "[::1]:1883"}, "[::1]:1883"},
		{config.Embedded{Listen: "[::ffff:127.0.0.1]:1883"}, "[::ffff:127.0.0.1]:1883"},
		{config.Embedded{Listen: "localhost:1883"}, "localhost:1883"},
		{config.Embedded{Listen: ":1883", Users: users}, ":1883"},
	} {
		if got := tt.embedded.Address(); got != tt.want {
			t.Errorf("%+v listens on %s, want %s", tt.embedded, got, tt.want)
		}
	}
}

// TestSecretsStayHidden prints a whole configuration in every way there is.
func TestSecretsStayHidden(t *testing.T) {
	const hidden = "hunter2-hunter2-hunter2"
	c := config.Default()
	c.MQTT.Password = config.NewSecret(hidden)
	c.HTTP.Tokens = []config.Token{{Name: "nvr", Token: config.NewSecret(hidden)}}
	c.Cameras = []config.Camera{{ID: "porch", Key: config.NewSecret(hidden)}}
	c.Plugins.Instances = []config.Instance{{Name: "phone", Settings: config.NewPluginSettings(map[string]any{"token": hidden}, hidden)}}
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t", "%o", "%U", "%T"} {
		fmt.Fprintf(&out, verb+verb+verb+"\n", c.HTTP.Tokens, c.MQTT, c.Plugins)
	}
	for _, h := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
		slog.New(h).Info("here", "config", c, "password", c.MQTT.Password, "mqtt", c.MQTT, "plugins", c.Plugins, "settings", c.Plugins.Instances[0].Settings)
	}
	for _, marshal := range []func(any) ([]byte, error){json.Marshal, yaml.Marshal} {
		b, err := marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		out.Write(b)
	}
	settings := c.Plugins.Instances[0].Settings
	out.WriteString(settings.String() + settings.GoString() + settings.LogValue().String())
	out.WriteString(c.MQTT.Password.String() + c.MQTT.Password.GoString() + c.MQTT.Password.LogValue().String())
	for _, leak := range []string{"hunter", fmt.Sprintf("%x", "hunter"), fmt.Sprintf("%X", "hunter"), fmt.Sprintf("%v", []byte("hunter"))[1:20]} {
		if strings.Contains(out.String(), leak) {
			t.Errorf("%q is in\n%s", leak, out.String())
		}
	}
	if n := strings.Count(out.String(), "[redacted]"); n < 20 {
		t.Errorf("only %d times [redacted]: were the secrets printed at all?", n)
	}
	if c.MQTT.Password.Reveal() != hidden || c.MQTT.Password != config.NewSecret(hidden) {
		t.Error("the secret itself is lost")
	}
	if s := (config.Secret{}).String(); s != "" {
		t.Errorf("no secret prints as %q", s)
	}
}
