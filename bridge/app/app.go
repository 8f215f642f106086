// Package app builds the program out of its parts and runs it: this is the place
// to see what exists, what knows what, and in which order it starts and stops.
//
// cmd calls New with a checked configuration and then Run; demo and the
// whole-program tests do the same in their own process. New opens everything
// that can fail at the start (state directory, listeners), so that an error is
// said before anything runs. Run blocks until its context ends or a listener
// breaks, and then stops the parts in the reverse order of their start.
//
// What may be absent does not stop the rest: without an MQTT broker, or with a
// disk that became full, cameras stream and pages show.
package app

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge"
	"github.com/espcam-bridge/espcam-bridge/bridge/alert"
	"github.com/espcam-bridge/espcam-bridge/bridge/broker"
	"github.com/espcam-bridge/espcam-bridge/bridge/config"
	"github.com/espcam-bridge/espcam-bridge/bridge/httpapi"
	"github.com/espcam-bridge/espcam-bridge/bridge/ingest"
	"github.com/espcam-bridge/espcam-bridge/bridge/journal"
	"github.com/espcam-bridge/espcam-bridge/bridge/mqtt"
	"github.com/espcam-bridge/espcam-bridge/bridge/pluginhost"
	"github.com/espcam-bridge/espcam-bridge/bridge/watch"
)

// Options is what does not stand in the configuration.
type Options struct {
	Version    string // of the program
	Log        *slog.Logger
	Level      *slog.LevelVar // of Log; nil: it cannot be changed
	Supervised bool           // somebody starts the program again when Run returns ErrRestart
	Workers    int            // pictures judged at once; 0: one less than the cores
}

// ErrRestart is the end that somebody asked for over MQTT: the program is to be
// started again.
var ErrRestart = errors.New("a restart was asked for")

// App is the built program. Make it with New, then call Run once or Close.
type App struct {
	*core
	cfg   *config.Config
	log   *slog.Logger
	first string        // admin token made at the first start
	again chan struct{} // a restart was asked for

	journal *journal.Journal
	watch   *watch.Watch
	plugins *pluginhost.Host
	alerts  *alert.Alerts
	ingest  *ingest.Ingest
	broker  *broker.Broker // nil if another one is configured
	mqtt    *mqtt.Client
	api     *httpapi.Server
	control *control // nil if the socket could not be made

	plain net.Listener
	tls   net.Listener // nil without TLS
}

// New builds everything and opens the listeners. Its errors say what to do. ctx
// ends work in the background, as Run's does.
func New(ctx context.Context, cfg *config.Config, o Options) (*App, error) {
	c, err := openCore(ctx, cfg, o.Log)
	if err != nil {
		return nil, err
	}
	a := &App{core: c, cfg: cfg, log: o.Log, again: make(chan struct{}, 1)}
	if err := a.build(o); err != nil {
		a.Close()
		return nil, err
	}
	return a, nil
}

// build makes the parts above the core, from the inside out.
func (a *App) build(o Options) (err error) {
	if a.cfg.HTTP.Auth {
		if a.first, _, err = a.auth.FirstToken(); err != nil {
			return err
		}
	}
	a.openControl()
	if err := a.newWatch(o.Workers); err != nil {
		return err
	}
	if err := a.newPlugins(o.Level); err != nil {
		return err
	}
	a.ingest = ingest.New(ingest.Config{
		App:           a.cfg.HTTP.App,
		Server:        "espcam-bridge/" + o.Version,
		MaxFrameBytes: a.cfg.Ingest.MaxFrameBytes,
		MaxPixels:     a.cfg.Ingest.MaxPixels,
		MaxFPS:        a.cfg.Ingest.MaxFPS,
		IdleTimeout:   a.cfg.Ingest.IdleTimeout,
	}, a.fleet, a.hub, a.log)
	if err := a.listen(); err != nil {
		return err
	}
	if a.cfg.MQTT.Broker == "" {
		if a.broker, err = newBroker(a.cfg.MQTT.Embedded, a.log); err != nil {
			return err
		}
	}
	if a.mqtt, err = a.newMQTT(o); err != nil {
		return err
	}
	a.api, err = a.newAPI(o.Version)
	return err
}

// openControl makes the socket of the command line. A state directory with too
// long a path or a file system without sockets costs only that.
func (a *App) openControl() {
	path := filepath.Join(a.cfg.Data, ControlName)
	c, err := newControl(path, local{a.fleet})
	if err != nil {
		a.log.Warn("espcam-bridge keys works only while the bridge is stopped: no control socket", "err", err)
		return
	}
	a.control = c
}

func (a *App) listen() (err error) {
	if a.plain, err = listenTCP("http.listen", a.cfg.HTTP.Listen); err != nil {
		return err
	}
	t := a.cfg.HTTP.TLS
	if t.Listen == "" {
		return nil
	}
	cert, err := tls.LoadX509KeyPair(t.Cert, t.Key)
	if err != nil {
		return bridge.Errorf(bridge.CodeInvalid, "http.tls: cannot load %s and %s: %w", t.Cert, t.Key, err)
	}
	ln, err := listenTCP("http.tls.listen", t.Listen)
	if err != nil {
		return err
	}
	a.tls = tls.NewListener(ln, &tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: []string{"h2", "http/1.1"}, MinVersion: tls.VersionTLS12})
	return nil
}

