package mqtt_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	mochi "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/listeners"
	"github.com/mochi-mqtt/server/v2/packets"

	"github.com/espcam-bridge/espcam-bridge/bridge"
)

// TestWrongPassword: said once, in words, and tried again for ever.
func TestWrongPassword(t *testing.T) {
	t.Parallel()
	for name, start := range brokers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, start(t, "home", "right"))
			r.broker.start(t)
			for password, want := range map[string]string{
				"wrong": `refuses user "home": check mqtt.username and mqtt.password`,
				"":      "wants a user name and a password: set mqtt.username and mqtt.password",
			} {
				cfg := r.config()
				if password != "" {
					cfg.Username, cfg.Password = "home", password
				}
				b := r.bridge(cfg, newMemory(), newFleet(porch()))
				r.await("the refusal is told", func() bool { return strings.Contains(b.Status().LastError, want) })
				r.pass(2 * time.Minute)
				if n := strings.Count(b.log.String(), "\n"); n != 1 || strings.Contains(b.log.String(), "password=") {
					t.Errorf("want one line:\n%s", b.log)
				}
				b.stop()
			}
			cfg := r.config()
			cfg.Username, cfg.Password = "home", "right"
			b := r.bridge(cfg, newMemory(), newFleet(porch()))
			r.await("the right one is taken", func() bool { return b.Status().Connected })
		})
	}
}

// server accepts connections and hands each to serve.
func server(t *testing.T, serve func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var conns []net.Conn
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			conns = append(conns, c)
			mu.Unlock()
			wg.Go(func() { serve(c) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		mu.Lock()
		for _, c := range conns {
			c.Close()
		}
		mu.Unlock()
		wg.Wait()
	})
	return l.Addr().String()
}

// TestStrangeBrokers are none at all.
func TestStrangeBrokers(t *testing.T) {
	tests := []struct {
		name  string
		serve func(net.Conn)
		say   string
	}{
		{"black hole", func(net.Conn) {}, "does not answer"},
		{"closes at once", func(c net.Conn) { c.Close() }, "MQTT broker at"},
		{"web server", func(c net.Conn) { _, _ = c.Write([]byte("HTTP/1.1 400 Bad Request\r\n\r\n")); c.Close() }, "MQTT broker at"},
		{"refuses", func(c net.Conn) { _, _ = c.Write([]byte{0x20, 2, 0, 3}) }, "refuses the connection"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t, nil)
			cfg := mqttConfig("mqtt://" + server(t, tt.serve))
			cfg.ConnectTimeout = 100 * time.Millisecond
			b := r.bridge(cfg, newMemory(), newFleet(porch()))
			r.await("it is told", func() bool { return strings.Contains(b.Status().LastError, tt.say) })
			attempts := func() int { return int(r.clock.Now().Sub(b.Status().Since) / time.Minute) }
			before := runtime.NumGoroutine()
			r.step = 2 * time.Second
			r.await("three minutes", func() bool { return attempts() >= 3 })
			if after := runtime.NumGoroutine(); after > before+10 {
				t.Errorf("goroutines grew from %d to %d", before, after)
			}
			start := time.Now()
			b.stop()
			if d := time.Since(start); d > 2*time.Second {
				t.Errorf("the end took %v", d)
			}
			if s := b.Status(); s.Connected || s.Published != 0 {
				t.Errorf("%+v", s)
			}
		})
	}
}

// TestFrozenBroker: it takes no more bytes in the middle of a session.
func TestFrozenBroker(t *testing.T) {
	r := newRig(t, newEmbedded(t))
	r.broker.start(t)
	cable := newProxy(t, r.broker.address(), 0)
	cfg := r.config()
	cfg.Broker = cable.url()
	f := newFleet(porch())
	b := r.bridge(cfg, newMemory(), f)
	r.await("connected", func() bool { return b.Status().Connected })
	r.settle(b)
	cable.freeze()
	before := runtime.NumGoroutine()
	big := strings.Repeat("x", 200<<10)
	start := time.Now()
	for i := range 200 {
		f.shoot("porch", big)
		f.change("porch", func(c *bridge.Camera) { c.Reported = c.Reported.With(bridge.Settings{"quality": 4 + i%60}) })
		r.clock.advance(10 * time.Second)
	}
	if d := time.Since(start); d > 4*time.Second {
		t.Errorf("the fleet waited %v for a broker", d)
	}
	if after := runtime.NumGoroutine(); after > before+10 {
		t.Errorf("goroutines grew from %d to %d", before, after)
	}
	start = time.Now()
	b.stop()
	if d := time.Since(start); d > 8*time.Second {
		t.Errorf("the end took %v", d)
	}
}

// TestTLS: an encrypted connection works, and an untrusted certificate is told
// apart from an absent broker.
func TestTLS(t *testing.T) {
	t.Parallel()
	r := newRig(t, newEmbedded(t))
	r.broker.start(t)
	cert, pool := certificate(t)
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{cert}})
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{l: l, target: r.broker.address(), frozen: make(chan struct{}), end: make(chan struct{})}
	p.wg.Go(p.accept)
	t.Cleanup(func() { p.cut(); p.wg.Wait() })
	cfg := r.config()
	cfg.Broker = "mqtts://" + l.Addr().String()
	stranger := r.bridge(cfg, newMemory(), newFleet(porch()))
	r.await("the certificate is not trusted", func() bool { return strings.Contains(stranger.Status().LastError, "is not trusted: x509") })
	stranger.stop()
	cfg.TLS = &tls.Config{RootCAs: pool}
	b := r.bridge(cfg, newMemory(), newFleet(porch()))
	r.await("connected", func() bool { return b.Status().Connected })
	// TLS where there is none.
	cfg.Broker = "mqtts://" + r.broker.address()
	plain := r.bridge(cfg, newMemory(), newFleet(porch()))
	r.await("it is told", func() bool { return plain.Status().LastError != "" })
}

