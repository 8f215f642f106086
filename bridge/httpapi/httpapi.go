// Package httpapi is everything that leaves the bridge over HTTP: the page and
// its socket, MJPEG and snapshots, the REST API, health and metrics.
//
// App makes one Server and gives its Handler to the listeners. The table in
// routes.go names every route and every message of the page's socket together
// with the role that it needs; New refuses a row without one.
//
// Nobody who watches can hold up a camera: each viewer has a slot for one frame,
// latest wins, and what was skipped is counted in the hub. A write that takes
// longer than 5 s ends its viewer. Viewers, bodies, headers, messages and guesses
// at tokens are bounded. Every error is JSON with a sentence that says what to
// do; a secret is answered once, when it is made, and never logged or kept in a
// URL that we make.
package httpapi

import (
	"bytes"
	"context"
	"errors"
	"image"
	"io"
	"io/fs"
	stdlog "log"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"sync"
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge"
	"github.com/espcam-bridge/espcam-bridge/bridge/hub"
)

// Config is what a Server can be told. The zero value serves everybody as admin.
type Config struct {
	Name    string // of this instance, for people
	Version string // such as "0.1.0"
	App     string // StreamHub's application in URLs; "" means bridge.DefaultApp

	Auth           bool           // false: everybody is admin
	PublicStreams  bool           // true: /live and /play need no token
	Hosts          []string       // further names by which browsers may call us
	BasePath       string         // path prefix such as "/cams"; "" for none
	TrustedProxies []netip.Prefix // whose X-Forwarded-* and X-Ingress-Path count

	MaxViewers    int // streams and sockets at once; 0 means 1024
	MaxPerAddress int // of those from one address; 0 means 512

	Timing Timing
}

// Timing holds the times that tests shorten. Zero means the default.
type Timing struct {
	Write   time.Duration // until a viewer that takes nothing is ended: 5 s
	Repeat  time.Duration // until an MJPEG viewer gets the last picture again: 5 s
	Recheck time.Duration // between two looks at whether a viewer still may: 30 s
	Fresh   time.Duration // that a snapshot waits for a fresh picture: 5 s
	Stats   time.Duration // between two figures of one camera on the page: 2 s
	Silence time.Duration // that the page's socket may say nothing, not even a pong: 75 s
}

// Deps are the parts that a Server stands on.
type Deps struct {
	Fleet   Fleet
	Hub     *hub.Hub
	Auth    Auth         // may be nil if Config.Auth is false
	Motion  Motion       // nil: nobody watches the pictures
	Events  Events       // nil: no events are kept
	Plugins Plugins      // nil: there are none
	Alerts  Alerts       // nil: none are sent
	Ingest  http.Handler // the cameras' door at /ingest/ws; nil for none
	Web     fs.FS        // the page; nil for none
	Sources Sources
	Log     *slog.Logger
	Now     func() time.Time // nil means time.Now
}

// Fleet is what httpapi asks of the cameras. Errors are *bridge.Error.
type Fleet interface {
	Cameras
	Control
	Provisioner
}

// Cameras says which there are. A ref is an id, a room or "{app}-{room}".
type Cameras interface {
	Cameras() []bridge.Camera
	Camera(ref string) (bridge.Camera, error)
	Subscribe() (*bridge.Listener, func())
}

// Control changes a camera. Set and Do wait for the device.
type Control interface {
	Set(ctx context.Context, id string, s bridge.Settings) (bridge.Camera, error)
	Do(ctx context.Context, id string, a bridge.Action) error
	SetMotion(id string, in map[string]any) (bridge.Camera, error)
	Rename(id, name string) error
	SetEnabled(id string, on bool) error
	SetHidden(id string, hidden bool) error // from Home Assistant
	Remove(id string) error
}

// Motion is the watch over the cameras' pictures.
type Motion interface {
	State(camera string) bridge.MotionState
	Subscribe() (*bridge.EventListener, func())
	Active() []bridge.Event                  // going on
	Debug(camera string) (image.Image, bool) // what the detector sees now; false: nothing
}

// Events is what happened. Errors are *bridge.Error, CodeNotFound for an event,
// a picture or a clip that is not there. An event that is listed may be gone by
// the time it is asked for.
type Events interface {
	List(bridge.EventFilter) (events []bridge.Event, next string, err error)
	Event(id string) (bridge.Event, error)
	Has(id string) (picture, clip bool)
	Picture(id string) (io.ReadSeekCloser, error)
	Clip(id string) (io.ReadSeekCloser, error) // an MJPEG body in machine form
}

// Provisioner hands out camera keys.
type Provisioner interface {
	Provision(room, identity string) (bridge.Camera, string, bridge.Key, error)
	RevokeKey(id string) error
	Keys() []bridge.Key
}

// Auth says who a caller is.
type Auth interface {
	VerifyToken(secret string) (bridge.Principal, bool)
	Login(secret string) (cookie string, p bridge.Principal, ok bool)
	Session(cookie string) (bridge.Principal, bool)
	Logout(cookie string) error
	StreamTokens
}

// StreamTokens are those that open pictures and nothing else.
type StreamTokens interface {
	VerifyStreamToken(secret string) (bridge.Principal, bool)
	MintStreamToken(name string, cameras []string) (secret string, t bridge.StreamToken, err error)
	RevokeStreamToken(id string) (bridge.StreamToken, error)
	StreamTokens() []bridge.StreamToken
}

