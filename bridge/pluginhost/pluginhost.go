// Package pluginhost runs the plugin instances of the configuration: it finds
// their folders, starts only files that were accepted, watches, restarts and
// stops them, and does for each what it was granted. App makes one Host; alert,
// the page, the API and MQTT ask it.
//
// One goroutine owns each instance, so one that hangs or crash-loops costs no
// other. No call to a plugin lacks a deadline and no queue a bound; what is
// dropped is counted. A plugin that freezes, crashes, floods or grows is ended
// with its whole process group and comes back by a backoff; after five ends in
// ten minutes it is tried seldom. Files that changed, settings that are wrong and
// another protocol wait for a person. A program's path comes from its folder
// alone, never from what arrives here. Secrets go to the plugin over its socket;
// in logs, errors and lists they are replaced.
package pluginhost

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge"
	"github.com/espcam-bridge/espcam-bridge/bridge/hub"
	"github.com/espcam-bridge/espcam-bridge/bridge/store"
)

// Config says which plugins run.
type Config struct {
	Dir       string // where their folders lie
	DataDir   string // the bridge's state directory; theirs is <DataDir>/plugins/<instance>
	Instances []Instance
}

// Instance is one plugin with its settings, as the configuration file has it.
type Instance struct {
	Name     string         // unique; [a-z0-9][a-z0-9_-]{0,31}
	Type     string         // of the plugin: its folder's name
	Enabled  bool           //
	Settings map[string]any // as YAML and JSON decode
	Hidden   []string       // texts among them that are secrets whatever the plugin says
	Cameras  []string       // ids that it may see; nil: all
	Memory   int64          // bytes that its processes may take together; 0: 256 MiB
	Every    int            // a detector sees every so many judged pictures, also without motion; 0: it is woken by motion
	MaxFPS   float64        // pictures a second and camera for a detector at most; 0: as many as it wants
	Dev      bool           // its files are not checked, and a change of them restarts it
	RunAs    string         // user; "": the bridge's own
	Source   string         // "file:line"
}

// Cameras is the part of package fleet that plugins reach.
type Cameras interface {
	Cameras() []bridge.Camera
	// Camera finds one by id, room or name. CodeNotFound.
	Camera(ref string) (bridge.Camera, error)
	// Subscribe makes a mailbox that hears of every change.
	Subscribe() (*bridge.Listener, func())
	Set(ctx context.Context, id string, s bridge.Settings) (bridge.Camera, error)
	Do(ctx context.Context, id string, a bridge.Action) error
}

// Publisher puts what plugins say on MQTT. Its methods do not wait; an error, such
// as that nobody is connected, is told to the plugin.
type Publisher interface {
	// Publish sends a message that is not kept.
	Publish(instance, name string, payload []byte) error
	// SetState tells a value that is kept and told again after a reconnect, ""
	// to remove it. How many an instance may have is the publisher's to say.
	SetState(instance, name, value string) error
}

// Deps are what a Host stands on. Publisher, Events and AddDetector may be nil.
type Deps struct {
	Cameras     Cameras
	Hub         *hub.Hub
	Publisher   Publisher
	Events      func() (*bridge.EventListener, func())
	AddDetector func(bridge.Detector, bridge.DetectorOptions) (remove func())
	Store       *store.Store
	Log         *slog.Logger
	Level       slog.Leveler     // of the log, told to plugins; nil: info
	Now         func() time.Time // nil: time.Now
	Random      func() float64   // 0 to 1, for backoff; nil: math/rand
}

// Host runs all plugin instances. Its methods may be called from any goroutine.
type Host struct {
	cfg       Config
	deps      Deps
	timing    timing
	records   *store.Table[record]
	shrinker  chan struct{} // holds those who make pictures smaller
	memory    memoryScan
	instances []*instance // never changed; in the order of the file
	byName    map[string]*instance

	mu   sync.Mutex
	subs map[chan struct{}]struct{}
}