// listenTCP opens a listener or says which setting cannot be.
func listenTCP(key, addr string) (net.Listener, error) {
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, bridge.Errorf(bridge.CodeUnavailable, "%s: cannot listen on %s: %w; stop what uses it, or choose another address", key, addr, err)
	}
	return ln, nil
}

// FirstToken is the admin token that was made because there was none, or "".
func (a *App) FirstToken() string { return a.first }

// PageURL is where a browser on this machine finds the page.
func (a *App) PageURL() string {
	return "http://" + reachable(a.plain.Addr().String()) + a.cfg.HTTP.BasePath + "/"
}

// MQTTAddress is the broker that the bridge uses, as host:port or URL.
func (a *App) MQTTAddress() string {
	if a.broker != nil {
		return reachable(a.broker.Addr())
	}
	return a.cfg.MQTT.Broker
}

// ReadyLine is the one line that says that all listeners are open.
func (a *App) ReadyLine() string {
	s := "ready http=" + strings.TrimSuffix(a.PageURL(), "/")
	if a.tls != nil {
		s += " https=https://" + reachable(a.tls.Addr().String())
	}
	return s + " mqtt=" + a.MQTTAddress()
}

// reachable turns a listener's address into one that a client on this machine
// can use.
func reachable(addr string) string {
	host, port := Port(addr)
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port)
}

// Port splits host:port; both are empty if addr is not of that form.
func Port(addr string) (host, port string) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return "", ""
	}
	return host, port
}

// shutdownTime bounds how long open requests may take to end.
const shutdownTime = 4 * time.Second

// Run serves until ctx ends or a part breaks, stops everything and returns what
// broke, if anything.
func (a *App) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var parts sync.WaitGroup
	start := func(name string, serve func() error) {
		parts.Go(func() {
			if err := serve(); err != nil {
				cancel(fmt.Errorf("%s: %w", name, err))
			}
		})
	}
	// What is started later is stopped earlier. Events end first, so that alerts and
	// MQTT can tell; MQTT says goodbye before the cameras go, so that nobody hears of
	// those that only we let go; the broker and the journal end last, so that
	// there is somebody to tell it to.
	lasting := context.WithoutCancel(ctx)
	run := func(part func(context.Context) error) (stop func()) {
		return background(lasting, func(ctx context.Context) {
			if err := part(ctx); err != nil {
				cancel(err)
			}
		})
	}
	stopBroker := func() {}
	if a.broker != nil {
		stopBroker = run(a.broker.Run)
	}
	stopJournal := a.runJournal(run)
	stopMQTT := run(a.mqtt.Run)
	stopPlugins := a.runPlugins(run)
	stopWatch := run(a.watch.Run)
	servers := a.serveHTTP(start)
	if a.control != nil {
		a.control.plugins = a.desk()
		start("control socket", a.control.serve)
	}
	debug.FreeOSMemory() // what only the start needed: some 6 MB

	select {
	case <-ctx.Done():
	case <-a.again:
		cancel(ErrRestart)
	}
	a.log.Info("stopping")
	stopWatch()
	stopPlugins()
	stopMQTT()
	err := a.stop(lasting, servers)
	parts.Wait()
	stopJournal()
	stopBroker()
	err = errors.Join(err, a.Close())
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.Canceled) {
		return errors.Join(cause, err)
	}
	return err
}

// background runs a part in a goroutine. The returned function ends it and waits.
func background(ctx context.Context, run func(context.Context)) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		run(ctx)
	}()
	return func() {
		cancel()
		<-done
	}
}

// serveHTTP starts a server for each listener.
func (a *App) serveHTTP(start func(string, func() error)) (servers []*http.Server) {
	for _, ln := range []net.Listener{a.plain, a.tls} {
		if ln == nil {
			continue
		}
		srv := httpapi.NewHTTPServer(a.api.Handler(), a.log)
		servers = append(servers, srv)
		start("http", func() error {
			if err := srv.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
				return err
			}
			return nil
		})
	}
	return servers
}

// stop lets the cameras go and ends the servers.
func (a *App) stop(ctx context.Context, servers []*http.Server) error {
	ctx, cancel := context.WithTimeout(ctx, shutdownTime)
	defer cancel()
	var errs []error
	a.ingest.Close()
	a.api.Close()
	for _, srv := range servers {
		if err := srv.Shutdown(ctx); err != nil {
			errs = append(errs, srv.Close())
		}
	}
	if a.control != nil {
		errs = append(errs, a.control.server.Close())
	}
	return errors.Join(errs...)
}

// Close frees what New opened. Run does it by itself.
func (a *App) Close() error {
	var errs []error
	if a.broker != nil {
		errs = append(errs, a.broker.Close())
	}
	if a.control != nil {
		errs = append(errs, a.control.server.Close())
	}
	if a.ingest != nil {
		a.ingest.Close()
	}
	for _, ln := range []net.Listener{a.plain, a.tls} {
		if ln != nil {
			ln.Close() // again after Serve closed it: its error says nothing
		}
	}
	return errors.Join(append(errs, a.core.close())...)
}
