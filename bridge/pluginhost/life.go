package pluginhost

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"
	"google.golang.org/grpc/status"

	"github.com/espcam-bridge/espcam-bridge/bridge"
	"github.com/espcam-bridge/espcam-bridge/bridge/pluginhost/folder"
	"github.com/espcam-bridge/espcam-bridge/plugins/launch"
	"github.com/espcam-bridge/espcam-bridge/plugins/pluginpb"
)

const (
	defaultMemory = 256 << 20 // bytes
	niceness      = 19        // least of all: a picture on its way comes first

	linesPerSecond = 50 // of a plugin's log that go into ours
	linesAtOnce    = 200
)

// life is one process of an instance, from its start to its end.
type life struct {
	*instance
	process  *launch.Process
	started  time.Time
	about    *pluginpb.Description
	granted  []string
	stopping chan struct{} // closed when it is to end
	calls    *hostCalls

	memory  atomic.Int64 // bytes
	success atomic.Int64 // when a call last succeeded, in Unix nanoseconds
	late    atomic.Int32 // detections in a row that came too late
	misses  int          // signs of life in a row that did not come; run's own
	ill     string       // what it said is wrong with it; run's own
	stale   string       // why its changed files do not run instead; run's own

	saying  *rate.Limiter
	skipped int // lines left out; used by one line at a time
}

// live is the life of one process, and of those that replace it without a pause:
// it returns why the last one ended.
func (i *instance) live(ctx context.Context) error {
	l, err := i.grow(ctx, i.enter)
	if err != nil {
		return err
	}
	var old sync.WaitGroup
	defer old.Wait()
	for {
		err = l.serve(ctx)
		var r *replaced
		if !errors.As(err, &r) {
			l.end(err)
			return err
		}
		last := l
		old.Go(func() { last.finish(i.host.timing.drain) })
		l = r.by
	}
}

// replaced ends a life after which another is already configured.
type replaced struct{ by *life }

func (*replaced) Error() string { return "replaced" }

// grow brings a process up to being configured. enter shows the states on the way.
func (i *instance) grow(ctx context.Context, enter func(bridge.PluginState, string, time.Time)) (*life, error) {
	f, granted, err := i.trust()
	if err != nil {
		return nil, err
	}
	enter(bridge.PluginStarting, "", time.Time{})
	l := &life{instance: i, granted: granted, stopping: make(chan struct{}), saying: rate.NewLimiter(linesPerSecond, linesAtOnce)}
	l.calls = newHostCalls(ctx, l)
	if err := l.start(ctx, f); err != nil {
		l.calls.close()
		return nil, err
	}
	enter(bridge.PluginConfiguring, "", time.Time{})
	if err = l.describe(ctx); err == nil {
		_, err = l.configure(ctx, l.settings())
	}
	if err != nil {
		l.finish(0)
		return nil, err
	}
	return l, nil
}

// renew starts the changed files of a plugin in development beside the process
// that works, so that no alert waits. One that does not come up changes nothing.
func (l *life) renew(ctx context.Context) error {
	next, err := l.grow(ctx, func(bridge.PluginState, string, time.Time) {})
	if err == nil {
		return &replaced{next}
	}
	l.mu.Lock()
	l.current = l
	l.mu.Unlock()
	l.stale = "its changed files are not used: " + err.Error()
	l.show()
	return nil
}

// trust finds the folder and checks that its files are those that were accepted.
func (i *instance) trust() (folder.Folder, []string, error) {
	path := filepath.Join(i.host.cfg.Dir, i.cfg.Type)
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		return folder.Folder{}, nil, &halt{bridge.PluginMissing, i.missing()}
	}
	f := folder.Open(path)
	if f.Err == nil && f.Type != i.cfg.Type {
		f.Err = bridge.Errorf(bridge.CodeInvalid, "the folder %s holds the plugin %q: a plugin's folder has its name", path, f.Type)
	}
	if f.Err != nil {
		return f, nil, &halt{bridge.PluginIncompatible, f.Err}
	}
	if i.cfg.Dev {
		return f, nil, nil
	}
	e, err := folder.Verify(i.host.cfg.Dir, f)
	if err != nil {
		return f, nil, &halt{bridge.PluginUntrusted, err}
	}
	return f, e.Permissions, nil
}

