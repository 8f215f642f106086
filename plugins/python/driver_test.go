package python_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/espcam-bridge/espcam-bridge/plugins/pluginpb"
)

// A driver starts a Python plugin as the bridge would, but speaks go-plugin's
// side of the wire by itself, byte by byte: what the SDK answers is held against
// the protocol and not against a library.
type driver struct {
	t      *testing.T
	cmd    *exec.Cmd
	stdin  io.Closer
	first  string // its first line on stdout
	stdout *output
	stderr *output
	conn   *grpc.ClientConn
	ended  chan struct{}
	data   string
	host   uint32 // under which id it is served a bridge; 0: none

	pluginpb.PluginClient
	pluginpb.NotifierClient
	pluginpb.DetectorClient
	pluginpb.SinkClient
}

// interpreter is the Python of .ci/python, in whose packages the plugins run.
func interpreter(t *testing.T) string {
	t.Helper()
	python := os.Getenv("PLUGIN_PYTHON")
	if python == "" {
		t.Skip("PLUGIN_PYTHON names no Python with grpcio (.ci/python makes one)")
	}
	return python
}

// start runs a plugin's main file and waits for its handshake.
func start(t *testing.T, file string) *driver {
	t.Helper()
	d := &driver{t: t, data: t.TempDir(), stdout: &output{}, stderr: &output{}, ended: make(chan struct{})}
	path, err := filepath.Abs(file)
	if err != nil {
		t.Fatal(err)
	}
	sdk, err := filepath.Abs(".")
	if err != nil {
		t.Fatal(err)
	}
	d.cmd = exec.Command(interpreter(t), path)
	d.cmd.Dir = d.data
	d.cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + d.data, "PYTHONPATH=" + sdk, "PYTHONDONTWRITEBYTECODE=1", "PYTHONFAULTHANDLER=1",
		"ESPCAM_PLUGIN=bridge.plugin.v1", "PLUGIN_PROTOCOL_VERSIONS=1", "PLUGIN_UNIX_SOCKET_DIR=" + sockets(t),
	}
	d.run()
	d.dial()
	return d
}

// byHand runs a plugin as a curious person would and returns what it wrote.
func (d *driver) byHand(file string, args ...string) (string, error) {
	sdk, err := filepath.Abs(".")
	if err != nil {
		d.t.Fatal(err)
	}
	cmd := exec.Command(interpreter(d.t), append([]string{file}, args...)...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + d.data, "PYTHONPATH=" + sdk, "PYTHONDONTWRITEBYTECODE=1"}
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// sockets returns a directory whose name is short enough for a socket in it.
func sockets(t *testing.T) string {
	dir, err := os.MkdirTemp("", "py")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func (d *driver) run() {
	d.t.Helper()
	stdin, err := d.cmd.StdinPipe()
	if err != nil {
		d.t.Fatal(err)
	}
	d.stdin = stdin
	d.cmd.Stdout, d.cmd.Stderr = d.stdout, d.stderr
	if err := d.cmd.Start(); err != nil {
		d.t.Fatal(err)
	}
	go func() {
		_ = d.cmd.Wait() // its verdict is in ProcessState
		close(d.ended)
	}()
	d.t.Cleanup(func() {
		_ = d.cmd.Process.Kill() // it may have ended
		<-d.ended
	})
	d.await("the handshake", func() bool { return strings.Contains(d.stdout.String(), "\n") })
	d.first, _ = bufio.NewReader(strings.NewReader(d.stdout.String())).ReadString('\n')
}

func (d *driver) dial() {
	d.t.Helper()
	parts := strings.Split(strings.TrimSpace(d.first), "|")
	if len(parts) < 5 {
		d.t.Fatalf("handshake %q", d.first)
	}
	conn, err := grpc.NewClient("unix:"+parts[3], grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithUnaryInterceptor(bounded),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(16<<20), grpc.MaxCallSendMsgSize(16<<20)))
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() { conn.Close() })
	d.conn = conn
	d.PluginClient, d.NotifierClient = pluginpb.NewPluginClient(conn), pluginpb.NewNotifierClient(conn)
	d.DetectorClient, d.SinkClient = pluginpb.NewDetectorClient(conn), pluginpb.NewSinkClient(conn)
}

// bounded gives a call 20 s at most.
func bounded(ctx context.Context, method string, request, answer any, conn *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	return invoke(ctx, method, request, answer, conn, opts...)
}

