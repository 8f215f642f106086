package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/espcam-bridge/espcam-bridge/plugins/launch"
	"github.com/espcam-bridge/espcam-bridge/plugins/pluginpb"
	"github.com/espcam-bridge/espcam-bridge/plugins/plugintest"
)

// pluginKey makes this test program the plugin.
const pluginKey = "CHAOS_PLUGIN"

func TestMain(m *testing.M) {
	if os.Getenv(pluginKey) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// TestConformance: without a behaviour it is a plugin like others.
func TestConformance(t *testing.T) {
	report := plugintest.Run(t, plugintest.Target{Command: []string{os.Args[0]}, Env: []string{pluginKey + "=1"}})
	if report.Tier != plugintest.Silver {
		t.Log("\n" + report.Table())
	}
}

const secret = "a-secret-of-chaos"

// start starts chaos in dir and configures it.
func start(t *testing.T, dir, settings string, args ...string) (*launch.Process, *plugintest.FakeHost, error) {
	t.Helper()
	host := &plugintest.FakeHost{}
	p, err := launch.Start(t.Context(), launch.Spec{
		Name: "chaos", Command: append([]string{os.Args[0]}, args...), Dir: dir, Env: []string{pluginKey + "=1", "GORACE=atexit_sleep_ms=0"},
		Within: 5 * time.Second, Host: host,
		Line: func(l launch.Line) {
			if strings.Contains(l.String(), secret) {
				t.Error("its log tells the secret: " + l.String())
			}
		},
	})
	if err != nil {
		return nil, host, err
	}
	t.Cleanup(func() { p.Stop(0) })
	out, err := p.Plugin().Configure(t.Context(), &pluginpb.ConfigureRequest{
		Instance: "chaos", SettingsJson: []byte(settings), Secrets: map[string]string{"token": secret}, DataDir: dir, HostBrokerId: p.HostID(),
	})
	if err != nil || len(out.GetProblems()) > 0 {
		t.Fatal(out, err)
	}
	return p, host, nil
}

func notify(t *testing.T, p *launch.Process, within time.Duration) (*pluginpb.Receipt, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	r, err := p.Notifier().Notify(ctx, plugintest.TestAlert(1, pluginpb.Phase_PHASE_BEGIN))
	if strings.Contains(r.String(), secret) || err != nil && strings.Contains(err.Error(), secret) {
		t.Errorf("it tells the secret: %v %v", r, err)
	}
	return r, err
}

func gone(p *launch.Process, within time.Duration) bool {
	select {
	case <-p.Done():
		return true
	case <-time.After(within):
		return false
	}
}

func TestBehaviours(t *testing.T) {
	const brief = 300 * time.Millisecond
	for behaviour, c := range map[string]struct {
		code codes.Code // of the call
		exit string     // of the process; "": it goes on
	}{
		"none":   {codes.OK, ""},
		"panic":  {codes.Internal, ""},
		"crash":  {codes.Unavailable, "exit status 2"},
		"fork":   {codes.Unavailable, "exit status 3"},
		"freeze": {codes.DeadlineExceeded, ""},
		"late":   {codes.DeadlineExceeded, ""},
		"deaf":   {codes.DeadlineExceeded, ""},
		"large":  {codes.ResourceExhausted, ""},
		"retry":  {codes.OK, ""},
		"reject": {codes.OK, ""},
	} {
		t.Run(behaviour, func(t *testing.T) {
			t.Parallel()
			p, _, err := start(t, t.TempDir(), `{"after":2,"behaviour":"`+behaviour+`"}`)
			if err != nil {
				t.Fatal(err)
			}
			if r, err := notify(t, p, 5*time.Second); err != nil || r.GetOutcome() != pluginpb.Outcome_OUTCOME_DELIVERED {
				t.Fatal("the first call:", r, err)
			}
			within := 5 * time.Second
			if c.code == codes.DeadlineExceeded {
				within = brief
			}
			r, err := notify(t, p, within)
			if status.Code(err) != c.code {
				t.Error(r, err)
			}
			wait := brief
			if c.exit != "" {
				wait = 5 * time.Second
			}
			if ended := gone(p, wait); ended != (c.exit != "") || p.Exit() != c.exit {
				t.Errorf("exit %q, want %q", p.Exit(), c.exit)
			}
			want := map[string]pluginpb.Outcome{"retry": pluginpb.Outcome_OUTCOME_RETRY, "reject": pluginpb.Outcome_OUTCOME_REJECTED}[behaviour]
			if want != 0 && r.GetOutcome() != want {
				t.Error(r)
			}
		})
	}
}

func TestAllocate(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("memory is read from /proc")
	}
	p, _, err := start(t, t.TempDir(), `{"behaviour":"allocate","megabytes":40}`)
	if err != nil {
		t.Fatal(err)
	}
	before := resident(t, p.PID())
	if _, err := notify(t, p, 5*time.Second); err != nil {
		t.Fatal(err)
	}
	await(t, func() bool { return resident(t, p.PID()) > before+60<<20 })
}

