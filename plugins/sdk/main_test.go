package sdk_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/espcam-bridge/espcam-bridge/plugins/pluginpb"
	"github.com/espcam-bridge/espcam-bridge/plugins/sdk"
)

// plugins are the plugins that this test program can be.
func plugins() map[string]func() {
	return map[string]func(){
		"ntfy":   Example,
		"chatty": func() { sdk.Main(chatty()) },
		"wrong":  func() { sdk.Main(sdk.Plugin[chattySettings]{}) },
	}
}

type chattySettings struct {
	Token string `json:"token" sdk:"secret"`
}

// chatty prints to stdout, waits for ever or panics, as the title says.
func chatty() sdk.Plugin[chattySettings] {
	return sdk.Plugin[chattySettings]{
		Name: "chatty", Version: "1.0.0", Summary: "A test.",
		Notify: func(ctx context.Context, s *chattySettings, a sdk.Alert) (sdk.Receipt, error) {
			switch a.Title {
			case "print":
				fmt.Println("printed to stdout")
				sdk.Log(ctx).Info("with " + s.Token)
			case "deaf":
				<-make(chan struct{})
			case "panic":
				panic("over " + s.Token)
			case "host":
				cameras, err := sdk.Host(ctx).Cameras(ctx)
				if err != nil {
					return sdk.Receipt{}, err
				}
				return sdk.Receipt{Message: fmt.Sprint(cameras)}, nil
			}
			return sdk.Receipt{}, nil
		},
	}
}

func TestNtfyExample(t *testing.T) {
	got := make(chan *http.Request, 1)
	body := make(chan []byte, 1)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		got <- r
		body <- b
	}))
	defer server.Close()
	p := start(t, "ntfy")
	p.configure(t, `{"url":"`+server.URL+`","topic":"home"}`, map[string]string{"token": "tk_secret"}, 0)
	r, err := pluginpb.NewNotifierClient(p.conn).Notify(t.Context(), &pluginpb.Alert{
		Title: "Motion — Tür", Text: "Two\nlines", Priority: 4, Event: &pluginpb.Event{Jpeg: []byte("jpeg"), Camera: &pluginpb.Camera{Id: "porch"}},
	})
	if err != nil || r.GetOutcome() != pluginpb.Outcome_OUTCOME_DELIVERED {
		t.Fatal(r, err)
	}
	req := <-got
	q := req.URL.Query()
	if req.URL.Path != "/home" || req.Header.Get("Authorization") != "Bearer tk_secret" || q.Get("title") != "Motion — Tür" || q.Get("message") != "Two\nlines" || string(<-body) != "jpeg" {
		t.Errorf("%s %v", req.URL, req.Header)
	}
}

func TestExampleIsShort(t *testing.T) {
	text, err := os.ReadFile("example_ntfy_test.go")
	if err != nil {
		t.Fatal(err)
	}
	lines := 0
	for _, b := range text {
		if b == '\n' {
			lines++
		}
	}
	const comment = 1 // above main
	if lines-comment > 30 {
		t.Errorf("%d lines", lines)
	}
}

