package hatest_test

import (
	"bytes"
	"image/jpeg"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// phone stands for an ntfy server: it keeps what is published to it.
type phone struct {
	*httptest.Server

	mu   sync.Mutex
	came []notification
}

type notification struct {
	title, text string
	picture     []byte
	at          time.Time
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
	p.mu.Lock()
	defer p.mu.Unlock()
	if err == nil && r.Method == http.MethodPut {
		p.came = append(p.came, notification{r.Header.Get("Title"), r.Header.Get("Message"), body, at})
	}
	_, _ = io.WriteString(w, "{}") // who asked may be gone
}

func (p *phone) since(then time.Time) (out []notification) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, n := range p.came {
		if n.at.After(then) {
			out = append(out, n)
		}
	}
	return out
}

// installNtfy does what the README says: build, and install from the command line.
func installNtfy(t testing.TB, binary, config string) {
	t.Helper()
	folder := filepath.Join(filepath.Dir(binary), "plugins", "ntfy")
	if _, err := os.Stat(folder); err != nil { // the program was built by itself
		folder = filepath.Join(t.TempDir(), "ntfy")
		command(t, "go", "build", "-o", filepath.Join(folder, "espcam-plugin-ntfy"), "github.com/espcam-bridge/espcam-bridge/plugins/ntfy")
	}
	command(t, binary, "plugin", "install", folder, "--yes", "--config", config)
}

func command(t testing.TB, name string, args ...string) {
	t.Helper()
	if out, err := exec.CommandContext(t.Context(), name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
}

// alert lets a car by and looks at the phone and at Home Assistant at the same
// time: both must tell of it, with the picture of the event.
func (h *house) alert() {
	eventually(h, "the notifier runs", func() bool { return h.ha.state(h.id("bridge", "plugins")).State == "1" })
	eventually(h, "no plugin has a problem", func() bool { return h.ha.state(h.id("bridge", "plugin_problem")).State == "off" })
	h.learned()
	began := time.Now()
	h.porch.drive()
	eventually(h, "motion is on", func() bool { return h.ha.state(h.id("porch", "motion")).State == "on" })
	eventually(h, "the phone rings", func() bool { return len(h.phone.since(began)) > 0 })
	n, on := h.phone.since(began)[0], h.mqtt.since(began, "espcam/porch/motion")
	h.figure("the notifier was called %v after ON on MQTT, %v after the car set off", n.at.Sub(on[0].at), n.at.Sub(began))
	if n.title != "Motion at Front porch" || n.text == "" {
		h.Errorf("it says %q, %q", n.title, n.text)
	}
	if _, err := jpeg.Decode(bytes.NewReader(n.picture)); err != nil {
		h.Errorf("its picture of %d bytes: %v", len(n.picture), err)
	}
	eventually(h, "motion is off again", func() bool { return h.ha.state(h.id("porch", "motion")).State == "off" })
	if more := h.phone.since(began); len(more) != len(h.mqtt.since(began, "espcam/porch/motion"))/2 {
		h.Errorf("it rang %d times for %d changes of motion", len(more), len(h.mqtt.since(began, "espcam/porch/motion")))
	}
}
