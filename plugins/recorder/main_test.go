package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/espcam-bridge/espcam-bridge/plugins/pluginpb"
	"github.com/espcam-bridge/espcam-bridge/plugins/sdk"
)

// host is the bridge with one camera, whose frames the test makes.
type host struct {
	pluginpb.HostClient
	frames chan *pluginpb.FramesResponse
	denied bool

	mu        sync.Mutex
	states    map[string]string
	published []string
}

func (h *host) Cameras(context.Context, *pluginpb.CamerasRequest, ...grpc.CallOption) (*pluginpb.CamerasResponse, error) {
	return &pluginpb.CamerasResponse{Cameras: []*pluginpb.Camera{{Id: "porch", Name: "Front porch"}}}, nil
}

func (h *host) Frames(ctx context.Context, in *pluginpb.FramesRequest, _ ...grpc.CallOption) (grpc.ServerStreamingClient[pluginpb.FramesResponse], error) {
	if h.denied {
		return nil, status.Error(codes.PermissionDenied, "frames")
	}
	if in.GetCamera() != "porch" || !in.GetEvery() {
		return nil, status.Errorf(codes.InvalidArgument, "%v", in)
	}
	return stream{frames: h.frames, ctx: ctx}, nil
}

func (h *host) SetState(_ context.Context, in *pluginpb.SetStateRequest, _ ...grpc.CallOption) (*pluginpb.SetStateResponse, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.states[in.GetName()] = in.GetValue()
	return &pluginpb.SetStateResponse{}, nil
}

func (h *host) Publish(_ context.Context, in *pluginpb.PublishRequest, _ ...grpc.CallOption) (*pluginpb.PublishResponse, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.published = append(h.published, in.GetName()+" "+string(in.GetPayload()))
	return &pluginpb.PublishResponse{}, nil
}

func (h *host) state(name string) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.states[name]
}

type stream struct {
	grpc.ClientStream
	frames chan *pluginpb.FramesResponse
	ctx    context.Context
}

func (s stream) Recv() (*pluginpb.FramesResponse, error) {
	select {
	case f := <-s.frames:
		return f, nil
	case <-s.ctx.Done():
		return nil, io.EOF
	}
}

// bench is a recorder that runs.
type bench struct {
	*settings
	*host
	t     *testing.T
	ctx   context.Context
	dir   string
	begin time.Time // of time 0
	sent  int       // frames
	end   func() error
}

func newBench(t *testing.T, change func(*settings)) *bench {
	dir := filepath.Join(t.TempDir(), "clips")
	b := &bench{
		t: t, dir: dir, begin: time.Date(2026, 9, 21, 14, 13, 20, 0, time.Local),
		host:     &host{frames: make(chan *pluginpb.FramesResponse), states: map[string]string{}},
		settings: &settings{Dir: dir, PreRoll: 2 * time.Second, Memory: 16, MaxLength: time.Minute, KeepGB: 1},
	}
	if change != nil {
		change(b.settings)
	}
	ctx := sdk.NewContext(t.Context(), sdk.Environment{DataDir: t.TempDir(), Log: slog.New(slog.DiscardHandler), Host: sdk.NewBridge(b.host)})
	b.ctx = ctx
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- start(ctx, b.settings) }()
	b.end = sync.OnceValue(func() error { cancel(); return <-done })
	t.Cleanup(func() { b.end() })
	return b
}

// frame sends one of ms, and waits until it has been taken in.
func (b *bench) frame(ms int64, width, height int) {
	b.t.Helper()
	b.sent++
	b.frames <- &pluginpb.FramesResponse{Picture: &pluginpb.Picture{
		Jpeg: picture(b.t, b.sent, width, height), Sequence: uint64(b.sent), ReceivedMs: b.begin.UnixMilli() + ms,
		Width: uint32(width), Height: uint32(height),
	}}
	c := b.camera("porch")
	b.until("the frame is there", func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		return len(c.ring) > 0 && c.ring[len(c.ring)-1].Sequence == uint64(b.sent)
	})
}

func (b *bench) until(what string, done func() bool) {
	b.t.Helper()
	deadline := time.After(10 * time.Second)
	for tick := time.Tick(2 * time.Millisecond); !done(); {
		select {
		case <-tick:
		case <-deadline:
			b.t.Fatalf("not within 10 s: %s", what)
		}
	}
}

