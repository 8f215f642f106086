// Package launch is one plugin process: started, spoken to, stopped. It stands
// on hashicorp/go-plugin, which does the handshake and the version check, and
// replaces its defaults that hurt a daemon. bridge/pluginhost supervises what it
// starts; plugins/plugintest and the command line use it to try plugins out.
//
// A plugin gets a process group, a stdin that ends with us, a short list of
// environment variables and a private directory for its sockets, all new at each
// start. Its end is noticed from the process itself, not from its pipes, and
// ends its whole group. No stop hangs: a plugin that is frozen is killed after
// three seconds. What it writes to stderr, and to stdout after the handshake, is
// its log. Every Process that Start returned needs a Stop, also one that ended by
// itself: that closes its sockets and removes its directory.
package launch

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
	goplugin "github.com/hashicorp/go-plugin"
	"github.com/hashicorp/go-plugin/runner"
	"google.golang.org/grpc"
	"google.golang.org/grpc/connectivity"

	"github.com/espcam-bridge/espcam-bridge/plugins/pluginpb"
)

// The handshake of every plugin. The version is the major version of the
// protocol in plugins/proto.
const (
	CookieKey   = "ESPCAM_PLUGIN"
	CookieValue = "bridge.plugin.v1"
	Version     = 1

	pluginName = "plugin" // the one entry of go-plugin's plugin set
)

// MaxMessage bounds a message between bridge and plugin, both ways, in bytes.
const MaxMessage = 16 << 20

const (
	killTime   = 3 * time.Second        // from the wish to end until the whole group is killed
	stdinTime  = time.Second            // and until its stdin is closed
	lastWords  = 50 * time.Millisecond  // of silence after its end, while somebody holds its pipes
	dieTime    = 200 * time.Millisecond // for who did not become a plugin, to say why by itself
	defaultFor = 5 * time.Second

	killedExit = "signal: killed"
)

// Spec says what is started and how.
type Spec struct {
	Name    string        // of the plugin, for sentences
	Command []string      // program and arguments; a relative one is looked up in PATH
	Dir     string        // its working directory and HOME; must exist, and becomes RunAs's
	RunDir  string        // where its private directory for sockets is made; "" or too long: the temporary directory
	Env     []string      // added to the allow-list, as NAME=value; never a secret
	Within  time.Duration // for start and handshake; 0: 5 s

	Host pluginpb.HostServer // what it may call; nil: nothing
	Line func(Line)          // gets its log, one line at a time; nil: nobody

	RunAs string // user name to run as, which only root may; "": ours
	Nice  int    // 0 to 19, as nice(1)
}

// Process is a plugin that answered the handshake.
type Process struct {
	spec   Spec
	ctx    context.Context // of what was given to Start, but ends with the process
	dir    string          // private, removed by Stop
	log    *lines
	child  *child
	client *goplugin.Client
	broker *goplugin.GRPCBroker
	conn   *grpc.ClientConn
	stop   sync.Once

	// seen is the same as conn, but for a start that failed. It is no business of
	// mu: go-plugin opens a stream while HostID holds that and waits for the stream.
	seen atomic.Pointer[grpc.ClientConn]

	mu   sync.Mutex
	host *hostServer
}

// Start starts a plugin and returns after its handshake. ctx bounds the start
// only. Its errors are *Incompatible, *NoHandshake, or say why the command
// cannot be run; after an error nothing is left of the plugin.
func Start(ctx context.Context, s Spec) (*Process, error) {
	if len(s.Command) == 0 {
		return nil, fmt.Errorf("plugin %q has no command", s.Name)
	}
	if s.Within <= 0 {
		s.Within = defaultFor
	}
	var err error
	if s.Dir, err = filepath.Abs(s.Dir); err != nil {
		return nil, err
	}
	dir, err := privateDir(s)
	if err != nil {
		return nil, fmt.Errorf("plugin %q: no directory for its sockets: %w", s.Name, errors.Join(err, os.RemoveAll(dir)))
	}
	life, end := context.WithCancel(context.WithoutCancel(ctx))
	p := &Process{spec: s, ctx: life, dir: dir, log: &lines{tell: s.Line, hurry: make(chan struct{})}}
	p.child = newChild(s, p.log, end)
	p.client = goplugin.NewClient(p.config())
	if err := p.connect(ctx); err != nil {
		end()
		return nil, err
	}
	return p, nil
}

