//go:build unix

package launch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"github.com/espcam-bridge/espcam-bridge/plugins/pluginpb"
)

// spec is a plugin that behaves in one way.
func spec(t *testing.T, how string) Spec {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	run, err := os.MkdirTemp("", "run") // t.TempDir is too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if left, err := filepath.Glob(run + "/*"); err != nil || len(left) > 0 {
			t.Errorf("left behind: %v %v", left, err)
		}
		if err := os.RemoveAll(run); err != nil {
			t.Error(err)
		}
	})
	return Spec{Name: "test", Command: []string{program, how}, Dir: t.TempDir(), RunDir: run, Within: 20 * time.Second}
}

func start(t *testing.T, s Spec) *Process {
	t.Helper()
	p, err := Start(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Stop(0) })
	return p
}

func within(t *testing.T, d time.Duration, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(d); !ok(); <-tick.C {
		if time.Now().After(end) {
			t.Fatalf("%s: not within %v", what, d)
		}
	}
}

// lives reports whether the process is there and no zombie.
func lives(pid int) bool {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if errors.Is(err, os.ErrNotExist) {
		return syscall.Kill(pid, 0) == nil
	}
	_, rest, _ := strings.Cut(string(text), ") ")
	return err == nil && !strings.HasPrefix(rest, "Z")
}

func TestAPluginSeesOnlyWhatItIsMeantTo(t *testing.T) {
	t.Setenv("ESPCAM_SECRET", "hidden")
	t.Setenv("HTTPS_PROXY", "http://proxy")
	s := spec(t, "good")
	s.Env, s.Nice = []string{"GOMEMLIMIT=100MiB"}, 5
	p := start(t, s)
	got, err := p.Plugin().Check(t.Context(), &pluginpb.CheckRequest{})
	if err != nil {
		t.Fatal(err)
	}
	var w surroundings
	if err := json.Unmarshal([]byte(got.Message), &w); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"HOME=" + s.Dir, "GOMEMLIMIT=100MiB", "HTTPS_PROXY=http://proxy", "PYTHONUNBUFFERED=1", "ESPCAM_PLUGIN=bridge.plugin.v1", "PATH=" + os.Getenv("PATH")} {
		if !slices.Contains(w.Env, want) {
			t.Errorf("%s is missing in %q", want, w.Env)
		}
	}
	if strings.Contains(got.Message, "hidden") {
		t.Errorf("it sees our environment: %q", w.Env)
	}
	dir, err := filepath.EvalSymlinks(s.Dir)
	if err != nil || w.Dir != dir {
		t.Errorf("it works in %s, want %s (%v)", w.Dir, dir, err)
	}
	if w.Group != p.PID() {
		t.Errorf("its group is %d, want its own %d", w.Group, p.PID())
	}
	_, linux := os.Stat("/proc/self/task")
	if linux == nil && (w.Umask != 0o077 || w.Nice != 5) {
		t.Errorf("its mask is %o and its niceness %d, want 77 and 5", w.Umask, w.Nice)
	}
	sockets, err := filepath.Glob(s.RunDir + "/*/*/plugin*")
	if err != nil || len(sockets) == 0 {
		t.Fatalf("its sockets are not in the private directory: %v %v", sockets, err)
	}
	private, err := os.Stat(filepath.Dir(filepath.Dir(sockets[0])))
	if err != nil || private.Mode().Perm() != 0o700 {
		t.Errorf("the directory of its sockets: %v %v", private, err)
	}
	p.Stop(time.Second)
	if last := p.Lines(); len(last) == 0 || last[len(last)-1] != "WARN draining a=x b=1" {
		t.Errorf("it was not drained: %q", last)
	}
	if p.Exit() != "exit status 0" {
		t.Errorf("it ended with %s", p.Exit())
	}
}

