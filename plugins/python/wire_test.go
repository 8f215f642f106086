package python_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/espcam-bridge/espcam-bridge/plugins/pluginpb"
)

// What go-plugin wants of a plugin.

func TestHandshake(t *testing.T) {
	d := start(t, "testdata/all.py")
	parts := strings.Split(d.first, "|")
	if len(parts) != 5 || parts[0] != "1" || parts[1] != "1" || parts[2] != "unix" || parts[4] != "grpc\n" {
		t.Errorf("handshake %q", d.first)
	}
	if !filepath.IsAbs(parts[3]) {
		t.Errorf("socket %q", parts[3])
	}
	if !strings.Contains(d.stderr.String(), "printed while it starts\n") {
		t.Errorf("what a plugin prints is not on stderr: %q", d.stderr.String())
	}
}

func TestHealth(t *testing.T) {
	d := start(t, "testdata/all.py")
	answer, err := d.call("/grpc.health.v1.Health/Check", []byte("\n\x06plugin"))
	if err != nil || string(answer) != "\x08\x01" {
		t.Errorf("%q, %v; want SERVING", answer, err)
	}
}

func TestStdio(t *testing.T) {
	d := start(t, "testdata/all.py")
	desc := &grpc.StreamDesc{ServerStreams: true}
	stream, err := d.conn.NewStream(t.Context(), desc, "/plugin.GRPCStdio/StreamStdio", grpc.ForceCodec(raw{}))
	if err != nil {
		t.Fatal(err)
	}
	var empty, data []byte
	if err := errors.Join(stream.SendMsg(&empty), stream.CloseSend()); err != nil {
		t.Fatal(err)
	}
	if err := stream.RecvMsg(&data); err == nil {
		t.Errorf("it sent %q", data)
	} else if code := status.Code(err); code == codes.Unimplemented {
		t.Error(err)
	}
}

func TestShutdown(t *testing.T) {
	d := ready(t)
	if _, err := d.call("/plugin.GRPCController/Shutdown", nil); err != nil {
		t.Error(err)
	}
	d.endsWell()
}