// maxRunDir is the longest directory below which a socket's path fits into the
// 104 bytes that macOS has for it: we and go-plugin add 50.
const maxRunDir = 54

// privateDir makes the directory that holds the sockets and nothing else.
func privateDir(s Spec) (string, error) {
	parent := s.RunDir
	if len(parent) > maxRunDir || s.RunAs != "" {
		parent = "" // another user cannot get through our directories
	}
	dir, err := os.MkdirTemp(parent, "plug")
	if err == nil {
		dir, err = filepath.Abs(dir)
	}
	if err != nil || s.RunAs == "" {
		return dir, err
	}
	return dir, errors.Join(giveTo(dir, s.RunAs), giveTo(s.Dir, s.RunAs))
}

func (p *Process) config() *goplugin.ClientConfig {
	parts := &plugin{}
	return &goplugin.ClientConfig{
		HandshakeConfig:  goplugin.HandshakeConfig{ProtocolVersion: Version, MagicCookieKey: CookieKey, MagicCookieValue: CookieValue},
		Plugins:          goplugin.PluginSet{pluginName: parts},
		AllowedProtocols: []goplugin.Protocol{goplugin.ProtocolGRPC},
		SkipHostEnv:      true,
		StartTimeout:     p.spec.Within,
		UnixSocketConfig: &goplugin.UnixSocketConfig{TempDir: p.dir},
		Logger:           hclog.NewNullLogger(), // its sentences are ours, made from typed errors
		// What a plugin's Go code writes to os.Stdout and os.Stderr comes this way
		// when go-plugin alone serves it.
		SyncStdout: &lineWriter{log: p.log},
		SyncStderr: &lineWriter{log: p.log},
		RunnerFunc: func(_ hclog.Logger, cmd *exec.Cmd, sockets string) (runner.Runner, error) {
			p.child.sockets = sockets
			p.child.env = append(environment(p.spec), cmd.Env...)
			if p.spec.RunAs != "" {
				return p.child, giveTo(sockets, p.spec.RunAs)
			}
			return p.child, nil
		},
		GRPCDialOptions: []grpc.DialOption{
			grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(MaxMessage), grpc.MaxCallSendMsgSize(MaxMessage)),
			grpc.WithChainStreamInterceptor(p.remember),
		},
	}
}

// remember keeps the connection, which go-plugin loses when a plugin stops
// answering right after its handshake.
func (p *Process) remember(ctx context.Context, desc *grpc.StreamDesc, conn *grpc.ClientConn, method string, open grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
	p.seen.Store(conn)
	return open(ctx, desc, conn, method, opts...)
}

// connect waits for the handshake and the connection. go-plugin's own waits end
// with the process, so killing that ends them all.
func (p *Process) connect(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, p.spec.Within)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- p.dispense(ctx) }()
	var err error
	select {
	case err = <-done:
	case <-ctx.Done():
		p.child.kill()
		err = context.Cause(ctx)
		<-done
	}
	if err == nil {
		return nil
	}
	p.child.giveUp()
	p.end()
	return p.explain(err)
}

func (p *Process) dispense(ctx context.Context) error {
	conn, err := p.client.Client()
	if err != nil {
		return err
	}
	raw, err := conn.Dispense(pluginName)
	if err != nil {
		return err
	}
	parts := raw.(*plugin)
	p.broker, p.conn = parts.broker, parts.conn
	return reach(ctx, p.conn)
}

// reach waits until somebody answers at the plugin's address.
func reach(ctx context.Context, conn *grpc.ClientConn) error {
	for {
		switch state := conn.GetState(); state {
		case connectivity.Ready:
			return nil
		case connectivity.TransientFailure, connectivity.Shutdown:
			return errors.New("nobody listens at the address that it gave")
		default:
			conn.Connect()
			if !conn.WaitForStateChange(ctx, state) {
				return context.Cause(ctx)
			}
		}
	}
}

