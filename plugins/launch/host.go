package launch

import (
	"net"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"

	"github.com/espcam-bridge/espcam-bridge/plugins/pluginpb"
)

// What a plugin may send to us at once: its largest message is Publish with 64
// KiB. The bounds keep one that floods or lies from filling our memory.
const (
	maxHostMessage = 1 << 20
	maxHostStreams = 64
	maxHostConns   = 2
)

// hostServer serves Host to one plugin: the identity is the connection.
type hostServer struct {
	id     uint32
	ln     *countedListener
	server *grpc.Server
	served sync.WaitGroup
}

// HostID makes Host reachable and returns the id by which the plugin finds it;
// 0 if there is none. It is called right before each Configure: go-plugin's side
// in the plugin forgets an id that is not used for 5 s, so there is a new one
// until the plugin has connected.
func (p *Process) HostID() uint32 {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.spec.Host == nil || p.ctx.Err() != nil {
		return 0
	}
	if p.host != nil {
		if p.host.ln.used.Load() {
			return p.host.id
		}
		p.host.stop()
		p.host = nil
	}
	h, err := p.serveHost()
	if err != nil {
		p.log.add(errorLine("it cannot call the bridge: %v", err))
		return 0
	}
	p.host = h
	return h.id
}

func (p *Process) serveHost() (*hostServer, error) {
	id := p.broker.NextId()
	ln, err := p.broker.Accept(id)
	if err != nil {
		return nil, err
	}
	if p.spec.RunAs != "" {
		if err := giveTo(ln.Addr().String(), p.spec.RunAs); err != nil {
			_ = ln.Close() // the other error says more
			return nil, err
		}
	}
	h := &hostServer{id: id, ln: &countedListener{Listener: ln}}
	h.server = grpc.NewServer(
		grpc.MaxRecvMsgSize(maxHostMessage), grpc.MaxSendMsgSize(MaxMessage),
		grpc.MaxConcurrentStreams(maxHostStreams), grpc.ConnectionTimeout(10*time.Second))
	pluginpb.RegisterHostServer(h.server, p.spec.Host)
	h.served.Go(func() { _ = h.server.Serve(h.ln) }) // it ends with stop, or without listener, and the plugin hears of it
	return h, nil
}

func (h *hostServer) stop() {
	h.server.Stop()
	h.served.Wait()
}

// countedListener hangs up on more connections than a plugin needs.
type countedListener struct {
	net.Listener
	used atomic.Bool
	open atomic.Int32
}

func (l *countedListener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if l.open.Add(1) <= maxHostConns {
			l.used.Store(true)
			return &countedConn{Conn: c, open: &l.open}, nil
		}
		l.open.Add(-1)
		_ = c.Close()
	}
}

type countedConn struct {
	net.Conn
	open *atomic.Int32
	once sync.Once
}

func (c *countedConn) Close() error {
	c.once.Do(func() { c.open.Add(-1) })
	return c.Conn.Close()
}
