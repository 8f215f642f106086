package plugintest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	goplugin "github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/espcam-bridge/espcam-bridge/plugins/pluginpb"
	"github.com/espcam-bridge/espcam-bridge/plugins/sdk"
)

// faultKey names the variable that makes this test program a plugin with that
// fault: the point at which it should fail, 0 for none.
const faultKey = "PLUGINTEST_FAULT"

// Other kinds of plugins.
const (
	sinkOnly = "sink"
	broken   = "broken"
)

func TestMain(m *testing.M) {
	if text, ok := os.LookupEnv(faultKey); ok {
		switch text {
		case sinkOnly:
			sdk.Main(sdk.Plugin[struct{}]{Name: "sink", Version: "1.0.0", Summary: "A sink.", Deliver: func(context.Context, *struct{}, sdk.Event) error { return nil }})
		case broken:
			fmt.Println("this is no handshake")
			return
		}
		fault, err := strconv.Atoi(text)
		if err != nil {
			panic(err)
		}
		serveTwin(fault)
		return
	}
	os.Exit(m.Run())
}

// twin is a plugin written by hand, without the SDK: notifier, detector and sink.
// With a fault it does one thing wrong.
type twin struct {
	goplugin.NetRPCUnsupportedPlugin
	pluginpb.UnimplementedPluginServer
	pluginpb.UnimplementedNotifierServer
	pluginpb.UnimplementedDetectorServer
	pluginpb.UnimplementedSinkServer

	fault  int
	stdout *os.File
	stderr *os.File
	broker *goplugin.GRPCBroker
	asked  atomic.Int64
	atOnce atomic.Int64
	sends  sync.Mutex // held while it sends, with fault 10
	calls  sync.WaitGroup

	mu         sync.Mutex
	configured bool
	url, token string
	host       pluginpb.HostClient
	looking    map[string]bool
	kept       [][]byte
}

func serveTwin(fault int) {
	t := &twin{fault: fault, stdout: os.Stdout, stderr: os.Stderr, looking: map[string]bool{}}
	go t.sigterm()
	if fault != 17 {
		go func() {
			_, _ = io.Copy(io.Discard, os.Stdin)
			os.Exit(0)
		}()
	}
	versions := map[int]goplugin.PluginSet{1: {"plugin": t}}
	if fault == 22 {
		versions[2] = versions[1]
	}
	goplugin.Serve(&goplugin.ServeConfig{
		HandshakeConfig:  goplugin.HandshakeConfig{MagicCookieKey: "ESPCAM_PLUGIN", MagicCookieValue: "bridge.plugin.v1"},
		VersionedPlugins: versions,
		Logger:           hclog.NewNullLogger(),
		GRPCServer: func(o []grpc.ServerOption) *grpc.Server {
			if fault != 9 { // gRPC's own limit is 4 MiB
				o = append(o, grpc.MaxRecvMsgSize(16<<20))
			}
			return grpc.NewServer(o...)
		},
	})
}

func (t *twin) sigterm() {
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGTERM)
	<-c
	if t.fault == 18 {
		os.Exit(1)
	}
	os.Exit(0)
}

func (t *twin) GRPCServer(b *goplugin.GRPCBroker, s *grpc.Server) error {
	t.broker = b
	pluginpb.RegisterPluginServer(s, t)
	pluginpb.RegisterNotifierServer(s, t)
	pluginpb.RegisterDetectorServer(s, t)
	pluginpb.RegisterSinkServer(s, t)
	return nil
}

func (t *twin) GRPCClient(context.Context, *goplugin.GRPCBroker, *grpc.ClientConn) (any, error) {
	return nil, errors.New("not this side")
}

func (t *twin) Describe(context.Context, *pluginpb.DescribeRequest) (*pluginpb.Description, error) {
	d := &pluginpb.Description{
		Name: "twin", Version: "1.0.0", Sdk: "none", Summary: "A plugin to be tried.", Permissions: []string{"snapshot"},
		Roles: []pluginpb.Role{pluginpb.Role_ROLE_NOTIFIER, pluginpb.Role_ROLE_DETECTOR, pluginpb.Role_ROLE_SINK},
		Fields: []*pluginpb.Field{
			{Name: "url", Type: pluginpb.FieldType_FIELD_TYPE_STRING, Required: true, Help: "Where to."},
			{Name: "token", Type: pluginpb.FieldType_FIELD_TYPE_STRING, Secret: true, Help: "Its key."},
			{Name: "tries", Type: pluginpb.FieldType_FIELD_TYPE_INTEGER, DefaultJson: "3", Min: 1, Max: 9, Help: "How often."},
		},
		Notifier: &pluginpb.NotifierTraits{WantsPicture: true, CanEdit: true},
		Detector: &pluginpb.DetectorNeeds{Labels: []string{"person"}},
	}
	switch t.fault {
	case 2:
		d.Summary = fmt.Sprint("Asked ", t.asked.Add(1), " times.")
	case 3:
		d.Fields[2].DefaultJson = `"three"`
	}
	return d, nil
}

