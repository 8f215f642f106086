//go:build linux

package pluginhost

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge"
	"github.com/espcam-bridge/espcam-bridge/bridge/hub"
	"github.com/espcam-bridge/espcam-bridge/bridge/store"
)

// apart is the variable that makes the test's binary a host of its own: the
// directory of plugins, that of data and the number of instances.
const apart = "PLUGINHOST_TEST_APART"

// hostApart runs a host until it is killed.
func hostApart(arg string) error {
	part := strings.Split(arg, "|")
	n, err := strconv.Atoi(part[2])
	if err != nil {
		return err
	}
	st, err := store.Open(part[1])
	if err != nil {
		return err
	}
	cfg := Config{Dir: part[0], DataDir: part[1]}
	for i := range n {
		cfg.Instances = append(cfg.Instances, Instance{Name: fmt.Sprint("p", i), Type: "evil", Enabled: true})
	}
	h, err := New(cfg, Deps{Cameras: &town{listeners: map[*bridge.Listener]bool{}}, Hub: hub.New(nil), Store: st, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	ctx := context.Background()
	go func() {
		for i := range n {
			if err := h.Await(ctx, fmt.Sprint("p", i)); err != nil {
				panic(err)
			}
		}
		if err := os.WriteFile(filepath.Join(part[1], "up"), nil, 0o600); err != nil {
			panic(err)
		}
	}()
	return h.Run(ctx)
}

// startApart starts a host with n instances in a process of its own and returns
// when all are ready.
func (r *rig) startApart(n int) *exec.Cmd {
	r.t.Helper()
	program, err := os.Executable()
	if err != nil {
		r.t.Fatal(err)
	}
	data := filepath.Join(r.data, strconv.Itoa(n))
	cmd := exec.Command(program)
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s|%s|%d", apart, r.dir, data, n))
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may be gone already
		_ = cmd.Wait()         // its status is that it was killed
	})
	r.until("the host is up", func() bool { _, err := os.Stat(filepath.Join(data, "up")); return err == nil })
	return cmd
}

// children are the processes that a process started.
func children(t *testing.T, pid int) []int {
	t.Helper()
	var out []int
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range tasks {
		b, err := os.ReadFile(name)
		if err != nil {
			continue // a thread that ended
		}
		for _, f := range strings.Fields(string(b)) {
			n, err := strconv.Atoi(f)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, n)
		}
	}
	return out
}

func TestPluginsEndWithAHostThatIsKilled(t *testing.T) {
	r := newRig(t)
	r.install("roles=notifier")
	cmd := r.startApart(2)
	plugins := children(t, cmd.Process.Pid)
	if len(plugins) != 2 {
		t.Fatalf("its children are %v", plugins)
	}
	begin := time.Now()
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	r.until("the end of both", func() bool {
		for _, pid := range plugins {
			if syscall.Kill(pid, 0) == nil && !zombie(pid) {
				return false
			}
		}
		return true
	})
	took := time.Since(begin)
	t.Logf("gone after %v", took)
	if took > 5*time.Second {
		t.Errorf("they were gone after %v", took)
	}
}

// budget is what something may cost, with the race detector several times that.
func budget(n int64) int64 {
	if raceDetector {
		return 8 * n
	}
	return n
}

func TestTenIdlePluginsCostLittle(t *testing.T) {
	r := newRig(t)
	r.install("roles=notifier")
	var used []int64
	for _, n := range []int{0, 10} {
		cmd := r.startApart(n)
		used = append(used, residentOf(cmd.Process.Pid))
		if got := len(children(t, cmd.Process.Pid)); got != n {
			t.Errorf("it has %d children, want %d", got, n)
		}
	}
	more := used[1] - used[0]
	t.Logf("without plugins %.1f MB, with ten %.1f MB more", float64(used[0])/1e6, float64(more)/1e6)
	if more > budget(20e6) {
		t.Errorf("ten idle plugins cost the bridge %d bytes", more)
	}
}

