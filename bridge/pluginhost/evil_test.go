//go:build linux

package pluginhost

import (
	"errors"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge"
)

// The evil twins: each is one way in which a plugin goes wrong.

func TestAPluginThatNeverShakesHands(t *testing.T) {
	r := newRig(t)
	r.timing.interpreter = 200 * time.Millisecond
	r.install("silent=1")
	r.start()
	p := r.reaches(bridge.PluginBackoff)
	if !strings.Contains(p.Problem, "it said nothing within 200ms") || p.Next.IsZero() {
		t.Errorf("it is shown as %+v", p)
	}
	r.reaches(bridge.PluginTripped)
}

func TestAPluginThatPrintsGarbage(t *testing.T) {
	r := newRig(t)
	r.install("garbage=1")
	r.start()
	if p := r.reaches(bridge.PluginBackoff); !strings.Contains(p.Problem, `the first line on its stdout is "Hello!", not the handshake`) {
		t.Errorf("the problem is %s", p.Problem)
	}
}

func TestAPluginThatFreezes(t *testing.T) {
	r := newRig(t)
	r.timing.healthCall = 100 * time.Millisecond
	r.install("roles=notifier")
	r.start()
	r.reaches(bridge.PluginReady)
	first := r.pid()
	if err := freeze(first); err != nil {
		t.Fatal(err)
	}
	if p := r.reaches(bridge.PluginDegraded); p.Problem != "it does not answer" {
		t.Errorf("the problem is %q", p.Problem)
	}
	r.until("another process", func() bool { return r.pid() != 0 && r.pid() != first })
	if syscall.Kill(first, 0) == nil {
		t.Error("the frozen one is still there")
	}
	if !strings.Contains(r.log.String(), "3 signs of life in a row did not come") {
		t.Error("the log does not say why")
	}
}