// Server answers HTTP. Use its Handler, and Close it after the listeners.
type Server struct {
	cfg      Config
	deps     Deps
	now      func() time.Time
	log      *slog.Logger
	hosts    map[string]bool
	mux      *http.ServeMux
	messages map[string]entry // of the page's socket, by type
	csrf     *http.CrossOriginProtection
	page     *page
	metrics  http.Handler
	guesses  *guesses
	seats    *seats
	painter  *painter
	scaler   *scaler

	done chan struct{} // closed by Close
	wg   sync.WaitGroup

	mu     sync.Mutex
	closed bool
	conns  map[net.Conn]struct{} // hijacked
	pages  map[*bridge.Listener]struct{}
}

// New makes a Server. It fails if a route has no role, or the page cannot be
// read.
func New(cfg Config, deps Deps) (*Server, error) {
	cfg = withDefaults(cfg)
	s := &Server{cfg: cfg, deps: deps, now: deps.Now, log: deps.Log, done: make(chan struct{}), conns: map[net.Conn]struct{}{}, pages: map[*bridge.Listener]struct{}{}}
	if s.now == nil {
		s.now = time.Now
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if cfg.Auth && deps.Auth == nil {
		return nil, errors.New("httpapi: Config.Auth needs Deps.Auth")
	}
	s.hosts = allowedHosts(cfg.Hosts)
	s.csrf = http.NewCrossOriginProtection()
	s.guesses = newGuesses(s.now)
	s.seats = newSeats(cfg.MaxViewers, cfg.MaxPerAddress)
	s.scaler = newScaler()
	s.metrics = s.newMetrics()
	var err error
	if s.painter, err = newPainter(s.now); err != nil {
		return nil, err
	}
	if s.page, err = newPage(deps.Web); err != nil {
		return nil, err
	}
	return s, s.mount(table())
}

func withDefaults(c Config) Config {
	if c.App == "" {
		c.App = bridge.DefaultApp
	}
	if c.MaxViewers == 0 {
		c.MaxViewers = 1024
	}
	if c.MaxPerAddress == 0 {
		c.MaxPerAddress = 512
	}
	for _, t := range []struct {
		value *time.Duration
		usual time.Duration
	}{
		{&c.Timing.Write, 5 * time.Second},
		{&c.Timing.Repeat, 5 * time.Second},
		{&c.Timing.Recheck, 30 * time.Second},
		{&c.Timing.Fresh, 5 * time.Second},
		{&c.Timing.Stats, 2 * time.Second},
		{&c.Timing.Silence, 75 * time.Second},
	} {
		if *t.value == 0 {
			*t.value = t.usual
		}
	}
	return c
}

// Handler answers all requests of one or more listeners.
func (s *Server) Handler() http.Handler { return http.HandlerFunc(s.serve) }

// NewHTTPServer returns an http.Server for h with the limits that a listener
// needs: headers of 16 KiB within 10 s. It has no WriteTimeout, because streams
// are endless; every other answer gets a deadline of its own.
func NewHTTPServer(h http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    16<<10 - 4<<10, // net/http adds 4 KiB of slack
		ErrorLog:          stdlog.New(&serverLog{log: log}, "", 0),
	}
}

// serverLog takes net/http's own lines. Most tell of a client that hung up; that
// no connection can be accepted is told aloud, once a minute.
type serverLog struct {
	log  *slog.Logger
	mu   sync.Mutex
	told time.Time
}

func (l *serverLog) Write(line []byte) (int, error) {
	say, now := l.log.Debug, time.Now()
	l.mu.Lock()
	if bytes.Contains(line, []byte("Accept error")) && now.Sub(l.told) > time.Minute {
		say, l.told = l.log.Warn, now
	}
	l.mu.Unlock()
	say("http server", "err", string(bytes.TrimSpace(line)))
	return len(line), nil
}

// farewell is how long Close lets streams and sockets end by themselves.
const farewell = time.Second

// Close ends all streams and sockets and waits until they are gone. New ones
// are refused. The caller stops the listeners as well; the order is free.
func (s *Server) Close() {
	s.mu.Lock()
	if !s.closed {
		s.closed = true
		close(s.done)
	}
	s.mu.Unlock()
	ended := make(chan struct{})
	go func() {
		s.wg.Wait()
		close(ended)
	}()
	select {
	case <-ended:
		return
	case <-time.After(farewell):
	}
	s.mu.Lock()
	for c := range s.conns {
		c.Close()
	}
	s.mu.Unlock()
	<-ended
}

// begin counts a stream or socket that Close waits for. The caller calls end.
func (s *Server) begin() (end func(), err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, bridge.Errorf(bridge.CodeUnavailable, "the bridge is stopping: try again in a moment")
	}
	s.wg.Add(1)
	return s.wg.Done, nil
}

// Notify tells open pages of a fault that the fleet does not know of. It never
// blocks; app calls it.
func (s *Server) Notify(n bridge.Notice) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for l := range s.pages {
		l.Notify(n)
	}
}

// enrol lets Notify tell a page, until the caller calls leave.
func (s *Server) enrol(l *bridge.Listener) (leave func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pages[l] = struct{}{}
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.pages, l)
	}
}

// hold remembers a hijacked connection, so that Close can end it. The caller
// calls release, which closes it.
func (s *Server) hold(c net.Conn) (release func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conns[c] = struct{}{}
	return func() {
		c.Close()
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.conns, c)
	}
}

// allowedHosts are the names by which this machine may be called, beside IP
// addresses and *.local.
func allowedHosts(configured []string) map[string]bool {
	out := map[string]bool{"localhost": true}
	if name, err := os.Hostname(); err == nil {
		out[hostName(name)] = true
	}
	for _, h := range configured {
		out[hostName(h)] = true
	}
	return out
}
