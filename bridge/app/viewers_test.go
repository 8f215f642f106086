package app_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/textproto"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// viewer shows one camera. picture returns what it shows next.
type viewer interface {
	picture() ([]byte, error)
}

// shows waits until the viewer shows want. Before that it may show only what
// the test names, each as often as it likes (a picture that stays is repeated),
// and placeholders if there was no picture yet.
func shows(t *testing.T, name string, v viewer, want []byte, before ...[]byte) {
	t.Helper()
	for {
		got, err := v.picture()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if bytes.Equal(got, want) {
			return
		}
		known := len(before) == 0 && isPlaceholder(got)
		for _, b := range before {
			known = known || bytes.Equal(got, b)
		}
		if !known {
			t.Fatalf("%s shows %d bytes that nobody sent: %.60q... instead of %d bytes", name, len(got), got, len(want))
		}
	}
}

// showsPlaceholder waits until the viewer shows that there is no picture.
func showsPlaceholder(t *testing.T, name string, v viewer) []byte {
	t.Helper()
	for {
		got, err := v.picture()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if isPlaceholder(got) {
			return got
		}
	}
}

// stream is the beginning of an MJPEG client: a request on a connection of its
// own, and the answer's head.
type stream struct {
	conn net.Conn
	r    *bufio.Reader
	head textproto.MIMEHeader
}