func (i *instance) missing() error {
	found, _ := folder.Find(i.host.cfg.Dir) // it only helps to find the right name
	var names []string
	for _, f := range found {
		names = append(names, f.Type)
	}
	hint := ""
	if near := bridge.Nearest(i.cfg.Type, names); near != "" {
		hint = fmt.Sprintf("; did you mean %s?", near)
	}
	return bridge.Errorf(bridge.CodeNotFound, "no plugin %q is installed in %s: install it with `espcam-bridge plugin install PATH`%s", i.cfg.Type, i.host.cfg.Dir, hint)
}

// fingerprint changes when files of the plugin, or what was accepted, did.
func (i *instance) fingerprint() string {
	var b strings.Builder
	dir := filepath.Join(i.host.cfg.Dir, i.cfg.Type)
	names := []string{filepath.Join(i.host.cfg.Dir, folder.LockName), dir}
	if entries, err := os.ReadDir(dir); err == nil {
		for _, e := range entries {
			names = append(names, filepath.Join(dir, e.Name()))
		}
	}
	for _, name := range names {
		if info, err := os.Stat(name); err == nil {
			fmt.Fprintln(&b, name, info.Size(), info.ModTime().UnixNano())
		}
	}
	return b.String()
}

func (l *life) start(ctx context.Context, f folder.Folder) error {
	if err := os.MkdirAll(l.dataDir, 0o700); err != nil {
		return fmt.Errorf("its directory cannot be made: %w", err)
	}
	within := l.host.timing.handshake
	if f.Interpreted {
		within = l.host.timing.interpreter
	}
	p, err := launch.Start(ctx, launch.Spec{
		Name: l.cfg.Type, Command: f.Command, Dir: l.dataDir, RunDir: l.runDir, Within: within,
		Env:  []string{fmt.Sprintf("GOMEMLIMIT=%d", l.memLimit/10*9)},
		Host: l.calls, Line: l.say, RunAs: l.cfg.RunAs, Nice: niceness,
	})
	if err != nil {
		return l.failedStart(err, f)
	}
	l.process, l.started = p, l.host.deps.Now()
	l.mu.Lock()
	l.current, l.last = l, nil
	l.shown.Restarts = l.starts
	l.mu.Unlock()
	l.starts++
	return nil
}

// failedStart keeps the last words of what did not become a plugin.
func (i *instance) failedStart(err error, f folder.Folder) error {
	var silent *launch.NoHandshake
	var other *launch.Incompatible
	i.mu.Lock()
	i.current, i.last = nil, nil
	if errors.As(err, &silent) {
		i.last = silent.Last
	}
	i.mu.Unlock()
	if errors.As(err, &other) {
		return &halt{bridge.PluginIncompatible, i.incompatible(other, f)}
	}
	return err
}

// incompatible says what to do about a plugin of another protocol.
func (i *instance) incompatible(e *launch.Incompatible, f folder.Folder) error {
	name := fmt.Sprintf("plugin %q", i.cfg.Type)
	if f.Manifest.Version != "" {
		name += " " + f.Manifest.Version
	}
	theirs, ours := slices.Max(e.Plugin), slices.Max(e.Bridge)
	remedy := fmt.Sprintf("install a version of %s for plugin API %d", i.cfg.Type, ours)
	lock, err := folder.ReadLock(i.host.cfg.Dir)
	if known, ok := lock[i.cfg.Type]; err == nil && ok && known.API == ours && known.Version != f.Manifest.Version {
		remedy = fmt.Sprintf("install %s %s", i.cfg.Type, known.Version)
	}
	if theirs > ours {
		remedy = "update the bridge, or " + remedy
	}
	return bridge.Errorf(bridge.CodeUnsupported, "%s was built for plugin API %d; this bridge speaks API %d; %s", name, theirs, ours, remedy)
}

