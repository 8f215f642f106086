//go:build linux

package pluginhost

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/espcam-bridge/espcam-bridge/bridge"
	"github.com/espcam-bridge/espcam-bridge/bridge/hub"
	"github.com/espcam-bridge/espcam-bridge/bridge/pluginhost/folder"
	"github.com/espcam-bridge/espcam-bridge/bridge/store"
)

// town is a fleet of two cameras.
type town struct {
	mu        sync.Mutex
	cameras   []bridge.Camera
	listeners map[*bridge.Listener]bool
	did       []string
}

func (f *town) Cameras() []bridge.Camera {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]bridge.Camera{}, f.cameras...)
}

func (f *town) Camera(ref string) (bridge.Camera, error) {
	for _, c := range f.Cameras() {
		if c.ID == ref {
			return c, nil
		}
	}
	return bridge.Camera{}, bridge.Errorf(bridge.CodeNotFound, "no camera %s", ref)
}

func (f *town) Subscribe() (*bridge.Listener, func()) {
	l := bridge.NewListener()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.listeners[l] = true
	return l, func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		delete(f.listeners, l)
	}
}

func (f *town) rename(n int, name string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.cameras[n].Name = name
	for l := range f.listeners {
		l.Changed(f.cameras[n].ID)
	}
}

func (f *town) Set(_ context.Context, id string, s bridge.Settings) (bridge.Camera, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.did = append(f.did, fmt.Sprint(id, " ", s))
	return bridge.Camera{}, nil
}

func (f *town) Do(_ context.Context, id string, a bridge.Action) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.did = append(f.did, fmt.Sprint(id, " ", a))
	return bridge.Errorf(bridge.CodeUnsupported, "this camera cannot %s", a.Name)
}

// board is where plugins publish.
type board struct {
	mu   sync.Mutex
	said []string
}

func (b *board) SetState(instance, name, value string) error {
	return b.say("state", instance, name, value)
}

func (b *board) Publish(instance, name string, payload []byte) error {
	return b.say("event", instance, name, string(payload))
}

func (b *board) say(parts ...string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.said = append(b.said, strings.Join(parts, " "))
	if len(b.said) == 3 && parts[0] == "event" {
		return bridge.Errorf(bridge.CodeUnavailable, "there is no broker")
	}
	return nil
}

// text is a buffer that many may write.
type text struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (t *text) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.b.Write(p)
}

func (t *text) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.b.String()
}

// rig is a host with its surroundings and one plugin type, evil.
type rig struct {
	*Host
	t      *testing.T
	dir    string // of plugins
	data   string
	town   *town
	hub    *hub.Hub
	board  *board
	log    *text
	store  *store.Store
	events *bridge.EventListener
	level  slog.LevelVar
	timing timing
	cfg    Config

	mu        sync.Mutex
	detectors []bridge.Detector
	options   []bridge.DetectorOptions
	end       func()
}

// quick is so short that tests need not wait, and long enough for a busy machine.
func quick() timing {
	t := defaultTiming()
	t.handshake, t.interpreter, t.describe = 20*time.Second, 20*time.Second, 20*time.Second
	t.backoff, t.maxBackoff, t.probe, t.maxProbe = 10*time.Millisecond, 50*time.Millisecond, 100*time.Millisecond, time.Second
	t.health, t.healthCall, t.memory, t.files = 50*time.Millisecond, 2*time.Second, 20*time.Millisecond, 10*time.Millisecond
	t.redeliver, t.maxRedeliver = 10*time.Millisecond, 20*time.Millisecond
	return t
}

func newRig(t *testing.T) *rig {
	t.Helper()
	data, err := os.MkdirTemp("", "host") // t.TempDir is too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	st, err := store.Open(data)
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, dir: t.TempDir(), data: data, hub: hub.New(nil), board: &board{}, log: &text{}, store: st, events: bridge.NewEventListener(), timing: quick(),
		town: &town{cameras: []bridge.Camera{{ID: "porch", Name: "Porch", State: bridge.Online, Enabled: true}, {ID: "yard", Name: "Yard", State: bridge.Offline, Enabled: true}}, listeners: map[*bridge.Listener]bool{}}}
	t.Cleanup(func() {
		r.stop()
		if err := st.Close(); err != nil {
			t.Error(err)
		}
		if left, err := filepath.Glob(data + "/run/*"); err != nil || len(left) > 0 {
			t.Errorf("left behind: %v %v", left, err)
		}
		if err := os.RemoveAll(data); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Logf("the log:\n%s", r.log)
		}
	})
	r.cfg = Config{Dir: r.dir, DataDir: data}
	return r
}

