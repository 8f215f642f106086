package sdk

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	goplugin "github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"

	"github.com/espcam-bridge/espcam-bridge/plugins/pluginpb"
)

const (
	maxMessage  = 16 << 20               // bytes; a picture has at most half of it
	lastCalls   = 4 * time.Second        // for calls under way after SIGTERM
	goneCalls   = 500 * time.Millisecond // the same when nobody waits for them any more
	afterDrain  = time.Second            // until the process ends by itself, if the bridge does not end it
	stopServing = 300 * time.Millisecond
)

// serve is the life of the process after its start: until SIGTERM (ctx), Drain,
// the bridge's Shutdown, or until the bridge is gone (the end of stdin or of
// Watch).
func serve(ctx context.Context, p program, log *slog.Logger, level *slog.LevelVar, redact *redactor) error {
	life, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	s := newService(life, p, log, redact)
	ended := make(chan time.Duration, 3) // how long calls may still take
	w := &wire{service: s, link: &link{log: log, level: level, gone: func() { ended <- goneCalls }}}
	s.connect = w.link.connect
	s.drained = func() { time.AfterFunc(afterDrain, func() { ended <- 0 }) }

	served, err := w.open(life)
	if err != nil {
		return err
	}
	go func() {
		// Whatever ends stdin, an error too, means that nobody holds it any more.
		_, _ = io.Copy(io.Discard, os.Stdin)
		ended <- goneCalls
	}()
	var last time.Duration
	select {
	case <-served: // Shutdown
	case <-ctx.Done():
		last = lastCalls
	case last = <-ended:
	}
	final, cancel := context.WithTimeout(life, last)
	defer cancel()
	s.drain(final)
	end()
	select {
	case <-served:
	case <-time.After(stopServing):
	}
	return nil
}

// wire puts a service onto go-plugin's connection.
type wire struct {
	goplugin.NetRPCUnsupportedPlugin
	service *service
	link    *link
}

// GRPCServer is called by go-plugin when its server is made.
func (w *wire) GRPCServer(broker *goplugin.GRPCBroker, server *grpc.Server) error {
	w.link.broker = broker
	pluginpb.RegisterPluginServer(server, w.service)
	if w.service.program.notify != nil {
		pluginpb.RegisterNotifierServer(server, w.service)
	}
	if w.service.program.detect != nil {
		pluginpb.RegisterDetectorServer(server, w.service)
	}
	if w.service.program.deliver != nil {
		pluginpb.RegisterSinkServer(server, w.service)
	}
	return nil
}

// GRPCClient is the bridge's side.
func (w *wire) GRPCClient(context.Context, *goplugin.GRPCBroker, *grpc.ClientConn) (any, error) {
	return nil, errors.New("a plugin has no client of itself")
}

// open starts the server and prints the handshake line; from then on stdout is
// stderr, so that nothing that prints can disturb anybody. The channel is closed
// when the server has ended, which is when life ends or the bridge says so.
//
// go-plugin's test mode is the one that leaves stdout, stderr and the signals to
// us; its normal one would send all that we print over gRPC, where it is lost if
// the process crashes.
func (w *wire) open(life context.Context) (served <-chan struct{}, err error) {
	attach := make(chan *goplugin.ReattachConfig, 1)
	closed := make(chan struct{})
	go goplugin.Serve(&goplugin.ServeConfig{
		HandshakeConfig: goplugin.HandshakeConfig{ProtocolVersion: protocolVersion, MagicCookieKey: cookieKey, MagicCookieValue: cookieValue},
		Plugins:         goplugin.PluginSet{"plugin": w},
		GRPCServer: func(o []grpc.ServerOption) *grpc.Server {
			return grpc.NewServer(append(o, grpc.MaxRecvMsgSize(maxMessage), grpc.MaxSendMsgSize(maxMessage))...)
		},
		Logger: hclog.NewNullLogger(),
		Test:   &goplugin.ServeTestConfig{Context: life, ReattachConfigCh: attach, CloseCh: closed},
	})
	select {
	case at := <-attach:
		line := fmt.Sprintf("%d|%d|%s|%s|%s|\n", goplugin.CoreProtocolVersion, at.ProtocolVersion, at.Addr.Network(), at.Addr, at.Protocol)
		if _, err := os.Stdout.WriteString(line); err != nil {
			return nil, err
		}
		return closed, stdoutToStderr()
	case <-closed:
		return nil, errors.New("no socket could be opened")
	}
}

// link is the way back to the bridge.
type link struct {
	broker *goplugin.GRPCBroker
	log    *slog.Logger
	level  *slog.LevelVar
	gone   func() // the bridge is: called once per link at most

	mu     sync.Mutex
	id     uint32
	bridge *Bridge
}

// connect returns the bridge under that id of the broker, nil for 0. The first
// time it opens Watch, which holds for as long as the process lives.
func (l *link) connect(ctx context.Context, id uint32) (*Bridge, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if id == 0 || id == l.id {
		return l.bridge, nil
	}
	conn, err := l.broker.DialWithOptions(id, grpc.WithDefaultCallOptions(
		grpc.MaxCallRecvMsgSize(maxMessage), grpc.MaxCallSendMsgSize(maxMessage)))
	if err != nil {
		return nil, err
	}
	client := pluginpb.NewHostClient(conn)
	watch, err := client.Watch(context.WithoutCancel(ctx), &pluginpb.WatchRequest{})
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	l.id, l.bridge = id, NewBridge(client)
	go l.watch(id, watch)
	return l.bridge, nil
}

// watch follows what the bridge says until it is gone.
func (l *link) watch(id uint32, stream grpc.ServerStreamingClient[pluginpb.WatchResponse]) {
	for {
		news, err := stream.Recv()
		if err != nil {
			break
		}
		if news.GetLogLevel() != "" {
			if err := l.level.UnmarshalText([]byte(news.GetLogLevel())); err != nil {
				l.log.Warn("the bridge wants a log level that is none", "level", news.GetLogLevel())
			}
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.id == id { // else another one was given meanwhile
		l.gone()
	}
}
