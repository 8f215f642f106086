package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge/fakecam"
)

// The tests run the real program in processes of its own: the test binary with
// this variable set is espcam-bridge, race detector included.
const beProgram = "ESPCAM_TEST_IS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(beProgram) == "1" {
		os.Unsetenv(beProgram)
		main()
	}
	if strings.HasPrefix(filepath.Base(os.Args[0]), "espcam-plugin-") {
		bePlugin()
	}
	os.Exit(m.Run())
}

// program is one running espcam-bridge.
type program struct {
	t     *testing.T
	cmd   *exec.Cmd
	ready string // the ready line
	http  string // base URL
	mqtt  string

	mu  sync.Mutex
	out bytes.Buffer // both outputs
}

func command(dir string, args ...string) *exec.Cmd {
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), beProgram+"=1", "GORACE=atexit_sleep_ms=0")
	cmd.Dir = dir
	return cmd
}

// start runs espcam-bridge in dir until its ready line.
func start(t *testing.T, dir string, args ...string) *program {
	t.Helper()
	p := &program{t: t, cmd: command(dir, args...)}
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.cmd.Stderr = p
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.stop(syscall.SIGKILL) })
	lines := make(chan string, 1)
	go func() {
		for s := bufio.NewScanner(stdout); s.Scan(); {
			fmt.Fprintln(p, s.Text())
			if strings.HasPrefix(s.Text(), "ready ") {
				lines <- s.Text()
			}
		}
		close(lines)
	}()
	select {
	case p.ready = <-lines:
	case <-time.After(20 * time.Second):
	}
	m := regexp.MustCompile(`^ready http=(http://\S+) mqtt=(\S+)$`).FindStringSubmatch(p.ready)
	if m == nil {
		t.Fatalf("no ready line:\n%s", p.output())
	}
	p.http, p.mqtt = m[1], m[2]
	go func() {
		for range lines {
		}
	}()
	return p
}

func (p *program) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.out.Write(b)
}

func (p *program) output() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.out.String()
}

// stop sends a signal and returns the exit code; -1 if the signal killed it.
func (p *program) stop(sig syscall.Signal) int {
	if p.cmd.ProcessState != nil {
		return p.cmd.ProcessState.ExitCode()
	}
	p.cmd.Process.Signal(sig)
	p.cmd.Wait()
	return p.cmd.ProcessState.ExitCode()
}

// get fetches a JSON object.
func (p *program) get(path string) map[string]any {
	p.t.Helper()
	return p.request(http.MethodGet, path, "")
}

func (p *program) request(method, path, body string) map[string]any {
	p.t.Helper()
	req, err := http.NewRequest(method, p.http+path, strings.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	var v map[string]any
	if err := json.Unmarshal(raw, &v); err != nil {
		p.t.Fatalf("%s %s: %s\n%s", method, path, resp.Status, raw)
	}
	return v
}

// eventually polls until the condition holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	poll := time.NewTicker(20 * time.Millisecond)
	defer poll.Stop()
	for end := time.Now().Add(20 * time.Second); !holds(); <-poll.C {
		if time.Now().After(end) {
			t.Fatal("never: " + what)
		}
	}
}

// run runs a command to its end.
func runCommand(t *testing.T, dir string, args ...string) (out, errs string, code int) {
	t.Helper()
	cmd := command(dir, args...)
	var o, e bytes.Buffer
	cmd.Stdout, cmd.Stderr = &o, &e
	err := cmd.Run()
	if cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return o.String(), e.String(), cmd.ProcessState.ExitCode()
}

const quiet = `
http: {listen: "127.0.0.1:0", auth: false}
mqtt: {embedded: {listen: "127.0.0.1:0"}}
`

func configured(t *testing.T, text string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "bridge.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// play lets a simulated camera stream until the test ends.
func play(t *testing.T, p *program, cfg fakecam.Config) *fakecam.Camera {
	t.Helper()
	cfg.URL = "ws" + strings.TrimPrefix(p.http, "http")
	cfg.Width, cfg.Height = 160, 120
	cam, err := fakecam.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		cam.Run(ctx)
	}()
	t.Cleanup(func() { cancel(); <-done })
	return cam
}