// endsWell waits for an end with code 0 that leaves no socket.
func (d *driver) endsWell() {
	d.t.Helper()
	if took := d.ends(); took > 5*time.Second {
		d.t.Errorf("the end took %v", took)
	}
	if code := d.cmd.ProcessState.ExitCode(); code != 0 {
		d.t.Errorf("%v:\n%s", d.cmd.ProcessState, d.stderr.String())
	}
	if socket := strings.Split(d.first, "|")[3]; exists(socket) {
		d.t.Errorf("%s is left", socket)
	}
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

func TestSignals(t *testing.T) {
	d := ready(t)
	if err := d.cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Check(t.Context(), &pluginpb.CheckRequest{Alive: true}); err != nil {
		t.Errorf("after SIGINT: %v", err)
	}
	if err := d.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	d.endsWell()
}

// TestEarlySignal: SIGTERM at any time after the handshake ends it.
func TestEarlySignal(t *testing.T) {
	for range 5 {
		d := start(t, "testdata/all.py")
		if err := d.cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		d.endsWell()
	}
}

func TestStdinEnds(t *testing.T) {
	d := ready(t)
	if err := d.stdin.Close(); err != nil {
		t.Fatal(err)
	}
	d.endsWell()
}

// TestDrain: what is under way is finished, nothing else begins, then it ends.
func TestDrain(t *testing.T) {
	d := ready(t)
	gate := filepath.Join(d.data, "gate")
	slow := d.notifying(&pluginpb.Alert{Title: "slow", Url: gate})
	d.await("call", func() bool { return d.underWay(slow) })
	drained := make(chan error, 1)
	go func() {
		_, err := d.Drain(t.Context(), &pluginpb.DrainRequest{WithinMs: 5000})
		drained <- err
	}()
	d.await("refusal", func() bool {
		_, err := d.Notify(t.Context(), &pluginpb.Alert{Title: "again"})
		return status.Code(err) == codes.Unavailable
	})
	if err := os.WriteFile(gate, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := <-slow; got.err != nil || got.receipt.GetHandle() != "done" {
		t.Errorf("the call under way: %v, %v", got.receipt, got.err)
	}
	if err := <-drained; err != nil {
		t.Error(err)
	}
	d.endsWell()
}

type notified struct {
	receipt *pluginpb.Receipt
	err     error
}

// notifying makes a call without waiting for it.
func (d *driver) notifying(alert *pluginpb.Alert) chan notified {
	done := make(chan notified, 1)
	go func() {
		receipt, err := d.Notify(d.t.Context(), alert)
		done <- notified{receipt, err}
	}()
	return done
}

// underWay reports whether the plugin works on the slow call: it says so.
func (d *driver) underWay(slow chan notified) bool {
	return len(slow) == 0 && strings.Contains(d.stderr.String(), "waiting")
}

// A bridge that a plugin may ask.
type bridge struct {
	pluginpb.UnimplementedHostServer
	watched chan struct{}
	states  chan string
}

func newBridge() *bridge { return &bridge{watched: make(chan struct{}), states: make(chan string, 9)} }

func (b *bridge) Watch(_ *pluginpb.WatchRequest, stream grpc.ServerStreamingServer[pluginpb.WatchResponse]) error {
	if err := stream.Send(&pluginpb.WatchResponse{LogLevel: "debug"}); err != nil {
		return err
	}
	close(b.watched)
	<-stream.Context().Done()
	return nil
}

func (b *bridge) Cameras(context.Context, *pluginpb.CamerasRequest) (*pluginpb.CamerasResponse, error) {
	return &pluginpb.CamerasResponse{Cameras: []*pluginpb.Camera{{Id: "door"}, {Id: "yard"}}}, nil
}

func (b *bridge) Snapshot(_ context.Context, r *pluginpb.SnapshotRequest) (*pluginpb.Picture, error) {
	if r.GetCamera() != "door" || r.GetMaxAgeMs() != 2000 {
		return nil, status.Error(codes.InvalidArgument, r.String())
	}
	return &pluginpb.Picture{Jpeg: make([]byte, 8<<20)}, nil
}

func (b *bridge) Frames(r *pluginpb.FramesRequest, stream grpc.ServerStreamingServer[pluginpb.FramesResponse]) error {
	if r.GetMaxFps() != 3 || !r.GetEvery() {
		return status.Error(codes.InvalidArgument, r.String())
	}
	for i := range uint64(2) {
		if err := stream.Send(&pluginpb.FramesResponse{Picture: &pluginpb.Picture{Sequence: i}, Dropped: 2 * i}); err != nil {
			return err
		}
	}
	return nil
}

func (b *bridge) Command(context.Context, *pluginpb.CommandRequest) (*pluginpb.CommandResponse, error) {
	return nil, status.Error(codes.PermissionDenied, "not granted")
}

func (b *bridge) Publish(_ context.Context, r *pluginpb.PublishRequest) (*pluginpb.PublishResponse, error) {
	b.states <- r.GetName() + "=" + string(r.GetPayload())
	return &pluginpb.PublishResponse{}, nil
}

func (b *bridge) SetState(_ context.Context, r *pluginpb.SetStateRequest) (*pluginpb.SetStateResponse, error) {
	b.states <- r.GetName() + "=" + r.GetValue()
	return &pluginpb.SetStateResponse{}, nil
}

func TestHost(t *testing.T) {
	d := start(t, "testdata/all.py")
	host := newBridge()
	server := d.serve(7, host)
	if problems := d.configure(`{"topic":"garden"}`, 7); len(problems) > 0 {
		t.Fatal(problems)
	}
	<-host.watched
	receipt, err := d.Notify(t.Context(), &pluginpb.Alert{Title: "host"})
	want := "['door', 'yard'] 8388608 [(0, 0), (1, 2)] PERMISSION_DENIED"
	if err != nil || receipt.GetHandle() != want {
		t.Errorf("%v, %v; want %s", receipt, err, want)
	}
	if seen, mood := <-host.states, <-host.states; seen != `seen={"n": 1}` || mood != "mood=calm" {
		t.Error(seen, mood)
	}
	if _, err := d.Notify(t.Context(), &pluginpb.Alert{Title: "leak"}); err != nil {
		t.Fatal(err)
	}
	d.await("log line at the level that Watch told", func() bool { return strings.Contains(d.stderr.String(), `"msg": "quiet"`) })
	server.Stop()
	d.endsWell()
}

// TestHostChanges: another host in the place of the first is no end.
func TestHostChanges(t *testing.T) {
	d := start(t, "testdata/all.py")
	first, second := newBridge(), newBridge()
	old := d.serve(1, first)
	d.configure(`{"topic":"garden"}`, 1)
	<-first.watched
	d.serve(2, second)
	d.configure(`{"topic":"garden"}`, 2)
	<-second.watched
	old.Stop()
	if _, err := d.Notify(t.Context(), &pluginpb.Alert{Title: "host"}); err != nil {
		t.Error(err)
	}
}

func TestByHand(t *testing.T) {
	d := &driver{t: t, data: t.TempDir()}
	out, err := d.byHand("testdata/all.py")
	if err == nil || !strings.Contains(out, "espcam-bridge plugin dev") {
		t.Errorf("%v: %s", err, out)
	}
	out, err = d.byHand("testdata/all.py", "--describe")
	if err != nil || !strings.Contains(out, `"name": "all"`) || !strings.Contains(out, "FIELD_TYPE_DURATION") {
		t.Errorf("%v: %s", err, out)
	}
}

// TestNoPicture: what @notifier is told is what the bridge is told.
func TestNoPicture(t *testing.T) {
	for traits, wants := range map[string]bool{"": true, "(can_edit=True)": true, "(no_picture=True)": false} {
		d := &driver{t: t, data: t.TempDir()}
		file := filepath.Join(d.data, "main.py")
		code := "import espcam_plugin as sdk\n@sdk.notifier" + traits + "\ndef notify(alert, config): pass\nsdk.run('x', '1.0.0')\n"
		if err := os.WriteFile(file, []byte(code), 0o600); err != nil {
			t.Fatal(err)
		}
		if out, err := d.byHand(file, "--describe"); err != nil || strings.Contains(out, `"wants_picture": true`) != wants {
			t.Errorf("%q: %v: %s", traits, err, out)
		}
	}
}

func TestMistakesOfTheAuthor(t *testing.T) {
	for settings, want := range map[string]string{
		`{"Topic": {}}`:                    `setting 'Topic': a name is`,
		`{"topic": {"requird": True}}`:     `setting topic: there is no 'requird'; did you mean "required"?`,
		`{"topic": {"type": "text"}}`:      `setting topic: its type is one of string,`,
		`{"a": {"default": object()}}`:     `setting a: its type is one of string,`,
		`{"a": {"default": 9, "max": 5}}`:  `setting a: its default must be between 0 and 5`,
		`{"a": {}}, permissions=["frame"]`: `there is no permission 'frame'; did you mean "frames"?`,
	} {
		d := &driver{t: t, data: t.TempDir()}
		file := filepath.Join(d.data, "main.py")
		code := "import espcam_plugin as sdk\n@sdk.sink\ndef deliver(event, config): pass\nsdk.run('x', '1.0.0', settings=" + settings + ")\n"
		if err := os.WriteFile(file, []byte(code), 0o600); err != nil {
			t.Fatal(err)
		}
		if out, err := d.byHand(file, "--describe"); err == nil || !strings.Contains(out, want) {
			t.Errorf("%s: %v: %s; want %s", settings, err, out, want)
		}
	}
}
