// Package hatest_test is the proof with the real Home Assistant: one in a process
// of its own, a real Mosquitto, the real program and simulated cameras. It knows of
// the bridge what DESIGN promises to the outside, and reads what came of it over
// Home Assistant's own interfaces, as its page does.
//
// One Home Assistant serves all parts of TestHomeAssistant, one after the other. With
// HATEST_SCREENSHOT=FILE.png there is only one: a picture of a device's page.
package hatest_test

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/espcam-bridge/espcam-bridge/bridge"
	"github.com/espcam-bridge/espcam-bridge/bridge/fakecam"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what must come. Bounds that are promised
// are checked apart.
const patience = 25 * time.Second

// eventually polls until the condition holds, and returns how long that took.
func eventually(t testing.TB, what string, holds func() bool) time.Duration {
	t.Helper()
	began, wait := time.Now(), 5*time.Millisecond
	for !holds() {
		if time.Since(began) > patience {
			t.Fatal("never: " + what)
		}
		<-time.After(wait)
		wait = min(2*wait, 50*time.Millisecond)
	}
	return time.Since(began)
}

// house is everything together.
type house struct {
	testing.TB // of the part that runs
	broker     *program
	port       int // of the broker
	bridge     *program
	api        *client // of the bridge
	ha         *homeAssistant
	mqtt       *observer
	phone      *phone
	cameras    map[string]*camera
	doing      string   // name of the part that runs
	expected   []string // words of complaints that it provokes

	porch   *street
	kinds   map[string]fakecam.Config
	clip    string            // folder of the gate's pictures
	enabled map[string]bool   // at first, by unique id
	ids     map[string]string // of entities, by unique id
	figures []string
}

// keys of the cameras, as they stand in the configuration.
func key(camera string) string { return "wsk_" + strings.Repeat(camera+"-", 24)[:40] }

const adminToken = "esb_admin-of-this-house"

// settings of the bridge: three kinds of cameras.
const bridgeYAML = `name: home
data: %s
http:
  listen: 127.0.0.1:%d
  tokens:
    - {name: test, token: %s, role: admin}
mqtt: {broker: "mqtt://127.0.0.1:%d"}
motion: {off_delay: 1s}
plugins:
  dir: %s
  instances:
    phone: {type: ntfy, settings: {url: "%s", topic: home}}
alerts:
  - {to: phone, cameras: [porch], cooldown: 0s}
cameras:
`

// newBridge writes the configuration of a bridge and builds it.
func newBridge(t testing.TB, binary string, broker int, cameras []string, phone string) (*program, *client) {
	t.Helper()
	dir, port := t.TempDir(), freePort(t)
	text := fmt.Sprintf(bridgeYAML, filepath.Join(dir, "data"), port, adminToken, broker, filepath.Join(dir, "plugins"), phone)
	for _, c := range cameras {
		text += fmt.Sprintf("  %s: {name: %s, key: %s}\n", c, cmp.Or(titles[c], c), key(c))
	}
	file := filepath.Join(dir, "bridge.yaml")
	write(t, file, text)
	installNtfy(t, binary, file)
	p := &program{name: binary, args: []string{"serve", "--config", file}, env: []string{"SUPERVISOR_ENABLED=1"}} // we start it again
	t.Cleanup(func() { p.end(t, syscall.SIGTERM) })
	return p, &client{base: fmt.Sprintf("http://127.0.0.1:%d", port), token: adminToken}
}

// titles are the names of cameras for people: those of the example dashboard.
var titles = map[string]string{"porch": "Front porch", "gate": "Back yard", "yard": "Old yard"}

// buildBridge builds the program, unless BRIDGE_PROGRAM names it.
func buildBridge(t testing.TB) string {
	t.Helper()
	if b := os.Getenv("BRIDGE_PROGRAM"); b != "" {
		return b
	}
	out := filepath.Join(t.TempDir(), "espcam-bridge")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-o", out, "github.com/espcam-bridge/espcam-bridge/cmd/espcam-bridge")
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, text)
	}
	return out
}

