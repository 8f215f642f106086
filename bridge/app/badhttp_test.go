package app_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/espcam-bridge/espcam-bridge/bridge/fakecam"
)

// TestBadRequests: each gets its own answer in words, and harms nobody.
func TestBadRequests(t *testing.T) {
	t.Parallel()
	h := openHealthy(t, nil)
	key, _ := h.provision("porch")
	cam, _ := play(t, h.world, fakecam.Config{Key: key, FPS: 5})
	eventually(t, "the native camera is there", func() bool { return h.camera("porch")["dialect"] == "native" })

	const (
		porch = "/api/v1/cameras/porch"
		do    = porch + "/do"
		mint  = "/api/v1/apps/live/ws-ingest"
	)
	long := strings.Repeat("a", 200)
	for _, tt := range []struct {
		method, path, body, header string
		status                     int
		code, words                string
	}{
		{"POST", "/api/v1/cameras", "", "", 405, "invalid", "use GET"},
		{"PUT", porch, "{}", "", 405, "invalid", "PATCH"},
		{"DELETE", "/live/live/porch/mjpeg", "", "", 405, "invalid", "use GET"},
		{"POST", "/", "", "", 405, "invalid", "use GET"},
		{"POST", "/healthz", "", "", 405, "invalid", "use GET"},
		{"GET", do, "", "", 405, "invalid", "use POST"},
		{"GET", "/nothing", "", "", 404, "not_found", "/nothing"},
		{"GET", "/api/v1/nothing", "", "", 404, "not_found", "/api/v1/nothing"},
		{"GET", "/live/live/porch/frame.png", "", "", 404, "not_found", "frame.png"},
		{"GET", "/api/v1/cameras/nobody", "", "", 404, "not_found", "nobody"},
		{"GET", "/live/live/nobody/mjpeg", "", "", 404, "not_found", "nobody"},
		{"GET", "/live/live/nobody/frame.jpg", "", "", 404, "not_found", "nobody"},
		{"GET", "/live/other/porch/mjpeg", "", "", 404, "not_found", "other"},
		{"GET", "/play/live/nobody", "", "", 404, "not_found", "nobody"},
		{"GET", "/?action=snapshot&camera=nobody", "", "", 404, "not_found", "nobody"},
		{"GET", "/?action=dance&camera=porch", "", "", 400, "invalid", "stream or snapshot"},
		{"GET", "/api/v1/cameras/" + long, "", "", 400, "invalid", "at most 32"},
		{"GET", "/live/live/" + long + "/mjpeg", "", "", 400, "invalid", "at most 32"},
		{"GET", "/live/live/porch/mjpeg?fps=fast", "", "", 400, "invalid", "fps"},
		{"GET", "/live/live/porch/frame.jpg?w=0", "", "", 400, "invalid", "width"},
		{"GET", "/live/live/porch/frame.jpg?max_age=soon", "", "", 400, "invalid", "max_age"},
		{"GET", "/live/ws?app=live&room=porch", "", "", 426, "invalid", "WebSocket"},
		{"GET", "/api/v1/ws", "", "", 426, "invalid", "WebSocket"},
		{"PATCH", porch, "{", "", 400, "invalid", "not complete"},
		{"PATCH", porch, "}", "", 400, "invalid", "not JSON"},
		{"PATCH", porch, "[]", "", 400, "invalid", "object"},
		{"PATCH", porch, `{"name":"a"}{"name":"b"}`, "", 400, "invalid", "after the JSON"},
		{"PATCH", porch, `{"colour":"red"}`, "", 400, "invalid", "colour"},
		{"PATCH", porch, `{"name":""}`, "", 400, "invalid", "empty"},
		{"PATCH", porch, `{"name":"` + long + `"}`, "", 400, "invalid", "64"},
		{"PATCH", porch, `{"name":"a\u0007b"}`, "", 400, "invalid", "control characters"},
		{"PATCH", porch, `{"enabled":"yes"}`, "", 400, "invalid", "enabled"},
		{"PATCH", porch, `{"settings":{"quality":3}}`, "", 400, "invalid", "4 to 63"},
		{"PATCH", porch, `{"settings":{"quality":12.5}}`, "", 400, "invalid", "whole number"},
		{"PATCH", porch, `{"settings":{"framesize":"HUGE"}}`, "", 400, "invalid", "QVGA"},
		{"PATCH", porch, `{"settings":{"sharpness":1}}`, "", 422, "unsupported", "no setting"},
		{"PATCH", porch, `{"settings":{"quality":12}}`, "Content-Type: text/plain", 415, "invalid", "application/json"},
		{"PATCH", porch, strings.Repeat(" ", 2<<20), "", 413, "too_large", "1048576"},
		{"PATCH", porch, `{"name":"x"}`, "Origin: http://evil.example", 403, "denied", "another web page"},
		{"PATCH", porch, `{"name":"x"}`, "Sec-Fetch-Site: cross-site", 403, "denied", "another web page"},
		{"GET", porch, "", "Host: evil.example", 421, "denied", "evil.example"},
		{"POST", do, `{"action":"dance"}`, "", 400, "invalid", "dance"},
		{"POST", do, `{"action":"ota"}`, "", 422, "unsupported", "ota"},
		{"POST", do, `{"action":"pan","args":{"angle":999}}`, "", 400, "invalid", "angle"},
		{"POST", "/api/v1/cameras/healthy/do", `{"action":"restart"}`, "", 422, "unsupported", "restart"},
		{"POST", mint, `{}`, "", 400, "invalid", "room"},
		{"POST", mint, `{"room":"../../etc"}`, "", 400, "invalid", "room"},
		{"POST", mint, `{"room":"a","identity":"b c"}`, "", 400, "invalid", "identity"},
		{"POST", "/api/v1/apps/other/ws-ingest", `{"room":"a"}`, "", 404, "not_found", "other"},
		{"DELETE", mint + "/wsi_nothing", "", "", 404, "not_found", "nothing"},
		{"GET", mint + "/live/a.b", "", "", 400, "invalid", "room"},
	} {
		r := h.ask(tt.method, tt.path, tt.body, tt.header)
		if r.status != tt.status || r.code() != tt.code || !strings.Contains(fmt.Sprint(at(r.json, "error", "message")), tt.words) {
			t.Errorf("%s %.60s %.60s %s: %d %s\nwant %d %s with %q", tt.method, tt.path, tt.body, tt.header, r.status, r.body, tt.status, tt.code, tt.words)
		}
		if tt.status == 405 && r.header.Get("Allow") == "" {
			t.Errorf("%s %s does not say what is allowed", tt.method, tt.path)
		}
	}
	h.check(t)
	if c := h.camera("porch"); c["name"] != "porch" || cam.Report().Obeyed != 0 {
		t.Errorf("refused requests had an effect: the camera is %v, it obeyed %d times", c, cam.Report().Obeyed)
	}
	if got := len(keysOf(t, h.world)); got != 2 {
		t.Errorf("refused requests made keys: there are %d", got)
	}
}