// explain turns go-plugin's error into one that says what the plugin did.
func (p *Process) explain(err error) error {
	if !p.child.started() {
		return fmt.Errorf("plugin %q cannot be started: %w", p.spec.Name, err)
	}
	if why := p.child.refusal(); why != nil {
		return why
	}
	e := &NoHandshake{Name: p.spec.Name, Exit: p.child.exit, Last: p.log.last(), Within: p.spec.Within}
	if p.child.killed() && e.Exit == killedExit {
		e.Exit = ""
	}
	if p.child.shook() {
		e.After = err
	}
	return e
}

// plugin is the one entry of go-plugin's plugin set.
type plugin struct {
	goplugin.NetRPCUnsupportedPlugin
	broker *goplugin.GRPCBroker
	conn   *grpc.ClientConn
}

// GRPCServer is what the plugin's side does; we are the other.
func (*plugin) GRPCServer(*goplugin.GRPCBroker, *grpc.Server) error {
	return errors.New("the bridge serves no plugin")
}

// GRPCClient is called by go-plugin when the connection is there.
func (*plugin) GRPCClient(_ context.Context, b *goplugin.GRPCBroker, c *grpc.ClientConn) (any, error) {
	return &plugin{broker: b, conn: c}, nil
}

// Plugin is what every plugin answers. Each call needs a deadline.
func (p *Process) Plugin() pluginpb.PluginClient { return pluginpb.NewPluginClient(p.conn) }

// Notifier is for plugins with that role.
func (p *Process) Notifier() pluginpb.NotifierClient { return pluginpb.NewNotifierClient(p.conn) }

// Detector is for plugins with that role.
func (p *Process) Detector() pluginpb.DetectorClient { return pluginpb.NewDetectorClient(p.conn) }

// Sink is for plugins with that role.
func (p *Process) Sink() pluginpb.SinkClient { return pluginpb.NewSinkClient(p.conn) }

// PID is the process's id, and that of its group.
func (p *Process) PID() int { return p.child.pid() }

// Done is closed when the process has ended by itself or by Stop, the rest of
// its group is killed and its last words are read.
func (p *Process) Done() <-chan struct{} { return p.child.done }

// Exit says how the process ended, such as "exit status 1"; "" while it runs.
func (p *Process) Exit() string {
	select {
	case <-p.child.done:
		return p.child.exit
	default:
		return ""
	}
}

// Lines returns the last lines of its log, up to 50, the newest last.
func (p *Process) Lines() []string { return p.log.last() }

// Stop ends the plugin: it may finish what it is at for drain, then it is asked
// to end, and after three seconds its whole group is killed. Stop returns when
// nothing of it is left, and may be called more than once.
func (p *Process) Stop(drain time.Duration) {
	p.stop.Do(func() {
		if drain > 0 {
			p.drain(drain)
		}
		p.end()
	})
}

// drain's error is of no use: the end comes next in any case.
func (p *Process) drain(d time.Duration) {
	ctx, cancel := context.WithTimeout(p.ctx, d)
	defer cancel()
	_, _ = p.Plugin().Drain(ctx, &pluginpb.DrainRequest{WithinMs: uint32(d.Milliseconds())})
}

// end ends the process and everything that belongs to it. go-plugin's Kill waits
// for a frozen plugin for ever, so it runs beside.
func (p *Process) end() {
	closed := make(chan struct{})
	go func() {
		p.client.Kill()
		close(closed)
	}()
	p.child.end()
	<-closed
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.host != nil {
		p.host.stop()
		p.host = nil
	}
	if conn := p.seen.Load(); conn != nil {
		_ = conn.Close() // it is closed already, except after a start that failed
	}
	if err := os.RemoveAll(p.dir); err != nil {
		p.log.add(errorLine("cannot remove %s: %v", filepath.Base(p.dir), err))
	}
}
