package httpapi_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"mime/multipart"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge"
	"github.com/espcam-bridge/espcam-bridge/bridge/httpapi"
)

// shelf is the plugins and the alerts of a bridge, in memory: no processes, but
// the same answers.
type shelf struct {
	mu      sync.Mutex
	all     map[string]bridge.Plugin
	secrets map[string]string // by field; of all instances
	failed  []bridge.FailedAlert
	done    []string
	answer  error // of what a plugin is asked
	bells   map[chan struct{}]bool
}

const tokenOfPhone = "tk_thesecretofthephone"

func newShelf() *shelf {
	s := &shelf{all: map[string]bridge.Plugin{}, secrets: map[string]string{"token": tokenOfPhone}, bells: map[chan struct{}]bool{}}
	s.all["phone"] = bridge.Plugin{
		Instance: "phone", Type: "ntfy", Version: "1.0.0", Summary: "sends to ntfy", Roles: []string{"notifier"},
		State: bridge.PluginReady, Since: time.Unix(1795000000, 0), Log: []string{"INFO ready"}, Started: time.Unix(1795000000, 0), Memory: 16 << 20,
		Fields: []bridge.PluginField{
			{Name: "topic", Type: "string", Required: true, Help: "where to"},
			{Name: "token", Type: "string", Secret: true, Default: json.RawMessage(`"none"`)},
			{Name: "priority", Type: "integer", Min: 1, Max: 5},
			{Name: "program", Type: "string", FileOnly: true},
		},
		// A host that forgot to keep its secret apart: httpapi must, too.
		Settings: json.RawMessage(`{"topic":"cams","token":"` + tokenOfPhone + `"}`), Secrets: []string{"token"}, Source: "bridge.yaml:12",
	}
	s.all["old"] = bridge.Plugin{Instance: "old", Type: "gone", State: bridge.PluginMissing, Problem: "no plugin gone is installed"}
	s.failed = []bridge.FailedAlert{{ID: "f1", Instance: "phone", Event: "e1", Camera: "porch", Phase: bridge.PhaseBegin, Title: "Motion", Attempts: 3, Reason: "401"}}
	return s
}

func (s *shelf) with(d *httpapi.Deps) { d.Plugins, d.Alerts = s, s }

// note counts a call and returns what the plugin answers.
func (s *shelf) note(format string, args ...any) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.done = append(s.done, fmt.Sprintf(format, args...))
	return s.answer
}

func (s *shelf) did() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.done)
}

func (s *shelf) fails(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = err
}

func (s *shelf) change(name string, how func(*bridge.Plugin)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.all[name]
	how(&p)
	s.all[name] = p
	for bell := range s.bells {
		select {
		case bell <- struct{}{}:
		default:
		}
	}
}

func (s *shelf) List() (out []bridge.Plugin) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(s.all)) {
		out = append(out, s.all[name])
	}
	return out
}

func (s *shelf) Plugin(name string) (bridge.Plugin, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, ok := s.all[name]
	if !ok {
		return p, bridge.Errorf(bridge.CodeNotFound, "there is no plugin instance %q", name)
	}
	return p, nil
}

func (s *shelf) Set(_ context.Context, name string, settings json.RawMessage) error {
	return s.note("%s set %s", name, settings)
}
func (s *shelf) Check(_ context.Context, name string) error { return s.note("%s check", name) }
func (s *shelf) Restart(name string) error                  { return s.note("%s restart", name) }
func (s *shelf) Retry(id string) error                      { return s.note("retry %s", id) }
func (s *shelf) Enable(name string, on bool) error {
	s.change(name, func(p *bridge.Plugin) {
		if p.State = bridge.PluginReady; !on {
			p.State = bridge.PluginDisabled
		}
	})
	return s.note("%s enabled %v", name, on)
}

func (s *shelf) Test(_ context.Context, name string) (bridge.Receipt, error) {
	return bridge.Receipt{Handle: "h1", Message: "sent to cams"}, s.note("%s test", name)
}

func (s *shelf) Dismiss(id string) error {
	s.mu.Lock()
	s.failed = slices.DeleteFunc(s.failed, func(f bridge.FailedAlert) bool { return f.ID == id })
	s.mu.Unlock()
	return s.note("dismiss %s", id)
}

func (s *shelf) Failed() []bridge.FailedAlert {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.failed)
}

func (s *shelf) Subscribe() (<-chan struct{}, func()) {
	bell := make(chan struct{}, 1)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bells[bell] = true
	return bell, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.bells, bell)
	}
}

const phonePath = "/api/v1/plugins/phone"