// tell sends bytes on a connection of their own and returns what comes back
// until the server hangs up.
func tell(t *testing.T, addr, text string) (answer string, took time.Duration) {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	began := time.Now()
	conn.SetDeadline(began.Add(patience))
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(conn)
	if err != nil && len(b) == 0 && !strings.Contains(err.Error(), "reset") {
		t.Fatalf("after %.40q: %v", text, err)
	}
	return string(b), time.Since(began)
}

// TestBadConnections: what is no HTTP, is endless or stands still is ended, and
// cameras that come to the wrong door get no more than they have room for.
func TestBadConnections(t *testing.T) {
	t.Parallel()
	h := openHealthy(t, nil)
	for text, want := range map[string]string{
		"\x16\x03\x01\x02\x00\x01\r\n\r\n": "400",
		"GARBAGE\r\n\r\n":                  "400",
		"GET / HTTP/1.1\r\n\r\n":           "400",
		"GET / HTTP/1.1\r\nHost: " + h.addr + "\r\nCookie: " + strings.Repeat("a", 30_000):              "431",
		"GET /%zz HTTP/1.1\r\nHost: " + h.addr + "\r\n\r\n":                                             "400",
		"GET /ingest/ws HTTP/1.1\r\nHost: 192.168.1.5\r\nConnection: close\r\n\r\n":                     "426",
		"GET /ingest/ws?key=x HTTP/1.1\r\nHost: cam\r\nUpgrade: websocket\r\nConnection: close\r\n\r\n": "426",
		"POST /ingest/ws HTTP/1.1\r\nHost: 192.168.1.5\r\nConnection: close\r\n\r\n":                    "405",
	} {
		got, _ := tell(t, h.addr, text)
		if status, _, _ := strings.Cut(strings.TrimPrefix(got, "HTTP/1.1 "), " "); status != want {
			t.Errorf("after %.60q: %.200q, want %s", text, got, want)
		}
		if strings.Contains(text, "/ingest/ws") && len(got) >= 1024 {
			t.Errorf("after %.60q: %d bytes, and cameras have room for 1024", text, len(got))
		}
	}
	h.check(t)

	// Requests that never become whole, some hundred at once.
	began := time.Now()
	var slow []net.Conn
	for i := range 100 {
		conn, err := net.Dial("tcp", h.addr)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		fmt.Fprintf(conn, "GET /ingest/ws?key=%d HTTP/1.1\r\nHost: x\r\nX-A", i)
		slow = append(slow, conn)
	}
	h.check(t)
	for _, conn := range slow {
		conn.SetReadDeadline(began.Add(patience))
		if b, err := io.ReadAll(conn); err != nil && !strings.Contains(err.Error(), "reset") {
			t.Fatalf("a request that stands still lives on: %q, %v", b, err)
		}
	}
	if took := time.Since(began); took > 15*time.Second {
		t.Errorf("requests that stand still were ended after %v", took)
	}
}

