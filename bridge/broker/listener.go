package broker

import (
	"errors"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/mochi-mqtt/server/v2/listeners"
)

const (
	// helloTimeout is how long a connection may take to say who it is.
	helloTimeout = 10 * time.Second
	// writeTimeout is how long a client may take to read one message.
	writeTimeout = 10 * time.Second
	// byeTimeout is how long a client may take to read the broker's goodbye.
	byeTimeout = 500 * time.Millisecond
	// takeOverTimeout is how long a connection waits for the end of its
	// predecessor.
	takeOverTimeout = 2 * time.Second
	// acceptPause is the time between two attempts while connections cannot be
	// taken.
	acceptPause = 100 * time.Millisecond
)

// listener accepts connections for the server. It is not the server's own,
// because that waits for ever for a client that does not speak or read, and
// cannot close while one such is there.
type listener struct {
	tcp    net.Listener
	slots  chan struct{}
	log    *slog.Logger
	broken chan error // gets the error that ended accepting
	hello  time.Duration
	write  time.Duration

	goodbye func() // tells the clients that the broker stops; set before the server knows the listener

	refused atomic.Int64
	wg      sync.WaitGroup // accepting, and one per connection

	mu     sync.Mutex
	closed bool
	conns  map[*conn]struct{}
	byID   map[string]*conn // the newest connection of each client
}

func listen(addr string, clients int, log *slog.Logger) (*listener, error) {
	tcp, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, openError(addr, err)
	}
	return &listener{
		tcp: tcp, slots: make(chan struct{}, clients), log: log, broken: make(chan error, 1),
		hello: helloTimeout, write: writeTimeout, conns: map[*conn]struct{}{}, byID: map[string]*conn{},
	}, nil
}

// Init does nothing: the port is open already.
func (l *listener) Init(*slog.Logger) error { return nil }

// ID is the listener's name within the server.
func (l *listener) ID() string { return "tcp" }

// Address is the address in use.
func (l *listener) Address() string { return l.tcp.Addr().String() }

// Protocol is the kind of listener.
func (l *listener) Protocol() string { return "tcp" }

// Serve accepts until Close. A process that has no descriptors left, or a client
// that left again at once, is no reason to stop.
func (l *listener) Serve(establish listeners.EstablishFn) {
	if !l.enter() {
		return
	}
	defer l.wg.Done()
	var told time.Time
	for {
		c, err := l.tcp.Accept()
		if passing(err) {
			if time.Since(told) > time.Minute {
				told = time.Now()
				l.log.Warn("the embedded MQTT broker cannot take a connection; those that are open go on", "err", err)
			}
			time.Sleep(acceptPause)
			continue
		}
		if err != nil {
			if !errors.Is(err, net.ErrClosed) {
				l.broken <- err
			}
			return
		}
		select {
		case l.slots <- struct{}{}:
			l.serve(c, establish)
		default:
			l.refused.Add(1)
			c.Close()
		}
	}
}

// passing reports whether the next Accept may succeed.
func passing(err error) bool {
	for _, e := range []error{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.ECONNABORTED, syscall.EPROTO} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// enter counts a goroutine that Close waits for, unless Close was called.
func (l *listener) enter() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.closed {
		l.wg.Add(1)
	}
	return !l.closed
}

func (l *listener) serve(tcp net.Conn, establish listeners.EstablishFn) {
	c := &conn{Conn: tcp, l: l, gone: make(chan struct{})}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		tcp.Close()
		return
	}
	l.conns[c] = struct{}{}
	l.wg.Add(1)
	go func() {
		defer l.wg.Done()
		_ = tcp.SetReadDeadline(time.Now().Add(l.hello)) // the server sets the next one
		if err := establish(l.ID(), c); err != nil {
			l.log.Debug("MQTT client gone", "address", tcp.RemoteAddr(), "err", err)
		}
		l.leave(c)
	}()
}

func (l *listener) leave(c *conn) {
	c.Close()
	l.mu.Lock()
	delete(l.conns, c)
	if l.byID[c.id] == c {
		delete(l.byID, c.id)
	}
	l.mu.Unlock()
	close(c.gone)
	<-l.slots
}

// takeOver makes c the connection of a client, and ends the one before it.
func (l *listener) takeOver(id string, c *conn) {
	l.mu.Lock()
	old := l.byID[id]
	c.id, l.byID[id] = id, c
	l.mu.Unlock()
	if old == nil {
		return
	}
	old.Close()
	timeout := time.NewTimer(takeOverTimeout)
	defer timeout.Stop()
	select {
	case <-old.gone:
	case <-timeout.C:
	}
}

// Close stops accepting, says goodbye to the clients, and waits for them.
//
// It does not use the server's own way to say goodbye: that takes the lock of the
// list of clients twice, and waits for ever if a client leaves in between.
func (l *listener) Close(listeners.CloseFn) {
	l.mu.Lock()
	again := l.closed
	l.closed = true
	open := make([]*conn, 0, len(l.conns))
	for c := range l.conns {
		open = append(open, c)
	}
	l.mu.Unlock()
	if again {
		return
	}
	l.tcp.Close()
	for _, c := range open {
		c.hurry()
	}
	l.goodbye()
	for _, c := range open {
		c.Close()
	}
	l.wg.Wait()
}

// conn gives every write its own time. A write that failed half-way ends the
// connection: what followed would be read as something else.
type conn struct {
	net.Conn
	l      *listener
	id     string        // of the client; guarded by l.mu
	gone   chan struct{} // closed when the server is done with it
	closed atomic.Bool
}

// hurry shortens the time of a write that is under way and of all later ones.
func (c *conn) hurry() {
	c.closed.Store(true)
	_ = c.SetWriteDeadline(time.Now().Add(byeTimeout)) // fails only if it is closed, which is as good
}

// Write writes all of b or ends the connection.
func (c *conn) Write(b []byte) (int, error) {
	if !c.closed.Load() {
		_ = c.SetWriteDeadline(time.Now().Add(c.l.write)) // a closed connection fails below
	}
	n, err := c.Conn.Write(b)
	if err != nil {
		c.Close()
	}
	return n, err
}

// SetDeadline is called by the server with the client's keepalive, which says
// nothing of how long a write may take.
func (c *conn) SetDeadline(t time.Time) error { return c.SetReadDeadline(t) }