func (b *bench) event(phase sdk.Phase, id string, ms int64) {
	b.t.Helper()
	e := sdk.Event{ID: id, Phase: phase, Camera: sdk.Camera{ID: "porch", Name: "Front porch"}, Begin: b.begin.Add(time.Duration(ms) * time.Millisecond)}
	if err := deliver(b.ctx, b.settings, e); err != nil {
		b.t.Fatal(err)
	}
}

// clips waits until there are n finished ones, and returns their paths, sorted.
func (b *bench) clips(n int) []string {
	b.t.Helper()
	var found []string
	b.until(fmt.Sprintf("%d clips", n), func() bool {
		var err error
		if found, err = filepath.Glob(filepath.Join(b.dir, "porch", "*", "*.mkv")); err != nil {
			b.t.Fatal(err)
		}
		return len(found) == n && b.state("clips") == strconv.Itoa(n)
	})
	slices.Sort(found)
	return found
}

func TestEventWithPreRoll(t *testing.T) {
	b := newBench(t, nil)
	times := unsteady(60)
	for i, ms := range times {
		b.frame(ms, 64, 48)
		switch i {
		case 29:
			b.event(sdk.PhaseBegin, "01a", ms)
		case 40:
			b.event(sdk.PhaseUpdate, "01a", times[29])
		case 49:
			b.event(sdk.PhaseEnd, "01a", times[29])
		}
	}
	path := b.clips(1)[0]
	if want := filepath.Join(b.dir, "porch", "2026-09-21", b.begin.Add(time.Duration(times[29])*time.Millisecond).Format("15-04-05")+"_01a.mkv"); path != want {
		t.Errorf("it is %s, want %s", path, want)
	}
	var want []string
	for _, ms := range times[:50] {
		if ms >= times[29]-2000 {
			want = append(want, strconv.FormatInt(ms, 10))
		}
	}
	first, err := strconv.ParseInt(want[0], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	p := probe(t, path)
	if len(p.Packets) != len(want) {
		t.Fatalf("%d pictures, want %d", len(p.Packets), len(want))
	}
	for i, packet := range p.Packets {
		at, err := strconv.ParseFloat(packet.Time, 64)
		if err != nil || strconv.FormatInt(first+int64(math.Round(at*1000)), 10) != want[i] {
			t.Errorf("picture %d is at %s s, want %s ms", i, packet.Time, want[i])
		}
	}
	if p.Format.Tags["title"] != "Front porch" {
		t.Errorf("tags %v", p.Format.Tags)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	b.until("the size is published", func() bool { return b.state("bytes") == strconv.FormatInt(info.Size(), 10) })
	b.until("the clip is published", func() bool {
		b.mu.Lock()
		defer b.mu.Unlock()
		return len(b.published) == 1 && strings.HasPrefix(b.published[0], `clip {`) && strings.Contains(b.published[0], path)
	})
}

func TestEndOfSettingsFinishesTheClip(t *testing.T) {
	b := newBench(t, nil)
	b.frame(0, 64, 48)
	b.event(sdk.PhaseBegin, "01a", 0)
	b.frame(100, 64, 48)
	if err := b.end(); err != nil {
		t.Fatal(err)
	}
	if p := probe(t, b.clips(1)[0]); len(p.Packets) != 2 {
		t.Errorf("%d pictures", len(p.Packets))
	}
	b.event(sdk.PhaseBegin, "01b", 0) // too late, and harmless
}

func TestEventWithoutPictureIsNoClip(t *testing.T) {
	b := newBench(t, nil)
	b.event(sdk.PhaseBegin, "01a", 0)
	b.event(sdk.PhaseEnd, "01a", 0)
	b.event(sdk.PhaseEnd, "01b", 0)
	b.event(sdk.PhaseTest, "01c", 0)
	if err := b.end(); err != nil {
		t.Fatal(err)
	}
	b.clips(0)
}

func TestOtherSizeIsAnotherFile(t *testing.T) {
	b := newBench(t, nil)
	b.frame(0, 64, 48)
	b.event(sdk.PhaseBegin, "01a", 0)
	b.frame(100, 32, 24)
	b.frame(200, 32, 24)
	b.event(sdk.PhaseEnd, "01a", 0)
	paths := b.clips(2)
	if p := probe(t, paths[0]); len(p.Packets) != 1 || p.Streams[0].Width != 64 {
		t.Errorf("first: %d pictures of %d pixels", len(p.Packets), p.Streams[0].Width)
	}
	if p := probe(t, paths[1]); len(p.Packets) != 2 || p.Streams[0].Width != 32 || !strings.HasSuffix(paths[1], "_01a_2.mkv") {
		t.Errorf("second: %s, %d pictures of %d pixels", paths[1], len(p.Packets), p.Streams[0].Width)
	}
}

func TestLongestClip(t *testing.T) {
	b := newBench(t, func(s *settings) { s.MaxLength = time.Second })
	b.event(sdk.PhaseBegin, "01a", 0)
	for ms := int64(0); ms < 3000; ms += 100 {
		b.frame(ms, 64, 48)
		b.event(sdk.PhaseUpdate, "01a", 0)
	}
	if p := probe(t, b.clips(1)[0]); len(p.Packets) != 11 {
		t.Errorf("%d pictures", len(p.Packets))
	}
}

func TestRingIsBounded(t *testing.T) {
	s := &settings{PreRoll: time.Hour, Memory: 1}
	c := &camera{id: "porch"}
	for i := range 500 {
		c.add(t.Context(), s, sdk.Frame{JPEG: make([]byte, 10_000), Received: time.Unix(int64(i), 0)})
		if c.bytes > 1e6 || c.bytes != 10_000*len(c.ring) {
			t.Fatalf("%d bytes in %d frames", c.bytes, len(c.ring))
		}
	}
	s.PreRoll = 3 * time.Second
	c.add(t.Context(), s, sdk.Frame{JPEG: make([]byte, 10), Received: time.Unix(500, 0)})
	if len(c.ring) != 4 || c.ring[0].Received != time.Unix(497, 0) {
		t.Errorf("%d frames from %v", len(c.ring), c.ring[0].Received)
	}
}

// fullDisk takes so many bytes.
type fullDisk struct {
	*os.File
	left int
}

func (f *fullDisk) Write(b []byte) (int, error) {
	n, err := f.File.Write(b[:min(len(b), f.left)])
	f.left -= n
	if err == nil && n < len(b) {
		err = &os.PathError{Op: "write", Path: f.Name(), Err: syscall.ENOSPC}
	}
	return n, err
}

func TestFullDisk(t *testing.T) {
	free := 6000
	b := newBench(t, func(s *settings) {
		s.recorder.create = func(path string) (file, error) {
			f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
			return &fullDisk{f, free}, err
		}
	})
	b.event(sdk.PhaseBegin, "01a", 0)
	for ms := int64(0); ms < 1000; ms += 100 {
		b.frame(ms, 64, 48)
	}
	path := b.clips(1)[0]
	b.until("the problem is published", func() bool { return strings.Contains(b.state("problem"), "no space left on device") })
	if err := check(b.ctx, b.settings); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("check says %v", err)
	}
	n := len(probe(t, path).Packets)
	if n == 0 || n >= 10 {
		t.Errorf("%d pictures are in the clip", n)
	}
	b.event(sdk.PhaseEnd, "01a", 0)
	b.recorder.mu.Lock()
	free = 1 << 20
	b.recorder.mu.Unlock()
	b.event(sdk.PhaseBegin, "01b", 1000)
	b.frame(1100, 64, 48)
	b.event(sdk.PhaseEnd, "01b", 1000)
	b.clips(2)
	b.until("the problem is over", func() bool { return b.state("problem") == "none" })
	if err := check(b.ctx, b.settings); err != nil {
		t.Error(err)
	}
}

func TestWithoutPermission(t *testing.T) {
	b := newBench(t, nil)
	if err := b.end(); err != nil {
		t.Fatal(err)
	}
	b.denied = true
	if err := start(b.ctx, b.settings); !errors.Is(err, sdk.ErrDenied) {
		t.Error(err)
	}
}

func TestRetention(t *testing.T) {
	dir, now := t.TempDir(), time.Now()
	write := func(name string, size int, days int) {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, make([]byte, size), 0o600); err != nil {
			t.Fatal(err)
		}
		at := now.AddDate(0, 0, -days)
		if err := os.Chtimes(path, at, at); err != nil {
			t.Fatal(err)
		}
	}
	write("porch/2026-09-01/10-00-00_01a.mkv", 10, 20)
	write("porch/2026-09-11/10-00-00_01b.mkv", 10, 10)
	write("yard/2026-09-20/10-00-00_01c.mkv", 10, 5)
	write("yard/2026-09-20/11-00-00_01d_2.mkv", 10, 1)
	write("yard/2026-09-20/12-00-00_01e.mkv.part", 1000, 30)
	write("yard/2026-09-20/holiday.mkv", 1000, 100) // somebody else's
	write("10-00-00_01a.mkv", 1000, 100)
	left := func() []string {
		found := map[string]bool{}
		for _, pattern := range []string{"*.mkv", "*/*/*.mkv", "*/*/*.part", "*/*"} {
			names, err := filepath.Glob(filepath.Join(dir, pattern))
			if err != nil {
				t.Fatal(err)
			}
			for _, n := range names {
				found[strings.TrimPrefix(n, dir+"/")] = true
			}
		}
		return slices.Sorted(maps.Keys(found))
	}
	others := []string{"10-00-00_01a.mkv", "porch/2026-09-11", "porch/2026-09-11/10-00-00_01b.mkv", "yard/2026-09-20", "yard/2026-09-20/10-00-00_01c.mkv",
		"yard/2026-09-20/11-00-00_01d_2.mkv", "yard/2026-09-20/12-00-00_01e.mkv.part", "yard/2026-09-20/holiday.mkv"}
	clips, bytes, err := store{dir: dir, age: 14 * 24 * time.Hour, size: 1000}.prune(now)
	if got := left(); err != nil || clips != 3 || bytes != 30 || !slices.Equal(got, others) {
		t.Errorf("by age: %d clips, %d bytes, %v\n%q", clips, bytes, err, got)
	}
	clips, bytes, err = store{dir: dir, size: 25}.prune(now)
	if got := left(); err != nil || clips != 2 || bytes != 20 || slices.Contains(got, "porch/2026-09-11") {
		t.Errorf("by size: %d clips, %d bytes, %v\n%q", clips, bytes, err, got)
	}
	if clips, bytes, err := (store{dir: filepath.Join(dir, "none"), size: 1}).prune(now); err != nil || clips+int(bytes) != 0 {
		t.Error(clips, bytes, err)
	}
}

