package mqtt_test

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge/broker"
)

// testBroker is a real broker that can be stopped and started on its port.
type testBroker interface {
	address() string
	start(t testing.TB)
	stop(t testing.TB)
	forget(t testing.TB) // loses what is retained; only while stopped
}

// brokers are what every case of the suite runs against. users is nil or one
// name and password.
var brokers = map[string]func(t testing.TB, users ...string) testBroker{
	"mosquitto": newMosquitto,
	"embedded":  newEmbedded,
}

// freePort is an address that stays free while a broker is restarted: it lies
// below the ports that the system gives to outgoing connections.
func freePort(t testing.TB) string {
	t.Helper()
	for range 100 {
		l, err := net.Listen("tcp", fmt.Sprint("127.0.0.1:", 20000+rand.IntN(10000)))
		if err != nil {
			continue
		}
		defer l.Close()
		return l.Addr().String()
	}
	t.Fatal("no free port")
	return ""
}

type mosquitto struct {
	addr, dir, conf string
	cmd             *exec.Cmd
}

func newMosquitto(t testing.TB, users ...string) testBroker {
	t.Helper()
	if _, err := exec.LookPath("mosquitto"); err != nil {
		t.Skip("mosquitto is not installed: this case ran against the embedded broker only; `make deps` installs it")
	}
	m := &mosquitto{addr: freePort(t), dir: t.TempDir()}
	_, port, _ := net.SplitHostPort(m.addr)
	// As root it would become the user mosquitto, who cannot read the directory.
	conf := fmt.Sprintf("listener %s 127.0.0.1\nuser root\npersistence true\npersistence_location %s/\nset_tcp_nodelay true\nlog_type error\n", port, m.dir)
	if len(users) == 0 {
		conf += "allow_anonymous true\n"
	} else {
		file := filepath.Join(m.dir, "users")
		if out, err := exec.CommandContext(t.Context(), "mosquitto_passwd", "-b", "-c", file, users[0], users[1]).CombinedOutput(); err != nil {
			t.Fatalf("mosquitto_passwd: %v %s", err, out)
		}
		conf += "password_file " + file + "\n"
	}
	m.conf = filepath.Join(m.dir, "mosquitto.conf")
	if err := os.WriteFile(m.conf, []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.stop(t) })
	return m
}

func (m *mosquitto) address() string { return m.addr }

func (m *mosquitto) start(t testing.TB) {
	t.Helper()
	m.cmd = exec.Command("mosquitto", "-c", m.conf) // ended by stop, when all clients have said goodbye
	if err := m.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	poll(t, "mosquitto listens", func() bool {
		c, err := net.Dial("tcp", m.addr)
		if err == nil {
			c.Close()
		}
		return err == nil
	})
}

func (m *mosquitto) stop(testing.TB) {
	if m.cmd == nil {
		return
	}
	_ = m.cmd.Process.Signal(syscall.SIGTERM) // it may have ended
	_ = m.cmd.Wait()                          // its exit code is no matter
	m.cmd = nil
}

func (m *mosquitto) forget(t testing.TB) {
	if err := os.Remove(filepath.Join(m.dir, "mosquitto.db")); err != nil {
		t.Error(err)
	}
}

type embedded struct {
	addr  string
	users []broker.User
	end   func()
}

func newEmbedded(t testing.TB, users ...string) testBroker {
	t.Helper()
	e := &embedded{addr: freePort(t)}
	if len(users) > 0 {
		e.users = []broker.User{{Name: users[0], Password: users[1]}}
	}
	t.Cleanup(func() { e.stop(t) })
	return e
}

func (e *embedded) address() string { return e.addr }

func (e *embedded) start(t testing.TB) {
	t.Helper()
	b, err := broker.New(broker.Config{Listen: e.addr, Users: e.users}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := b.Run(ctx); err != nil {
			t.Error(err)
		}
	}()
	e.end = func() { cancel(); <-done }
}

func (e *embedded) stop(testing.TB) {
	if e.end != nil {
		e.end()
		e.end = nil
	}
}

func (e *embedded) forget(testing.TB) {} // it always does

// proxy stands between a client and its broker, to cut the cable.
type proxy struct {
	l      net.Listener
	target string

	mu     sync.Mutex
	conns  []net.Conn
	closed bool
	wg     sync.WaitGroup
	slow   time.Duration // for each 32 KiB to the broker
	frozen chan struct{} // closed by freeze
	end    chan struct{} // closed by cut
}

func newProxy(t testing.TB, target string, slow time.Duration) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{l: l, target: target, slow: slow, frozen: make(chan struct{}), end: make(chan struct{})}
	p.wg.Go(p.accept)
	t.Cleanup(func() { p.cut(); p.wg.Wait() })
	return p
}

func (p *proxy) url() string { return "mqtt://" + p.l.Addr().String() }

func (p *proxy) accept() {
	for {
		c, err := p.l.Accept()
		if err != nil {
			return
		}
		up, err := net.Dial("tcp", p.target)
		if err != nil {
			c.Close()
			continue
		}
		if !p.keep(c, up) {
			return
		}
		p.wg.Go(func() { p.pass(up, c, p.slow) })
		p.wg.Go(func() { p.pass(c, up, 0) })
	}
}

func (p *proxy) pass(to, from net.Conn, slow time.Duration) {
	defer to.Close()
	defer from.Close()
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		if err != nil {
			return
		}
		select {
		case <-p.frozen:
			<-p.end
			return
		case <-time.After(slow):
		}
		if _, err := to.Write(buf[:n]); err != nil {
			return
		}
	}
}

// freeze keeps all connections open and lets nothing through any more.
func (p *proxy) freeze() { close(p.frozen) }

func (p *proxy) keep(conns ...net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		for _, c := range conns {
			c.Close()
		}
	}
	p.conns = append(p.conns, conns...)
	return !p.closed
}

// cut ends all connections and takes no new ones.
func (p *proxy) cut() {
	p.l.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.closed {
		close(p.end)
	}
	p.closed = true
	for _, c := range p.conns {
		c.Close()
	}
}

// poll waits for cond.
func poll(t testing.TB, what string, cond func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(15 * time.Second)
	for !cond() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("%s: not within 15 s", what)
		}
	}
}

// lines is a log that tests read.
type lines struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
