// Package alert decides who is told about an event, when, and in which words,
// and sees to it that they are.
//
// App makes one Alerts out of the routes in the configuration, runs it with a
// mailbox of events and asks it for the list of what could not be sent. Plugins
// carry the alerts: package pluginhost is the Notifier.
//
// One goroutine follows the events; each plugin instance has a queue and a
// goroutine of its own, so one that is slow or down delays nobody else. What
// waits is bounded and on disk. An alert whose sending began when the bridge was
// killed is listed as failed, not sent again; everything else goes out after the
// next start. While the disk takes nothing alerts are sent all the same.
package alert

import (
	"cmp"
	"context"
	"io"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge"
	"github.com/espcam-bridge/espcam-bridge/bridge/store"
)

// Config is what Alerts are told. Zero durations mean the default.
type Config struct {
	Routes    []Route
	Instances []string        // all plugin instances, also those that no route names
	Queue     int             // alerts that may wait for one instance: 64
	Dead      int             // alerts that the list of failed ones holds: 200
	Expiry    time.Duration   // an alert that could not be sent for so long is given up: 10 min
	Retries   []time.Duration // between attempts: 1, 10, 60 s
	Timeout   time.Duration   // of one attempt, longer than the notifier's own: 20 s
	Drain     time.Duration   // how long Run waits for an attempt when its time is over: 5 s
}

func (c Config) withDefaults() Config {
	c.Queue = cmp.Or(c.Queue, 64)
	c.Dead = cmp.Or(c.Dead, 200)
	c.Expiry = cmp.Or(c.Expiry, 10*time.Minute)
	c.Timeout = cmp.Or(c.Timeout, 20*time.Second)
	c.Drain = cmp.Or(c.Drain, 5*time.Second)
	if c.Retries == nil {
		c.Retries = []time.Duration{time.Second, 10 * time.Second, time.Minute}
	}
	return c
}

// Notifier carries alerts to people.
type Notifier interface {
	// Await returns nil when the instance takes work; CodeNotFound if there is no
	// such instance. When ctx ends first the error says what it is waiting for.
	Await(ctx context.Context, instance string) error
	// Notify sends one alert. *bridge.RetryError: it may work later;
	// CodeUnavailable: the plugin went away meanwhile; CodeDenied and other codes
	// that time does not change: it never will.
	Notify(ctx context.Context, instance string, a bridge.Alert) (bridge.Receipt, error)
}

// Journal has events of before the start, and their pictures.
type Journal interface {
	Event(id string) (bridge.Event, error)
	Picture(id string) (io.ReadSeekCloser, error)
}

// Deps are the parts that Alerts work with.
type Deps struct {
	Notifier Notifier
	Journal  Journal
	Store    *store.Store
	Name     func(camera string) string             // for people
	Sample   func() (camera string, f bridge.Frame) // for Test: any camera with a picture, or a drawn one
	URL      func(camera, event string) string      // where to look at it; "" if nobody knows
	Log      *slog.Logger
}

// Alerts tell people. All methods may be called from any goroutine.
type Alerts struct {
	cfg     Config
	deps    Deps
	routes  []*route
	lanes   map[string]*lane // by instance
	ledger  *ledger
	ids     ids
	stopped chan struct{} // Run has ended

	stories map[storyKey]*story // owned by Run
	cooling map[coolKey]time.Time

	mu         sync.Mutex
	dead       []*letter // oldest first
	suppressed map[string]uint64
	lost       uint64
}

// New reads what the last run left in the store. Its error is CodeInvalid for a
// template that package wording does not take, else the store's.
func New(cfg Config, deps Deps) (*Alerts, error) {
	a := &Alerts{
		cfg: cfg.withDefaults(), deps: deps, lanes: map[string]*lane{}, stopped: make(chan struct{}),
		stories: map[storyKey]*story{}, cooling: map[coolKey]time.Time{}, suppressed: map[string]uint64{},
	}
	for _, r := range cfg.Routes {
		compiled, err := compile(r)
		if err != nil {
			return nil, err
		}
		a.routes = append(a.routes, compiled)
	}
	for _, name := range cfg.Instances {
		a.lanes[name] = newLane(a, name)
	}
	var err error
	if a.ledger, err = openLedger(deps.Store, deps.Log); err != nil {
		return nil, err
	}
	return a, a.restore()
}

