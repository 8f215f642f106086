package fakecam_test

import (
	"bytes"
	"context"
	"errors"
	"image"
	"image/jpeg"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/espcam-bridge/espcam-bridge/bridge/fakecam"
	"github.com/espcam-bridge/espcam-bridge/bridge/wire"
)

// patience is how long a test waits for what must come.
const patience = 10 * time.Second

// server is the least bridge: it accepts every camera and says ready.
type server struct {
	*httptest.Server
	ready wire.Ready
	links chan *link // one per connection
}

// link is the server's side of one connection.
type link struct {
	t        *testing.T
	ws       *websocket.Conn
	request  *http.Request
	pictures chan []byte
	texts    chan []byte
	closed   chan error
}

func serve(t *testing.T, ready wire.Ready) *server {
	t.Helper()
	return serveAt(t, "127.0.0.1:0", ready)
}

func serveAt(t *testing.T, address string, ready wire.Ready) *server {
	t.Helper()
	listener, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	s := &server{ready: ready, links: make(chan *link, 64)}
	up := websocket.Upgrader{CheckOrigin: func(*http.Request) bool { return true }}
	s.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ws, err := up.Upgrade(w, r, nil)
		if err != nil {
			t.Errorf("upgrade: %v", err)
			return
		}
		l := &link{t: t, ws: ws, request: r, pictures: make(chan []byte, 256), texts: make(chan []byte, 64), closed: make(chan error, 1)}
		if s.ready != (wire.Ready{}) {
			l.say(s.ready)
		}
		s.links <- l
		l.read()
	}))
	_ = s.Server.Listener.Close()
	s.Server.Listener = listener
	s.Server.Start()
	t.Cleanup(s.Server.Close)
	return s
}

// native is what our own bridge says.
func native() wire.Ready {
	return wire.Ready{Room: "live-porch", StreamID: "1", MaxFPS: 30, MaxFrameBytes: 256 << 10, IdleTimeoutSec: 30, Proto: 1, Server: "test/1"}
}

// foreign is what a StreamHub server says.
func foreign(maxFPS int) wire.Ready {
	return wire.Ready{Room: "live-porch", StreamID: "1", MaxFPS: maxFPS, MaxFrameBytes: 256 << 10, IdleTimeoutSec: 30}
}

func (l *link) read() {
	defer l.ws.Close()
	for {
		kind, b, err := l.ws.ReadMessage()
		if err != nil {
			l.closed <- err
			return
		}
		into := l.pictures
		if kind == websocket.TextMessage {
			into = l.texts
		}
		select {
		case into <- b:
		default: // the test looks at the first ones only
		}
	}
}

func (l *link) say(m wire.Message) {
	l.t.Helper()
	if err := l.ws.WriteMessage(websocket.TextMessage, m.Append(nil)); err != nil {
		l.t.Errorf("cannot say %T: %v", m, err)
	}
}

func (l *link) end(code int, text string) {
	_ = l.ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(code, text), time.Now().Add(time.Second))
	_ = l.ws.Close()
}

// receive waits for a value.
func receive[T any](t *testing.T, what string, from <-chan T) T {
	t.Helper()
	select {
	case v := <-from:
		return v
	case <-time.After(patience):
		t.Fatalf("no %s came", what)
		panic("not reached")
	}
}

func (s *server) next(t *testing.T) *link {
	t.Helper()
	return receive(t, "camera", s.links)
}

// message waits for the next text of one type and passes over others.
func message[M wire.Message](l *link) M {
	l.t.Helper()
	for {
		text := receive(l.t, "text", l.texts)
		m, err := wire.ParseDevice(text)
		if err != nil {
			l.t.Fatalf("camera sent %s: %v", text, err)
		}
		if m, ok := m.(M); ok {
			return m
		}
	}
}

// ask sends a set or do and waits for its result.
func (l *link) ask(m wire.Message) wire.Result {
	l.t.Helper()
	l.say(m)
	return message[wire.Result](l)
}

func (l *link) picture() image.Image {
	l.t.Helper()
	return decode(l.t, receive(l.t, "picture", l.pictures))
}

// pictureLike waits for a picture of that kind.
func (l *link) pictureLike(what string, ok func(image.Image) bool) image.Image {
	l.t.Helper()
	limit := time.Now().Add(patience)
	for time.Now().Before(limit) {
		if img := l.picture(); ok(img) {
			return img
		}
	}
	l.t.Fatalf("no picture came that %s", what)
	return nil
}

func decode(t *testing.T, b []byte) image.Image {
	t.Helper()
	img, err := jpeg.Decode(bytes.NewReader(b))
	if err != nil {
		t.Fatalf("picture of %d bytes does not decode: %v", len(b), err)
	}
	return img
}

// play starts a camera, and ends it with the test.
func play(t *testing.T, cfg fakecam.Config) *fakecam.Camera {
	t.Helper()
	c, err := fakecam.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := receive(t, "end of Run", done); err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	return c
}

// until waits for a condition.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	limit := time.After(patience)
	for !ok() {
		select {
		case <-tick.C:
		case <-limit:
			t.Fatalf("it never came true that %s", what)
		}
	}
}

// small is a camera that costs little.
func small(s *server) fakecam.Config {
	return fakecam.Config{URL: s.URL, Key: "wsk_test_key", Name: "Porch", Width: 160, Height: 120, FPS: 30, Retry: 5 * time.Millisecond}
}

// brightness is the mean of a part of a picture, 0 to 255.
func brightness(img image.Image, r image.Rectangle) float64 {
	sum := 0.0
	for y := r.Min.Y; y < r.Max.Y; y++ {
		for x := r.Min.X; x < r.Max.X; x++ {
			red, green, blue, _ := img.At(x, y).RGBA()
			sum += float64(red+green+blue) / 3 / 257
		}
	}
	return sum / float64(r.Dx()*r.Dy())
}

// difference is the mean difference of a part of two pictures, 0 to 255.
func difference(a, b image.Image, r image.Rectangle) float64 {
	sum := 0.0
	for y := r.Min.Y; y < r.Max.Y; y++ {
		for x := r.Min.X; x < r.Max.X; x++ {
			ar, ag, ab, _ := a.At(x, y).RGBA()
			br, bg, bb, _ := b.At(x, y).RGBA()
			for _, d := range []int{int(ar) - int(br), int(ag) - int(bg), int(ab) - int(bb)} {
				sum += float64(max(d, -d)) / 3 / 257
			}
		}
	}
	return sum / float64(r.Dx()*r.Dy())
}

func closeCode(err error) int {
	var e *websocket.CloseError
	if errors.As(err, &e) {
		return e.Code
	}
	return -1
}

func contains(text []byte, parts ...string) bool {
	for _, p := range parts {
		if !strings.Contains(string(text), p) {
			return false
		}
	}
	return true
}
