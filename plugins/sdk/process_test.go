package sdk_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	goplugin "github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"

	"github.com/espcam-bridge/espcam-bridge/plugins/pluginpb"
)

// kindKey names the variable that makes this test program a plugin.
const kindKey = "SDK_TEST_PLUGIN"

func TestMain(m *testing.M) {
	if kind := os.Getenv(kindKey); kind != "" {
		plugins()[kind]()
	}
	os.Exit(m.Run())
}

// process is a plugin that was started as the bridge starts one.
type process struct {
	*exec.Cmd
	stdin   io.Closer
	sockets string // directory of its socket
	first   string // line on stdout
	stdout  *output
	stderr  *output
	done    chan struct{}
	broker  *goplugin.GRPCBroker
	conn    *grpc.ClientConn
	pluginpb.PluginClient
}

// output collects what a process writes.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

func (p *process) GRPCServer(*goplugin.GRPCBroker, *grpc.Server) error {
	return errors.New("this is the other side")
}

func (p *process) GRPCClient(_ context.Context, broker *goplugin.GRPCBroker, conn *grpc.ClientConn) (any, error) {
	p.broker, p.conn, p.PluginClient = broker, conn, pluginpb.NewPluginClient(conn)
	return p, nil
}

// start starts this test program as a plugin of that kind and connects to it.
func start(t *testing.T, kind string) *process {
	t.Helper()
	dir := t.TempDir()
	p := spawn(t, kind, "ESPCAM_PLUGIN=bridge.plugin.v1", "PLUGIN_UNIX_SOCKET_DIR="+dir, "PLUGIN_PROTOCOL_VERSIONS=1")
	p.sockets = dir
	part := strings.Split(p.first, "|")
	if len(part) < 5 || part[0] != "1" || part[1] != "1" || part[2] != "unix" || part[4] != "grpc" {
		t.Fatalf("handshake %q, stderr %q", p.first, p.stderr)
	}
	client := goplugin.NewClient(&goplugin.ClientConfig{
		Plugins:          goplugin.PluginSet{"plugin": p.asPlugin()},
		AllowedProtocols: []goplugin.Protocol{goplugin.ProtocolGRPC},
		Logger:           hclog.NewNullLogger(),
		Reattach: &goplugin.ReattachConfig{
			Protocol: goplugin.ProtocolGRPC, ProtocolVersion: 1, Pid: p.Process.Pid, Test: true,
			Addr: &net.UnixAddr{Net: "unix", Name: part[3]},
		},
	})
	t.Cleanup(client.Kill)
	protocol, err := client.Client()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := protocol.Dispense("plugin"); err != nil {
		t.Fatal(err)
	}
	return p
}

type hostSide struct {
	goplugin.NetRPCUnsupportedPlugin
	*process
}

func (p *process) asPlugin() goplugin.Plugin { return hostSide{process: p} }

// spawn starts the process and reads its first line.
func spawn(t *testing.T, kind string, env ...string) *process {
	t.Helper()
	p := &process{Cmd: exec.Command(os.Args[0]), stdout: &output{}, stderr: &output{}, done: make(chan struct{})}
	// A program with the race detector waits for a second before its end otherwise.
	p.Env = append(env, kindKey+"="+kind, "GORACE=atexit_sleep_ms=0")
	p.Dir = t.TempDir()
	p.Stderr = p.stderr
	stdin, err := p.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.stdin = stdin
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	p.Stdout = write
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	_ = write.Close()
	lines := bufio.NewReader(read)
	p.first, _ = lines.ReadString('\n') // none, if it ended at once
	go func() {
		defer close(p.done)
		_, _ = io.Copy(p.stdout, lines)
		_ = p.Wait()
		_ = read.Close()
	}()
	t.Cleanup(func() {
		_ = p.Process.Kill()
		<-p.done
	})
	return p
}

// gone waits for the process's end and returns its exit code.
func (p *process) gone(t *testing.T, within time.Duration) int {
	t.Helper()
	select {
	case <-p.done:
		return p.ProcessState.ExitCode()
	case <-time.After(within):
		t.Fatalf("it still runs after %s; stderr: %s", within, p.stderr)
		return -1
	}
}

func (p *process) configure(t *testing.T, settings string, secrets map[string]string, broker uint32) {
	t.Helper()
	out, err := p.Configure(t.Context(), &pluginpb.ConfigureRequest{
		Instance: "it", SettingsJson: []byte(settings), Secrets: secrets, DataDir: p.Dir, HostBrokerId: broker,
	})
	if err != nil || len(out.GetProblems()) > 0 {
		t.Fatal(out, err)
	}
}

func sockets(t *testing.T, dir string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	return found
}