// Run tells people of the events in the mailbox until ctx ends. An attempt that
// is under way then has Config.Drain to finish; what waits goes out after the
// next start. It is called once. The mailbox should hear of updates that matter
// to people only: at most about one a second and event.
func (a *Alerts) Run(ctx context.Context, events *bridge.EventListener) error {
	defer close(a.stopped)
	stopLedger := make(chan struct{})
	var writing, sending sync.WaitGroup
	writing.Go(func() { a.ledger.run(stopLedger) })
	a.resume()
	for _, l := range a.lanes {
		sending.Go(func() { l.run(ctx) })
	}
	a.follow(ctx, events)
	sending.Wait()
	close(stopLedger)
	writing.Wait()
	return nil
}

// follow hears events until ctx ends, those included that are in the mailbox by
// then.
func (a *Alerts) follow(ctx context.Context, events *bridge.EventListener) {
	due := time.NewTimer(0)
	defer due.Stop()
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-events.Ready():
			a.hear(events.Take())
		case <-due.C:
			a.reconsider()
		}
		due.Reset(a.patience())
	}
	a.hear(events.Take())
}

// Failed lists the alerts that were given up, the newest first.
func (a *Alerts) Failed() []bridge.FailedAlert {
	a.mu.Lock()
	defer a.mu.Unlock()
	out := make([]bridge.FailedAlert, 0, len(a.dead))
	for _, m := range slices.Backward(a.dead) {
		out = append(out, m.failed())
	}
	return out
}

// Retry takes an alert off the list of failed ones and sends it once more.
// CodeNotFound: there is none of that id, or its plugin instance is gone.
func (a *Alerts) Retry(id string) error {
	m, err := a.unbury(id, func(m *letter) error {
		if a.lanes[m.Instance] == nil {
			return bridge.Errorf(bridge.CodeNotFound, "there is no plugin instance %q any more: dismiss this alert", m.Instance)
		}
		return nil
	})
	if err != nil {
		return err
	}
	now := time.Now()
	m.State, m.Attempts, m.Lost, m.Reason = queued, 0, 0, ""
	m.Due, m.Expires, m.lasting = now, now.Add(a.cfg.Expiry), a.lasting(m.Route)
	a.lanes[m.Instance].put(m)
	return nil
}

// Dismiss takes an alert off the list of failed ones. CodeNotFound: there is
// none of that id.
func (a *Alerts) Dismiss(id string) error {
	_, err := a.unbury(id, func(*letter) error { return nil })
	if err == nil {
		a.ledger.remove(id)
	}
	return err
}

// unbury takes a failed alert off the list, if allow has nothing against it.
func (a *Alerts) unbury(id string, allow func(*letter) error) (*letter, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	i := slices.IndexFunc(a.dead, func(m *letter) bool { return m.ID == id })
	if i < 0 {
		return nil, bridge.Errorf(bridge.CodeNotFound, "there is no failed alert %.40q: it was sent again or dismissed meanwhile", id)
	}
	m := a.dead[i]
	if err := allow(m); err != nil {
		return nil, err
	}
	a.dead = slices.Delete(a.dead, i, i+1)
	return m, nil
}

// bury puts an alert on the list of failed ones.
func (a *Alerts) bury(m *letter, reason string) {
	m.State, m.Reason, m.At, m.frame = failed, sentence(reason), time.Now().UTC().Round(0), bridge.Frame{}
	a.ledger.save(m)
	a.deps.Log.Warn("alert was not sent", "plugin", m.Instance, "route", m.Route, "camera", m.Event.Camera, "event", m.Event.ID, "phase", m.Phase, "err", m.Reason)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.dead = append(a.dead, m)
	for len(a.dead) > a.cfg.Dead {
		a.ledger.remove(a.dead[0].ID)
		a.dead = slices.Delete(a.dead, 0, 1)
	}
}

// suppress counts an event that somebody might have been told of, by reason.
func (a *Alerts) suppress(s *story, reason string) {
	a.deps.Log.Debug("nobody is told", "route", s.route.Name, "camera", s.event.Camera, "event", s.event.ID, "reason", reason)
	a.mu.Lock()
	a.suppressed[reason]++
	a.mu.Unlock()
}