func TestAPluginThatCrashesOnTheNthCall(t *testing.T) {
	r := newRig(t)
	r.install("roles=notifier", "crash=3")
	r.add(Instance{Name: "phone", Settings: map[string]any{"token": "s3cret-token"}})
	r.start()
	r.reaches(bridge.PluginReady)
	for range 2 {
		if _, err := r.tell("hello"); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := r.tell("hello"); bridge.CodeOf(err) != bridge.CodeUnavailable || !strings.Contains(err.Error(), "ended while it sent the alert: exit status 2") {
		t.Errorf("the third call: %v", err)
	}
	r.until("it comes back", func() bool { return r.starts() == 2 && r.plugin("phone").State == bridge.PluginReady })
	if _, err := r.tell("hello"); err != nil {
		t.Errorf("after it came back: %v", err)
	}
	if p := r.plugin("phone"); p.Restarts != 1 {
		t.Errorf("%d restarts are counted", p.Restarts)
	}
	if log := r.log.String(); !strings.Contains(log, "its last line: ERROR panic: on the nth call, with [redacted]") || strings.Contains(log, "s3cret") {
		t.Error("the log does not tell its last words, or tells the secret")
	}
}

func TestACrashIsNoticedAtOnce(t *testing.T) {
	r := newRig(t)
	r.timing.health = time.Hour // not by looking
	r.timing.backoff, r.timing.maxBackoff = time.Hour, time.Hour
	r.install("roles=notifier")
	r.start()
	r.reaches(bridge.PluginReady)
	changed, cancel := r.Subscribe()
	defer cancel()
	select {
	case <-changed:
	default:
	}
	begin := time.Now()
	if err := syscall.Kill(r.pid(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	for r.plugin("phone").State != bridge.PluginBackoff {
		<-changed
	}
	took := time.Since(begin)
	t.Logf("noticed after %v", took)
	if took > time.Second {
		t.Errorf("it was noticed after %v", took)
	}
	r.stop() // also out of a long wait
}

func TestAPluginThatForksAndDies(t *testing.T) {
	r := newRig(t)
	r.install("roles=notifier")
	r.start()
	r.reaches(bridge.PluginReady)
	if _, err := r.tell("fork"); bridge.CodeOf(err) != bridge.CodeUnavailable {
		t.Errorf("the call: %v", err)
	}
	child, err := strconv.Atoi(r.file("child"))
	if err != nil {
		t.Fatal(err)
	}
	r.until("the end of the child", func() bool { return syscall.Kill(child, 0) != nil || zombie(child) })
	r.until("it comes back", func() bool { return r.starts() == 2 && r.plugin("phone").State == bridge.PluginReady })
}

// zombie reports whether a process has ended and nobody waited for it yet.
func zombie(pid int) bool {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	return err == nil && strings.Contains(string(b), ") Z ")
}

func TestAPluginThatAllocatesWithoutEnd(t *testing.T) {
	if residentOf(os.Getpid()) == 0 {
		t.Skip("the memory of processes is not known here")
	}
	r := newRig(t)
	r.install("roles=notifier")
	r.add(Instance{Name: "phone", Memory: 100 << 20})
	r.start()
	r.reaches(bridge.PluginReady)
	r.until("its memory is known", func() bool { return r.plugin("phone").Memory > 1<<20 })
	if _, err := r.tell("allocate"); err != nil {
		t.Fatal(err)
	}
	r.until("another process", func() bool { return r.starts() == 2 })
	if log := r.log.String(); !strings.Contains(log, "more than it may have (100 MiB): it was ended; raise `memory`") {
		t.Error("the log does not say why")
	}
}

func TestAPluginThatReturns20MB(t *testing.T) {
	r := newRig(t)
	r.install("roles=notifier")
	r.start()
	r.reaches(bridge.PluginReady)
	var later *bridge.RetryError
	if _, err := r.tell("huge"); !errors.As(err, &later) {
		t.Errorf("the call: %v", err)
	}
	if _, err := r.tell("hello"); err != nil || r.starts() != 1 {
		t.Errorf("afterwards: %v, %d starts", err, r.starts())
	}
}

func TestAPluginThatAnswersAfterTheDeadline(t *testing.T) {
	r := newRig(t)
	r.timing.notify = 50 * time.Millisecond
	r.install("roles=notifier")
	r.start()
	r.reaches(bridge.PluginReady)
	var later *bridge.RetryError
	if _, err := r.tell("late"); !errors.As(err, &later) || !strings.Contains(err.Error(), "no answer within 50ms") {
		t.Errorf("the call: %v", err)
	}
	if p := r.plugin("phone"); p.State != bridge.PluginReady {
		t.Errorf("afterwards it is %s: %s", p.State, p.Problem)
	}
}

func TestAPluginThatFloodsHostCalls(t *testing.T) {
	r := newRig(t)
	r.install("roles=notifier")
	r.start()
	r.reaches(bridge.PluginReady)
	got, err := r.tell("host flood")
	if err != nil {
		t.Fatal(err)
	}
	good, bad, _ := strings.Cut(got.Message, " ")
	n, err1 := strconv.Atoi(good)
	refused, err2 := strconv.Atoi(bad)
	if err1 != nil || err2 != nil || n < callsPerSecond || n > 3*callsPerSecond || refused > 4*64 {
		t.Errorf("within a second %s calls were answered, %s refused", good, bad)
	}
	if s := r.Stats()[0]; s.Refused < uint64(refused) || refused == 0 {
		t.Errorf("%d refusals are counted, %d were sent", s.Refused, refused)
	}
}

func TestAPluginThatShouts(t *testing.T) {
	r := newRig(t)
	r.install("roles=notifier")
	r.start()
	r.reaches(bridge.PluginReady)
	if _, err := r.tell("shout"); err != nil {
		t.Fatal(err)
	}
	r.until("lines are left out", func() bool { return r.Stats()[0].LinesLost > 4000 })
	if n := strings.Count(r.log.String(), "msg=\"line "); n > 1000 {
		t.Errorf("%d of 5000 lines are in the log", n)
	}
	if n := len(r.plugin("phone").Log); n != 50 {
		t.Errorf("%d lines are shown", n)
	}
}

func TestAPluginThatCannotBeCheckedButWorks(t *testing.T) {
	r := newRig(t)
	r.timing.healthCall = 50 * time.Millisecond
	r.timing.health = 300 * time.Millisecond
	r.install("roles=notifier", "nocheck=1")
	r.start()
	r.reaches(bridge.PluginReady)
	for end := time.Now().Add(5 * r.timing.health); time.Now().Before(end); {
		if _, err := r.tell("hello"); err != nil {
			t.Fatal(err)
		}
	}
	if n := r.starts(); n != 1 {
		t.Errorf("it was started %d times although it works", n)
	}
	r.until("it is ended when it does no work", func() bool { return r.starts() == 2 })
}

func TestAPluginThatTripsIsProbedAndComesBack(t *testing.T) {
	r := newRig(t)
	r.install("roles=notifier", "diesfirst=6")
	r.start()
	p := r.reaches(bridge.PluginTripped)
	if p.Next.IsZero() || !strings.Contains(p.Problem, "it ended too often; the last time:") || !strings.Contains(p.Problem, "exit status 3; its last line: ERROR panic: not yet") {
		t.Errorf("it is shown as %+v", p)
	}
	if len(p.Log) != 1 || p.Log[0] != "ERROR panic: not yet" {
		t.Errorf("its last words are %q", p.Log)
	}
	r.reaches(bridge.PluginReady)
	if n := r.starts(); n != 7 {
		t.Errorf("it was started %d times, want 5, a probe that fails, and one that does not", n)
	}
	s := r.Stats()[0]
	if s.Exits != 6 || s.Entered[bridge.PluginTripped] != 2 || s.Entered[bridge.PluginBackoff] != 4 || s.Entered[bridge.PluginReady] != 1 {
		t.Errorf("the figures are %+v", s)
	}
}

func TestAPersonCanHaveATrippedOneStartedNow(t *testing.T) {
	r := newRig(t)
	r.timing.probe, r.timing.maxProbe = time.Hour, time.Hour
	r.install("roles=notifier", "diesfirst=5")
	r.start()
	r.reaches(bridge.PluginTripped)
	if err := r.Restart("phone"); err != nil {
		t.Fatal(err)
	}
	r.reaches(bridge.PluginReady)
	if err := r.Restart("phone"); err != nil {
		t.Fatal(err)
	}
	r.until("a new process", func() bool { return r.starts() == 7 && r.plugin("phone").State == bridge.PluginReady })
	if r.file("drained") != "" || !strings.Contains(r.log.String(), "plugin draining") {
		t.Error("it was not drained before")
	}
}

func TestWhatAPluginSaysOfItsHealthIsShown(t *testing.T) {
	r := newRig(t)
	r.install("roles=notifier")
	r.add(Instance{Name: "phone", Settings: map[string]any{"token": "s3cret-token"}})
	r.start()
	r.reaches(bridge.PluginReady)
	r.put("degraded")
	if p := r.reaches(bridge.PluginDegraded); p.Problem != "no way to the server; the token is [redacted]" {
		t.Errorf("the problem is %q", p.Problem)
	}
	if err := r.Check(t.Context(), "phone"); bridge.CodeOf(err) != bridge.CodeUnavailable || !strings.Contains(err.Error(), "phone: no way to the server; the token is [redacted]") {
		t.Errorf("the check says %v", err)
	}
	if _, err := r.tell("hello"); err != nil {
		t.Errorf("degraded it does not work: %v", err)
	}
	r.take("degraded")
	r.reaches(bridge.PluginReady)
}

func TestABreakerCounts(t *testing.T) {
	b := breaker{timing: defaultTiming(), random: func() float64 { return 0.5 }}
	at := time.Unix(0, 0)
	step := func(after time.Duration, want time.Duration, wantTrip bool) {
		t.Helper()
		at = at.Add(after)
		if wait, tripped := b.ended(at); wait != want || tripped != wantTrip {
			t.Errorf("at %v: wait %v, tripped %v, want %v, %v", at.Unix(), wait, tripped, want, wantTrip)
		}
	}
	for _, want := range []time.Duration{1, 2, 4, 8, 16, 32, 60, 60} {
		step(4*time.Minute, want*time.Second, false) // three within the window
	}
	b.reset()
	step(0, time.Second, false)
	for _, want := range []time.Duration{2, 4, 8} {
		step(time.Minute, want*time.Second, false)
	}
	for _, want := range []time.Duration{15, 30, 60, 120, 240, 240} {
		step(time.Minute, want*time.Minute, true)
	}
	b.reset()
	step(0, time.Second, false)
	for _, random := range []float64{0, 1} {
		b.random = func() float64 { return random }
		if d := b.jitter(time.Second); d != 800*time.Millisecond && d != 1200*time.Millisecond {
			t.Errorf("a second becomes %v", d)
		}
	}
}