func TestWhyAPluginDoesNotStart(t *testing.T) {
	tests := []struct{ how, want string }{
		{"silent", `plugin "test" did not start: it said nothing within 300ms`},
		{"garbage", `the first line on its stdout is "Hello, I am a plugin!", not the handshake`},
		{"endless", `the first line on its stdout is "garbage without an end`},
		{"elsewhere", `its socket "/tmp/elsewhere" is not in the directory`},
		{"deaf", `it does not answer after the handshake: nobody listens`},
		{"mute", `it does not answer after the handshake: context deadline exceeded`},
		{"dies", `it ended before the handshake: exit status 3; its last line: ERROR ModuleNotFoundError: No module named 'grpc'`},
		{"newer", `plugin "test" was built for plugin API 2; this bridge speaks API 1`},
	}
	for _, tt := range tests {
		t.Run(tt.how, func(t *testing.T) {
			s := spec(t, tt.how)
			if tt.how == "silent" || tt.how == "mute" {
				s.Within = 300 * time.Millisecond
			}
			p, err := Start(t.Context(), s)
			if err == nil {
				p.Stop(0)
				t.Fatal("it started")
			}
			var no *NoHandshake
			var other *Incompatible
			if !errors.As(err, &no) && !errors.As(err, &other) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("the error is %q, want %q", err, tt.want)
			}
		})
	}
}

func TestACommandThatIsNotThere(t *testing.T) {
	s := spec(t, "")
	s.Command = []string{filepath.Join(s.Dir, "missing")}
	if _, err := Start(t.Context(), s); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), `plugin "test" cannot be started`) {
		t.Errorf("the error is %v", err)
	}
	if _, err := Start(t.Context(), Spec{Name: "x"}); err == nil || !strings.Contains(err.Error(), "has no command") {
		t.Errorf("without a command the error is %v", err)
	}
}

func TestAStartCanBeGivenUp(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	s := spec(t, "silent")
	time.AfterFunc(50*time.Millisecond, cancel)
	if _, err := Start(ctx, s); err == nil {
		t.Error("it started")
	}
}