// New reads what people set over the page from the store. Nothing is started
// before Run.
func New(cfg Config, deps Deps) (*Host, error) { return newHost(cfg, deps, defaultTiming()) }

func newHost(cfg Config, deps Deps, t timing) (*Host, error) {
	// A plugin works elsewhere, so its paths must be whole.
	for _, dir := range []*string{&cfg.Dir, &cfg.DataDir} {
		abs, err := filepath.Abs(*dir)
		if err != nil {
			return nil, err
		}
		*dir = abs
	}
	records, err := store.NewTable[record](deps.Store, "plugins")
	if err != nil {
		return nil, err
	}
	deps = deps.withDefaults()
	h := &Host{cfg: cfg, deps: deps, timing: t, records: records, byName: map[string]*instance{},
		shrinker: make(chan struct{}, shrinkers), subs: map[chan struct{}]struct{}{}}
	for _, c := range cfg.Instances {
		i, err := newInstance(h, c)
		if err != nil {
			return nil, err
		}
		h.instances = append(h.instances, i)
		h.byName[c.Name] = i
	}
	return h, nil
}

func (d Deps) withDefaults() Deps {
	if d.Now == nil {
		d.Now = time.Now
	}
	if d.Random == nil {
		d.Random = randomly
	}
	if d.Level == nil {
		d.Level = slog.LevelInfo
	}
	return d
}

// Run starts the plugins and keeps them running until ctx ends. It returns when
// all have stopped: at most about 8 s after ctx, all of them at the same time.
func (h *Host) Run(ctx context.Context) error {
	run, err := h.runDir()
	if err != nil {
		return err
	}
	var all sync.WaitGroup
	for _, i := range h.instances {
		all.Go(func() { i.run(ctx, run) })
	}
	<-ctx.Done()
	all.Wait()
	return os.RemoveAll(run)
}

// runDir makes the directory of all sockets; a bridge that was killed has left
// the last one behind.
func (h *Host) runDir() (string, error) {
	root := filepath.Join(h.cfg.DataDir, "plugins")
	run := filepath.Join(h.cfg.DataDir, "run")
	if err := errors.Join(os.RemoveAll(run), os.MkdirAll(run, 0o700), os.MkdirAll(root, 0o700)); err != nil {
		return "", bridge.Errorf(bridge.CodeUnavailable, "the plugins' directory cannot be made: %w", err)
	}
	for _, i := range h.instances {
		if i.cfg.RunAs != "" { // another user must get through, not look around
			return run, errors.Join(os.Chmod(h.cfg.DataDir, 0o711), os.Chmod(root, 0o711))
		}
	}
	return run, nil
}

// List returns all instances in the order of the file.
func (h *Host) List() []bridge.Plugin {
	out := make([]bridge.Plugin, len(h.instances))
	for n, i := range h.instances {
		out[n] = i.snapshot()
	}
	return out
}

// Plugin returns one instance. CodeNotFound.
func (h *Host) Plugin(name string) (bridge.Plugin, error) {
	i, err := h.find(name)
	if err != nil {
		return bridge.Plugin{}, err
	}
	return i.snapshot(), nil
}

func (h *Host) find(name string) (*instance, error) {
	if i := h.byName[name]; i != nil {
		return i, nil
	}
	names := make([]string, len(h.instances))
	for n, i := range h.instances {
		names[n] = i.cfg.Name
	}
	hint := ""
	if near := bridge.Nearest(name, names); near != "" {
		hint = fmt.Sprintf("; did you mean %s?", near)
	}
	return nil, bridge.Errorf(bridge.CodeNotFound, "there is no plugin instance %.64q%s", name, hint)
}

// Subscribe returns a channel that is readable after an instance changed, until
// cancel is called.
func (h *Host) Subscribe() (changed <-chan struct{}, cancel func()) {
	c := make(chan struct{}, 1)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.subs[c] = struct{}{}
	return c, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.subs, c)
	}
}

// changed tells subscribers. It never blocks.
func (h *Host) changed() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for c := range h.subs {
		select {
		case c <- struct{}{}:
		default:
		}
	}
}