func TestPluginJSON(t *testing.T) {
	s := newShelf()
	w := open(t, httpapi.Config{}, s.with)
	want := `{"instance":"phone","type":"ntfy","version":"1.0.0","summary":"sends to ntfy","roles":["notifier"],"state":"ready","since":"2026-11-18T11:06:40Z",` +
		`"problem":"","log":["INFO ready"],"next":null,"restarts":0,"started":"2026-11-18T11:06:40Z","memory":16777216,"dev":false,"files":false,"permissions":[],` +
		`"fields":[{"name":"topic","type":"string","required":true,"help":"where to"},{"name":"token","type":"string","secret":true},` +
		`{"name":"priority","type":"integer","min":1,"max":5},{"name":"program","type":"string","file_only":true}],` +
		`"settings":{"topic":"cams"},"secrets":["token"],"source":"bridge.yaml:12"}`
	if got := strings.TrimSpace(string(w.get(phonePath).body)); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	var list struct {
		Items []struct{ Instance, State string }
	}
	w.get("/api/v1/plugins").decode(t, &list)
	if fmt.Sprint(list.Items) != "[{old missing} {phone ready}]" {
		t.Errorf("listed %v", list.Items)
	}
	if p, _ := s.Plugin("phone"); string(p.Fields[1].Default) != `"none"` {
		t.Error("an answer changed what the host holds")
	}
	if got := w.get("/api/v1/plugins/old"); strings.Contains(string(got.body), "null,") && strings.Contains(string(got.body), `"roles":null`) {
		t.Errorf("nulls: %s", got.body)
	}
	for _, name := range []string{"nobody", "..%2fphone", "Phone", "%2e%2e", strings.Repeat("a", 65), "a%00b"} {
		w.get("/api/v1/plugins/"+name).fails(t, 404, bridge.CodeNotFound, "there is no")
	}
}

func TestWithoutPlugins(t *testing.T) {
	w := open(t, httpapi.Config{})
	for _, path := range []string{"/api/v1/plugins", "/api/v1/alerts/failed"} {
		if got := w.get(path); string(got.body) != "{\"items\":[]}\n" {
			t.Errorf("%s: %s %s", path, got.Status, got.body)
		}
	}
	w.get(phonePath).fails(t, 404, bridge.CodeNotFound, "no plugin instance")
	w.get(phonePath+"/files").fails(t, 404, bridge.CodeNotFound, "no plugin instance")
	w.get(phonePath+"/files/a").fails(t, 404, bridge.CodeNotFound, "no plugin instance")
	w.ask("PATCH", phonePath, `{"enabled":true}`).fails(t, 404, bridge.CodeNotFound, "no plugin instance")
	w.ask("POST", phonePath+"/test", `{}`).fails(t, 404, bridge.CodeNotFound, "no plugin instance")
	w.ask("POST", "/api/v1/alerts/failed/f1/do", `{"action":"retry"}`).fails(t, 404, bridge.CodeNotFound, "no failed alert")
	if got := w.get("/readyz"); strings.Contains(string(got.body), "plugins") {
		t.Errorf("readyz tells of plugins: %s", got.body)
	}
}

func TestPluginActions(t *testing.T) {
	s := newShelf()
	w := open(t, httpapi.Config{}, s.with)
	ok := func(method, path, body string) {
		t.Helper()
		if got := w.ask(method, path, body); got.StatusCode != 200 {
			t.Errorf("%s %s %s: %s %s", method, path, body, got.Status, got.body)
		}
	}
	ok("PATCH", phonePath, `{}`)
	ok("PATCH", phonePath, `{"settings":{"topic":"x","token":"new","priority":null}}`)
	ok("PATCH", phonePath, `{"enabled":false}`)
	ok("POST", phonePath+"/do", `{"action":"restart"}`)
	ok("POST", phonePath+"/do", `{"action":"check"}`)
	ok("POST", "/api/v1/alerts/failed/f1/do", `{"action":"retry"}`)
	ok("POST", "/api/v1/alerts/failed/f1/do", `{"action":"dismiss"}`)
	w.ask("POST", "/api/v1/alerts/failed/f1/do", `{"action":"dismiss"}`).fails(t, 404, bridge.CodeNotFound, "no failed alert")
	for _, body := range []string{"", "{}"} {
		if got := w.ask("POST", phonePath+"/test", body); string(got.body) != "{\"message\":\"sent to cams\",\"ok\":true}\n" {
			t.Errorf("tested with %q: %s %s", body, got.Status, got.body)
		}
	}
	want := []string{`phone set {"priority":null,"token":"new","topic":"x"}`, "phone enabled false", "phone restart", "phone check",
		"retry f1", "dismiss f1", "phone test", "phone test"}
	if got := s.did(); !slices.Equal(got, want) {
		t.Errorf("done %q\nwant %q", got, want)
	}
	if strings.Contains(w.log.String(), "new") || !strings.Contains(w.log.String(), "plugin set") {
		t.Errorf("the log: %s", w.log)
	}
}

