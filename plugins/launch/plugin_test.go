//go:build unix

package launch

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"syscall"
	"testing"
	"time"

	goplugin "github.com/hashicorp/go-plugin"
	"go.uber.org/goleak"
	"google.golang.org/grpc"

	"github.com/espcam-bridge/espcam-bridge/plugins/pluginpb"
)

// TestMain makes the test's own binary the plugin that the tests start: its
// argument says how it behaves.
func TestMain(m *testing.M) {
	if os.Getenv(CookieKey) == CookieValue {
		behave(os.Args[1])
		return
	}
	goleak.VerifyTestMain(m)
}

func behave(how string) {
	stderr := os.Stderr // before go-plugin replaces it
	switch how {
	case "silent":
		signal.Ignore(syscall.SIGTERM)
		<-time.After(time.Hour)
	case "garbage":
		fmt.Println("Hello, I am a plugin!")
		<-time.After(time.Hour)
	case "endless":
		for {
			if _, err := os.Stdout.WriteString("garbage without an end "); err != nil {
				return
			}
		}
	case "shouts": // as fast as it can, and then its last words
		serving := make(chan struct{})
		go func() {
			defer close(serving)
			serve(1)
		}()
		for end := time.After(time.Second); ; {
			select {
			case <-end:
				fmt.Fprintln(stderr, "the end")
				os.Exit(4)
			case <-serving:
				return
			default:
				fmt.Fprintln(stderr, "line")
			}
		}
	case "dies":
		fmt.Fprintln(os.Stderr, "Traceback (most recent call last):\n  File \"main.py\", line 1\nModuleNotFoundError: No module named 'grpc'")
		os.Exit(3)
	case "elsewhere":
		fmt.Println("1|1|unix|/tmp/elsewhere|grpc")
		<-time.After(time.Hour)
	case "deaf": // it shakes hands and does not listen
		fmt.Printf("1|1|unix|%s/socket|grpc\n", os.Getenv(goplugin.EnvUnixSocketDir))
		<-time.After(time.Hour)
	case "mute": // it listens and does not answer
		path := os.Getenv(goplugin.EnvUnixSocketDir) + "/socket"
		if _, err := net.Listen("unix", path); err != nil {
			panic(err)
		}
		fmt.Printf("1|1|unix|%s|grpc\n", path)
		<-time.After(time.Hour)
	case "parent":
		fmt.Fprintln(os.Stderr, "child", childOf("60"))
		serve(1)
	case "newer":
		serve(2)
	default:
		serve(1)
	}
}

// childOf starts a process that holds our stdout and stderr.
func childOf(seconds string) int {
	cmd := exec.Command("sleep", seconds)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Start(); err != nil {
		panic(err)
	}
	return cmd.Process.Pid
}

func serve(version uint) {
	goplugin.Serve(&goplugin.ServeConfig{
		HandshakeConfig: goplugin.HandshakeConfig{ProtocolVersion: version, MagicCookieKey: CookieKey, MagicCookieValue: CookieValue},
		Plugins:         goplugin.PluginSet{pluginName: &served{}},
		GRPCServer: func(o []grpc.ServerOption) *grpc.Server {
			return grpc.NewServer(append(o, grpc.MaxRecvMsgSize(MaxMessage))...)
		},
	})
}

// served is the plugin's side.
type served struct {
	goplugin.NetRPCUnsupportedPlugin
	pluginpb.UnimplementedPluginServer
	broker *goplugin.GRPCBroker
	host   pluginpb.HostClient
}

func (s *served) GRPCServer(b *goplugin.GRPCBroker, g *grpc.Server) error {
	s.broker = b
	pluginpb.RegisterPluginServer(g, s)
	return nil
}

func (*served) GRPCClient(context.Context, *goplugin.GRPCBroker, *grpc.ClientConn) (any, error) {
	return nil, nil
}

func (s *served) Describe(context.Context, *pluginpb.DescribeRequest) (*pluginpb.Description, error) {
	return &pluginpb.Description{Name: "test", Version: "1.0.0"}, nil
}

// Configure opens Watch and asks the host for its cameras; the answer is their
// number as a problem.
func (s *served) Configure(ctx context.Context, r *pluginpb.ConfigureRequest) (*pluginpb.ConfigureResponse, error) {
	if s.host == nil {
		conn, err := s.broker.Dial(r.HostBrokerId)
		if err != nil {
			return nil, err
		}
		s.host = pluginpb.NewHostClient(conn)
		if err := s.watch(); err != nil {
			return nil, err
		}
	}
	c, err := s.host.Cameras(ctx, &pluginpb.CamerasRequest{})
	if err != nil {
		return nil, err
	}
	return &pluginpb.ConfigureResponse{Problems: []*pluginpb.Problem{{Message: strconv.Itoa(len(c.Cameras))}}}, nil
}

func (s *served) watch() error {
	w, err := s.host.Watch(context.Background(), &pluginpb.WatchRequest{})
	go func() {
		for err == nil {
			_, err = w.Recv()
		}
		os.Exit(0)
	}()
	return err
}

// Check does what its instance's setting was not asked for: it tells what the
// process sees of the world.
func (s *served) Check(context.Context, *pluginpb.CheckRequest) (*pluginpb.CheckResponse, error) {
	dir, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	group, err := syscall.Getpgid(0)
	if err != nil {
		return nil, err
	}
	old := syscall.Umask(0)
	nice, err := syscall.Getpriority(syscall.PRIO_PROCESS, 0)
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(surroundings{Env: os.Environ(), Dir: dir, Group: group, Umask: old, Nice: 20 - nice})
	return &pluginpb.CheckResponse{Message: string(text)}, err
}

type surroundings struct {
	Env   []string
	Dir   string
	Group int
	Umask int
	Nice  int
}

func (s *served) Drain(context.Context, *pluginpb.DrainRequest) (*pluginpb.DrainResponse, error) {
	fmt.Fprintln(os.Stderr, `{"time":"2026-01-01T00:00:00Z","level":"WARN","msg":"draining","b":1,"a":"x"}`)
	<-time.After(20 * time.Millisecond)
	return &pluginpb.DrainResponse{}, nil
}