func TestExitCodes(t *testing.T) {
	bad := configured(t, "htpp: 1\n")
	file := configured(t, quiet+"data: bridge.yaml\n")
	broken := configured(t, quiet)
	if err := os.MkdirAll(filepath.Join(broken, "data"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(broken, "data", "bridge.db"), bytes.Repeat([]byte("x"), 40000), 0o600); err != nil {
		t.Fatal(err)
	}
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	httpTaken := configured(t, strings.Replace(quiet, "127.0.0.1:0", taken.Addr().String(), 1))
	mqttTaken := configured(t, strings.Replace(quiet, `{listen: "127.0.0.1:0"}}`, `{listen: "`+taken.Addr().String()+`"}}`, 1))
	noTLS := configured(t, strings.Replace(quiet, "auth: false", `auth: false, tls: {listen: "127.0.0.1:0", cert: none.pem, key: none.key}`, 1))

	tests := []struct {
		name string
		dir  string
		args []string
		code int
		text string
	}{
		{"help", "", []string{"--help"}, 0, "check-config"},
		{"version", "", []string{"version"}, 0, "espcam-bridge dev"},
		{"unknown command", "", []string{"sevre"}, 2, `unknown command "sevre"`},
		{"unknown flag", "", []string{"serve", "--prot", "1"}, 2, "unknown flag"},
		{"argument too many", "", []string{"serve", "now"}, 2, "unknown command"},
		{"typed configuration is missing", "", []string{"serve", "--config", "none.yaml"}, 2, "none.yaml"},
		{"bad configuration", bad, []string{"check-config"}, 2, "bridge.yaml:1:1: htpp: is not a known key; did you mean http?"},
		{"serve with a bad configuration", bad, []string{"serve"}, 2, "did you mean http?"},
		{"good configuration", configured(t, quiet), []string{"check-config"}, 0, "is good"},
		{"state directory is a file", file, []string{"serve"}, 1, "cannot make the state directory"},
		{"damaged database", broken, []string{"serve"}, 1, "is damaged"},
		{"HTTP port in use", httpTaken, []string{"serve"}, 1, "http.listen: cannot listen on " + taken.Addr().String()},
		{"MQTT port in use", mqttTaken, []string{"serve"}, 1, "mqtt.embedded.listen"},
		{"TLS files are missing", noTLS, []string{"serve"}, 1, "none.pem"},
		{"demo on a public address", "", []string{"demo", "--http", "0.0.0.0:0"}, 2, "only host:port of this machine"},
		{"health of nothing", httpTaken + "x", []string{"health"}, 1, "does not answer"},
		{"keys add of a bad id", configured(t, quiet), []string{"keys", "add", "Front Porch"}, 2, "lower-case letters"},
		{"keys add without an id", "", []string{"keys", "add"}, 2, "accepts 1 arg"},
		{"keys remove of an unknown key", configured(t, quiet), []string{"keys", "remove", "zzz"}, 1, "zzz"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := tt.dir
			if _, err := os.Stat(dir); err != nil {
				dir = t.TempDir()
			}
			out, errs, code := runCommand(t, dir, tt.args...)
			if code != tt.code || !strings.Contains(out+errs, tt.text) {
				t.Errorf("exit %d, want %d with %q:\n%s%s", code, tt.code, tt.text, out, errs)
			}
			if strings.Contains(errs, "goroutine ") {
				t.Errorf("a crash:\n%s", errs)
			}
		})
	}
}

func TestKeysWhileRunningAndStopped(t *testing.T) {
	dir := configured(t, quiet)
	secret, _, code := runCommand(t, dir, "keys", "add", "porch")
	secret = strings.TrimSpace(secret)
	if code != 0 || !strings.HasPrefix(secret, "wsk_") {
		t.Fatalf("keys add: %d, %q", code, secret)
	}
	p := start(t, dir, "serve")
	cam := play(t, p, fakecam.Config{Key: secret})
	eventually(t, "the camera streams", func() bool { return cam.Report().Frames > 2 })
	if c := p.get("/api/v1/cameras/porch"); c["state"] != "online" || c["dialect"] != "native" {
		t.Errorf("the camera is %v", c)
	}

	second, _, code := runCommand(t, dir, "keys", "add", "yard")
	if code != 0 || !strings.HasPrefix(second, "wsk_") {
		t.Errorf("keys add while running: %d, %q", code, second)
	}
	list, _, code := runCommand(t, dir, "keys", "list")
	if code != 0 || strings.Contains(list, secret) || !strings.Contains(list, secret[:8]+"…") || !strings.Contains(list, "yard") {
		t.Errorf("keys list: %d\n%s", code, list)
	}
	id := regexp.MustCompile(`(?m)^(\S+)\s+porch`).FindStringSubmatch(list)
	if id == nil {
		t.Fatalf("no id of porch's key in\n%s", list)
	}
	began := time.Now()
	if _, errs, code := runCommand(t, dir, "keys", "remove", id[1]); code != 0 {
		t.Errorf("keys remove: %d %s", code, errs)
	}
	eventually(t, "the revoked camera is told 4401", func() bool { return strings.Contains(fmt.Sprint(cam.Report().CloseCode), "4401") })
	t.Logf("revoked and closed after %v", time.Since(began))

	if code := p.stop(syscall.SIGTERM); code != 0 {
		t.Errorf("SIGTERM: exit %d\n%s", code, p.output())
	}
	if list, _, _ := runCommand(t, dir, "keys", "list"); strings.Contains(list, "porch") || !strings.Contains(list, "yard") {
		t.Errorf("after the stop:\n%s", list)
	}
	if info, err := os.Stat(filepath.Join(dir, "data")); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("state directory: %v, %v", info.Mode(), err)
	}
}