// TestPluginFailures: what a plugin or its service says is told as theirs.
func TestPluginFailures(t *testing.T) {
	s := newShelf()
	w := open(t, httpapi.Config{}, s.with)
	for _, tt := range []struct {
		err    error
		status int
		code   bridge.Code
		say    string
	}{
		{bridge.Errorf(bridge.CodeDenied, "ntfy: 401 wrong token"), 502, bridge.CodeDenied, "wrong token"},
		{bridge.Errorf(bridge.CodeUnavailable, "phone is starting"), 503, bridge.CodeUnavailable, "phone is starting"},
		{&bridge.RetryError{Err: errors.New("ntfy: 429 slow down")}, 503, bridge.CodeUnavailable, "429 slow down"},
		{&bridge.RetryError{Err: bridge.Errorf(bridge.CodeRateLimited, "slow down")}, 429, bridge.CodeRateLimited, "slow down"},
		{errors.New("a bug"), 500, bridge.CodeInternal, "the bridge made a mistake"},
	} {
		s.fails(tt.err)
		w.ask("POST", phonePath+"/test", "").fails(t, tt.status, tt.code, tt.say)
		w.ask("POST", phonePath+"/do", `{"action":"check"}`).fails(t, tt.status, tt.code, tt.say)
	}
	s.fails(errors.Join(bridge.Errorf(bridge.CodeInvalid, "topic is empty").At("settings.topic"), bridge.Errorf(bridge.CodeInvalid, "1 to 5").At("settings.priority")))
	got := w.ask("PATCH", phonePath, `{"settings":{"topic":""}}`)
	got.fails(t, 400, bridge.CodeInvalid, "topic is empty")
	if !strings.Contains(string(got.body), `"problems":[{"field":"settings.topic","message":"topic is empty"},{"field":"settings.priority","message":"1 to 5"}]`) {
		t.Errorf("not all problems: %s", got.body)
	}
}

