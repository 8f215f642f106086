package app_test

import (
	"io"
	"net"
	"sync"
	"testing"

	"github.com/espcam-bridge/espcam-bridge/bridge/config"
)

// wire is a cable to a broker, which can be pulled.
type wire struct {
	net.Listener

	mu   sync.Mutex
	to   string // "" while it is pulled
	open map[net.Conn]struct{}
	wg   sync.WaitGroup
}

// lay starts with the cable pulled.
func lay(t *testing.T) *wire {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{Listener: ln, open: map[net.Conn]struct{}{}}
	w.wg.Go(w.serve)
	t.Cleanup(func() { ln.Close(); w.pull(); w.wg.Wait() })
	return w
}

func (w *wire) serve() {
	for {
		in, err := w.Accept()
		if err != nil {
			return
		}
		w.join(in)
	}
}

// join connects a client with the broker at the other end.
func (w *wire) join(in net.Conn) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.to == "" {
		in.Close()
		return
	}
	out, err := net.Dial("tcp", w.to)
	if err != nil {
		in.Close()
		return
	}
	w.open[in], w.open[out] = struct{}{}, struct{}{}
	w.wg.Go(func() { _, _ = io.Copy(in, out); in.Close() })
	w.wg.Go(func() { _, _ = io.Copy(out, in); out.Close() })
}

func (w *wire) plug(to string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.to = to
}

func (w *wire) pull() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.to = ""
	for c := range w.open {
		c.Close()
	}
	clear(w.open)
}

// TestBrokerComesAndGoes: a broker that is not there yet, dies, and comes back as
// a new one that knows nothing costs MQTT alone, and not for long.
func TestBrokerComesAndGoes(t *testing.T) {
	t.Parallel()
	first, second := elsewhere(t), elsewhere(t)
	cable := lay(t)
	h := openHealthy(t, func(cfg *config.Config) { cfg.MQTT.Broker = "mqtt://" + cable.Addr().String() })
	told := func(broker string) {
		o := observe(t, broker)
		o.wants("espcam/bridge/state", "online")
		o.wants("espcam/healthy/availability", "online")
		eventually(t, "the camera is announced", func() bool {
			return at(o.json("homeassistant/device/espcam_healthy/config"), "components", "camera") != nil
		})
	}
	ready := func(mqtt bool) {
		eventually(t, "readyz knows", func() bool {
			r := h.ask("GET", "/readyz", "")
			return r.status == 200 && r.json["ready"] == true && r.json["degraded"] == !mqtt && (r.json["mqtt"] == "connected") == mqtt
		})
	}
	ready(false)
	h.check(t)
	cable.plug(first)
	told(first)
	ready(true)
	cable.pull()
	ready(false)
	o := observe(t, first)
	o.wants("espcam/bridge/state", "offline") // the will
	h.check(t)
	cable.plug(second)
	told(second)
	ready(true)
	h.check(t)
}
