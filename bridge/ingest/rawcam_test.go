package ingest_test

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/espcam-bridge/espcam-bridge/bridge"
	"github.com/espcam-bridge/espcam-bridge/bridge/hub"
	"github.com/espcam-bridge/espcam-bridge/bridge/ingest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	goodKey  = "wsk_k3f9a1_abcdefghijklmnopqrstuvwxyz"
	otherKey = "wsk_garage-0123456789-0123456789"
)

// Opcodes of RFC 6455, section 5.2, and its FIN and reserved bits.
const (
	opMore, opText, opBinary, opClose, opPing, opPong = 0, 1, 2, 8, 9, 10

	fin  = 0x80
	rsv1 = 0x40
)

// door is a running endpoint.
type door struct {
	*ingest.Ingest
	hub      *hub.Hub
	registry *registry
	addr     string
	log      *logBuffer
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

// alarm fails the test when the HTTP server complains: it catches panics of its
// handlers and only logs them.
type alarm struct{ t testing.TB }

func (a alarm) Write(b []byte) (int, error) {
	a.t.Errorf("the HTTP server says: %s", b)
	return len(b), nil
}

// open starts an endpoint on a free port. wrap, if any, gets between it and its
// connections.
func open(t testing.TB, cfg ingest.Config, wrap ...func(net.Listener) net.Listener) *door {
	t.Helper()
	d := &door{hub: hub.New(nil), registry: newRegistry(), log: &logBuffer{}}
	d.Ingest = ingest.New(cfg, d.registry, d.hub, slog.New(slog.NewTextHandler(d.log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	mux := http.NewServeMux()
	mux.Handle("/ingest/ws", d.Ingest)
	srv := httptest.NewUnstartedServer(mux)
	srv.Config.ErrorLog = log.New(alarm{t}, "", 0)
	srv.Config.ReadHeaderTimeout = 10 * time.Second
	for _, w := range wrap {
		srv.Listener = w(srv.Listener)
	}
	srv.Start()
	d.addr = srv.Listener.Addr().String()
	t.Cleanup(srv.Close)
	t.Cleanup(d.Close)
	return d
}

// serve runs another handler beside the endpoint and returns its address.
func serve(t testing.TB, h http.Handler) string {
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	return srv.Listener.Addr().String()
}

// frames returns how many frames of the camera were published.
func (d *door) frames(camera string) uint64 { return d.hub.Feed(camera).Stats().Frames }

func (d *door) dropped(camera string, why bridge.Drop) uint64 {
	return d.hub.Feed(camera).Stats().Dropped[why]
}

// rawCam is a camera made of bytes on a TCP connection.
type rawCam struct {
	t testing.TB
	net.Conn
	r    *bufio.Reader
	head string // the answer to the handshake, with the blank line
}

// sketch is the handshake of the StreamHub sketch (protocols.md, sections 2 and
// 6): Links2004 client, Host with port, subprotocol "arduino".
func sketch(target string, extra ...string) string {
	return "GET " + target + " HTTP/1.1\r\n" +
		"Host: 192.168.1.5:8080\r\n" +
		"Connection: Upgrade\r\n" +
		"Upgrade: websocket\r\n" +
		"Sec-WebSocket-Version: 13\r\n" +
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" +
		"Sec-WebSocket-Protocol: arduino\r\n" +
		strings.Join(append(extra, "User-Agent: arduino-WebSocket-Client", "", ""), "\r\n")
}

// connect dials, sends the handshake and reads its answer up to the blank line.
func (d *door) connect(t testing.TB, handshake string) *rawCam {
	t.Helper()
	n, err := net.Dial("tcp", d.addr)
	if err != nil {
		t.Fatal(err)
	}
	return greet(t, n, handshake)
}

func greet(t testing.TB, n net.Conn, handshake string) *rawCam {
	t.Helper()
	t.Cleanup(func() { n.Close() })
	c := &rawCam{t: t, Conn: n, r: bufio.NewReader(n)}
	c.send([]byte(handshake))
	c.expectBy(10 * time.Second)
	for !strings.HasSuffix(c.head, "\r\n\r\n") {
		line, err := c.r.ReadString('\n')
		if err != nil {
			t.Fatalf("answer to the handshake ended after %q: %v", c.head, err)
		}
		c.head += line
	}
	return c
}

// camera connects a StreamHub camera with the good key and waits for ready.
func (d *door) camera(t testing.TB) *rawCam {
	t.Helper()
	c := d.connect(t, sketch("/ingest/ws", "Authorization: Bearer "+goodKey))
	c.wantReady()
	return c
}

func (c *rawCam) expectBy(d time.Duration) { c.SetReadDeadline(time.Now().Add(d)) }

func (c *rawCam) send(b []byte) {
	c.t.Helper()
	if _, err := c.Write(b); err != nil {
		c.t.Fatalf("camera cannot send: %v", err)
	}
}

// frame makes one masked WebSocket frame; the mask is zero, as the common
// libraries send it.
func frame(b0 byte, payload []byte) []byte {
	head := []byte{b0}
	switch n := len(payload); {
	case n <= 125:
		head = append(head, 0x80|byte(n))
	case n < 65535: // so that exactly 65,535 is non-minimal, as Links2004 writes it
		head = binary.BigEndian.AppendUint16(append(head, 0x80|126), uint16(n))
	default:
		head = binary.BigEndian.AppendUint64(append(head, 0x80|127), uint64(n))
	}
	return append(append(head, 0, 0, 0, 0), payload...)
}

func (c *rawCam) picture(b []byte) { c.t.Helper(); c.send(frame(fin|opBinary, b)) }
func (c *rawCam) text(s string)    { c.t.Helper(); c.send(frame(fin|opText, []byte(s))) }

// next reads one frame of the server: unmasked, unfragmented.
func (c *rawCam) next() (op byte, payload []byte, err error) {
	var h [2]byte
	if _, err := io.ReadFull(c.r, h[:]); err != nil {
		return 0, nil, err
	}
	if h[0]&fin == 0 || h[0]&0x70 != 0 || h[1]&0x80 != 0 {
		c.t.Fatalf("server frame begins %x: want FIN, no reserved bit, no mask", h)
	}
	n := int(h[1])
	if n == 126 {
		var l [2]byte
		if _, err := io.ReadFull(c.r, l[:]); err != nil {
			return 0, nil, err
		}
		n = int(binary.BigEndian.Uint16(l[:]))
	}
	payload = make([]byte, n)
	_, err = io.ReadFull(c.r, payload)
	return h[0] & 0x0f, payload, err
}

// nextButPings is next without pings.
func (c *rawCam) nextButPings() (byte, string) {
	c.t.Helper()
	c.expectBy(10 * time.Second)
	for {
		op, payload, err := c.next()
		if err != nil {
			c.t.Fatalf("camera reads: %v", err)
		}
		if op != opPing {
			return op, string(payload)
		}
	}
}

func (c *rawCam) wantText() string {
	c.t.Helper()
	op, text := c.nextButPings()
	if op != opText {
		c.t.Fatalf("camera got opcode %d %q, want a text", op, text)
	}
	return text
}

func (c *rawCam) wantReady() string {
	c.t.Helper()
	text := c.wantText()
	if !strings.Contains(text, `"ready"`) {
		c.t.Fatalf("camera got %s, want ready", text)
	}
	return text
}

// wantClose expects the error text ("" for none), the close frame, and the end
// of the TCP connection without a reset. Then it hangs up, as cameras do.
func (c *rawCam) wantClose(text string, code int, reason string) {
	c.t.Helper()
	if text != "" {
		if got := c.wantText(); got != text {
			c.t.Errorf("camera got %s, want %s", got, text)
		}
	}
	op, payload := c.nextButPings()
	if op != opClose || len(payload) < 2 {
		c.t.Fatalf("camera got opcode %d %q, want a close frame", op, payload)
	}
	if got := int(payload[0])<<8 | int(payload[1]); got != code || payload[2:] != reason {
		c.t.Errorf("closed with %d %q, want %d %q", got, payload[2:], code, reason)
	}
	if _, err := c.r.ReadByte(); err != io.EOF {
		c.t.Errorf("after the close frame: %v, want EOF", err)
	}
	c.Close()
}

// alive shows that the connection still works, in both directions.
func (c *rawCam) alive() {
	c.t.Helper()
	c.send(frame(fin|opPing, []byte("still there?")))
	if op, payload := c.nextButPings(); op != opPong || payload != "still there?" {
		c.t.Fatalf("camera got opcode %d %q, want the pong", op, payload)
	}
}