func (t *twin) Configure(_ context.Context, in *pluginpb.ConfigureRequest) (*pluginpb.ConfigureResponse, error) {
	if err := t.connect(in.GetHostBrokerId()); err != nil {
		return nil, err
	}
	var settings map[string]any
	if err := json.Unmarshal(in.GetSettingsJson(), &settings); err != nil {
		return nil, err
	}
	out := &pluginpb.ConfigureResponse{}
	url, _ := settings["url"].(string)
	if url == "" && t.fault != 4 {
		out.Problems = append(out.Problems, &pluginpb.Problem{Field: "url", Message: "is missing"})
	}
	for _, keys := range [][]string{keysOf(settings), keysOf(in.GetSecrets())} {
		for _, key := range keys {
			if t.fault != 5 && !slices.Contains([]string{"url", "token", "tries"}, key) {
				out.Problems = append(out.Problems, &pluginpb.Problem{Field: key, Message: "is unknown"})
			}
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(out.GetProblems()) > 0 || t.fault == 6 && t.configured {
		return out, nil
	}
	t.configured, t.url, t.token = true, url, in.GetSecrets()["token"]
	return out, nil
}

func keysOf[V any](m map[string]V) []string {
	var out []string
	for k := range m {
		out = append(out, k)
	}
	return out
}

func (t *twin) connect(id uint32) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if id == 0 || t.host != nil {
		return nil
	}
	conn, err := t.broker.Dial(id)
	if err != nil {
		return err
	}
	t.host = pluginpb.NewHostClient(conn)
	if t.fault == 19 {
		child := exec.Command("sleep", "600")
		child.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		if err := child.Start(); err != nil {
			return err
		}
	}
	return nil
}

func (t *twin) Check(_ context.Context, in *pluginpb.CheckRequest) (*pluginpb.CheckResponse, error) {
	if t.fault == 7 && !in.GetAlive() {
		resp, err := http.Get(t.url) // which has no end
		if err != nil {
			return nil, err
		}
		return &pluginpb.CheckResponse{}, resp.Body.Close()
	}
	return &pluginpb.CheckResponse{}, nil
}

func (t *twin) Drain(context.Context, *pluginpb.DrainRequest) (*pluginpb.DrainResponse, error) {
	t.calls.Wait()
	return &pluginpb.DrainResponse{}, nil
}

func (t *twin) Notify(ctx context.Context, in *pluginpb.Alert) (*pluginpb.Receipt, error) {
	t.calls.Add(1)
	defer t.calls.Done()
	now := t.atOnce.Add(1)
	defer t.atOnce.Add(-1)
	if err := t.misbehave(ctx, in, now); err != nil {
		return nil, err
	}
	if t.fault == 8 && in.GetEvent().GetPhase() == pluginpb.Phase_PHASE_TEST {
		return &pluginpb.Receipt{Outcome: pluginpb.Outcome_OUTCOME_DELIVERED}, nil
	}
	if t.fault == 10 {
		t.sends.Lock()
		defer t.sends.Unlock()
		ctx = context.WithoutCancel(ctx)
	}
	code, err := t.send(ctx, in)
	switch {
	case err != nil:
		return nil, status.FromContextError(err).Err()
	case code == http.StatusOK:
		return &pluginpb.Receipt{Outcome: pluginpb.Outcome_OUTCOME_DELIVERED, Handle: in.GetEvent().GetId()}, nil
	case code >= 500 && t.fault != 11:
		return &pluginpb.Receipt{Outcome: pluginpb.Outcome_OUTCOME_RETRY, Message: "later"}, nil
	}
	return &pluginpb.Receipt{Outcome: pluginpb.Outcome_OUTCOME_REJECTED, Message: "never"}, nil
}

// misbehave does what the fault is, if it is one of every call.
func (t *twin) misbehave(ctx context.Context, in *pluginpb.Alert, atOnce int64) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.host != nil {
		_, err := t.host.Snapshot(ctx, &pluginpb.SnapshotRequest{Camera: CameraID})
		if t.fault == 16 && status.Code(err) == codes.PermissionDenied {
			os.Exit(3)
		}
	}
	switch t.fault {
	case 1:
		fmt.Fprintln(t.stdout, "sending")
	case 12:
		if atOnce > 4 {
			return status.Error(codes.ResourceExhausted, "one after the other, please")
		}
	case 13:
		if in.GetHandle() != "" {
			return status.Error(codes.Internal, "what is a handle?")
		}
	case 20:
		t.kept = append(t.kept, bytes.Repeat([]byte{1}, 1<<20))
	case 21:
		fmt.Fprintln(t.stderr, "sending with", t.token)
	}
	return nil
}

func (t *twin) send(ctx context.Context, in *pluginpb.Alert) (int, error) {
	t.mu.Lock()
	url := t.url
	t.mu.Unlock()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(in.GetEvent().GetJpeg()))
	if err != nil {
		return 0, err
	}
	req.Header.Set("Title", in.GetTitle())
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, ctx.Err()
	}
	return resp.StatusCode, resp.Body.Close()
}

func (t *twin) Detect(_ context.Context, in *pluginpb.DetectRequest) (*pluginpb.DetectResponse, error) {
	t.mu.Lock()
	if t.looking[in.GetCamera()] && t.fault != 14 {
		t.mu.Unlock()
		return &pluginpb.DetectResponse{Busy: true}, nil
	}
	t.looking[in.GetCamera()] = true
	t.mu.Unlock()
	look := 2 * time.Millisecond
	if len(in.GetJpeg()) < 19<<10 { // all but those of the many events
		look = 150 * time.Millisecond
	}
	<-time.After(look)
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.looking, in.GetCamera())
	box := &pluginpb.Box{X: 0.1, Y: 0.1, W: 0.5, H: 0.5}
	if t.fault == 15 {
		box.W = 1.5
	}
	return &pluginpb.DetectResponse{Detections: []*pluginpb.Detection{{Label: "person", Score: 0.5, Box: box}}}, nil
}

func (t *twin) Deliver(_ context.Context, in *pluginpb.DeliverRequest) (*pluginpb.DeliverResponse, error) {
	out := &pluginpb.DeliverResponse{}
	for _, e := range in.GetEvents() {
		out.Acked = e.GetSequence()
	}
	return out, nil
}
