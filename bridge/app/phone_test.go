package app_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"image/jpeg"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge"
	"github.com/espcam-bridge/espcam-bridge/bridge/config"
	"github.com/espcam-bridge/espcam-bridge/bridge/pluginhost/folder"
)

// phone stands for an ntfy server: it keeps what is published, as ntfy's
// documentation of PUT says it is sent. It is no ntfy server.
type phone struct {
	*httptest.Server

	mu     sync.Mutex
	came   []notification
	answer int // status; 0: 200
}

type notification struct {
	header http.Header
	path   string
	body   []byte
	at     time.Time
}

func newPhone(t testing.TB) *phone {
	p := &phone{}
	p.Server = httptest.NewServer(p)
	t.Cleanup(p.Close)
	return p
}

func (p *phone) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	at := time.Now()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // cut short: nothing came
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if r.Method == http.MethodPut {
		p.came = append(p.came, notification{r.Header, r.URL.Path, body, at})
	}
	if p.answer != 0 {
		w.WriteHeader(p.answer)
	}
	fmt.Fprintln(w, `{"id":"x"}`)
}

func (p *phone) answers(status int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.answer = status
}

func (p *phone) got() []notification {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]notification(nil), p.came...)
}

// wants waits for the nth notification, from 1.
func (p *phone) wants(t *testing.T, n int) notification {
	t.Helper()
	eventually(t, fmt.Sprintf("notification %d", n), func() bool { return len(p.got()) >= n })
	return p.got()[n-1]
}

// install builds a plugin into dir, as `make build` does, and accepts its files, as
// `espcam-bridge plugin install` does.
func install(t testing.TB, dir, kind string, permissions ...string) (executable string) {
	t.Helper()
	path := filepath.Join(dir, kind)
	executable = filepath.Join(path, "espcam-plugin-"+kind)
	if err := os.MkdirAll(path, 0o700); err != nil {
		t.Fatal(err)
	}
	build := exec.CommandContext(t.Context(), "go", "build", "-o", executable, "../../plugins/"+kind)
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building %s: %v\n%s", kind, err, out)
	}
	if _, err := folder.Accept(dir, folder.Open(path), "1.0.0", permissions, time.Now()); err != nil {
		t.Fatal(err)
	}
	return executable
}

// plugged is a configuration with one plugin instance.
func plugged(t testing.TB, i config.Instance, values map[string]any) *config.Config {
	cfg := configured(t)
	cfg.Plugins.Dir = t.TempDir()
	i.Enabled, i.Settings = true, config.NewPluginSettings(values)
	cfg.Plugins.Instances = append(cfg.Plugins.Instances, i)
	return cfg
}

const ntfyToken = "tk_0123456789abcdefghijklmnopqrs"

func withPhone(t *testing.T, p *phone) *config.Config {
	cfg := plugged(t, config.Instance{Name: "phone", Type: "ntfy"}, map[string]any{"url": p.URL, "topic": "yard", "token": ntfyToken})
	install(t, cfg.Plugins.Dir, "ntfy")
	cfg.Alerts = []config.Alert{{Name: "all", To: []string{"phone"}, Phases: []bridge.Phase{bridge.PhaseBegin}, Picture: true}}
	return cfg
}

// running waits until an instance takes work.
func (w *world) running(instance string) {
	w.t.Helper()
	eventually(w.t, instance+" runs", func() bool {
		return at(w.call(http.StatusOK, "GET", "/api/v1/plugins/"+instance, ""), "state") == "ready"
	})
}

// TestAPictureIsOnThePhoneWhenSomethingMoves is the way of an alert through the
// whole program: a camera's picture, motion, the route, the plugin's process.
func TestAPictureIsOnThePhoneWhenSomethingMoves(t *testing.T) {
	p := newPhone(t)
	g := openGuarded(t, withPhone(t, p))
	g.secrets = append(g.secrets, ntfyToken)
	g.running("phone")
	g.drive()
	n := p.wants(t, 1)
	event := g.mqtt.json("espcam/porch/event")
	if got := n.header.Get("Title"); got != "Motion at porch" {
		t.Errorf("the title is %q", got)
	}
	if n.header.Get("Message") == "" || n.header.Get("Authorization") != "Bearer "+ntfyToken || n.path != "/yard" {
		t.Errorf("it came as %s %v", n.path, n.header)
	}
	img, err := jpeg.Decode(bytes.NewReader(n.body))
	if err != nil || img.Bounds().Dx() != 160 {
		t.Errorf("the picture of %d bytes: %v", len(n.body), err)
	}
	g.mqtt.wants("espcam/porch/motion", "ON")
	if id := n.header.Get("X-Sequence-ID"); id == "" || id != event["id"] && event["id"] != nil {
		t.Errorf("it is about event %q, on MQTT %v", id, event["id"])
	}
	on := g.mqtt.since(time.Time{}, "espcam/porch/motion")
	t.Logf("figure: ON was on MQTT %v before the notifier's request", n.at.Sub(on[len(on)-1].at))
	t.Log(g.mqtt.state("espcam/bridge/plugins"))
	eventually(t, "MQTT says that the plugin runs", func() bool {
		said := g.mqtt.json("espcam/bridge/plugins")
		return said["running"] == 1.0 && said["problem"] == false
	})
}

