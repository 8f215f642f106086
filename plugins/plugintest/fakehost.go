package plugintest

import (
	"context"
	"fmt"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"

	"github.com/espcam-bridge/espcam-bridge/plugins/pluginpb"
	"github.com/espcam-bridge/espcam-bridge/plugins/sdk"
)

// The synthetic camera.
const (
	CameraID = "porch"
	width    = 320
	height   = 240
	maxFPS   = 10
)

// FakeHost is the bridge as a plugin sees it: one synthetic camera, and a memory
// of what the plugin did. Its fields are set before it is used.
type FakeHost struct {
	pluginpb.UnimplementedHostServer

	Granted []string      // permissions; nil: all
	Picture func() []byte // the camera's newest picture; nil: the synthetic one
	Log     func(string)  // told of every call, for people; nil: nobody

	mu        sync.Mutex
	frame     int
	asked     map[string]int
	published map[string][]byte
	states    map[string]string
	commands  []string
}

// Context returns what the functions of a Go plugin get: a context whose Host is
// h, with a directory and a log of the test.
func (h *FakeHost) Context(t testing.TB) context.Context {
	t.Helper()
	l := bufconn.Listen(1 << 20)
	server := grpc.NewServer()
	pluginpb.RegisterHostServer(server, h)
	go func() { _ = server.Serve(l) }() // it ends with the test
	t.Cleanup(server.Stop)
	conn, err := grpc.NewClient("passthrough:host", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return l.DialContext(ctx) }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return sdk.NewContext(t.Context(), sdk.Environment{
		Instance: "test", DataDir: t.TempDir(), Host: sdk.NewBridge(pluginpb.NewHostClient(conn)),
	})
}

// Published returns what Publish put under the name, nil if nothing.
func (h *FakeHost) Published(name string) []byte {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.published[name]
}

// State returns what SetState put under the name.
func (h *FakeHost) State(name string) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.states[name]
}

// Commands returns the commands so far, each as camera, name and arguments.
func (h *FakeHost) Commands() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.commands)
}

// Asked returns how often a method was called, such as Watch.
func (h *FakeHost) Asked(method string) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.asked[method]
}

// enter counts a call and checks its permission; "" needs none.
func (h *FakeHost) enter(method, permission, what string) error {
	h.mu.Lock()
	if h.asked == nil {
		h.asked, h.published, h.states = map[string]int{}, map[string][]byte{}, map[string]string{}
	}
	h.asked[method]++
	h.mu.Unlock()
	if h.Log != nil {
		h.Log(method + " " + what)
	}
	if permission != "" && h.Granted != nil && !slices.Contains(h.Granted, permission) {
		return status.Errorf(codes.PermissionDenied, "%s needs the permission %q, which was not granted", method, permission)
	}
	return nil
}

// Camera is the synthetic camera.
func Camera() *pluginpb.Camera {
	return &pluginpb.Camera{Id: CameraID, Name: "Front porch", Online: true}
}

// Watch tells of the camera and stays open.
func (h *FakeHost) Watch(_ *pluginpb.WatchRequest, stream grpc.ServerStreamingServer[pluginpb.WatchResponse]) error {
	if err := h.enter("Watch", "", ""); err != nil {
		return err
	}
	if err := stream.Send(&pluginpb.WatchResponse{CamerasChanged: true, Cameras: []*pluginpb.Camera{Camera()}, LogLevel: "debug"}); err != nil {
		return err
	}
	<-stream.Context().Done()
	return nil
}

// Cameras lists the one.
func (h *FakeHost) Cameras(context.Context, *pluginpb.CamerasRequest) (*pluginpb.CamerasResponse, error) {
	return &pluginpb.CamerasResponse{Cameras: []*pluginpb.Camera{Camera()}}, h.enter("Cameras", "", "")
}

// Snapshot gives the camera's newest picture.
func (h *FakeHost) Snapshot(_ context.Context, in *pluginpb.SnapshotRequest) (*pluginpb.Picture, error) {
	if err := h.enter("Snapshot", "snapshot", in.GetCamera()); err != nil {
		return nil, err
	}
	if in.GetCamera() != CameraID {
		return nil, status.Errorf(codes.NotFound, "there is no camera %q", in.GetCamera())
	}
	return h.next(), nil
}

func (h *FakeHost) next() *pluginpb.Picture {
	h.mu.Lock()
	h.frame++
	n := h.frame
	h.mu.Unlock()
	jpeg := Picture(n, width, height)
	if h.Picture != nil {
		jpeg = h.Picture()
	}
	now := time.Now().UnixMilli()
	return &pluginpb.Picture{Jpeg: jpeg, Sequence: uint64(n), ReceivedMs: now, CapturedMs: now, Width: width, Height: height}
}

// Frames streams up to ten pictures a second.
func (h *FakeHost) Frames(in *pluginpb.FramesRequest, stream grpc.ServerStreamingServer[pluginpb.FramesResponse]) error {
	if err := h.enter("Frames", "frames", in.GetCamera()); err != nil {
		return err
	}
	if in.GetCamera() != CameraID {
		return status.Errorf(codes.NotFound, "there is no camera %q", in.GetCamera())
	}
	fps := in.GetMaxFps()
	if fps <= 0 || fps > maxFPS {
		fps = maxFPS
	}
	tick := time.NewTicker(time.Duration(float64(time.Second) / fps))
	defer tick.Stop()
	for {
		if err := stream.Send(&pluginpb.FramesResponse{Picture: h.next()}); err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-stream.Context().Done():
			return nil
		}
	}
}

// Command remembers it.
func (h *FakeHost) Command(_ context.Context, in *pluginpb.CommandRequest) (*pluginpb.CommandResponse, error) {
	what := fmt.Sprintf("%s %s %s", in.GetCamera(), in.GetName(), in.GetArgsJson())
	if err := h.enter("Command", "command", what); err != nil {
		return nil, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.commands = append(h.commands, what)
	return &pluginpb.CommandResponse{Ok: true}, nil
}

// Publish remembers it.
func (h *FakeHost) Publish(_ context.Context, in *pluginpb.PublishRequest) (*pluginpb.PublishResponse, error) {
	if err := h.enter("Publish", "publish", fmt.Sprintf("%s %.100q", in.GetName(), in.GetPayload())); err != nil {
		return nil, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.published[in.GetName()] = in.GetPayload()
	return &pluginpb.PublishResponse{}, nil
}

// SetState remembers it.
func (h *FakeHost) SetState(_ context.Context, in *pluginpb.SetStateRequest) (*pluginpb.SetStateResponse, error) {
	if err := h.enter("SetState", "publish", in.GetName()+" "+in.GetValue()); err != nil {
		return nil, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.states[in.GetName()] = in.GetValue()
	return &pluginpb.SetStateResponse{}, nil
}