// write makes the plugin's folder, without accepting it.
func (r *rig) write(args ...string) {
	r.t.Helper()
	program, err := os.Executable()
	if err != nil {
		r.t.Fatal(err)
	}
	path := filepath.Join(r.dir, "evil")
	if err := os.MkdirAll(path, 0o700); err != nil {
		r.t.Fatal(err)
	}
	m, err := yaml.Marshal(folder.Manifest{Name: "evil", Version: "1.2.0", Command: append([]string{program}, args...)})
	if err == nil {
		err = os.WriteFile(filepath.Join(path, folder.ManifestName), m, 0o600)
	}
	if err != nil {
		r.t.Fatal(err)
	}
}

// install makes the plugin's folder and accepts it, with all permissions.
func (r *rig) install(args ...string) {
	r.t.Helper()
	r.write(args...)
	if _, err := folder.Accept(r.dir, folder.Open(filepath.Join(r.dir, "evil")), "1.2.0", []string{"snapshot", "frames", "command", "publish"}, time.Now()); err != nil {
		r.t.Fatal(err)
	}
}

// add adds an instance before the start.
func (r *rig) add(i Instance) {
	if i.Type == "" {
		i.Type = "evil"
	}
	i.Enabled = true
	r.cfg.Instances = append(r.cfg.Instances, i)
}

// start runs the host. Without other instances there is one, phone.
func (r *rig) start() {
	r.t.Helper()
	if len(r.cfg.Instances) == 0 {
		r.add(Instance{Name: "phone"})
	}
	h, err := newHost(r.cfg, Deps{
		Cameras: r.town, Hub: r.hub, Publisher: r.board, Store: r.store, Log: slog.New(slog.NewTextHandler(r.log, &slog.HandlerOptions{Level: slog.LevelDebug})), Level: &r.level,
		Events: func() (*bridge.EventListener, func()) { return r.events, func() {} }, AddDetector: r.addDetector,
	}, r.timing)
	if err != nil {
		r.t.Fatal(err)
	}
	r.Host = h
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- h.Run(ctx) }()
	r.end = func() {
		cancel()
		if err := <-ended; err != nil {
			r.t.Error(err)
		}
	}
}

func (r *rig) stop() {
	if r.end != nil {
		r.end()
		r.end = nil
	}
}

func (r *rig) addDetector(d bridge.Detector, o bridge.DetectorOptions) func() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.detectors, r.options = append(r.detectors, d), append(r.options, o)
	return func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.detectors, r.options = nil, nil
	}
}

func (r *rig) detector() bridge.Detector {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.detectors) == 0 {
		return nil
	}
	return r.detectors[0]
}

// until polls.
func (r *rig) until(what string, ok func() bool) {
	r.t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(30 * time.Second); !ok(); <-tick.C {
		if time.Now().After(end) {
			r.t.Fatalf("%s: never happened; the instances: %+v", what, r.List())
		}
	}
}

func (r *rig) plugin(name string) bridge.Plugin {
	r.t.Helper()
	p, err := r.Plugin(name)
	if err != nil {
		r.t.Fatal(err)
	}
	return p
}

// reaches waits for phone's state.
func (r *rig) reaches(s bridge.PluginState) bridge.Plugin {
	r.t.Helper()
	r.until("state "+string(s), func() bool { return r.plugin("phone").State == s })
	return r.plugin("phone")
}

// pid is that of phone's process; 0 if there is none.
func (r *rig) pid() int {
	if l := r.byName["phone"].work.Load(); l != nil {
		return l.process.PID()
	}
	return 0
}

// file is the content of a file in phone's data directory; "" if there is none.
func (r *rig) file(name string) string {
	b, err := os.ReadFile(filepath.Join(r.data, "plugins", "phone", name))
	if err != nil && !os.IsNotExist(err) {
		r.t.Fatal(err)
	}
	return string(b)
}

func (r *rig) put(name string) {
	r.t.Helper()
	if err := os.WriteFile(filepath.Join(r.data, "plugins", "phone", name), nil, 0o600); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) take(name string) {
	r.t.Helper()
	if err := os.Remove(filepath.Join(r.data, "plugins", "phone", name)); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) starts() int {
	n, err := strconv.Atoi(r.file("starts"))
	if err != nil {
		return 0
	}
	return n
}

// tell notifies phone.
func (r *rig) tell(text string) (bridge.Receipt, error) {
	return r.Notify(r.t.Context(), "phone", bridge.Alert{
		Event: bridge.Event{ID: "e1", Camera: "porch", Picture: picture(320, 240)},
		Phase: bridge.PhaseBegin, Title: "Motion", Text: text,
	})
}