// A recorder is killed while it writes: its file plays as it is, and the next
// start finishes it under its name.
func TestKilledRecorder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "clips")
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestWriterToKill$", "-test.v")
	cmd.Env = append(os.Environ(), "RECORD_TO="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	for buf := make([]byte, 4096); bytes.Count(said.Bytes(), []byte("picture\n")) < 50; {
		n, err := out.Read(buf)
		if err != nil {
			t.Fatal(err, said.String())
		}
		said.Write(buf[:n])
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err == nil {
		t.Fatal("it was not killed")
	}
	parts, err := filepath.Glob(filepath.Join(dir, "porch", "*", "*.mkv.part"))
	if err != nil || len(parts) != 1 {
		t.Fatal(parts, err)
	}
	before := len(probe(t, parts[0]).Packets)
	if err := (store{dir: dir}).repair(t.Context()); err != nil {
		t.Fatal(err)
	}
	p := probe(t, strings.TrimSuffix(parts[0], ".part"))
	if len(p.Packets) < 50 || len(p.Packets) > before || p.Format.Duration == "" {
		t.Errorf("%d pictures, %d before, duration %q", len(p.Packets), before, p.Format.Duration)
	}
}

// TestWriterToKill is the process of TestKilledRecorder.
func TestWriterToKill(t *testing.T) {
	dir := os.Getenv("RECORD_TO")
	if dir == "" {
		t.Skip("TestKilledRecorder starts this")
	}
	s := &settings{Dir: dir, PreRoll: time.Second, Memory: 16, MaxLength: time.Hour, KeepGB: 1}
	c, begin := s.camera("porch"), time.Now()
	c.event(t.Context(), s, sdk.Event{ID: "01a", Phase: sdk.PhaseBegin, Camera: sdk.Camera{ID: "porch"}, Begin: begin})
	for i := range 100_000 {
		c.add(t.Context(), s, sdk.Frame{JPEG: picture(t, i+1, 64, 48), Received: begin.Add(time.Duration(i) * 66 * time.Millisecond), Width: 64, Height: 48})
		fmt.Println("picture")
	}
}