// TestADetectorDecidesWhoIsTold has a detector that names what moves: who asked for
// that is told of it by its name, who asked for another thing is not.
func TestADetectorDecidesWhoIsTold(t *testing.T) {
	p := newPhone(t)
	cfg := withPhone(t, p)
	install(t, cfg.Plugins.Dir, "chaos", "snapshot", "frames", "publish")
	cfg.Plugins.Instances = append(cfg.Plugins.Instances, config.Instance{Name: "eye", Type: "chaos", Enabled: true})
	begin := []bridge.Phase{bridge.PhaseBegin}
	cfg.Alerts = []config.Alert{
		{Name: "never", To: []string{"phone"}, Phases: begin, Labels: []string{"person"}, HoldOff: 100 * time.Millisecond},
		{Name: "named", To: []string{"phone"}, Phases: begin, Labels: []string{"chaos"}, HoldOff: 10 * time.Second, Picture: true},
	}
	g := openGuarded(t, cfg)
	g.setMotion(`{"off_delay":1}`)
	g.running("phone")
	g.running("eye")
	g.drive()
	n := p.wants(t, 1)
	if got := n.header.Get("Title"); got != "Chaos at porch" {
		t.Errorf("the title is %q", got)
	}
	id := n.header.Get("X-Sequence-ID")
	var labels []any
	eventually(t, "the event is kept with its label", func() bool {
		labels, _ = g.ask("GET", "/api/v1/events/"+id, "").json["labels"].([]any)
		return len(labels) > 0
	})
	if at(labels[0], "label") != "chaos" || at(labels[0], "box") == nil {
		t.Errorf("event %s has the labels %v", id, labels)
	}
	g.mqtt.wants("espcam/porch/motion", "OFF")
	if all := p.got(); len(all) != 1 {
		t.Errorf("%d alerts came", len(all))
	}
}

// TestTheTestButtonReallySends is the page's button and the command line's.
func TestTheTestButtonReallySends(t *testing.T) {
	p := newPhone(t)
	w := start(t, withPhone(t, p))
	w.running("phone")
	answer := w.call(http.StatusOK, "POST", "/api/v1/plugins/phone/test", "")
	if answer["ok"] != true {
		t.Errorf("it answered %v", answer)
	}
	n := p.wants(t, 1)
	if _, err := jpeg.Decode(bytes.NewReader(n.body)); err != nil || n.header.Get("Title") == "" {
		t.Errorf("%v came, with a picture of %d bytes: %v", n.header, len(n.body), err)
	}
	p.answers(http.StatusUnauthorized)
	r := w.ask("POST", "/api/v1/plugins/phone/test", "")
	if r.status < 400 || !strings.Contains(string(r.body), "401") {
		t.Errorf("when ntfy refuses us it answers %d %s", r.status, r.body)
	}
	if bytes.Contains(r.body, []byte(ntfyToken)) {
		t.Error("the answer holds the token")
	}
}

// TestAKilledPluginLosesNoAlert kills the process right when something moves.
func TestAKilledPluginLosesNoAlert(t *testing.T) {
	p := newPhone(t)
	cfg := withPhone(t, p)
	g := openGuarded(t, cfg)
	g.running("phone")
	for _, pid := range processes(t, "espcam-plugin-ntfy", cfg.Plugins.Dir) {
		if err := exec.CommandContext(t.Context(), "kill", "-9", pid).Run(); err != nil {
			t.Fatal(err)
		}
	}
	g.drive()
	p.wants(t, 1)
	g.running("phone")
	if n := at(g.call(http.StatusOK, "GET", "/api/v1/plugins/phone", ""), "restarts"); n != 1.0 {
		t.Errorf("it was restarted %v times", n)
	}
}

