package hatest_test

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// homeAssistant is a real one in a process of its own.
type homeAssistant struct {
	*client
	*socket
	process *program
	config  string // its folder
	entry   string // id of its MQTT entry
	login   string // token of its owner, as after a login; good for 30 minutes
	read    int    // so much of its log was judged
}

// configuration is what a user would have, less what needs the internet.
const configuration = `homeassistant: {name: Test, time_zone: UTC, country: DE, unit_system: metric}
http: {server_host: 127.0.0.1, server_port: %d}
config:
api:
system_log:
automation: !include automations.yaml
lovelace: {mode: storage, dashboards: {espcam-cameras: {mode: yaml, title: Cameras, filename: lovelace.yaml}}}
logger: {default: warning}
notify:
  - {name: phone, platform: group, services: []}
sun:
`

// startHomeAssistant installs a user and the MQTT integration, as their owner does
// with a browser. It skips the test where there is no Home Assistant.
func startHomeAssistant(t testing.TB, broker int) *homeAssistant {
	t.Helper()
	python := os.Getenv("HOME_ASSISTANT")
	if python == "" {
		t.Skip("HOME_ASSISTANT names no python of a Home Assistant: make test-ha installs one")
	}
	dir, port := t.TempDir(), freePort(t)
	write(t, filepath.Join(dir, "configuration.yaml"), fmt.Sprintf(configuration, port))
	write(t, filepath.Join(dir, "automations.yaml"), "[]\n")
	prepare(t, dir)
	h := &homeAssistant{
		client:  &client{base: fmt.Sprintf("http://127.0.0.1:%d", port)},
		process: &program{name: python, args: []string{"-m", "homeassistant", "-c", dir, "--skip-pip"}, env: []string{"PYTHONDONTWRITEBYTECODE="}},
		config:  dir,
	}
	t.Cleanup(func() { h.stop(t) })
	h.process.start(t)
	h.answers(t)
	h.onboard(t)
	h.running(t)
	h.addMQTT(t, broker)
	return h
}

// answers waits until HTTP does.
func (h *homeAssistant) answers(t testing.TB) {
	t.Helper()
	eventually(t, "Home Assistant answers", func() bool {
		status, _, err := h.ask("GET", "/api/onboarding", nil)
		return err == nil && (status == http.StatusOK || status == http.StatusNotFound)
	})
}

func (h *homeAssistant) onboard(t testing.TB) {
	t.Helper()
	const id = "http://127.0.0.1/"
	user := h.client.call(t, "POST", "/api/onboarding/users", object{"client_id": id, "name": "Test", "username": "test", "password": "test-test-1", "language": "en"})
	grant := url.Values{"grant_type": {"authorization_code"}, "code": {text(at(user, "auth_code"))}, "client_id": {id}}
	h.login = text(at(h.client.call(t, "POST", "/auth/token", grant), "access_token"))
	h.token = h.login
	s := dial(t, h.base, h.token)
	defer s.close()
	h.token = text(s.call(t, "auth/long_lived_access_token", object{"client_name": "test", "lifespan": 30}))
	s.call(t, "http/config/promote", nil) // else it gives its port up after 5 minutes
}

// running waits until the start is over, and follows the states.
func (h *homeAssistant) running(t testing.TB) (since time.Time) {
	t.Helper()
	eventually(t, "Home Assistant runs", func() bool {
		status, body, err := h.ask("GET", "/api/config", nil)
		return err == nil && status == http.StatusOK && strings.Contains(string(body), `"state":"RUNNING"`)
	})
	since = time.Now()
	h.socket = dial(t, h.base, h.token)
	h.follow(t)
	return since
}

// addMQTT fills in the form of the integration.
func (h *homeAssistant) addMQTT(t testing.TB, broker int) {
	t.Helper()
	h.entry = h.flow(t, "mqtt", object{"broker": "127.0.0.1", "port": broker, "set_client_cert": false, "set_ca_cert": "off"})
}

// flow adds an integration and returns the id of its entry.
func (h *homeAssistant) flow(t testing.TB, handler string, values object) string {
	t.Helper()
	const path = "/api/config/config_entries/flow"
	step := h.client.call(t, "POST", path, object{"handler": handler})
	fields, _ := at(step, "data_schema").([]any)
	end := h.client.call(t, "POST", path+"/"+text(at(step, "flow_id")), fill(fields, values))
	if at(end, "type") != "create_entry" {
		t.Fatalf("adding %s ended with %v", handler, end)
	}
	return text(at(end, "result", "entry_id"))
}

func fill(fields []any, values object) object {
	out := object{}
	for _, f := range fields {
		name := text(at(f, "name"))
		if v, ok := values[name]; ok {
			out[name] = v
		} else if inner, _ := at(f, "schema").([]any); at(f, "type") == "expandable" {
			out[name] = fill(inner, values)
		} else if at(f, "required") == true && at(f, "default") != nil {
			out[name] = at(f, "default")
		}
	}
	return out
}

// service calls one.
func (h *homeAssistant) service(t testing.TB, service, entity string, data object) {
	t.Helper()
	body := object{"entity_id": entity}
	for k, v := range data {
		body[k] = v
	}
	h.client.call(t, "POST", "/api/services/"+strings.Replace(service, ".", "/", 1), body)
}

// stop ends it as a shutdown does.
func (h *homeAssistant) stop(t testing.TB) {
	t.Helper()
	if h.socket != nil {
		h.socket.close()
		h.socket = nil
	}
	h.process.end(t, syscall.SIGTERM)
}

// start begins again with the same folder.
func (h *homeAssistant) start(t testing.TB) (running time.Time) {
	t.Helper()
	h.process.start(t)
	return h.running(t)
}

var recordStart = regexp.MustCompile(`(?m)^(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3})(?:\+00:00)? (\w+) \([^)]*\) \[([^\]]*)\] `)

// record is an entry of the log, with its traceback.
type record struct {
	at            time.Time
	level, logger string
	words         string
}

// records splits a log.
func records(log string) (out []record) {
	starts := recordStart.FindAllStringSubmatchIndex(log, -1)
	for i, m := range starts {
		end := len(log)
		if i+1 < len(starts) {
			end = starts[i+1][0]
		}
		when, err := time.ParseInLocation("2006-01-02 15:04:05.000", log[m[2]:m[3]], time.UTC)
		if err != nil {
			continue // the expression lets nothing else through
		}
		out = append(out, record{when, log[m[4]:m[5]], log[m[6]:m[7]], strings.TrimSpace(log[m[1]:end])})
	}
	return out
}

// foreign are loggers whose warnings are about this machine, not about us.
var foreign = map[string]string{
	"haffmpeg.core":                            "there may be no ffmpeg",
	"haffmpeg.tools":                           "the same",
	"homeassistant.bootstrap":                  "it was told to install nothing",
	"homeassistant.components.camera.img_util": "there is no libturbojpeg, which would only make thumbnails faster",
}

// complaints returns the records at WARNING and above that came since it was last
// asked, less those whose words are expected.
func (h *homeAssistant) complaints(expected ...string) (out []record) {
	log := h.process.said.since(h.read)
	h.read += len(log)
	for _, r := range records(log) {
		serious := r.level == "WARNING" || r.level == "ERROR" || r.level == "CRITICAL"
		expects := func(words string) bool { return strings.Contains(r.words, words) }
		if serious && foreign[r.logger] == "" && !slices.ContainsFunc(expected, expects) {
			out = append(out, r)
		}
	}
	return out
}
