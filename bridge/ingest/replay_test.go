package ingest_test

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge"
	"github.com/espcam-bridge/espcam-bridge/bridge/ingest"
)

// These tests send what unmodified firmware sends, byte by byte, as
// protocols.md has it from the sources of the three client libraries.

const switching = "HTTP/1.1 101 Switching Protocols\r\n" +
	"Upgrade: websocket\r\n" +
	"Connection: Upgrade\r\n" +
	"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"

func TestStreamHubSketch(t *testing.T) {
	d := open(t, ingest.Config{Server: "espcam-bridge/0.1.0", MaxFPS: 12})
	c := d.connect(t, sketch("/ingest/ws?app=live&room=porch", "Authorization: Bearer "+goodKey))
	if want := switching + "Sec-WebSocket-Protocol: arduino\r\n\r\n"; c.head != want {
		t.Errorf("answer\n%q, want\n%q", c.head, want)
	}

	// The sketch looks for "ready" and for the digits behind "maxFps":.
	ready := c.wantReady()
	for _, part := range []string{`{"type":"ready","room":"live-porch","streamId":`, `"maxFps":12,`, `"maxFrameBytes":262144,`, `"idleTimeoutSec":30,`, `"proto":1,`, `"server":"espcam-bridge/0.1.0"`, `"time":`} {
		if !strings.Contains(ready, part) {
			t.Errorf("ready is %s, want %s in it", ready, part)
		}
	}

	// Pictures of 1,400 bytes and more have the mask 00000000, exactly 65,535
	// bytes go with the 64-bit length, smaller pictures have a random mask.
	big, exact, small := sized(t, 20_000), sized(t, 65_535), picture(t, 16, 16)
	c.picture(big)
	c.picture(exact)
	if b := frame(fin|opBinary, exact)[:14]; !bytes.Equal(b, []byte{0x82, 0xFF, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 0, 0, 0, 0}) {
		t.Fatalf("the test sends %x: not what it means to", b)
	}
	c.send(masked(fin|opBinary, small, [4]byte{0x37, 0xfa, 0x21, 0x3d}))
	until(t, "three frames", func() bool { return d.frames("porch") == 3 })
	if got := d.hub.Latest("porch"); !bytes.Equal(got.JPEG(), small) || got.Width != 16 || got.Seq != 3 || got.Camera != "porch" || time.Since(got.Received) > time.Minute {
		t.Errorf("newest frame is %d bytes, %dx%d, seq %d, camera %s, received %v", len(got.JPEG()), got.Width, got.Height, got.Seq, got.Camera, got.Received)
	}

	// Stats have no "frames" in old versions.
	s := d.registry.session(t, 0)
	c.text(`{"type":"stats","fps":10,"rssi":-61,"heapFree":41232}`)
	s.heard(t, "stats")
	c.text(`{"type":"stats","fps":9,"rssi":-62,"heapFree":41000,"frames":311}`)
	until(t, "second stats", func() bool { st := s.device(); return st.RSSI != nil && *st.RSSI == -62 })
	if st := s.device(); *st.DeviceFPS != 9 || *st.HeapFree != 41000 || st.Uptime != nil {
		t.Errorf("stats are %+v", st)
	}

	// Its own ping is empty and wants its pong within three seconds.
	c.send([]byte{0x89, 0x80, 0, 0, 0, 0})
	if op, payload := c.nextButPings(); op != opPong || payload != "" {
		t.Errorf("ping was answered with opcode %d %q", op, payload)
	}
	if claim := d.registry.claims[0]; claim.App != "live" || claim.Room != "porch" || claim.Key != goodKey || claim.Address != c.LocalAddr().String() {
		t.Errorf("claim is %+v", claim)
	}

	// It answers a close frame with 1000 and drops TCP; here it leaves first.
	c.send(frame(fin|opClose, []byte{0x03, 0xE8}))
	c.wantClose("", 1000, "normal")
	s.endedWith(t, bridge.ReasonNormal)
}

func TestStreamHubWithKeyInQuery(t *testing.T) {
	d := open(t, ingest.Config{})
	c := d.connect(t, sketch("/ingest/ws?app=live&room=garage&identity=cam-7&key="+otherKey, "Origin: file://"))
	c.wantReady()
	c.picture(picture(t, 32, 24))
	until(t, "a frame", func() bool { return d.frames("garage") == 1 })
	if claim := d.registry.claims[0]; claim.Identity != "cam-7" || claim.Key != otherKey {
		t.Errorf("claim is %+v", claim)
	}
	if strings.Contains(d.log.String(), otherKey) {
		t.Errorf("the log holds the key:\n%s", d.log.String())
	}
}