// await polls until the condition holds or 30 s are over.
func (d *driver) await(what string, holds func() bool) {
	d.t.Helper()
	limit := time.After(30 * time.Second)
	for tick := time.Tick(5 * time.Millisecond); !holds(); {
		select {
		case <-tick:
		case <-d.ended:
			if !holds() {
				d.t.Fatalf("it ended (%v) before %s:\n%s", d.cmd.ProcessState, what, d.stderr.String())
			}
		case <-limit:
			d.t.Fatalf("no %s within 30 s:\n%s", what, d.stderr.String())
		}
	}
}

// ends waits for the process's end and returns how long that took.
func (d *driver) ends() time.Duration {
	d.t.Helper()
	from := time.Now()
	select {
	case <-d.ended:
	case <-time.After(30 * time.Second):
		d.t.Fatalf("it runs on:\n%s", d.stderr.String())
	}
	return time.Since(from)
}

// configure gives it settings (JSON) and the secret token.
func (d *driver) configure(settings string, host uint32) []*pluginpb.Problem {
	d.t.Helper()
	answer, err := d.Configure(d.t.Context(), &pluginpb.ConfigureRequest{
		Instance: "pond", SettingsJson: []byte(settings), Secrets: map[string]string{"token": secret},
		Cameras: []*pluginpb.Camera{{Id: "door", Name: "Front door"}}, DataDir: d.data, HostBrokerId: host,
	})
	if err != nil {
		d.t.Fatalf("Configure: %v\n%s", err, d.stderr.String())
	}
	return answer.GetProblems()
}

const secret = `tk_s3cret/"ä?`

// ready starts the plugin with all roles and configures it.
func ready(t *testing.T) *driver {
	t.Helper()
	d := start(t, "testdata/all.py")
	if problems := d.configure(`{"topic":"garden"}`, 0); len(problems) > 0 {
		t.Fatal(problems)
	}
	return d
}

// raw passes messages of gRPC as the bytes they are.
type raw struct{}

func (raw) Marshal(v any) ([]byte, error)      { return *v.(*[]byte), nil }
func (raw) Unmarshal(data []byte, v any) error { *v.(*[]byte) = bytes.Clone(data); return nil }
func (raw) Name() string                       { return "proto" }

// call makes a call of bytes.
func (d *driver) call(method string, request []byte) ([]byte, error) {
	var answer []byte
	ctx, cancel := context.WithTimeout(d.t.Context(), 5*time.Second)
	defer cancel()
	err := d.conn.Invoke(ctx, method, &request, &answer, grpc.ForceCodec(raw{}))
	return answer, err
}

// announce tells the plugin through go-plugin's broker where a service listens.
func (d *driver) announce(id uint32, address string) {
	d.t.Helper()
	desc := &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}
	stream, err := d.conn.NewStream(d.t.Context(), desc, "/plugin.GRPCBroker/StartStream", grpc.ForceCodec(raw{}))
	if err != nil {
		d.t.Fatal(err)
	}
	info := protowire.AppendVarint(protowire.AppendTag(nil, 1, protowire.VarintType), uint64(id))
	info = protowire.AppendString(protowire.AppendTag(info, 2, protowire.BytesType), "unix")
	info = protowire.AppendString(protowire.AppendTag(info, 3, protowire.BytesType), address)
	if err := stream.SendMsg(&info); err != nil {
		d.t.Fatal(err)
	}
}

// serve serves a host for the plugin until the test's end, and announces it.
func (d *driver) serve(id uint32, host pluginpb.HostServer) *grpc.Server {
	d.t.Helper()
	address := filepath.Join(sockets(d.t), fmt.Sprintf("host-%d", id))
	listener, err := net.Listen("unix", address)
	if err != nil {
		d.t.Fatal(err)
	}
	server := grpc.NewServer()
	pluginpb.RegisterHostServer(server, host)
	go func() { _ = server.Serve(listener) }() // until Stop
	d.t.Cleanup(server.Stop)
	d.announce(id, address)
	return server
}

// output collects what a process writes.
type output struct {
	mutex sync.Mutex
	text  bytes.Buffer
}

func (o *output) Write(data []byte) (int, error) {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	return o.text.Write(data)
}

func (o *output) String() string {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	return o.text.String()
}