// TestNothingNamesAProgram: what runs comes from the disk. No body, name or method
// reaches it.
func TestNothingNamesAProgram(t *testing.T) {
	s := newShelf()
	w := open(t, httpapi.Config{}, s.with)
	for _, body := range []string{
		`{"type":"sh"}`, `{"command":["sh","-c","id"]}`, `{"path":"/bin/sh"}`, `{"instance":"x","type":"ntfy"}`, `{"dir":"/tmp"}`, `{"run_as":"root"}`,
		`{"dev":true}`, `{"source":"x"}`, `{"permissions":["command"]}`, `{"fields":[]}`, `{"executable":"x"}`, `{"memory":"1TiB"}`, `{"env":{"LD_PRELOAD":"x"}}`,
	} {
		w.ask("PATCH", phonePath, body).fails(t, 400, bridge.CodeInvalid, "there is no field")
		w.ask("POST", phonePath+"/do", strings.Replace(body, "{", `{"action":"restart",`, 1)).fails(t, 400, bridge.CodeInvalid, "there is no field")
		w.ask("POST", phonePath+"/test", body).fails(t, 400, bridge.CodeInvalid, "there is no field")
		w.ask("POST", "/api/v1/alerts/failed/f1/do", strings.Replace(body, "{", `{"action":"retry",`, 1)).fails(t, 400, bridge.CodeInvalid, "there is no field")
	}
	for _, name := range []string{"type", "command", "path", "run_as", "dev", "../../etc/passwd", "", "__proto__"} {
		body, err := json.Marshal(map[string]any{"settings": map[string]any{name: "/bin/sh"}})
		if err != nil {
			t.Fatal(err)
		}
		w.ask("PATCH", phonePath, string(body)).fails(t, 400, bridge.CodeInvalid, "has no setting")
	}
	w.ask("PATCH", phonePath, `{"settings":{"program":"/bin/sh"}}`).fails(t, 409, bridge.CodeConflict, "only be set in the configuration file: bridge.yaml:12")
	w.ask("PATCH", phonePath, `{"settings":{"program":null}}`).fails(t, 409, bridge.CodeConflict, "only be set in the configuration file")
	w.ask("PATCH", "/api/v1/plugins/old", `{"settings":{"command":"sh"}}`).fails(t, 503, bridge.CodeUnavailable, "has not said which settings it has")
	for _, action := range []string{"install", "upload", "exec", "../restart", ""} {
		w.ask("POST", phonePath+"/do", `{"action":"`+action+`"}`).fails(t, 400, bridge.CodeInvalid, "there is no action")
	}
	for _, method := range []string{"POST", "PUT", "DELETE"} {
		w.ask(method, "/api/v1/plugins", `{"type":"sh"}`).fails(t, 405, bridge.CodeInvalid, "is not a method of")
	}
	w.ask("PUT", phonePath, `{"type":"sh"}`).fails(t, 405, bridge.CodeInvalid, "is not a method of")
	w.ask("POST", "/api/v1/plugins/new", `{"type":"sh"}`).fails(t, 405, bridge.CodeInvalid, "is not a method of")
	for _, method := range []string{"POST", "PUT", "PATCH", "DELETE"} {
		w.ask(method, phonePath+"/files", `{}`).fails(t, 405, bridge.CodeInvalid, "use GET, HEAD")
		w.ask(method, phonePath+"/files/porch/a.mkv", `{}`).fails(t, 405, bridge.CodeInvalid, "use GET, HEAD")
	}
	for _, path := range []string{phonePath + "/upload", phonePath + "/install", "/api/v1/plugins/phone/../../x/y/z"} {
		w.ask("POST", path, `{}`).fails(t, 404, bridge.CodeNotFound, "there is nothing at")
	}
	var form bytes.Buffer
	m := multipart.NewWriter(&form)
	if part, err := m.CreateFormFile("file", "espcam-plugin-ntfy"); err != nil {
		t.Fatal(err)
	} else if _, err := part.Write([]byte("#!/bin/sh\nid\n")); err != nil {
		t.Fatal(err)
	}
	m.Close()
	for _, kind := range []string{m.FormDataContentType(), "application/octet-stream", "application/x-sh"} {
		for _, on := range []string{"PATCH " + phonePath, "POST " + phonePath + "/do", "POST " + phonePath + "/test"} {
			method, path, _ := strings.Cut(on, " ")
			w.ask(method, path, form.String(), "Content-Type: "+kind).fails(t, http.StatusUnsupportedMediaType, bridge.CodeInvalid, "send JSON")
		}
	}
	if got := s.did(); len(got) > 0 {
		t.Errorf("something was done: %q", got)
	}
}

// TestPluginsOnThePage: an admin's page is told that something changed, at most
// twice a second; nobody else's is.
func TestPluginsOnThePage(t *testing.T) {
	s := newShelf()
	s.change("old", func(p *bridge.Plugin) { p.State = bridge.PluginDisabled })
	w := open(t, httpapi.Config{Auth: true}, s.with)
	admin, _ := w.tab(bearer(adminToken)...)
	others := map[string]*tab{}
	for _, token := range []string{operatorToken, porchToken} {
		others[token], _ = w.tab(bearer(token)...)
	}
	began := time.Now()
	for range 100 {
		s.change("phone", func(p *bridge.Plugin) { p.Restarts++ })
	}
	admin.await("plugins")
	s.change("phone", func(p *bridge.Plugin) { p.Restarts++ })
	admin.await("plugins")
	if took := time.Since(began); took < 400*time.Millisecond {
		t.Errorf("told twice within %v", took)
	}
	if err := s.Dismiss("f1"); err != nil {
		t.Fatal(err)
	}
	admin.await("plugins")
	s.change("phone", func(p *bridge.Plugin) { p.State = bridge.PluginBackoff })
	if m := admin.await("health"); fmt.Sprint(m.Troubles) != "[{plugins the plugin phone has a problem}]" {
		t.Errorf("troubles %v", m.Troubles)
	}
	s.change("old", func(p *bridge.Plugin) { p.State = bridge.PluginTripped })
	if m := admin.await("health"); fmt.Sprint(m.Troubles) != "[{plugins the plugins old, phone have a problem}]" {
		t.Errorf("troubles %v", m.Troubles)
	}
	if got := w.get("/readyz", bearer(viewerToken)...); !strings.Contains(string(got.body), `"degraded":true`) || !strings.Contains(string(got.body), "plugins old, phone have") {
		t.Errorf("readyz: %s", got.body)
	}
	w.fleet.notify(bridge.Notice{Camera: "porch", Code: bridge.CodeBusy, Message: "the last"})
	for name, p := range others {
		for m := p.text(); m.Type != "notice"; m = p.text() {
			if m.Type == "plugins" {
				t.Errorf("%s was told of plugins", name)
			}
		}
	}
}