// TestGilmaimonClient: Host without port, constant key, mask always zero. The
// library cuts each header behind exactly one space and fails at empty values.
func TestGilmaimonClient(t *testing.T) {
	d := open(t, ingest.Config{})
	c := d.connect(t, "GET /ingest/ws?room=porch HTTP/1.1\r\n"+
		"Host: 192.168.1.5\r\n"+
		"Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n"+
		"Sec-WebSocket-Version: 13\r\n"+
		"Upgrade: websocket\r\n"+
		"Connection: Upgrade\r\n"+
		"Authorization: Bearer "+goodKey+"\r\n"+
		"User-Agent: TinyWebsockets Client\r\n"+
		"Origin: https://github.com/gilmaimon/TinyWebsockets\r\n\r\n")
	lines := strings.Split(strings.TrimSuffix(c.head, "\r\n\r\n"), "\r\n")
	if !strings.HasPrefix(lines[0], "HTTP/1.1 101") {
		t.Errorf("status line %q", lines[0])
	}
	for _, line := range lines[1:] {
		name, value, ok := strings.Cut(line, ": ")
		if !ok || value == "" || value != strings.TrimSpace(value) || strings.EqualFold(name, "Sec-WebSocket-Protocol") {
			t.Errorf("header %q: one space, a value, and no protocol that was not offered", line)
		}
	}
	c.wantReady()
	c.picture(picture(t, 32, 24))
	until(t, "a frame", func() bool { return d.frames("porch") == 1 })
}

const espIDF = "GET /ingest/ws?key=" + goodKey + " HTTP/1.1\r\n" +
	"Connection: Upgrade\r\n" +
	"Host: 192.168.1.5:8080\r\n" +
	"User-Agent: ESP32 Websocket Client\r\n" +
	"Upgrade: websocket\r\n" +
	"Sec-WebSocket-Version: 13\r\n" +
	"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"

// TestESPIDFClient: this client sends a picture in pieces of its buffer size,
// with random masks, may ping between them, and loses what follows the 101 too
// soon.
func TestESPIDFClient(t *testing.T) {
	const hold = 200 * time.Millisecond
	d := open(t, ingest.Config{Timing: ingest.Timing{Hold: hold}})
	begun := time.Now()
	c := d.connect(t, espIDF)
	if len(c.head) >= 1024 || c.head != switching+"\r\n" {
		t.Errorf("answer %q", c.head)
	}
	c.wantReady()
	if took := time.Since(begun); took < hold {
		t.Errorf("ready came %v after the handshake began, want at least %v", took, hold)
	}
	pic := sized(t, 25_000)
	for i := 0; i < len(pic); i += 1024 {
		op, piece := byte(opMore), pic[i:min(i+1024, len(pic))]
		if i == 0 {
			op = opBinary
		}
		if i+1024 >= len(pic) {
			op |= fin
		}
		c.send(masked(op, piece, [4]byte{byte(i), 7, byte(i >> 8), 9}))
		if i == 5*1024 {
			c.alive()
		}
	}
	until(t, "the frame", func() bool { return d.frames("porch") == 1 })
	if !bytes.Equal(d.hub.Latest("porch").JPEG(), pic) {
		t.Error("the picture came out changed")
	}
}

// TestHoldEndsWhenTheCameraSpeaks: what it sends early counts, and shows that
// the 101 has been read.
func TestHoldEndsWhenTheCameraSpeaks(t *testing.T) {
	d := open(t, ingest.Config{Timing: ingest.Timing{Hold: time.Hour}})
	c := d.connect(t, espIDF)
	c.picture(picture(t, 32, 24))
	c.wantReady()
	until(t, "the early frame", func() bool { return d.frames("porch") == 1 })
}

func TestRefusalIsHeldBackToo(t *testing.T) {
	const hold = 200 * time.Millisecond
	d := open(t, ingest.Config{Timing: ingest.Timing{Hold: hold}})
	begun := time.Now()
	c := d.connect(t, strings.Replace(espIDF, goodKey, "wsk_wrong", 1))
	c.wantClose(`{"type":"error","code":"4401","message":"invalid_key"}`, 4401, "invalid_key")
	if took := time.Since(begun); took < hold {
		t.Errorf("refused %v after the handshake began, want at least %v", took, hold)
	}
}

// TestNothingIsGluedToThe101 looks at the server's write calls.
func TestNothingIsGluedToThe101(t *testing.T) {
	w := &writes{}
	d := open(t, ingest.Config{}, func(l net.Listener) net.Listener { return recorder{l, w} })
	d.camera(t)
	d.connect(t, sketch("/ingest/ws?key=wsk_wrong")).wantClose(`{"type":"error","code":"4401","message":"invalid_key"}`, 4401, "invalid_key")
	heads := 0
	for _, b := range w.all() {
		if strings.Contains(b, "101 Switching") {
			heads++
			if !strings.HasSuffix(b, "\r\n\r\n") {
				t.Errorf("one write carries %q", b)
			}
		}
	}
	if heads != 2 {
		t.Errorf("saw %d answers, want 2", heads)
	}
}