func TestEnds(t *testing.T) {
	for name, end := range map[string]func(*testing.T, *process){
		"stdin":   func(t *testing.T, p *process) { _ = p.stdin.Close() },
		"SIGTERM": func(t *testing.T, p *process) { _ = p.Process.Signal(syscall.SIGTERM) },
		"Drain": func(t *testing.T, p *process) {
			if _, err := p.Drain(t.Context(), &pluginpb.DrainRequest{WithinMs: 1000}); err != nil {
				t.Error(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := start(t, "chatty")
			p.configure(t, `{}`, nil, 0)
			end(t, p)
			if code := p.gone(t, 5*time.Second); code != 0 {
				t.Errorf("exit code %d, stderr %s", code, p.stderr)
			}
		})
	}
}

func TestIgnoresInterrupt(t *testing.T) {
	p := start(t, "chatty")
	if err := p.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Describe(t.Context(), &pluginpb.DescribeRequest{}); err != nil {
		t.Error(err)
	}
}

func (p *process) notify(ctx context.Context, title string) (*pluginpb.Receipt, error) {
	return pluginpb.NewNotifierClient(p.conn).Notify(ctx, &pluginpb.Alert{Title: title, Event: &pluginpb.Event{}})
}

func TestStdoutIsStderr(t *testing.T) {
	p := start(t, "chatty")
	p.configure(t, `{}`, map[string]string{"token": "hunter22"}, 0)
	if _, err := p.notify(t.Context(), "print"); err != nil {
		t.Fatal(err)
	}
	_ = p.stdin.Close()
	p.gone(t, 2*time.Second)
	if log := p.stderr.String(); p.stdout.String() != "" || !strings.Contains(log, "printed to stdout\n") ||
		!strings.Contains(log, `"level":"info","msg":"with ***"`) || strings.Contains(log, "hunter22") {
		t.Errorf("stdout %q, stderr %q", p.stdout, log)
	}
}

func TestOverTheWire(t *testing.T) {
	p := start(t, "chatty")
	if _, err := p.notify(t.Context(), ""); status.Code(err) != codes.FailedPrecondition {
		t.Error(err)
	}
	p.configure(t, `{}`, map[string]string{"token": "hunter22"}, 0)
	if _, err := p.notify(t.Context(), "panic"); status.Code(err) != codes.Internal {
		t.Error(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := p.notify(ctx, "deaf"); status.Code(err) != codes.DeadlineExceeded {
		t.Error(err)
	}
	big := &pluginpb.Alert{Event: &pluginpb.Event{Jpeg: make([]byte, 15<<20)}}
	if _, err := pluginpb.NewNotifierClient(p.conn).Notify(t.Context(), big); err != nil {
		t.Error(err)
	}
	if _, err := pluginpb.NewDetectorClient(p.conn).Detect(t.Context(), &pluginpb.DetectRequest{}); status.Code(err) != codes.Unimplemented {
		t.Error(err) // it has not this role
	}
	health, err := grpc_health_v1.NewHealthClient(p.conn).Check(t.Context(), &grpc_health_v1.HealthCheckRequest{Service: "plugin"})
	if err != nil || health.GetStatus() != grpc_health_v1.HealthCheckResponse_SERVING {
		t.Error(health, err)
	}
	begin := time.Now()
	if err := p.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if code := p.gone(t, 10*time.Second); code != 0 { // although a call is deaf
		t.Errorf("exit code %d after %s", code, time.Since(begin))
	}
	if left := sockets(t, p.sockets); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// fakeHost answers Cameras, and keeps Watch open until told to end it.
type fakeHost struct {
	pluginpb.UnimplementedHostServer
	watched chan struct{}
	end     chan struct{}
}

func (h *fakeHost) Watch(_ *pluginpb.WatchRequest, stream grpc.ServerStreamingServer[pluginpb.WatchResponse]) error {
	err := stream.Send(&pluginpb.WatchResponse{LogLevel: "debug"})
	h.watched <- struct{}{}
	<-h.end
	return err
}

func (h *fakeHost) Cameras(context.Context, *pluginpb.CamerasRequest) (*pluginpb.CamerasResponse, error) {
	return &pluginpb.CamerasResponse{Cameras: []*pluginpb.Camera{{Id: "porch", Name: "Porch", Online: true}}}, nil
}

func TestHost(t *testing.T) {
	p := start(t, "chatty")
	h := &fakeHost{watched: make(chan struct{}, 8), end: make(chan struct{})}
	go p.broker.AcceptAndServe(7, func(o []grpc.ServerOption) *grpc.Server {
		s := grpc.NewServer(o...)
		pluginpb.RegisterHostServer(s, h)
		return s
	})
	p.configure(t, `{}`, nil, 7)
	p.configure(t, `{}`, nil, 7)
	r, err := p.notify(t.Context(), "host")
	if err != nil || r.GetMessage() != "[{porch Porch true}]" {
		t.Error(r, err)
	}
	<-h.watched
	if len(h.watched) > 0 {
		t.Error("it opened Watch a second time")
	}
	begin := time.Now()
	close(h.end)
	if code := p.gone(t, 2*time.Second); code != 0 || time.Since(begin) > time.Second {
		t.Errorf("exit code %d after %s, stderr %s", code, time.Since(begin), p.stderr)
	}
}

func TestWithoutHost(t *testing.T) {
	p := start(t, "chatty")
	p.configure(t, `{}`, nil, 0)
	if r, err := p.notify(t.Context(), "host"); err != nil || r.GetMessage() != sdk.ErrNoHost.Error() {
		t.Error(r, err)
	}
}

func TestByHand(t *testing.T) {
	p := spawn(t, "ntfy")
	if code := p.gone(t, 2*time.Second); code != 2 || p.first != "" {
		t.Errorf("exit code %d, stdout %q", code, p.first)
	}
	want := "This is the plugin \"ntfy\" 1.0.0 for espcam-bridge (Sends alerts to ntfy.), which starts it by itself.\n" +
		"Install it with `espcam-bridge plugin install FOLDER`, where FOLDER is the one that holds this program; --describe shows its settings.\n"
	if p.stderr.String() != want {
		t.Errorf("%q", p.stderr)
	}
}

func TestDescribe(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), os.Args[0], "--describe")
	cmd.Env = []string{kindKey + "=ntfy"}
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	got := &pluginpb.Description{}
	if err := protojson.Unmarshal(out, got); err != nil || got.GetName() != "ntfy" || len(got.GetFields()) != 3 {
		t.Errorf("%s %v", out, err)
	}
}

func TestMistakeOfTheAuthor(t *testing.T) {
	p := spawn(t, "wrong", "ESPCAM_PLUGIN=bridge.plugin.v1")
	if code := p.gone(t, 2*time.Second); code != 2 || !strings.Contains(p.stderr.String(), "the plugin's Name") {
		t.Errorf("exit code %d, stderr %q", code, p.stderr)
	}
}