// TestNoSecretOfAPluginGetsOut looks everywhere that others can: logs, answers,
// topics, command lines and environments of processes.
func TestNoSecretOfAPluginGetsOut(t *testing.T) {
	p := newPhone(t)
	cfg := withPhone(t, p)
	w := start(t, cfg)
	w.secrets = append(w.secrets, ntfyToken)
	o := observe(t, w.mqtt)
	w.running("phone")
	const second = "tk_second_secret_0123456789abcd"
	w.secrets = append(w.secrets, second)
	var seen bytes.Buffer
	add := func(r reply) { seen.Write(r.body) }
	add(w.ask("GET", "/api/v1/plugins", ""))
	add(w.ask("PATCH", "/api/v1/plugins/phone", `{"settings":{"token":"`+second+`"}}`))
	add(w.ask("PATCH", "/api/v1/plugins/phone", `{"settings":{"token":["`+second+`"]}}`))
	add(w.ask("PATCH", "/api/v1/plugins/phone", `{"settings":{"topic":{"token":"`+second+`"}}}`))
	p.answers(http.StatusForbidden)
	add(w.ask("POST", "/api/v1/plugins/phone/test", ""))
	p.Close()
	add(w.ask("POST", "/api/v1/plugins/phone/test", ""))
	add(w.ask("GET", "/api/v1/plugins/phone", ""))
	add(w.ask("GET", "/api/v1/alerts/failed", ""))
	add(w.ask("GET", "/metrics", ""))
	o.mu.Lock()
	for topic, payload := range o.latest {
		fmt.Fprintf(&seen, "%s %s\n", topic, payload)
	}
	o.mu.Unlock()
	for _, pid := range processes(t, "espcam-plugin-ntfy", cfg.Plugins.Dir) {
		for _, file := range []string{"cmdline", "environ"} {
			b, err := os.ReadFile(filepath.Join("/proc", pid, file))
			if err != nil {
				t.Fatal(err)
			}
			seen.Write(b)
		}
	}
	for _, s := range w.secrets {
		if bytes.Contains(seen.Bytes(), []byte(s)) {
			t.Errorf("%.6s... got out:\n%s", s, seen.String())
		}
	}
}

// TestNothingThatComesByNetworkNamesAProgram tries what an API could be fooled
// with: members that name a program or another folder, settings that only the file
// may set, and topics.
func TestNothingThatComesByNetworkNamesAProgram(t *testing.T) {
	mark := filepath.Join(t.TempDir(), "ran")
	evil := filepath.Join(t.TempDir(), "evil.sh")
	if err := os.WriteFile(evil, []byte("#!/bin/sh\ntouch "+mark+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	cfg := plugged(t, config.Instance{Name: "runs", Type: "script"}, map[string]any{"command": []any{"/bin/true"}})
	install(t, cfg.Plugins.Dir, "script")
	w := start(t, cfg)
	o := observe(t, w.mqtt)
	w.running("runs")
	quoted, err := json.Marshal(evil)
	if err != nil {
		t.Fatal(err)
	}
	for _, body := range []string{
		`{"command":` + string(quoted) + `}`, `{"type":"../evil"}`, `{"path":` + string(quoted) + `}`, `{"enabled":true,"dev":true}`, `{"run_as":"root"}`,
		`{"settings":{"command":[` + string(quoted) + `]}}`, `{"settings":{"command":null}}`, `{"settings":{"Command":[` + string(quoted) + `]}}`,
	} {
		if r := w.ask("PATCH", "/api/v1/plugins/runs", body); r.status < 400 || r.status >= 500 {
			t.Errorf("PATCH %s answered %d %s", body, r.status, r.body)
		}
	}
	for _, path := range []string{"/api/v1/plugins", "/api/v1/plugins/new", "/api/v1/plugins/..%2fevil", "/api/v1/plugins/runs/install", "/api/v1/plugins/runs/upload"} {
		for _, method := range []string{"POST", "PUT", "PATCH", "DELETE"} {
			if r := w.ask(method, path, `{"type":"script","settings":{"command":[`+string(quoted)+`]}}`); r.status < 400 {
				t.Errorf("%s %s answered %d %s", method, path, r.status, r.body)
			}
		}
	}
	for _, topic := range []string{"espcam/plugin/runs/set", "espcam/plugin/runs/command/set", "espcam/bridge/plugins/set", "espcam/bridge/request/plugin"} {
		o.publish(topic, evil)
		o.publish(topic, `{"instance":"runs","settings":{"command":[`+string(quoted)+`]}}`)
	}
	w.call(http.StatusOK, "POST", "/api/v1/plugins/runs/do", `{"action":"restart"}`)
	w.running("runs")
	w.ask("POST", "/api/v1/plugins/runs/test", "")
	if _, err := os.Stat(mark); err == nil {
		t.Fatal("a program that came by network was run")
	}
}

// processes are those whose program is below dir.
func processes(t testing.TB, name, dir string) (pids []string) {
	t.Helper()
	links, err := filepath.Glob("/proc/[0-9]*/exe")
	if err != nil {
		t.Fatal(err)
	}
	for _, link := range links {
		if program, err := os.Readlink(link); err == nil && filepath.Base(program) == name && strings.HasPrefix(program, dir) {
			pids = append(pids, filepath.Base(filepath.Dir(link)))
		}
	}
	if len(pids) == 0 {
		t.Fatalf("no process runs %s", name)
	}
	return pids
}