func openStream(t *testing.T, w *world, path string, headers ...string) *stream {
	t.Helper()
	conn, err := net.Dial("tcp", w.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: %s\r\n%s\r\n\r\n", path, w.addr, strings.Join(headers, "\r\n"))
	s := &stream{conn: conn, r: bufio.NewReaderSize(conn, 1<<20)}
	conn.SetReadDeadline(time.Now().Add(patience))
	tp := textproto.NewReader(s.r)
	status, err := tp.ReadLine()
	if err != nil || status != "HTTP/1.1 200 OK" {
		t.Fatalf("GET %s: %q, %v", path, status, err)
	}
	if s.head, err = tp.ReadMIMEHeader(); err != nil {
		t.Fatal(err)
	}
	if s.head.Get("Content-Type") != "multipart/x-mixed-replace; boundary=frame" || !strings.Contains(s.head.Get("Cache-Control"), "no-store") ||
		s.head.Get("X-Accel-Buffering") != "no" || s.head.Get("Transfer-Encoding") != "" {
		t.Errorf("the stream's head is %v", s.head)
	}
	return s
}

func (s *stream) line() (string, error) {
	s.conn.SetReadDeadline(time.Now().Add(patience))
	line, err := s.r.ReadString('\n')
	if err == nil && !strings.HasSuffix(line, "\r\n") {
		err = fmt.Errorf("line %q does not end with CR LF", line)
	}
	return strings.TrimSuffix(line, "\r\n"), err
}

func (s *stream) wantLine(want string) error {
	got, err := s.line()
	if err == nil && got != want {
		err = fmt.Errorf("got line %.60q, want %q", got, want)
	}
	return err
}

// partHeader reads a part's headers to the blank line.
func (s *stream) partHeader() (map[string]string, error) {
	head := map[string]string{}
	for {
		line, err := s.line()
		if err != nil || line == "" {
			return head, err
		}
		name, value, ok := strings.Cut(line, ": ")
		if !ok {
			return nil, fmt.Errorf("part header %q", line)
		}
		head[strings.ToLower(name)] = value
	}
}

// machine reads MJPEG as VLC and NVRs do, strictly: boundary, headers with a
// length, exactly so many bytes, CR LF.
type machine struct {
	*stream
	stamp float64 // X-Timestamp of the newest part
}

func openMachine(t *testing.T, w *world, path string, headers ...string) *machine {
	t.Helper()
	vlc := []string{"User-Agent: VLC/3.0.21 LibVLC/3.0.21", "Accept: */*", "Range: bytes=0-", "Icy-MetaData: 1"}
	return &machine{stream: openStream(t, w, path, append(vlc, headers...)...)}
}

func (m *machine) picture() ([]byte, error) {
	if err := m.wantLine("--frame"); err != nil {
		return nil, err
	}
	head, err := m.partHeader()
	if err != nil {
		return nil, err
	}
	n, err := strconv.Atoi(head["content-length"])
	if err != nil || n <= 0 || head["content-type"] != "image/jpeg" {
		return nil, fmt.Errorf("part headers %v", head)
	}
	if m.stamp, err = strconv.ParseFloat(head["x-timestamp"], 64); err != nil {
		return nil, fmt.Errorf("part headers %v", head)
	}
	b := make([]byte, n)
	if _, err := io.ReadFull(m.r, b); err != nil {
		return nil, err
	}
	return b, m.wantLine("")
}

// browser reads MJPEG as Chromium and WebKit do: a part is shown when the next
// one's headers are complete.
type browser struct {
	*stream
	begun bool // the headers of the coming part were read
}

func openBrowser(t *testing.T, w *world, path string, headers ...string) *browser {
	t.Helper()
	chromium := []string{"User-Agent: Mozilla/5.0 Chrome/156.0.0.0", "Accept: image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8"}
	return &browser{stream: openStream(t, w, path, append(chromium, headers...)...)}
}

func (b *browser) picture() ([]byte, error) {
	if !b.begun {
		b.begun = true
		if err := errors.Join(b.wantLine("--frame"), b.headers()); err != nil {
			return nil, err
		}
	}
	var part []byte
	for {
		b.conn.SetReadDeadline(time.Now().Add(patience))
		line, err := b.r.ReadBytes('\n')
		if err != nil {
			return nil, err
		}
		if string(line) == "--frame\r\n" && bytes.HasSuffix(part, []byte("\r\n")) {
			return part[:len(part)-2], b.headers()
		}
		part = append(part, line...)
	}
}

func (b *browser) headers() error {
	head, err := b.partHeader()
	if err == nil && (head["content-type"] != "image/jpeg" || len(head) != 1) {
		err = fmt.Errorf("part headers %v: a browser form tells only the type", head)
	}
	return err
}

// rawSocket is StreamHub's viewer: one JPEG per message.
type rawSocket struct{ *websocket.Conn }

func dialSocket(t *testing.T, w *world, path string) *websocket.Conn {
	t.Helper()
	header := http.Header{}
	if w.token != "" {
		header.Set("Authorization", "Bearer "+w.token)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c, _, err := websocket.DefaultDialer.DialContext(ctx, "ws://"+w.addr+path, header)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func (s rawSocket) picture() ([]byte, error) {
	s.SetReadDeadline(time.Now().Add(patience))
	kind, b, err := s.ReadMessage()
	if err == nil && kind != websocket.BinaryMessage {
		err = fmt.Errorf("a text message: %.80q", b)
	}
	return b, err
}

// pageSocket is the page's connection. One goroutine reads.
type pageSocket struct {
	t    *testing.T
	conn *websocket.Conn
	over chan struct{}

	writing  sync.Mutex
	pictures chan pagePicture

	mu      sync.Mutex
	welcome map[string]any
	cameras map[string]map[string]any
	results map[string]map[string]any
	notices []map[string]any
	events  []happening
	errors  []map[string]any
	ended   error
}

// pagePicture is one binary message.
type pagePicture struct {
	channel     uint16
	placeholder bool
	seq         uint32
	received    time.Time
	jpeg        []byte
}

func openPage(t *testing.T, w *world) *pageSocket {
	t.Helper()
	p := &pageSocket{
		t: t, conn: dialSocket(t, w, "/api/v1/ws"), over: make(chan struct{}), pictures: make(chan pagePicture, 1000),
		cameras: map[string]map[string]any{}, results: map[string]map[string]any{},
	}
	go p.read()
	t.Cleanup(func() { p.conn.Close(); <-p.over })
	eventually(t, "the page is welcomed", func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		return p.welcome != nil
	})
	return p
}

func (p *pageSocket) read() {
	defer close(p.over)
	for {
		kind, b, err := p.conn.ReadMessage()
		if err == nil && kind == websocket.BinaryMessage {
			err = p.paint(b)
		} else if err == nil {
			err = p.hear(b)
		}
		if err != nil {
			p.mu.Lock()
			p.ended = err
			p.mu.Unlock()
			return
		}
	}
}

func (p *pageSocket) paint(b []byte) error {
	if len(b) < 24 || b[0] != 1 {
		return fmt.Errorf("a picture message begins with %.24x", b)
	}
	pic := pagePicture{
		channel: binary.BigEndian.Uint16(b[2:]), placeholder: b[1]&1 != 0, seq: binary.BigEndian.Uint32(b[4:]),
		received: time.UnixMilli(int64(binary.BigEndian.Uint64(b[8:]))), jpeg: b[24:],
	}
	select {
	case p.pictures <- pic:
	default:
		return errors.New("more pictures than anybody looks at: the window is not kept")
	}
	return nil
}

func (p *pageSocket) hear(b []byte) error {
	var m map[string]any
	if err := json.Unmarshal(b, &m); err != nil {
		return fmt.Errorf("%.80q: %w", b, err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	switch m["type"] {
	case "welcome":
		p.welcome = m
		for _, c := range m["cameras"].([]any) {
			p.keep(c)
		}
	case "camera":
		p.keep(m["camera"])
	case "removed":
		delete(p.cameras, m["camera"].(string))
	case "result":
		p.results[m["id"].(string)] = m
	case "notice":
		p.notices = append(p.notices, m)
	case "error":
		p.errors = append(p.errors, m)
	case "event":
		return p.happens(b)
	case "pong":
	default:
		return fmt.Errorf("there is no message %s", b)
	}
	return nil
}

func (p *pageSocket) keep(camera any) {
	c := camera.(map[string]any)
	p.cameras[c["id"].(string)] = c
}

func (p *pageSocket) send(message string) {
	p.t.Helper()
	p.writing.Lock()
	defer p.writing.Unlock()
	if err := p.conn.WriteMessage(websocket.TextMessage, []byte(message)); err != nil {
		p.t.Fatalf("the page sends %.60s: %v", message, err)
	}
}

// ask sends a request with that id and waits for its result.
func (p *pageSocket) ask(id, request string) map[string]any {
	p.t.Helper()
	p.send(request)
	var m map[string]any
	eventually(p.t, "an answer to "+request, func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		m = p.results[id]
		return m != nil
	})
	return m
}

// camera is what the page knows of one; nil if nothing.
func (p *pageSocket) camera(id string) map[string]any {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.cameras[id]
}

// noticed reports whether the page was told of something, in words with part in
// them.
func (p *pageSocket) noticed(part string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, n := range p.notices {
		if strings.Contains(fmt.Sprint(n["message"]), part) {
			return true
		}
	}
	return false
}

// picture makes the page a viewer of the channels it subscribed to. It gives
// the credit back.
func (p *pageSocket) picture() ([]byte, error) {
	select {
	case pic := <-p.pictures:
		p.send(fmt.Sprintf(`{"type":"painted","channels":[%d]}`, pic.channel))
		if pic.placeholder != isPlaceholder(pic.jpeg) {
			return nil, fmt.Errorf("the placeholder flag is %v", pic.placeholder)
		}
		return pic.jpeg, nil
	case <-p.over:
		return nil, p.ended
	case <-time.After(patience):
		return nil, errors.New("no picture")
	}
}