func (l *life) describe(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, l.host.timing.describe)
	defer cancel()
	d, err := l.process.Plugin().Describe(ctx, &pluginpb.DescribeRequest{})
	if err != nil {
		return l.lost("it did not describe itself", err)
	}
	if err := folder.CheckDescription(l.cfg.Type, d); err != nil {
		return &halt{bridge.PluginIncompatible, err}
	}
	roles, err := folder.Roles(d)
	if err != nil {
		return &halt{bridge.PluginIncompatible, err}
	}
	fields, err := folder.Fields(d)
	if err != nil {
		return &halt{bridge.PluginIncompatible, err}
	}
	if l.cfg.Dev {
		l.granted = d.Permissions
	}
	l.about = d
	l.mu.Lock()
	defer l.mu.Unlock()
	l.declared = append([]bridge.PluginField{}, fields...)
	l.shown.Version, l.shown.Summary, l.shown.Roles, l.shown.Permissions = d.Version, d.Summary, roles, l.granted
	return nil
}

// configure gives the plugin its settings. It reports whether they need a new
// process.
func (l *life) configure(ctx context.Context, settings map[string]any) (restart bool, err error) {
	l.mu.Lock()
	fields := l.declared
	l.mu.Unlock()
	clean, secrets, problems := folder.Check(fields, settings)
	if len(problems) > 0 {
		return false, &halt{bridge.PluginBadConfig, sentence(l.cfg, problems)}
	}
	l.secrets.learn(slices.Collect(maps.Values(secrets))...)
	ctx, cancel := context.WithTimeout(ctx, l.host.timing.configure)
	defer cancel()
	r, err := l.process.Plugin().Configure(ctx, &pluginpb.ConfigureRequest{
		Instance: l.cfg.Name, SettingsJson: clean, Secrets: secrets, Cameras: l.cameras(),
		DataDir: l.dataDir, HostBrokerId: l.process.HostID(), Permissions: l.granted,
	})
	if err != nil {
		return false, l.lost("it did not take its settings", err)
	}
	for _, p := range r.Problems {
		problems = append(problems, folder.Problem{Field: p.Field, Message: p.Message})
	}
	if len(problems) > 0 {
		return false, &halt{bridge.PluginBadConfig, sentence(l.cfg, problems)}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.shown.Settings = []byte(l.secrets.clean(string(clean)))
	l.shown.Secrets = slices.Sorted(maps.Keys(secrets))
	return r.RestartNeeded, nil
}

// lost is a call that failed: how the process ended says more than the call.
func (l *life) lost(what string, err error) error {
	if l.ended() {
		return l.crashed()
	}
	return fmt.Errorf("%s: %s", what, status.Convert(err).Message())
}

// ended reports whether the process has ended. A call notices that first, so this
// waits a moment.
func (l *life) ended() bool {
	timer := time.NewTimer(100 * time.Millisecond)
	defer timer.Stop()
	select {
	case <-l.process.Done():
		return true
	case <-timer.C:
		return false
	}
}

func (l *life) crashed() error {
	last := ""
	if lines := l.process.Lines(); len(lines) > 0 {
		last = "; its last line: " + lines[len(lines)-1]
	}
	return fmt.Errorf("it ended by itself: %s%s", l.process.Exit(), last)
}

// end stops the process. One that did nothing wrong may finish what it is at.
func (l *life) end(why error) {
	drain := time.Duration(0)
	if errors.Is(why, errAsked) {
		l.enter(bridge.PluginDraining, "", time.Time{})
		drain = l.host.timing.drain
	}
	if errors.Is(why, errGrown) {
		drain = l.host.timing.drain / 5
	}
	l.finish(drain)
}

func (l *life) finish(drain time.Duration) {
	close(l.stopping)
	l.process.Stop(drain)
	l.calls.close()
}

// lines are its last ones, without secrets.
func (l *life) lines() []string {
	lines := l.process.Lines()
	for n, s := range lines {
		lines[n] = l.secrets.clean(s)
	}
	return lines
}

// say takes a line of the plugin's log into ours, so many a second.
func (l *life) say(line launch.Line) {
	if !l.saying.Allow() {
		l.skipped++
		l.counts.lines.Add(1)
		return
	}
	if l.skipped > 0 {
		l.log.Warn("the plugin writes too much: lines were left out", "lines", l.skipped)
		l.skipped = 0
	}
	args := []any{}
	for _, a := range line.Attrs {
		args = append(args, slog.String(l.secrets.clean(a.Key), l.secrets.clean(a.Value.String())))
	}
	l.log.Log(l.calls.ctx, line.Level, l.secrets.clean(line.Message), args...)
}