func certificate(t *testing.T) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
}

// TestWebSocket: the same over ws://, through a small gateway.
func TestWebSocket(t *testing.T) {
	t.Parallel()
	r := newRig(t, newEmbedded(t))
	r.broker.start(t)
	up := websocket.Upgrader{Subprotocols: []string{"mqtt"}}
	gateway := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		ws, err := up.Upgrade(w, req, nil)
		if err != nil {
			return
		}
		defer ws.Close()
		tcp, err := net.Dial("tcp", r.broker.address())
		if err != nil {
			return
		}
		var wg sync.WaitGroup
		defer wg.Wait()
		defer tcp.Close()
		wg.Go(func() {
			defer ws.Close()
			buf := make([]byte, 32<<10)
			for n, err := tcp.Read(buf); err == nil; n, err = tcp.Read(buf) {
				if ws.WriteMessage(websocket.BinaryMessage, buf[:n]) != nil {
					return
				}
			}
		})
		for _, b, err := ws.ReadMessage(); err == nil; _, b, err = ws.ReadMessage() {
			if _, err := tcp.Write(b); err != nil {
				return
			}
		}
	}))
	defer gateway.Close()
	cfg := r.config()
	cfg.Broker = "ws" + strings.TrimPrefix(gateway.URL, "http") + "/mqtt"
	b := r.bridge(cfg, newMemory(), newFleet(porch()))
	r.await("announced", func() bool { return b.Status().Connected && b.Status().Published > 15 })
	b.stop()
}

// TestAccessList: a broker that lets the bridge write but not hear. It works, and
// says what does not.
func TestAccessList(t *testing.T) {
	t.Parallel()
	m := newMosquitto(t, "home", "right").(*mosquitto)
	acl := m.dir + "/acl"
	if err := os.WriteFile(acl, []byte("user home\ntopic write espcam/#\ntopic write homeassistant/#\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	conf, err := os.ReadFile(m.conf)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(m.conf, append(conf, "acl_file "+acl+"\n"...), 0o600); err != nil {
		t.Fatal(err)
	}
	r := newRig(t, m)
	r.broker.start(t)
	cfg := r.config()
	cfg.Username, cfg.Password = "home", "right"
	b := r.bridge(cfg, newMemory(), newFleet(porch()))
	r.await("connected all the same", func() bool { return b.Status().Connected })
	if s := b.Status(); !strings.Contains(s.LastError, "check its access list") {
		t.Errorf("%+v", s)
	}
	r.await("announced", func() bool { return b.Status().Published > 15 })
}

// guard is the access list of a broker that refuses subscriptions to commands.
type guard struct{ mochi.HookBase }

func (*guard) ID() string { return "guard" }

func (*guard) Provides(b byte) bool { return b == mochi.OnConnectAuthenticate || b == mochi.OnACLCheck }

func (*guard) OnConnectAuthenticate(*mochi.Client, packets.Packet) bool { return true }

func (*guard) OnACLCheck(_ *mochi.Client, topic string, write bool) bool {
	return write || !strings.HasSuffix(topic, "/set")
}

// TestRefusedSubscription: unlike Mosquitto, some brokers say what one may not
// read.
func TestRefusedSubscription(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := mochi.New(&mochi.Options{Logger: slog.New(slog.DiscardHandler)})
	if err := errors.Join(s.AddHook(&guard{}, nil), s.AddListener(listeners.NewNet("x", l)), s.Serve()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() }) // its clients are gone by then
	r := newRig(t, nil)
	cfg := mqttConfig("mqtt://" + l.Addr().String())
	cfg.Username = "home"
	b := r.bridge(cfg, newMemory(), newFleet(porch()))
	r.await("connected all the same", func() bool { return b.Status().Connected && b.Status().Published > 15 })
	if s := b.Status().LastError; !strings.Contains(s, `does not let user "home" read [espcam/+/+/set espcam/+/set]`) {
		t.Error(s)
	}
	b.stop()
}

// TestWithoutDiscovery: states and commands for those who want no Home Assistant.
func TestWithoutDiscovery(t *testing.T) {
	t.Parallel()
	r := newRig(t, newEmbedded(t))
	r.broker.start(t)
	cfg := r.config()
	cfg.DiscoveryPrefix = ""
	all := r.anyone("#")
	b := r.bridge(cfg, newMemory(), newFleet(porch()))
	r.await("states", func() bool { return len(all.heard("espcam/porch/availability")) == 1 })
	all.publish("espcam/porch/max_fps/set", "3", false)
	r.await("the command works", func() bool { return slices.Contains(all.heard("espcam/porch/max_fps"), "3") })
	b.fleet.change("porch", nil)
	r.await("nothing is left", func() bool {
		for topic := range r.retained() {
			if strings.Contains(topic, "porch") || strings.HasPrefix(topic, "homeassistant") {
				return false
			}
		}
		return true
	})
}

// TestFullDisk: a store that fails costs what it keeps, nothing else.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	r := newRig(t, newEmbedded(t))
	b, ha := r.home(yard())
	b.store.mu.Lock()
	b.store.fail = os.ErrPermission
	b.store.mu.Unlock()
	b.fleet.change("porch", func(c *bridge.Camera) { *c = porch() })
	r.is(ha, "espcam_porch_jpeg_quality", "12")
	b.fleet.change("porch", nil)
	r.await("porch is gone", func() bool { return ha.Entity("espcam_porch_camera").Platform == "" })
	if n := strings.Count(b.log.String(), "permission denied"); n != 1 {
		t.Errorf("want one line about it:\n%s", b.log)
	}
}
