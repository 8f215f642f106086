// The tests of this package run the whole program in their own process, and
// talk to it over real sockets as cameras, viewers, scripts and Home Assistant
// do. What they know of it is what DESIGN promises to the outside.
package app_test

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/espcam-bridge/espcam-bridge/bridge/app"
	"github.com/espcam-bridge/espcam-bridge/bridge/config"
)

func TestMain(m *testing.M) {
	// Nearly all of the time is waiting.
	if err := flag.Set("test.parallel", "8"); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m)
}

// patience is how long a test waits for what must come. It is long, because
// machines are slow at times; bounds that are promised are checked apart.
const patience = 20 * time.Second

// world is the running program.
type world struct {
	t    testing.TB
	url  string // http://127.0.0.1:port
	addr string // host:port of HTTP
	mqtt string // host:port of the broker that it uses
	log  *logBuffer

	client  *http.Client
	token   string   // that call shows
	secrets []string // that may stand in no log
	faults  []string // words of errors in the log that the test provokes
	cancel  context.CancelFunc
	done    chan struct{}
	err     error // of Run; read after done
}

type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// configured returns what the tests begin with: free ports of this machine, no
// login, a state directory of its own.
func configured(t testing.TB) *config.Config {
	cfg := config.Default()
	cfg.Data = t.TempDir()
	cfg.HTTP.Listen, cfg.MQTT.Embedded.Listen = "127.0.0.1:0", "127.0.0.1:0"
	cfg.HTTP.Auth = false
	return cfg
}

var readyLine = regexp.MustCompile(`^ready http=(http://(\S+)) mqtt=(?:mqtt://)?(\S+)$`)

// start runs the program until the test ends or stop is called.
func start(t testing.TB, cfg *config.Config) *world {
	t.Helper()
	w := &world{t: t, log: &logBuffer{}, client: &http.Client{Transport: &http.Transport{}, Timeout: patience}, done: make(chan struct{})}
	log := slog.New(slog.NewTextHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	ctx, cancel := context.WithCancel(context.Background())
	a, err := app.New(ctx, cfg, app.Options{Version: "1.2.3", Log: log})
	if err != nil {
		cancel()
		t.Fatal(err)
	}
	m := readyLine.FindStringSubmatch(a.ReadyLine())
	if m == nil {
		t.Fatalf("the ready line is %q", a.ReadyLine())
	}
	w.url, w.addr, w.mqtt, w.cancel = m[1], m[2], m[3], cancel
	go func() {
		defer close(w.done)
		w.err = a.Run(ctx)
	}()
	t.Cleanup(w.close)
	return w
}

// stop ends the program as SIGTERM does, and checks how it went.
func (w *world) stop() {
	w.t.Helper()
	w.client.CloseIdleConnections()
	w.cancel()
	select {
	case <-w.done:
	case <-time.After(patience):
		w.t.Fatal("the program does not stop")
	}
	if w.err != nil {
		w.t.Errorf("the program ended with: %v", w.err)
	}
}

func (w *world) close() {
	w.stop()
	log := w.log.String()
	for line := range strings.Lines(log) {
		provoked := slices.ContainsFunc(w.faults, func(words string) bool { return strings.Contains(line, words) })
		if strings.Contains(line, "level=ERROR") && !provoked || strings.Contains(line, "panic") {
			w.t.Errorf("the log has an error: %s", line)
		}
	}
	for _, s := range w.secrets {
		if strings.Contains(log, s) {
			w.t.Errorf("the log holds the secret %.12s...", s)
		}
	}
	if w.t.Failed() {
		w.t.Logf("log:\n%s", log)
	}
}

// reply is an answer over HTTP.
type reply struct {
	status int
	header http.Header
	body   []byte
	json   map[string]any // nil if the body is no object
}

// code is the word in an error's body.
func (r reply) code() string { return fmt.Sprint(at(r.json, "error", "code")) }

// ask sends one request. Headers are "Name: value".
func (w *world) ask(method, path, body string, headers ...string) reply {
	w.t.Helper()
	target := path
	if strings.HasPrefix(path, "/") {
		target = w.url + path
	}
	req, err := http.NewRequest(method, target, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if w.token != "" {
		req.Header.Set("Authorization", "Bearer "+w.token)
	}
	for _, h := range headers {
		name, value, ok := strings.Cut(h, ": ")
		if !ok {
			continue
		}
		if req.Header.Set(name, value); name == "Host" {
			req.Host = value
		}
	}
	resp, err := w.client.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	r := reply{status: resp.StatusCode, header: resp.Header}
	if r.body, err = io.ReadAll(resp.Body); err != nil {
		w.t.Fatalf("%s %s: %v", method, path, err)
	}
	_ = json.Unmarshal(r.body, &r.json) // pictures are not JSON
	return r
}

// call is ask with JSON both ways and the status that is wanted.
func (w *world) call(want int, method, path, body string) map[string]any {
	w.t.Helper()
	r := w.ask(method, path, body)
	if r.status != want || r.json == nil {
		w.t.Fatalf("%s %s: %d, want %d\n%s", method, path, r.status, want, r.body)
	}
	return r.json
}

// camera is what the API says of one.
func (w *world) camera(id string) map[string]any {
	w.t.Helper()
	return w.call(http.StatusOK, "GET", "/api/v1/cameras/"+id, "")
}

// picture is what frame.jpg answers.
func (w *world) picture(id string) (jpeg []byte, state string) {
	w.t.Helper()
	r := w.ask("GET", "/live/live/"+id+"/frame.jpg", "")
	if r.status != http.StatusOK || r.header.Get("Content-Type") != "image/jpeg" {
		w.t.Fatalf("frame.jpg: %d %s\n%.200s", r.status, r.header, r.body)
	}
	return r.body, r.header.Get("X-Camera-State")
}

// provision makes a camera and its key over StreamHub's API.
func (w *world) provision(room string) (streamKey, wsURL string) {
	w.t.Helper()
	data := at(w.call(http.StatusCreated, "POST", "/api/v1/apps/live/ws-ingest", `{"room":"`+room+`"}`), "data")
	streamKey, _ = at(data, "streamKey").(string)
	wsURL, _ = at(data, "wsUrl").(string)
	if streamKey == "" || wsURL == "" {
		w.t.Fatalf("minting a key answered %v", data)
	}
	w.secrets = append(w.secrets, streamKey)
	return streamKey, wsURL
}

// at walks into decoded JSON; nil if there is nothing.
func at(v any, path ...string) any {
	for _, p := range path {
		m, _ := v.(map[string]any)
		v = m[p]
	}
	return v
}

// eventually polls until the condition holds: often at first, and then seldom
// enough to leave the machine to what is waited for.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	wait, end := 5*time.Millisecond, time.Now().Add(patience)
	for !holds() {
		if time.Now().After(end) {
			t.Fatal("never: " + what)
		}
		<-time.After(wait)
		wait = min(2*wait, 80*time.Millisecond)
	}
}