// TestKillLosesNothing kills the bridge at arbitrary moments while settings and
// names change, and looks for what was acknowledged.
func TestKillLosesNothing(t *testing.T) {
	dir := configured(t, quiet+"cameras: {porch: {key: wsk_abcdefghijklmnopqrstuvwxyz}}\n")
	for round := range 3 {
		p := start(t, dir, "serve")
		cam := play(t, p, fakecam.Config{Key: "wsk_abcdefghijklmnopqrstuvwxyz", Retry: 50 * time.Millisecond})
		eventually(t, "the camera said hello", func() bool { return p.get("/api/v1/cameras/porch")["dialect"] == "native" && cam.Report().Frames > 0 })
		acked := 0
		for quality := 10; quality < 14+3*round; quality++ {
			c := p.request(http.MethodPatch, "/api/v1/cameras/porch", fmt.Sprintf(`{"name":"Porch %d","settings":{"quality":%d}}`, quality, quality))
			if c["error"] != nil {
				t.Fatalf("PATCH: %v", c)
			}
			acked = quality
		}
		p.stop(syscall.SIGKILL)
		p = start(t, dir, "serve")
		c := p.get("/api/v1/cameras/porch")
		desired := c["settings"].(map[string]any)["desired"].(map[string]any)
		if c["name"] != fmt.Sprintf("Porch %d", acked) || desired["quality"] != float64(acked) {
			t.Errorf("round %d: acknowledged %d, found %v and %v", round, acked, c["name"], desired)
		}
		p.stop(syscall.SIGTERM)
	}
}

func TestFirstTokenIsPrintedOnce(t *testing.T) {
	dir := configured(t, `
http: {listen: "127.0.0.1:0"}
mqtt: {embedded: {listen: "127.0.0.1:0"}}
`)
	p := start(t, dir, "serve")
	token := regexp.MustCompile(`esb_\w+`).FindString(p.output())
	if token == "" {
		t.Fatalf("no token was printed:\n%s", p.output())
	}
	for with, want := range map[string]int{"": 401, "Bearer " + token: 200, "Bearer esb_wrong": 401} {
		req, _ := http.NewRequest(http.MethodGet, p.http+"/api/v1/cameras", nil)
		req.Header.Set("Authorization", with)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("with %.12q: %s, want %d", with, resp.Status, want)
		}
	}
	if out, errs, code := runCommand(t, dir, "keys", "list"); code != 0 {
		t.Errorf("keys list: %s%s", out, errs)
	}
	p.stop(syscall.SIGTERM)
	p = start(t, dir, "serve")
	if strings.Contains(p.output(), "esb_") {
		t.Errorf("the token was printed again:\n%s", p.output())
	}
}

func TestDemo(t *testing.T) {
	p := start(t, t.TempDir(), "demo", "--http", "127.0.0.1:0", "--mqtt", "127.0.0.1:0")
	eventually(t, "four cameras stream", func() bool {
		online := 0
		for _, c := range p.get("/api/v1/cameras")["items"].([]any) {
			if stats := c.(map[string]any)["stats"].(map[string]any); stats["frames"].(float64) > 0 {
				online++
			}
		}
		return online == 4
	})
	eventually(t, "what to try is said", func() bool { return strings.Contains(p.output(), "mosquitto_sub") })
	if code := p.stop(syscall.SIGINT); code != 0 {
		t.Errorf("Ctrl-C: exit %d\n%s", code, p.output())
	}
}

func TestDemoWhereThePortsAreTaken(t *testing.T) {
	for _, port := range []string{"8080", "1883"} {
		if ln, err := net.Listen("tcp", "127.0.0.1:"+port); err == nil {
			defer ln.Close()
		}
	}
	p := start(t, t.TempDir(), "demo")
	if strings.HasSuffix(p.http, ":8080") || strings.HasSuffix(p.mqtt, ":1883") {
		t.Errorf("the demo says %q although both ports are taken", p.ready)
	}
	p.stop(syscall.SIGINT)
}

func TestHealth(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := ln.Addr().String()
	ln.Close()
	dir := configured(t, strings.Replace(quiet, "127.0.0.1:0", addr, 1))
	start(t, dir, "serve")
	if out, errs, code := runCommand(t, dir, "health"); code != 0 || !strings.Contains(out, "ok") {
		t.Errorf("health: %d %s%s", code, out, errs)
	}
	if _, errs, code := runCommand(t, dir, "serve"); code != 1 || !strings.Contains(errs, "in use") {
		t.Errorf("a second bridge on the same state: %d %s", code, errs)
	}
}