// TestASecretIsNowhere has a plugin that tells its secrets wherever it can.
func TestASecretIsNowhere(t *testing.T) {
	const secret, hidden, second = "s3cret-t0ken/&=?", "h1dden-value", "n3w-secret"
	r := newRig(t)
	r.install("roles=notifier", "leak=1")
	r.add(Instance{Name: "phone", Settings: map[string]any{"topic": hidden, "token": secret}, Hidden: []string{hidden}})
	r.start()
	r.reaches(bridge.PluginReady)
	r.until("it tells", func() bool { return len(r.plugin("phone").Log) >= 3 })
	var said []string
	for _, what := range []string{"retry", "reject", "error", "host publish"} {
		got, err := r.tell(what)
		said = append(said, fmt.Sprint(got, err))
	}
	if err := r.set(`{"token":"` + second + `"}`); err != nil {
		t.Fatal(err)
	}
	said = append(said, fmt.Sprint(r.set(`{"topic":"forbidden"}`)))
	r.put("degraded")
	r.reaches(bridge.PluginDegraded)
	said = append(said, fmt.Sprint(r.Check(t.Context(), "phone")), fmt.Sprintf("%+v", r.List()), string(r.List()[0].Settings), fmt.Sprint(r.board.said, r.Stats()))
	for _, name := range []string{"cmdline", "environ"} {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", r.pid(), name))
		if err != nil {
			t.Fatal(err)
		}
		said = append(said, string(b))
	}
	said = append(said, r.log.String())
	for _, form := range append(append(forms(secret), hidden), second) {
		for _, s := range said {
			if strings.Contains(s, form) {
				t.Errorf("%q is in %.300s", form, s)
			}
		}
	}
	if !strings.Contains(r.log.String(), "using [redacted]") || r.file("configured") != hidden+second {
		t.Errorf("the plugin has %q; the log is\n%s", r.file("configured"), r.log)
	}
}

func TestTwentyRestartsLeaveNothing(t *testing.T) {
	r := newRig(t)
	r.timing.exits = 1000
	r.install("roles=notifier,detector,sink")
	r.start()
	r.reaches(bridge.PluginReady)
	count := func() (sockets, files int) {
		found, err := filepath.Glob(r.data + "/run/*/*/*")
		if err != nil {
			t.Fatal(err)
		}
		open, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(found), len(open)
	}
	sockets, files := count()
	var took time.Duration
	for n := range 20 {
		begin := time.Now()
		if n%2 == 0 {
			if err := r.Restart("phone"); err != nil {
				t.Fatal(err)
			}
		} else if err := syscall.Kill(r.pid(), syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		r.until("another process", func() bool { return r.starts() == n+2 && r.plugin("phone").State == bridge.PluginReady })
		took += time.Since(begin)
	}
	t.Logf("a restart takes %v", took/20)
	if s, f := count(); s != sockets || f > files+1 {
		t.Errorf("%d sockets and %d open files, at first %d and %d", s, f, sockets, files)
	}
	if got := children(t, os.Getpid()); len(got) != 1 {
		t.Errorf("the children are %v", got)
	}
} // that no goroutine is left, TestMain checks

func TestADetectionCostsLittle(t *testing.T) {
	r := newRig(t)
	r.install("roles=detector")
	r.start()
	r.reaches(bridge.PluginReady)
	f := picture(160, 120) // no wider than the plugin wants
	padded := bridge.NewBuffer(append(f.JPEG(), make([]byte, 20<<10-len(f.JPEG()))...)).Frame(20<<10, bridge.Frame{Camera: "porch", Width: 160, Height: 120})
	d := r.detector()
	var took []time.Duration
	for range 300 {
		begin := time.Now()
		if _, err := d.Detect(t.Context(), padded, []bridge.Box{{W: 1, H: 1}}); err != nil {
			t.Fatal(err)
		}
		took = append(took, time.Since(begin))
	}
	slices.Sort(took)
	t.Logf("a call with 20 KB takes %v, at most %v", took[150], took[299])
	if took[150] > time.Duration(budget(int64(1500*time.Microsecond))) {
		t.Errorf("a call takes %v", took[150])
	}
}