type writes struct {
	mu sync.Mutex
	w  []string
}

func (w *writes) all() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.w)
}

type recorder struct {
	net.Listener
	w *writes
}

func (r recorder) Accept() (net.Conn, error) {
	c, err := r.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return recorded{c.(*net.TCPConn), r.w}, nil
}

type recorded struct {
	*net.TCPConn
	w *writes
}

func (r recorded) Write(b []byte) (int, error) {
	r.w.mu.Lock()
	r.w.w = append(r.w.w, string(b))
	r.w.mu.Unlock()
	return r.TCPConn.Write(b)
}

// TestOneByteSegments sends the handshake, a picture and a text byte by byte.
func TestOneByteSegments(t *testing.T) {
	d := open(t, ingest.Config{})
	n, err := net.Dial("tcp", d.addr)
	if err != nil {
		t.Fatal(err)
	}
	c := greet(t, dripping{n}, sketch("/ingest/ws?key="+goodKey))
	c.wantReady()
	c.picture(picture(t, 32, 24))
	c.text(`{"type":"stats","rssi":-50}`)
	d.registry.session(t, 0).heard(t, "stats")
	c.alive()
	if d.frames("porch") != 1 {
		t.Errorf("%d frames, want 1", d.frames("porch"))
	}
}

// dripping writes one byte per segment (Go sets TCP_NODELAY).
type dripping struct{ net.Conn }

func (d dripping) Write(b []byte) (int, error) {
	for i := range b {
		if _, err := d.Conn.Write(b[i : i+1]); err != nil {
			return i, err
		}
	}
	return len(b), nil
}

// masked makes one frame with a mask, in the way of RFC 6455, section 5.3.
func masked(b0 byte, payload []byte, key [4]byte) []byte {
	b := frame(b0, payload)
	at := len(b) - len(payload)
	copy(b[at-4:], key[:])
	for i := range payload {
		b[at+i] ^= key[i%4]
	}
	return b
}

// TestPlainRequests: devices and browsers that come here without a handshake
// get an answer that fits into a kilobyte with its headers.
func TestPlainRequests(t *testing.T) {
	d := open(t, ingest.Config{})
	upgrade := "Connection: Upgrade\r\nUpgrade: websocket\r\n"
	tests := map[string]struct{ request, status string }{
		"a browser":   {"GET /ingest/ws HTTP/1.1\r\nHost: x\r\n\r\n", "426"},
		"POST":        {"POST /ingest/ws HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n" + upgrade + "\r\n", "405"},
		"old version": {"GET /ingest/ws HTTP/1.1\r\nHost: x\r\n" + upgrade + "Sec-WebSocket-Version: 8\r\n\r\n", "426"},
		"no key":      {"GET /ingest/ws HTTP/1.1\r\nHost: x\r\n" + upgrade + "Sec-WebSocket-Version: 13\r\n\r\n", "426"},
		"short key":   {"GET /ingest/ws HTTP/1.1\r\nHost: x\r\n" + upgrade + "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: QUJD\r\n\r\n", "426"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			n, err := net.Dial("tcp", d.addr)
			if err != nil {
				t.Fatal(err)
			}
			defer n.Close()
			n.SetDeadline(time.Now().Add(10 * time.Second))
			io.WriteString(n, strings.Replace(tt.request, "Host: x\r\n", "Host: x\r\nConnection: close\r\n", 1))
			answer, err := io.ReadAll(n)
			if err != nil {
				t.Fatal(err)
			}
			if len(answer) > 1000 || !strings.HasPrefix(string(answer), "HTTP/1.1 "+tt.status) {
				t.Errorf("%d bytes: %s", len(answer), answer)
			}
		})
	}
	if n := d.Stats().NotWebSocket; n != uint64(len(tests)) {
		t.Errorf("counted %d, want %d", n, len(tests))
	}
}

// TestUpgradeThroughMiddleware: a writer that only unwraps is enough.
func TestUpgradeThroughMiddleware(t *testing.T) {
	d := open(t, ingest.Config{})
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Frame-Options", "DENY")
		d.ServeHTTP(wrapped{w}, r)
	})
	d.addr = serve(t, handler)
	c := d.camera(t)
	if strings.Contains(c.head, "X-Frame-Options") {
		t.Errorf("the 101 carries headers of pages: %q", c.head)
	}
}

type wrapped struct{ w http.ResponseWriter }

func (w wrapped) Header() http.Header         { return w.w.Header() }
func (w wrapped) Write(b []byte) (int, error) { return w.w.Write(b) }
func (w wrapped) WriteHeader(status int)      { w.w.WriteHeader(status) }
func (w wrapped) Unwrap() http.ResponseWriter { return w.w }