// TestNoSecretOfAPluginComesOut: not in an answer, a page's message, a metric or the
// log, whatever is asked.
func TestNoSecretOfAPluginComesOut(t *testing.T) {
	s := newShelf()
	w := open(t, httpapi.Config{Auth: true}, s.with)
	admin, _ := w.tab(bearer(adminToken)...)
	var out strings.Builder
	const fresh = "tk_anotherwhollynewsecret"
	for _, body := range []string{`{"settings":{"token":"` + fresh + `"}}`, `{"settings":{"tokn":"` + fresh + `"}}`, `{"settings":{"token":{"a":"` + fresh + `"}}}`, `{"token":"` + fresh + `"}`} {
		out.Write(w.ask("PATCH", phonePath, body, bearer(adminToken)...).body)
	}
	for _, path := range []string{"/api/v1/plugins", phonePath, "/api/v1/alerts/failed", "/metrics", "/readyz"} {
		got := w.get(path, bearer(adminToken)...)
		if out.Write(got.body); got.StatusCode != 200 {
			t.Errorf("%s: %s", path, got.Status)
		}
	}
	s.change("phone", func(p *bridge.Plugin) { p.State = bridge.PluginDegraded })
	for _, kind := range []string{"health", "plugins"} {
		m, err := json.Marshal(admin.await(kind))
		if err != nil {
			t.Fatal(err)
		}
		out.Write(m)
	}
	out.WriteString(w.log.String())
	for _, secret := range []string{tokenOfPhone, fresh} {
		if strings.Contains(out.String(), secret) {
			t.Errorf("%s came out: %s", secret, out.String())
		}
	}
	if !strings.Contains(strings.Join(s.did(), " "), fresh) {
		t.Error("the secret did not come in")
	}
}

func TestPluginMetrics(t *testing.T) {
	s := newShelf()
	s.change("phone", func(p *bridge.Plugin) { p.Restarts = 3 })
	w := open(t, httpapi.Config{}, s.with, func(d *httpapi.Deps) {
		d.Sources.Alerts = func() []httpapi.AlertFigures {
			return []httpapi.AlertFigures{{Plugin: "phone", Delivered: 9, Retried: 4, Failed: 2, Replaced: 1, Waiting: 5}}
		}
		d.Sources.Unsaid = func() map[string]uint64 { return map[string]uint64{"cooldown": 8} }
		d.Sources.Plugins = func() []httpapi.PluginFigures {
			return []httpapi.PluginFigures{{
				Plugin: "phone", Entered: map[bridge.PluginState]uint64{bridge.PluginReady: 7}, Exits: 6, Calls: 11, Failures: 12, Refused: 13, Dropped: 14, Lines: 15,
			}}
		}
	})
	text := string(w.get("/metrics").body)
	for _, line := range []string{
		`espcam_plugin_state{plugin="phone",state="ready"} 1`, `espcam_plugin_state{plugin="phone",state="backoff"} 0`, `espcam_plugin_state{plugin="old",state="missing"} 1`,
		`espcam_plugin_restarts_total{plugin="phone"} 3`, `espcam_plugin_memory_bytes{plugin="phone"} 1.6777216e+07`,
		`espcam_alerts_total{plugin="phone",result="delivered"} 9`, `espcam_alerts_total{plugin="phone",result="failed"} 2`,
		`espcam_alerts_total{plugin="phone",result="retried"} 4`, `espcam_alerts_total{plugin="phone",result="replaced"} 1`, `espcam_alerts_waiting{plugin="phone"} 5`,
		`espcam_alerts_suppressed_total{reason="cooldown"} 8`,
		`espcam_plugin_transitions_total{plugin="phone",state="ready"} 7`, `espcam_plugin_exits_total{plugin="phone"} 6`, `espcam_plugin_calls_total{plugin="phone"} 11`,
		`espcam_plugin_call_failures_total{plugin="phone"} 12`, `espcam_plugin_refused_calls_total{plugin="phone"} 13`,
		`espcam_plugin_events_dropped_total{plugin="phone"} 14`, `espcam_plugin_log_lines_dropped_total{plugin="phone"} 15`,
	} {
		if !strings.Contains(text, line+"\n") {
			t.Errorf("metrics lack %s", line)
		}
	}
	if strings.Contains(text, `plugin_memory_bytes{plugin="old"}`) {
		t.Error("a memory that nobody measured")
	}
}