// open starts everything and waits until Home Assistant knows the cameras.
func open(t *testing.T) *house {
	t.Helper()
	h := &house{TB: t, port: freePort(t), cameras: map[string]*camera{}, porch: &street{}}
	h.broker = newMosquitto(t, h.port)
	t.Cleanup(func() { h.broker.end(t, syscall.SIGTERM) })
	h.broker.start(t)
	h.listens()
	h.mqtt = observe(t, h.port)
	h.ha = startHomeAssistant(t, h.port)
	h.phone = newPhone(t)
	h.bridge, h.api = newBridge(t, buildBridge(t), h.port, []string{"porch", "gate", "yard"}, h.phone.URL)
	t.Cleanup(func() {
		h.report()
		for _, c := range h.cameras {
			c.stop()
		}
		if t.Failed() {
			t.Logf("Home Assistant said:\n%s\nthe bridge said:\n%.8000s", h.ha.process.said.String(), h.bridge.said.String())
		}
	})
	h.startBridge()
	h.clip = clip(t, 40)
	h.kinds = kinds(h.porch, h.clip)
	for name, cfg := range h.kinds {
		h.plug(name, cfg)
	}
	return h
}

// kinds of cameras, one of each.
func kinds(s *street, clip string) map[string]fakecam.Config {
	return map[string]fakecam.Config{
		"porch": { // everything that a board can have
			Full: true, Plan: fakecam.Motion, Scene: 2, Width: 160, Height: 120, FPS: 10, Clock: s.now, Stats: time.Second,
		},
		"gate": { // a few things
			Clip: clip, FPS: 5, Stats: time.Second, Seed: 2, Caps: &bridge.Capabilities{LED: 100},
		},
		"yard": { // old firmware, which can only send pictures
			Dialect: string(bridge.StreamHub), Room: "yard", App: "live", Width: 160, Height: 120, FPS: 5, Plan: fakecam.Still, Stats: time.Second, Seed: 3,
		},
	}
}

// part runs one part of the proof: at its end Home Assistant must have nothing to
// complain of.
func (h *house) part(t *testing.T, name string, f func(*house)) {
	t.Helper()
	t.Run(name, func(t *testing.T) {
		outer := h.TB
		h.TB, h.expected, h.doing = t, nil, name
		defer func() { h.TB = outer }()
		f(h)
		for _, r := range h.ha.complaints(h.expected...) {
			t.Errorf("Home Assistant: %s [%s] %.400s", r.level, r.logger, r.words)
		}
	})
}

// figure notes something that was measured: make test-ha prints it.
func (h *house) figure(format string, args ...any) {
	h.Helper()
	line := h.doing + ": " + fmt.Sprintf(format, args...)
	h.Log(line)
	h.figures = append(h.figures, line)
}

// report writes the figures into the file that FIGURES names.
func (h *house) report() {
	path := os.Getenv("FIGURES")
	if path == "" {
		return
	}
	if err := os.WriteFile(path, []byte(strings.Join(h.figures, "\n")+"\n"), 0o600); err != nil {
		h.Error(err)
	}
}

// listens waits until the broker does.
func (h *house) listens() {
	h.Helper()
	eventually(h, "Mosquitto listens", func() bool { return reachable(h.port) })
}

func (h *house) startBridge() {
	h.Helper()
	h.bridge.start(h)
	h.ready()
}

// ready waits until the bridge is connected with the broker.
func (h *house) ready() {
	h.Helper()
	eventually(h, "the bridge is ready", func() bool {
		_, body, err := h.api.ask("GET", "/readyz", nil)
		return err == nil && strings.Contains(string(body), `"mqtt":"connected"`)
	})
}

// camera is one that has power.
type camera struct {
	*fakecam.Camera
	stop func()
}

// plug gives a camera power.
func (h *house) plug(name string, cfg fakecam.Config) {
	h.Helper()
	cfg.URL, cfg.Name = h.api.base, name
	if cfg.Key == "" {
		cfg.Key = key(name)
	}
	cam, err := fakecam.New(cfg)
	if err != nil {
		h.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = cam.Run(ctx) // New has checked what could be wrong
	}()
	h.cameras[name] = &camera{cam, sync.OnceFunc(func() { cancel(); <-done })}
}

// unplug takes a camera's power away.
func (h *house) unplug(name string) {
	h.Helper()
	h.cameras[name].stop()
	delete(h.cameras, name)
}

// street is the clock of a camera that plays fakecam.Motion: a quiet second of that
// plan passes again and again until somebody lets a car by.
type street struct {
	mu    sync.Mutex
	asked bool
	car   time.Time // when the newest one came
}

const (
	quiet  = 900 * time.Millisecond
	first  = 1900 * time.Millisecond // in the plan, just before its first figure
	passes = 4300 * time.Millisecond // for so long a figure crosses
)

func (s *street) now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	noon := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	if !s.asked { // that is when the camera was switched on
		s.asked = true
		return noon
	}
	if since := time.Since(s.car); since < passes {
		return noon.Add(first + since)
	}
	return noon.Add(time.Duration(time.Now().UnixNano()) % quiet)
}

// drive lets a car by.
func (s *street) drive() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.car = time.Now()
}