func TestAFrozenPluginIsStopped(t *testing.T) {
	p := start(t, spec(t, "good"))
	if err := syscall.Kill(p.PID(), syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	p.Stop(100 * time.Millisecond)
	if d := time.Since(begin); d < killTime || d > killTime+10*time.Second {
		t.Errorf("it took %v, want about %v", d, killTime+100*time.Millisecond)
	}
	if p.Exit() != "signal: killed" {
		t.Errorf("it ended with %q", p.Exit())
	}
}

func TestACrashIsNoticedWhateverHoldsItsPipes(t *testing.T) {
	p := start(t, spec(t, "parent"))
	var child int
	within(t, 5*time.Second, "its child", func() bool {
		return slices.ContainsFunc(p.Lines(), func(l string) bool { return scan(l, "INFO child %d", &child) })
	})
	begin := time.Now()
	if err := syscall.Kill(p.PID(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	select {
	case <-p.Done():
	case <-time.After(5 * time.Second):
		t.Fatal("its end was not noticed")
	}
	t.Logf("noticed after %v", time.Since(begin))
	within(t, 5*time.Second, "the end of its child", func() bool { return !lives(child) })
	if p.Exit() != "signal: killed" {
		t.Errorf("it ended with %q", p.Exit())
	}
}

func TestAPluginThatShoutsIsReadAtLeisure(t *testing.T) {
	s := spec(t, "shouts")
	var heard atomic.Int32
	s.Line = func(Line) { heard.Add(1) }
	p := start(t, s)
	<-p.Done()
	lines := p.Lines()
	if len(lines) != keptLines || lines[keptLines-1] != "INFO the end" || p.Exit() != "exit status 4" {
		t.Errorf("%d lines are kept, the last are %q", len(lines), lines[max(0, len(lines)-2):])
	}
	if n := heard.Load(); n < 500 || n > 40000 {
		t.Errorf("%d lines were read in a second", n)
	}
}

func scan(text, format string, to *int) bool {
	_, err := fmt.Sscanf(text, format, to)
	return err == nil
}

// host answers with as many cameras as Configure was called.
type host struct {
	pluginpb.UnimplementedHostServer
	asked   atomic.Int32
	watched chan context.Context
}

func (h *host) Cameras(context.Context, *pluginpb.CamerasRequest) (*pluginpb.CamerasResponse, error) {
	return &pluginpb.CamerasResponse{Cameras: make([]*pluginpb.Camera, h.asked.Add(1))}, nil
}

func (h *host) Watch(_ *pluginpb.WatchRequest, s grpc.ServerStreamingServer[pluginpb.WatchResponse]) error {
	if err := s.SetHeader(metadata.MD{}); err != nil {
		return err
	}
	h.watched <- s.Context()
	<-s.Context().Done()
	return nil
}

func TestAPluginCallsItsHost(t *testing.T) {
	h := &host{watched: make(chan context.Context, 1)}
	s := spec(t, "good")
	s.Host = h
	p := start(t, s)
	p.HostID() // a first one that the plugin does not use
	var ids []uint32
	for i := range 2 {
		id := p.HostID()
		ids = append(ids, id)
		r, err := p.Plugin().Configure(t.Context(), &pluginpb.ConfigureRequest{HostBrokerId: id})
		if err != nil {
			t.Fatal(err)
		}
		if len(r.Problems) != 1 || r.Problems[0].Message != fmt.Sprint(i+1) {
			t.Errorf("the host answered %v", r.Problems)
		}
	}
	if ids[0] != ids[1] || ids[0] == 0 {
		t.Errorf("the ids are %v, want one that stays", ids)
	}
	watch := <-h.watched
	p.Stop(time.Second)
	<-watch.Done()
	if p.HostID() != 0 {
		t.Error("after its end it still has a host")
	}
}

func TestTwentyRestartsLeaveNothing(t *testing.T) {
	h := &host{watched: make(chan context.Context, 20)}
	var took time.Duration
	var last *Process
	for i := range 20 {
		s := spec(t, "good") // it checks the directory at the end, goleak the goroutines
		s.Host = h
		begin := time.Now()
		p := start(t, s)
		took += time.Since(begin)
		if _, err := p.Plugin().Configure(t.Context(), &pluginpb.ConfigureRequest{HostBrokerId: p.HostID()}); err != nil {
			t.Fatal(err)
		}
		if i%2 == 1 {
			if err := syscall.Kill(p.PID(), syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
			<-p.Done()
		}
		p.Stop(0)
		p.Stop(0)
		if lives(p.PID()) {
			t.Fatalf("start %d: it still runs", i)
		}
		last = p
	}
	t.Logf("a start took %v", took/20)
	<-last.Done()
}

func TestLogLines(t *testing.T) {
	tests := []struct {
		text, want string
	}{
		{`{"time":"2026-01-01T00:00:00Z","level":"ERROR","msg":"no answer","status":500,"url":"http://x"}`, "ERROR no answer status=500 url=http://x"},
		{`{"@level":"debug","@message":"plugin address","@timestamp":"x","network":"unix"}`, "DEBUG plugin address network=unix"},
		{`{"level":"strange","msg":"x"}`, "INFO x"},
		{`{"answer":42}`, `INFO {"answer":42}`},
		{`{"level":"warn"`, `INFO {"level":"warn"`},
		{"plain", "INFO plain"},
		{"Traceback (most recent call last):", "ERROR Traceback (most recent call last):"},
		{"  File \"x.py\"", "ERROR   File \"x.py\""},
		{"ValueError: x", "ERROR ValueError: x"},
		{"after it", "INFO after it"},
		{"panic: x", "ERROR panic: x"},
		{"goroutine 1 [running]:", "ERROR goroutine 1 [running]:"},
		{"\xff" + strings.Repeat("x", 2*maxLine), "ERROR ?" + strings.Repeat("x", maxLine-1)},
		{"main.main()", "ERROR main.main()"},
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	got := make(chan Line, len(tests)+1)
	p := pipes{out: r, theirOut: w}
	l := lines{tell: func(l Line) { got <- l }}
	go func() {
		l.read(readerOf(p.out))
		close(got)
	}()
	for _, tt := range tests {
		if _, err := w.WriteString(tt.text + "\r\n\n"); err != nil {
			t.Fatal(err)
		}
	}
	closeAll(w)
	for _, tt := range tests {
		if line := <-got; line.String() != tt.want {
			t.Errorf("%.80q became %.120q, want %.120q", tt.text, line, tt.want)
		}
	}
	if line, more := <-got; more {
		t.Errorf("one more: %v", line)
	}
	closeAll(r)
	l.tell = nil
	for range 2 * keptLines {
		l.add(Line{Level: slog.LevelInfo, Message: "x"})
	}
	if n := len(l.last()); n != keptLines {
		t.Errorf("%d lines are kept", n)
	}
}