func TestFlood(t *testing.T) {
	p, host, err := start(t, t.TempDir(), `{"behaviour":"flood"}`)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := notify(t, p, 5*time.Second); err != nil {
		t.Fatal(err)
	}
	await(t, func() bool { return host.Asked("SetState") > 500 })
}

func TestChatter(t *testing.T) {
	lines := atomic.Int64{}
	p, err := launch.Start(t.Context(), launch.Spec{
		Name: "chaos", Command: []string{os.Args[0]}, Dir: t.TempDir(), Env: []string{pluginKey + "=1", "GORACE=atexit_sleep_ms=0"},
		Line: func(launch.Line) { lines.Add(1) },
	})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Stop(0)
	if _, err := p.Plugin().Configure(t.Context(), &pluginpb.ConfigureRequest{SettingsJson: []byte(`{"behaviour":"chatter"}`)}); err != nil {
		t.Fatal(err)
	}
	if _, err := notify(t, p, 15*time.Second); err != nil {
		t.Fatal(err)
	}
	await(t, func() bool { return lines.Load() >= 10_000 })
}

func TestMisstartByArgument(t *testing.T) {
	for how, want := range map[string]string{
		"garbage": "is no handshake",
		"exit":    "exit status 3",
	} {
		_, _, err := start(t, t.TempDir(), `{}`, how)
		if no, ok := errors.AsType[*launch.NoHandshake](err); !ok || !strings.Contains(no.Error(), want) {
			t.Errorf("%s: %v", how, err)
		}
	}
}

// TestMisstartBySetting: the process ends, the next two starts go wrong, the
// third is good, and does not begin anew.
func TestMisstartBySetting(t *testing.T) {
	dir := t.TempDir()
	const wish = `{"start":"exit","starts":2}`
	p, _, err := start(t, dir, wish)
	if err != nil || !gone(p, 5*time.Second) {
		t.Fatal("it should have ended", err)
	}
	for range 2 {
		if _, _, err := start(t, dir, wish); err == nil {
			t.Fatal("it should not have started")
		}
	}
	p, _, err = start(t, dir, wish)
	if err != nil || gone(p, aMoment+500*time.Millisecond) {
		t.Fatal("it should run now", err)
	}
	if _, err := p.Plugin().Configure(t.Context(), &pluginpb.ConfigureRequest{DataDir: dir}); err != nil {
		t.Fatal(err)
	}
	await(t, func() bool { _, err := os.Stat(filepath.Join(dir, startFile)); return os.IsNotExist(err) })
}

func TestDetectAndDeliver(t *testing.T) {
	p, _, err := start(t, t.TempDir(), `{}`)
	if err != nil {
		t.Fatal(err)
	}
	out, err := p.Detector().Detect(t.Context(), &pluginpb.DetectRequest{Camera: "porch", Motion: []*pluginpb.Box{{X: 0.5, Y: 0.5, W: 0.25, H: 0.25}}})
	if err != nil || len(out.GetDetections()) != 1 || out.GetDetections()[0].GetBox().GetX() != 0.5 || out.GetDetections()[0].GetLabel() != label {
		t.Error(out, err)
	}
	acked, err := p.Sink().Deliver(t.Context(), &pluginpb.DeliverRequest{Events: []*pluginpb.SinkEvent{{Sequence: 1, Event: &pluginpb.Event{}}}})
	if err != nil || acked.GetAcked() != 1 {
		t.Error(acked, err)
	}
}

// resident is a process's memory in bytes, as Linux knows it.
func resident(t *testing.T, pid int) int64 {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		t.Fatal(err)
	}
	pages, err := strconv.ParseInt(strings.Fields(string(text))[1], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return pages * int64(os.Getpagesize())
}

func await(t *testing.T, condition func() bool) {
	t.Helper()
	tick, end := time.NewTicker(10*time.Millisecond), time.After(10*time.Second)
	defer tick.Stop()
	for !condition() {
		select {
		case <-tick.C:
		case <-end:
			t.Fatal("it did not come about within 10 s")
		}
	}
}
