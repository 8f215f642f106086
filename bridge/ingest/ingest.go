// Package ingest is how cameras come in: it serves /ingest/ws, where a camera
// dials, shows its key and sends one JPEG per message. Fleet decides who is
// admitted, the hub gets the frames, httpapi hangs the handler into its routes.
//
// One file per dialect (streamhub.go, native.go) holds what differs between
// them; conn.go, frames.go and outbox.go are the machinery they share.
//
// A connection has two goroutines. The one that reads never waits for anybody,
// so that a camera's write is never cut by us: frames above the rate are read
// and dropped, commands to the camera wait in a small queue of their own. The
// one that writes may block for ever; that costs pings and commands, never a
// camera that still delivers. A single further goroutine watches the clocks of
// all connections. Whatever a camera sends, it gets its own close code and
// harms no other; memory per connection is bounded by max_frame_bytes.
package ingest

import (
	"bufio"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"github.com/espcam-bridge/espcam-bridge/bridge"
	"github.com/espcam-bridge/espcam-bridge/bridge/hub"
	"github.com/espcam-bridge/espcam-bridge/bridge/wire"
)

// readBuffer is each connection's read buffer in bytes: a usual frame in one or
// two reads halves the CPU that taking it in costs.
const readBuffer = 64 << 10

// Config is what the endpoint needs to know. Zero fields mean the default.
type Config struct {
	App           string        // StreamHub application in "ready"; bridge.DefaultApp
	Server        string        // what "ready" calls us, such as "espcam-bridge/0.1.0"
	MaxFrameBytes int           // of one message; wire.MaxFrame, at most wire.MaxMessage
	MaxPixels     int           // width times height that a header may claim; 2,100,000
	MaxFPS        int           // frames per second that "ready" announces; 15. Session.MaxFPS is what is enforced
	IdleTimeout   time.Duration // wire.IdleTimeout
	Timing        Timing
	Now           func() time.Time // time.Now
}

// Timing holds the waits that nobody configures but the tests.
type Timing struct {
	Hold    time.Duration // from the 101 to the first byte, for clients that lose it otherwise; 250 ms
	Ping    time.Duration // between pings; wire.PingInterval
	Silence time.Duration // without a byte until the camera counts as gone; wire.ReadTimeout
	Message time.Duration // in which a message that began must be complete; 10 s
	Grace   time.Duration // from the close frame to the end of the TCP connection; 800 ms
}

// Registry decides which cameras may come in; fleet is one.
type Registry interface {
	// Admit returns the session of a camera that may send, or a *bridge.Refusal.
	// From then on it may use the link, until Session.End.
	Admit(bridge.Claim, bridge.Link) (bridge.Session, error)
}

// Ingest is the endpoint. It is an http.Handler.
type Ingest struct {
	cfg      Config
	registry Registry
	hub      *hub.Hub
	log      *slog.Logger
	upgrader websocket.Upgrader
	start    time.Time // instants of connections are kept as durations since
	refusals refusals  // handshakes, by address
	told     memory    // what was logged or noticed lately
	counts   counts
	stop     chan struct{}  // closed by Close
	running  sync.WaitGroup // connections and the watch

	mu     sync.Mutex
	closed bool
	conns  map[*conn]struct{}
}

// New starts an endpoint. The caller calls Close.
func New(cfg Config, registry Registry, h *hub.Hub, log *slog.Logger) *Ingest {
	cfg.setDefaults()
	in := &Ingest{
		cfg: cfg, registry: registry, hub: h, log: log,
		start: cfg.Now().Add(-1), // so that no instant is 0
		stop:  make(chan struct{}),
		conns: map[*conn]struct{}{},
	}
	in.upgrader = websocket.Upgrader{
		ReadBufferSize: readBuffer,
		Subprotocols:   []string{wire.Subprotocol},
		// The key is the authority here, and cameras send odd origins.
		CheckOrigin: func(*http.Request) bool { return true },
		Error:       in.notWebSocket,
	}
	in.running.Go(in.watch)
	return in
}

func (c *Config) setDefaults() {
	or(&c.App, bridge.DefaultApp)
	or(&c.Server, "espcam-bridge")
	or(&c.MaxFrameBytes, wire.MaxFrame)
	c.MaxFrameBytes = min(c.MaxFrameBytes, wire.MaxMessage)
	or(&c.MaxPixels, 2_100_000)
	or(&c.MaxFPS, 15)
	or(&c.IdleTimeout, wire.IdleTimeout)
	or(&c.Timing.Hold, 250*time.Millisecond)
	or(&c.Timing.Ping, wire.PingInterval)
	or(&c.Timing.Silence, wire.ReadTimeout)
	or(&c.Timing.Message, 10*time.Second)
	or(&c.Timing.Grace, 800*time.Millisecond)
	if c.Now == nil {
		c.Now = time.Now
	}
}

func or[T comparable](v *T, def T) {
	var zero T
	if *v == zero {
		*v = def
	}
}

// ServeHTTP takes one camera in and returns when it is gone.
func (in *Ingest) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	// The 101 is one write of its own; see conn.hold for what follows it.
	ws, err := in.upgrader.Upgrade(hijackable{w}, r, nil)
	if err != nil {
		return // notWebSocket has answered, or nobody is there
	}
	c := newConn(in, ws, r)
	if !in.add(c) {
		ws.Close()
		return
	}
	defer in.remove(c)
	c.run(claimOf(r))
}

// hijackable lets a request be upgraded that came through middleware.
type hijackable struct{ http.ResponseWriter }

func (h hijackable) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return http.NewResponseController(h.ResponseWriter).Hijack()
}

// notWebSocket answers a request that is no handshake. Devices that come here
// by mistake have buffers of 1 KB for the whole answer.
func (in *Ingest) notWebSocket(w http.ResponseWriter, _ *http.Request, status int, _ error) {
	in.counts.notWebSocket.Add(1)
	if status == http.StatusBadRequest {
		status = http.StatusUpgradeRequired
	}
	w.Header().Set("Upgrade", "websocket")
	w.Header().Set("Sec-WebSocket-Version", "13")
	http.Error(w, "cameras connect here, with a WebSocket", status)
}

func (in *Ingest) add(c *conn) bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.closed {
		return false
	}
	in.conns[c] = struct{}{}
	in.running.Add(1)
	return true
}

func (in *Ingest) remove(c *conn) {
	in.mu.Lock()
	defer in.mu.Unlock()
	delete(in.conns, c)
	in.running.Done()
}

// each calls f for every open connection.
func (in *Ingest) each(f func(*conn)) {
	in.mu.Lock()
	defer in.mu.Unlock()
	for c := range in.conns {
		f(c)
	}
}

// Close ends all connections with code 1000 and waits until they are gone, a
// second or so. Later requests are refused. It may be called more than once.
func (in *Ingest) Close() {
	in.mu.Lock()
	if !in.closed {
		in.closed = true
		close(in.stop)
	}
	in.mu.Unlock()
	in.each(func(c *conn) { c.end(bridge.ReasonNormal) })
	in.running.Wait()
}
