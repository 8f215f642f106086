package pluginhost

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge"
)

// instance is one plugin instance. Its goroutine, run, is the only one that
// starts and stops its process and that changes its state.
type instance struct {
	host    *Host
	cfg     Instance
	dataDir string
	log     *slog.Logger
	secrets redactor

	// What run alone uses.
	breaker  breaker
	runDir   string
	memLimit int64
	starts   int

	poke     chan struct{}        // something below that run looks at has changed
	requests chan change          // new settings
	gone     chan struct{}        // closed when run has returned
	work     atomic.Pointer[life] // nil: it takes no work
	sink     sink
	counts   counts

	mu       sync.Mutex
	rec      record
	again    bool          // somebody wants a new start
	turned   chan struct{} // closed and replaced when shown changes
	shown    bridge.Plugin // without Log, Memory and Started while it runs
	current  *life         // whose log is shown; may have ended
	last     []string      // the log of a start that failed, shown without current
	declared []bridge.PluginField
}

func newInstance(h *Host, c Instance) (*instance, error) {
	rec, _, err := h.records.Get(c.Name)
	if err != nil {
		return nil, err
	}
	i := &instance{
		host: h, cfg: c, dataDir: filepath.Join(h.cfg.DataDir, "plugins", c.Name), log: h.deps.Log.With("plugin", c.Name), rec: rec.fitting(c),
		breaker: breaker{timing: h.timing, random: h.deps.Random}, memLimit: c.Memory,
		poke: make(chan struct{}, 1), requests: make(chan change), gone: make(chan struct{}),
		turned: make(chan struct{}),
	}
	if i.memLimit <= 0 {
		i.memLimit = defaultMemory
	}
	i.secrets.learn(c.Hidden...)
	i.sink.init(i)
	i.shown = bridge.Plugin{Instance: c.Name, Type: c.Type, State: bridge.PluginDisabled, Since: h.deps.Now(), Dev: c.Dev, Source: c.Source, Settings: json.RawMessage("{}")}
	if !i.wanted() {
		i.recall()
	}
	return i, nil
}

// recall takes what the plugin said of itself when it was installed, for the form
// of an instance that is switched off. Whether its files can be trusted is told
// when it is switched on.
func (i *instance) recall() {
	f, _, err := i.trust()
	if m := f.Manifest; err == nil && m.Fields != nil {
		i.declared = m.Fields
		i.shown.Version, i.shown.Summary, i.shown.Roles = m.Version, m.Summary, m.Roles
	}
}

// run keeps the instance in the state that people want until ctx ends.
func (i *instance) run(ctx context.Context, runDir string) {
	i.runDir = runDir
	defer close(i.gone)
	defer i.enter(bridge.PluginStopped, "", time.Time{})
	defer i.sink.forget()
	for ctx.Err() == nil {
		if !i.wanted() {
			i.sink.forget()
			i.enter(bridge.PluginDisabled, "", time.Time{})
			i.idle(ctx)
			continue
		}
		err := i.live(ctx)
		if ctx.Err() != nil || errors.Is(err, errAsked) {
			continue
		}
		i.after(ctx, err)
	}
}

// errAsked ends a life that somebody wanted to end.
var errAsked = errors.New("asked to end")

// halt is why a plugin is not started again by itself.
type halt struct {
	state bridge.PluginState
	err   error
}

func (h *halt) Error() string { return h.err.Error() }

func (h *halt) Unwrap() error { return h.err }

// after shows why a life ended, and waits for the time or the change after which
// another may be better.
func (i *instance) after(ctx context.Context, err error) {
	var h *halt
	if errors.As(err, &h) {
		i.enter(h.state, err.Error(), time.Time{})
		i.rest(ctx, 0, true)
		return
	}
	i.counts.exits.Add(1)
	wait, tripped := i.breaker.ended(i.host.deps.Now())
	state, why := bridge.PluginBackoff, err.Error()
	if tripped {
		state, why = bridge.PluginTripped, "it ended too often; the last time: "+why
	}
	i.enter(state, why, i.host.deps.Now().Add(wait))
	i.rest(ctx, wait, tripped)
}

// rest waits for the time (0: for ever) or a wish of somebody; with files, also
// for other files.
func (i *instance) rest(ctx context.Context, wait time.Duration, files bool) {
	var over, look <-chan time.Time
	if wait > 0 {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		over = timer.C
	}
	if files {
		ticker := time.NewTicker(i.host.timing.files)
		defer ticker.Stop()
		look = ticker.C
	}
	before := i.fingerprint()
	for {
		select {
		case <-ctx.Done():
			return
		case <-over:
			return
		case <-look:
			if i.fingerprint() != before {
				return
			}
		case c := <-i.requests:
			err := i.accept(c)
			c.reply <- err
			if err == nil {
				return
			}
		case <-i.poke:
			if i.takeWish() || !i.wanted() {
				return
			}
		}
	}
}

// idle waits while the instance is switched off.
func (i *instance) idle(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-i.poke:
	case c := <-i.requests:
		c.reply <- i.accept(c)
	}
}

// takeWish reports whether somebody asked for a new start, which then also
// forgets earlier ends.
func (i *instance) takeWish() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	again := i.again
	i.again = false
	if again {
		i.breaker.reset()
	}
	return again
}

// wake makes run look at what changed.
func (i *instance) wake() {
	select {
	case i.poke <- struct{}{}:
	default:
	}
}

// enter changes the state: one line in the log, one count, one notice.
func (i *instance) enter(s bridge.PluginState, problem string, next time.Time) {
	problem = i.secrets.clean(problem)
	i.mu.Lock()
	from := i.shown.State
	same := from == s && i.shown.Problem == problem
	if !same {
		i.shown.Since = i.host.deps.Now()
		close(i.turned)
		i.turned = make(chan struct{})
	}
	i.shown.State, i.shown.Problem, i.shown.Next = s, problem, next
	i.mu.Unlock()
	if same {
		return
	}
	i.counts.entered(s)
	tell, args := i.log.Info, []any{"state", s, "from", from}
	if problem != "" {
		tell, args = i.log.Warn, append(args, "err", problem)
	}
	if !next.IsZero() {
		args = append(args, "next", next.Sub(i.host.deps.Now()).Round(time.Millisecond))
	}
	tell("plugin "+string(s), args...)
	i.host.changed()
}

// state returns the state, its sentence, and what is closed at its next change.
func (i *instance) state() (bridge.PluginState, string, <-chan struct{}) {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.shown.State, i.shown.Problem, i.turned
}

// snapshot is the instance for lists, without any secret.
func (i *instance) snapshot() bridge.Plugin {
	i.mu.Lock()
	p, l, last := i.shown, i.current, i.last
	p.Fields = i.declared
	i.mu.Unlock()
	p.Files = i.hasFiles()
	p.Roles, p.Permissions, p.Secrets = slices.Clone(p.Roles), slices.Clone(p.Permissions), slices.Clone(p.Secrets)
	if l == nil {
		for _, line := range last {
			p.Log = append(p.Log, i.secrets.clean(line))
		}
		return p
	}
	p.Log = l.lines()
	select {
	case <-l.process.Done():
	default:
		p.Started, p.Memory = l.started, l.memory.Load()
	}
	return p
}