// TestBadPageMessages: a message that is wrong is answered in words, and the
// socket stays; what no page sends ends it with a code.
func TestBadPageMessages(t *testing.T) {
	t.Parallel()
	h := openHealthy(t, nil)
	page := openPage(t, h.world)
	for _, tt := range []struct{ message, code, field string }{
		{"hello", "invalid", ""},
		{"[]", "invalid", ""},
		{`{"type":"dance"}`, "invalid", "type"},
		{`{"type":"ping","colour":1}`, "invalid", "colour"},
		{`{"type":"subscribe","camera":"nobody","channel":1}`, "not_found", ""},
		{`{"type":"subscribe","camera":"healthy"}`, "invalid", "channel"},
		{`{"type":"subscribe","camera":"healthy","channel":70000}`, "invalid", "channel"},
		{`{"type":"subscribe","camera":"healthy","channel":1,"fps":-1}`, "invalid", "fps"},
		{`{"type":"set","camera":"healthy","settings":{"fps":5}}`, "invalid", "id"},
		{`{"type":"rename","camera":"` + strings.Repeat("a", 300) + `","id":"1","name":"x"}`, "invalid", "camera"},
	} {
		page.send(tt.message)
		eventually(t, "an answer to "+tt.message, func() bool {
			page.mu.Lock()
			defer page.mu.Unlock()
			all := page.errors
			if r := page.results["1"]; r != nil {
				all = append(all, r)
			}
			for _, e := range all {
				if at(e, "error", "code") == tt.code && (tt.field == "" || at(e, "error", "field") == tt.field) {
					page.errors, page.results = nil, map[string]map[string]any{}
					return true
				}
			}
			return false
		})
	}
	for id, request := range map[string]string{
		"a": `{"type":"set","id":"a","camera":"healthy","settings":{"quality":12}}`,
		"b": `{"type":"set","id":"b","camera":"healthy"}`,
		"c": `{"type":"do","id":"c","camera":"healthy","action":"restart"}`,
		"d": `{"type":"enable","id":"d","camera":"healthy"}`,
		"e": `{"type":"rename","id":"e","camera":"healthy","name":" "}`,
	} {
		if r := page.ask(id, request); r["ok"] != false || at(r, "error", "message") == "" {
			t.Errorf("%s was answered %v", request, r)
		}
	}
	if r := page.ask("f", `{"type":"rename","id":"f","camera":"healthy","name":"Well"}`); r["ok"] != true {
		t.Errorf("after all that a good message was answered %v", r)
	}
	for name, tt := range map[string]struct {
		kind, size, code int
	}{
		"a binary message": {websocket.BinaryMessage, 10, websocket.CloseUnsupportedData},
		"64 KiB and more":  {websocket.TextMessage, 70_000, websocket.CloseMessageTooBig},
	} {
		p := openPage(t, h.world)
		err := p.conn.WriteMessage(tt.kind, make([]byte, tt.size))
		if err != nil && !errors.Is(err, websocket.ErrCloseSent) { // the server need not hear all of it
			t.Fatal(err)
		}
		<-p.over
		if !websocket.IsCloseError(p.ended, tt.code) {
			t.Errorf("after %s: %v, want %d", name, p.ended, tt.code)
		}
	}
	h.check(t)
}

// TestStrangersMayNotOpenSockets: a page of another site gets neither socket.
func TestStrangersMayNotOpenSockets(t *testing.T) {
	t.Parallel()
	w := start(t, configured(t))
	w.provision("yard")
	for _, path := range []string{"/api/v1/ws", "/live/ws?app=live&room=yard"} {
		for _, origin := range []string{"http://evil.example", "null", "http://127.0.0.1:1"} {
			req := fmt.Sprintf("GET %s HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"+
				"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nOrigin: %s\r\n\r\n", path, w.addr, origin)
			conn, err := net.Dial("tcp", w.addr)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			conn.SetDeadline(time.Now().Add(patience))
			io.WriteString(conn, req)
			resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil || resp.StatusCode != http.StatusForbidden {
				t.Errorf("%s from %s: %v, %v", path, origin, resp, err)
			}
		}
	}
}
