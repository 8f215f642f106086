//go:build linux

package pluginhost

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	goplugin "github.com/hashicorp/go-plugin"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/espcam-bridge/espcam-bridge/plugins/launch"
	"github.com/espcam-bridge/espcam-bridge/plugins/pluginpb"
)

// TestMain makes the test's own binary the plugin that the tests start. Its
// arguments are name=value: how it behaves.
func TestMain(m *testing.M) {
	if os.Getenv(launch.CookieKey) == launch.CookieValue {
		endAtOnce()
		behave(os.Args[1:])
		return
	}
	if arg := os.Getenv(apart); arg != "" {
		if err := hostApart(arg); err != nil {
			panic(err)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

// endAtOnce keeps the race detector from waiting a second at each end of a plugin.
func endAtOnce() {
	const setting = "GORACE"
	if !raceDetector || os.Getenv(setting) != "" {
		return
	}
	program, err := os.Executable()
	if err == nil {
		err = syscall.Exec(program, os.Args, append(os.Environ(), setting+"=atexit_sleep_ms=0"))
	}
	panic(err)
}

// trick is how the test plugin behaves.
type trick map[string]string

func (t trick) number(name string) int {
	n, err := strconv.Atoi(t[name])
	if err != nil {
		return 0
	}
	return n
}

// counted adds one to a file in the data directory and returns the sum: what
// outlives a process.
func counted(name string) int {
	text, err := os.ReadFile(name)
	n := 0
	if err == nil {
		n, err = strconv.Atoi(string(text))
	}
	if err != nil && !os.IsNotExist(err) {
		panic(err)
	}
	if err := os.WriteFile(name, []byte(strconv.Itoa(n+1)), 0o600); err != nil {
		panic(err)
	}
	return n + 1
}

func behave(args []string) {
	t := trick{}
	for _, a := range args {
		k, v, _ := strings.Cut(a, "=")
		t[k] = v
	}
	starts := counted("starts")
	if err := os.WriteFile("home", []byte(os.Getenv("HOME")), 0o600); err != nil {
		panic(err)
	}
	switch {
	case t["silent"] != "":
		<-time.After(time.Hour)
	case t["garbage"] != "":
		fmt.Println("Hello!")
		<-time.After(time.Hour)
	case t["diesfirst"] != "" && starts <= t.number("diesfirst"):
		fmt.Fprintln(os.Stderr, "panic: not yet")
		os.Exit(3)
	}
	s := &evil{trick: t, log: os.Stderr}
	version := uint(launch.Version)
	if t["api"] != "" {
		version = uint(t.number("api"))
	}
	goplugin.Serve(&goplugin.ServeConfig{
		HandshakeConfig: goplugin.HandshakeConfig{ProtocolVersion: version, MagicCookieKey: launch.CookieKey, MagicCookieValue: launch.CookieValue},
		Plugins:         goplugin.PluginSet{"plugin": s},
		GRPCServer: func(o []grpc.ServerOption) *grpc.Server {
			return grpc.NewServer(append(o, grpc.MaxRecvMsgSize(64<<20), grpc.MaxSendMsgSize(64<<20))...)
		},
	})
}

// evil is the plugin's side.
type evil struct {
	goplugin.NetRPCUnsupportedPlugin
	pluginpb.UnimplementedPluginServer
	pluginpb.UnimplementedNotifierServer
	pluginpb.UnimplementedDetectorServer
	pluginpb.UnimplementedSinkServer
	trick  trick
	log    *os.File // before go-plugin replaces it
	broker *goplugin.GRPCBroker

	mu       sync.Mutex
	host     pluginpb.HostClient
	settings map[string]any
	secrets  map[string]string
	calls    atomic.Int32
	hoard    [][]byte
}

func (s *evil) GRPCServer(b *goplugin.GRPCBroker, g *grpc.Server) error {
	s.broker = b
	pluginpb.RegisterPluginServer(g, s)
	pluginpb.RegisterNotifierServer(g, s)
	pluginpb.RegisterDetectorServer(g, s)
	pluginpb.RegisterSinkServer(g, s)
	return nil
}

func (*evil) GRPCClient(context.Context, *goplugin.GRPCBroker, *grpc.ClientConn) (any, error) {
	return nil, nil
}

func (s *evil) Describe(context.Context, *pluginpb.DescribeRequest) (*pluginpb.Description, error) {
	d := &pluginpb.Description{
		Name: "evil", Version: "1.2.0", Summary: "Does what tests want.",
		Permissions: []string{"snapshot", "frames", "command", "publish"},
		Fields: []*pluginpb.Field{
			{Name: "topic", Type: pluginpb.FieldType_FIELD_TYPE_STRING},
			{Name: "token", Type: pluginpb.FieldType_FIELD_TYPE_STRING, Secret: true},
			{Name: "path", Type: pluginpb.FieldType_FIELD_TYPE_STRING, FileOnly: true},
			{Name: "priority", Type: pluginpb.FieldType_FIELD_TYPE_INTEGER, Min: 1, Max: 5, DefaultJson: "3"},
		},
		Detector: &pluginpb.DetectorNeeds{MaxFps: 5, MaxWidth: 160, Labels: []string{"person", "cat"}, Stateful: s.trick["stateful"] != ""},
		Notifier: &pluginpb.NotifierTraits{WantsPicture: true, MaxPictureBytes: uint64(s.trick.number("maxpicture")), CanEdit: true},
	}
	for _, r := range strings.Split(s.trick["roles"], ",") {
		if n, ok := pluginpb.Role_value["ROLE_"+strings.ToUpper(r)]; ok {
			d.Roles = append(d.Roles, pluginpb.Role(n))
		}
	}
	if name := s.trick["name"]; name != "" {
		d.Name = name
	}
	if p, ok := s.trick["permissions"]; ok {
		d.Permissions = slices.DeleteFunc(strings.Split(p, ","), func(s string) bool { return s == "" })
	}
	return d, nil
}

func (s *evil) Configure(_ context.Context, r *pluginpb.ConfigureRequest) (*pluginpb.ConfigureResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.host == nil && r.HostBrokerId != 0 {
		conn, err := s.broker.DialWithOptions(r.HostBrokerId, grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(16<<20)))
		if err != nil {
			return nil, err
		}
		s.host = pluginpb.NewHostClient(conn)
		if s.trick["deaf"] == "" {
			if err := s.watch(); err != nil {
				return nil, err
			}
		}
	}
	var settings map[string]any
	if err := json.Unmarshal(r.SettingsJson, &settings); err != nil {
		return nil, err
	}
	if settings["topic"] == "forbidden" {
		return &pluginpb.ConfigureResponse{Problems: []*pluginpb.Problem{{Field: "topic", Message: "is forbidden: choose another; the token is " + r.Secrets["token"]}}}, nil
	}
	s.settings, s.secrets = settings, r.Secrets
	if leak := r.Secrets["token"]; leak != "" && s.trick["leak"] != "" {
		fmt.Fprintf(s.log, "{\"level\":\"warn\",\"msg\":\"using %s\",\"url\":\"http://x/?k=%s\"}\ntoken %s\n", leak, leak, leak)
	}
	if err := os.WriteFile("configured", []byte(fmt.Sprint(settings["topic"], r.Secrets["token"])), 0o600); err != nil {
		return nil, err
	}
	return &pluginpb.ConfigureResponse{RestartNeeded: settings["topic"] == "anew"}, nil
}

// watch opens the life line and writes what it hears into a file.
func (s *evil) watch() error {
	w, err := s.host.Watch(context.Background(), &pluginpb.WatchRequest{})
	if err != nil {
		return err
	}
	go func() {
		for {
			r, err := w.Recv()
			if err != nil {
				os.Exit(0)
			}
			line := fmt.Sprintf("%s %v %d %v\n", r.LogLevel, r.CamerasChanged, len(r.Cameras), r.Stopping)
			f, err := os.OpenFile("watched", os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
			if err == nil {
				_, err = f.WriteString(line)
				err = errors.Join(err, f.Close())
			}
			if err != nil {
				panic(err)
			}
		}
	}()
	return nil
}

func (s *evil) Check(ctx context.Context, r *pluginpb.CheckRequest) (*pluginpb.CheckResponse, error) {
	if s.trick["nocheck"] != "" {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	if _, err := os.Stat("degraded"); err == nil {
		return &pluginpb.CheckResponse{Degraded: true, Message: "no way to the server; the token is " + s.secrets["token"] + "\nand more"}, nil
	}
	return &pluginpb.CheckResponse{}, nil
}

func (s *evil) Drain(context.Context, *pluginpb.DrainRequest) (*pluginpb.DrainResponse, error) {
	return &pluginpb.DrainResponse{}, os.WriteFile("drained", nil, 0o600)
}

// Notify does what the alert's text says.
func (s *evil) Notify(ctx context.Context, a *pluginpb.Alert) (*pluginpb.Receipt, error) {
	n := s.calls.Add(1)
	if limit := s.trick.number("crash"); limit > 0 && int(n) >= limit {
		fmt.Fprintln(s.log, "panic: on the nth call, with", s.secrets["token"])
		os.Exit(2)
	}
	switch what, arg, _ := strings.Cut(a.Text, " "); what {
	case "retry":
		return &pluginpb.Receipt{Outcome: pluginpb.Outcome_OUTCOME_RETRY, RetryAfterMs: 1500, Message: "later; " + s.secrets["token"]}, nil
	case "reject":
		return &pluginpb.Receipt{Outcome: pluginpb.Outcome_OUTCOME_REJECTED, Message: "never; " + s.secrets["token"]}, nil
	case "huge":
		return &pluginpb.Receipt{Outcome: pluginpb.Outcome_OUTCOME_DELIVERED, Message: strings.Repeat("x", 20<<20)}, nil
	case "late":
		<-time.After(time.Hour)
	case "error":
		return nil, status.Error(codes.Internal, "broken with "+s.secrets["token"])
	case "fork":
		cmd := exec.Command("sleep", "60")
		cmd.Stdout, cmd.Stderr = s.log, s.log
		if err := cmd.Start(); err != nil {
			return nil, err
		}
		if err := os.WriteFile("child", []byte(strconv.Itoa(cmd.Process.Pid)), 0o600); err != nil {
			return nil, err
		}
		os.Exit(1)
	case "allocate":
		go func() {
			for {
				b := make([]byte, 8<<20)
				for i := range b {
					b[i] = 1
				}
				s.hoard = append(s.hoard, b)
				<-time.After(5 * time.Millisecond)
			}
		}()
	case "shout":
		for i := range 5000 {
			fmt.Fprintln(s.log, "line", i)
		}
	case "host":
		return s.callHost(ctx, arg)
	}
	return &pluginpb.Receipt{
		Outcome: pluginpb.Outcome_OUTCOME_DELIVERED, Handle: fmt.Sprintf("h%d", n),
		Message: fmt.Sprintf("%s %s %s %d %d", a.Event.Phase, a.Event.Camera.Name, a.Title, len(a.Event.Jpeg), a.Event.Width),
	}, nil
}

// callHost asks the bridge for something and answers with what came of it.
func (s *evil) callHost(ctx context.Context, what string) (*pluginpb.Receipt, error) {
	var out any
	var err error
	switch what {
	case "cameras":
		var r *pluginpb.CamerasResponse
		r, err = s.host.Cameras(ctx, &pluginpb.CamerasRequest{})
		out = fmt.Sprint(r.GetCameras())
	case "snapshot":
		var r *pluginpb.Picture
		r, err = s.host.Snapshot(ctx, &pluginpb.SnapshotRequest{Camera: "porch"})
		out = fmt.Sprint(len(r.GetJpeg()), r.GetSequence())
	case "old":
		_, err = s.host.Snapshot(ctx, &pluginpb.SnapshotRequest{Camera: "porch", MaxAgeMs: 1})
	case "other":
		_, err = s.host.Snapshot(ctx, &pluginpb.SnapshotRequest{Camera: "yard"})
	case "command":
		out, err = s.host.Command(ctx, &pluginpb.CommandRequest{Camera: "porch", Name: "quality", ArgsJson: "12"})
	case "action":
		out, err = s.host.Command(ctx, &pluginpb.CommandRequest{Camera: "porch", Name: "pan", ArgsJson: `{"angle":20}`})
	case "ota":
		out, err = s.host.Command(ctx, &pluginpb.CommandRequest{Camera: "porch", Name: "ota", ArgsJson: `{"url":"http://evil"}`})
	case "publish":
		_, err = s.host.Publish(ctx, &pluginpb.PublishRequest{Name: "news", Payload: []byte("hello " + s.secrets["token"])})
	case "state":
		_, err = s.host.SetState(ctx, &pluginpb.SetStateRequest{Name: "mood", Value: "good"})
	case "badname":
		_, err = s.host.SetState(ctx, &pluginpb.SetStateRequest{Name: "a/b", Value: "x"})
	case "flood":
		out = s.flood(ctx)
	case "latest", "every":
		out, err = s.frames(ctx, what == "every")
	}
	if err != nil {
		out = err.Error()
	}
	return &pluginpb.Receipt{Outcome: pluginpb.Outcome_OUTCOME_DELIVERED, Message: fmt.Sprint(out)}, nil
}

// flood calls as fast as it can for a second, with 200 callers.
func (s *evil) flood(ctx context.Context) string {
	var good, bad atomic.Int32
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	var all sync.WaitGroup
	for range 200 {
		all.Go(func() {
			for ctx.Err() == nil {
				if _, err := s.host.Cameras(ctx, &pluginpb.CamerasRequest{}); err == nil {
					good.Add(1)
				} else if status.Code(err) == codes.ResourceExhausted {
					bad.Add(1)
				}
			}
		})
	}
	all.Wait()
	return fmt.Sprintf("%d %d", good.Load(), bad.Load())
}

// frames reads nothing for a while, then all that is there.
func (s *evil) frames(ctx context.Context, every bool) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	f, err := s.host.Frames(ctx, &pluginpb.FramesRequest{Camera: "porch", Every: every})
	if err != nil {
		return "", err
	}
	if _, err := f.Recv(); err != nil {
		return "", err
	}
	if err := os.WriteFile("watching", nil, 0o600); err != nil {
		return "", err
	}
	for { // until the test has published all
		if _, err := os.Stat("published"); err == nil {
			break
		}
		<-time.After(5 * time.Millisecond)
	}
	var seen int
	for {
		r, err := f.Recv()
		if err == io.EOF || err != nil {
			return fmt.Sprint("error ", err), nil
		}
		seen++
		if r.Picture.Sequence == 400 {
			return fmt.Sprintf("%d %d", seen, r.Dropped), nil
		}
	}
}

func (s *evil) Detect(ctx context.Context, r *pluginpb.DetectRequest) (*pluginpb.DetectResponse, error) {
	if _, err := os.Stat("slow"); err == nil {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	if _, err := os.Stat("busy"); err == nil {
		return &pluginpb.DetectResponse{Busy: true}, nil
	}
	return &pluginpb.DetectResponse{Detections: []*pluginpb.Detection{
		{Label: "person", Score: float64(r.Width) / 1000, Box: &pluginpb.Box{X: 0.1, Y: 0.1, W: 0.5, H: 0.5}},
		{Label: "undeclared", Score: 1},
	}}, nil
}

// Deliver writes what it got into a file. The file "limit" says how much it
// acknowledges of a call.
func (s *evil) Deliver(_ context.Context, r *pluginpb.DeliverRequest) (*pluginpb.DeliverResponse, error) {
	if _, err := os.Stat("refuse"); err == nil {
		return nil, status.Error(codes.Internal, "disk full")
	}
	var b strings.Builder
	bytes := 0
	for _, e := range r.Events {
		fmt.Fprintf(&b, "%d %s %s %d\n", e.Sequence, e.Event.Id, strings.ToLower(strings.TrimPrefix(e.Event.Phase.String(), "PHASE_")), e.Gap)
		bytes += len(e.Event.Jpeg)
	}
	fmt.Fprintf(&b, "batch %d %d\n", len(r.Events), bytes)
	f, err := os.OpenFile("delivered", os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	if _, err := f.WriteString(b.String()); err != nil {
		return nil, err
	}
	acked := r.Events[len(r.Events)-1].Sequence
	if _, err := os.Stat("half"); err == nil {
		acked = r.Events[len(r.Events)/2].Sequence
	}
	return &pluginpb.DeliverResponse{Acked: acked}, f.Close()
}

// freeze stops a process as a debugger would.
func freeze(pid int) error { return syscall.Kill(pid, syscall.SIGSTOP) }
