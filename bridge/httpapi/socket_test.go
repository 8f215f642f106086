package httpapi_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/espcam-bridge/espcam-bridge/bridge"
	"github.com/espcam-bridge/espcam-bridge/bridge/httpapi"
)

// tab is a page's end of the socket.
type tab struct {
	t testing.TB
	*websocket.Conn
}

// shot is a binary message of the page's socket.
type shot struct {
	version, flags     byte
	channel            uint16
	seq                uint32
	received, captured uint64
	jpeg               []byte
}

const (
	placeholderBit = 1
	capturedBit    = 2
)

// dialSocket opens a WebSocket; headers are "Name: value".
func (w *world) dialSocket(path string, headers ...string) *websocket.Conn {
	w.t.Helper()
	h := http.Header{}
	for _, line := range headers {
		name, value, _ := strings.Cut(line, ": ")
		h.Add(name, value)
	}
	c, _, err := websocket.DefaultDialer.Dial("ws://"+w.addr+path, h)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { c.Close() })
	if err := c.SetReadDeadline(time.Now().Add(15 * time.Second)); err != nil {
		w.t.Fatal(err)
	}
	return c
}

// tab opens the page's socket and reads its welcome.
func (w *world) tab(headers ...string) (*tab, message) {
	w.t.Helper()
	p := &tab{w.t, w.dialSocket("/api/v1/ws", headers...)}
	m := p.text()
	if m.Type != "welcome" {
		w.t.Fatalf("first came %+v", m)
	}
	return p, m
}

// message is any text message of the server.
type message struct {
	Type, ID, Message, Code, Role, Name, App, Version, Property, Value string
	OK, Auth                                                           bool
	Open                                                               bool `json:"open_streams"`
	Troubles                                                           []struct{ Part, Message string }
	Time                                                               int64
	Echo                                                               json.Number
	Camera                                                             json.RawMessage // an object, or an id
	Cameras                                                            []camera
	Error                                                              struct{ Code, Message, Field string }
}

type camera struct {
	ID, Name, State string
	Settings        struct{ Reported map[string]any }
}

func (m message) camera(t *testing.T) (c camera) {
	t.Helper()
	if err := json.Unmarshal(m.Camera, &c); err != nil {
		t.Fatalf("%v in %s", err, m.Camera)
	}
	return c
}

// next reads one message of either kind.
func (p *tab) next() (*message, *shot) {
	p.t.Helper()
	kind, b, err := p.ReadMessage()
	if err != nil {
		p.t.Fatal(err)
	}
	if kind == websocket.TextMessage {
		var m message
		if err := json.Unmarshal(b, &m); err != nil {
			p.t.Fatalf("%v in %s", err, b)
		}
		return &m, nil
	}
	if len(b) < 24 {
		p.t.Fatalf("a binary message of %d bytes", len(b))
	}
	be := binary.BigEndian
	return nil, &shot{b[0], b[1], be.Uint16(b[2:]), be.Uint32(b[4:]), be.Uint64(b[8:]), be.Uint64(b[16:]), b[24:]}
}

// text reads the next text message and throws pictures away.
func (p *tab) text() message {
	p.t.Helper()
	for {
		if m, _ := p.next(); m != nil {
			return *m
		}
	}
}

// await reads text messages up to one of that type.
func (p *tab) await(kind string) message {
	p.t.Helper()
	for {
		if m := p.text(); m.Type == kind {
			return m
		}
	}
}

// shot reads the next picture and throws text away.
func (p *tab) shot() shot {
	p.t.Helper()
	for {
		if _, s := p.next(); s != nil {
			return *s
		}
	}
}

// say sends JSON.
func (p *tab) say(format string, args ...any) {
	p.t.Helper()
	if err := p.WriteMessage(websocket.TextMessage, fmt.Appendf(nil, format, args...)); err != nil {
		p.t.Fatal(err)
	}
}

// closed reads to the end and returns the close code.
func closed(t *testing.T, c *websocket.Conn) int {
	t.Helper()
	for {
		if _, _, err := c.ReadMessage(); err != nil {
			var e *websocket.CloseError
			if !errors.As(err, &e) {
				t.Fatalf("the connection broke without a close frame: %v", err)
			}
			return e.Code
		}
	}
}

func TestWelcome(t *testing.T) {
	w := open(t, httpapi.Config{Auth: true, Name: "home", App: "yard", Version: "1.2.3"})
	before := time.Now().UnixMilli()
	_, m := w.tab(bearer(operatorToken)...)
	if m.Name != "home" || m.App != "yard" || m.Version != "1.2.3" || m.Role != "operator" || !m.Auth || m.Time < before || len(m.Cameras) != 2 || m.Cameras[0].ID != "porch" {
		t.Errorf("welcome %+v", m)
	}
	_, m = w.tab(bearer(porchToken)...)
	if len(m.Cameras) != 1 || m.Cameras[0].ID != "porch" || m.Open {
		t.Errorf("welcome of a limited token %+v", m)
	}
	for _, cfg := range []httpapi.Config{{}, {Auth: true, PublicStreams: true}} {
		if _, m := open(t, cfg).tab(bearer(viewerToken)...); !m.Open {
			t.Errorf("pictures need no token: %+v", m)
		}
	}
	w.get("/api/v1/ws", bearer(viewerToken)...).fails(t, 426, bridge.CodeInvalid, "this is a WebSocket")
	w.get("/api/v1/ws", strings.Split(upgradeHeaders, "|")...).fails(t, 401, bridge.CodeDenied, "needs a token")
	bad := append(bearer(viewerToken), "Connection: Upgrade", "Upgrade: websocket")
	w.get("/api/v1/ws", bad...).fails(t, 400, bridge.CodeInvalid, "websocket")
}

func TestPictureMessageIsByteExact(t *testing.T) {
	w := open(t, httpapi.Config{})
	p, _ := w.tab()
	one := picture(4000)
	w.publish("porch", one)
	p.say(`{"type":"subscribe","camera":"porch","channel":65535,"fps":0}`)
	s := p.shot() // the newest at once
	latest := w.hub.Latest("porch")
	if s.version != 1 || s.flags != 0 || s.channel != 65535 || s.seq != 1 || s.captured != 0 || s.received != uint64(latest.Received.UnixMilli()) || !bytes.Equal(s.jpeg, one) {
		t.Errorf("got %d %b %d %d %d %d, %d bytes", s.version, s.flags, s.channel, s.seq, s.received, s.captured, len(s.jpeg))
	}
	two := picture(70_000) // a WebSocket length of 64 bits
	captured := time.UnixMilli(1772366400123)
	f := bridge.NewBuffer(two).Frame(len(two), bridge.Frame{Camera: "porch", Received: time.Now(), Captured: captured})
	w.hub.Feed("porch").Publish(f)
	if s := p.shot(); s.flags != capturedBit || s.seq != 2 || s.captured != 1772366400123 || !bytes.Equal(s.jpeg, two) {
		t.Errorf("got flags %b, seq %d, captured %d, %d bytes", s.flags, s.seq, s.captured, len(s.jpeg))
	}
}

func TestCreditWindow(t *testing.T) {
	w := open(t, httpapi.Config{})
	p, _ := w.tab()
	p.say(`{"type":"subscribe","camera":"porch","channel":3}`)
	if s := p.shot(); s.flags != placeholderBit || s.seq != 0 {
		t.Errorf("first no placeholder: flags %b, seq %d", s.flags, s.seq)
	}
	w.publish("porch", picture(3999))
	if s := p.shot(); len(s.jpeg) != 3999 {
		t.Errorf("the second picture has %d bytes", len(s.jpeg))
	}
	for n := range 10 {
		w.publish("porch", picture(4000+n))
	}
	// Both are unpainted: nothing may come, only answers.
	p.say(`{"type":"ping","time":1}`)
	if m, s := p.next(); m == nil || m.Type != "pong" {
		t.Fatalf("a third unpainted picture: %+v", s)
	}
	p.say(`{"type":"painted","channels":[3,3,3,3,9]}`)
	if s := p.shot(); len(s.jpeg) != 4009 {
		t.Errorf("after painting came %d bytes, not the newest", len(s.jpeg))
	}
	w.publish("porch", picture(5001))
	w.publish("porch", picture(5002))
	p.shot()
	w.publish("porch", picture(5003))
	p.say(`{"type":"ping","time":2}`)
	if m := p.text(); m.Type != "pong" || m.Echo != "2" || m.Time < 1e12 {
		t.Errorf("pong %+v", m)
	}
	p.say(`{"type":"unsubscribe","channel":3}`)
	until(t, "nobody watches", func() bool { return w.hub.Feed("porch").Stats().Viewers == 0 })
	if w.hub.Feed("porch").Stats().Dropped[bridge.DropSlow] == 0 {
		t.Error("skipped pictures are not counted")
	}
}

// TestFairness: a camera that sends much must not keep the others' pictures back.
func TestFairness(t *testing.T) {
	if got := httpapi.Turns(3, 7, frame("porch", picture(3000))); !slices.Equal(got, []int{0, 1, 2, 0, 1, 2, 0}) {
		t.Errorf("turns %v", got)
	}
}

// FuzzMessage: whatever a page says, the answer is JSON and short.
func FuzzMessage(f *testing.F) {
	for _, text := range messages {
		if strings.Contains(text, "%q") {
			text = fmt.Sprintf(text, "porch")
		}
		f.Add([]byte(text), "admin")
		f.Add([]byte(text), "viewer")
	}
	for _, text := range []string{"", "{}", "[]", "null", `{"type":"painted","channels":[65535,0,-1]}`, `{"type":"subscribe","camera":"../x","channel":1e3,"fps":1e400}`,
		`{"type":"set","id":"\u0000","camera":"porch","settings":{"quality":{"a":[1]}}}`, `{"type":"do","id":"1","camera":"live-Room-porch","action":"drive","args":{"x":1e999}}`} {
		f.Add([]byte(text), "operator")
	}
	w := open(f, httpapi.Config{})
	f.Fuzz(func(t *testing.T, message []byte, role string) {
		if !bridge.Role(role).Includes(bridge.Viewer) {
			role = "viewer" // roles do not come from the network
		}
		for _, answer := range httpapi.Receive(t.Context(), w.server, bridge.Principal{Role: bridge.Role(role)}, message) {
			var out struct{ Type string }
			if err := json.Unmarshal(answer, &out); err != nil || out.Type == "" || len(answer) > 8<<10+2*len(message) {
				t.Errorf("%q is answered with %d bytes: %.200s", message, len(answer), answer)
			}
		}
		if n := w.hub.Feed("porch").Stats().Viewers; n != 0 {
			t.Errorf("%d viewers left", n)
		}
	})
}

func TestSubscribeAgainChangesRate(t *testing.T) {
	w := open(t, httpapi.Config{})
	p, _ := w.tab()
	p.say(`{"type":"subscribe","camera":"porch","channel":1,"fps":1}`)
	p.shot()
	start := time.Now()
	send := func(ms, size int) {
		f := frame("porch", picture(size))
		f.Received = start.Add(time.Duration(ms) * time.Millisecond)
		w.hub.Feed("porch").Publish(f)
	}
	send(0, 4000)
	if n := len(p.shot().jpeg); n != 4000 {
		t.Fatalf("first %d bytes", n)
	}
	p.say(`{"type":"painted","channels":[1,1]}`)
	send(100, 4001) // too early for 1 fps
	p.say(`{"type":"subscribe","camera":"porch","channel":1,"fps":0}`)
	p.say(`{"type":"ping"}`)
	p.await("pong")
	send(200, 4002)
	if n := len(p.shot().jpeg); n != 4002 {
		t.Errorf("then %d bytes", n)
	}
	if n := w.hub.Feed("porch").Stats().Viewers; n != 1 {
		t.Errorf("%d subscriptions", n)
	}
	p.say(`{"type":"subscribe","camera":"yard","channel":1}`) // the channel is given to another camera
	until(t, "the old camera is left", func() bool {
		return w.hub.Feed("porch").Stats().Viewers == 0 && w.hub.Feed("yard").Stats().Viewers == 1
	})
}

func TestPlaceholderOnTheChannel(t *testing.T) {
	w := open(t, httpapi.Config{})
	p, _ := w.tab()
	w.publish("porch", picture(4000))
	p.say(`{"type":"subscribe","camera":"porch","channel":1}`)
	expect := func(what string, placeholder bool) {
		t.Helper()
		if s := p.shot(); s.flags&placeholderBit != 0 != placeholder {
			t.Errorf("%s: placeholder is %v", what, !placeholder)
		}
		p.say(`{"type":"painted","channels":[1]}`)
	}
	expect("online", false)
	w.fleet.change("porch", func(c *bridge.Camera) { c.State, c.Connected = bridge.Offline, false })
	expect("offline", true)
	w.fleet.change("porch", func(c *bridge.Camera) { c.State, c.Connected = bridge.Online, true })
	w.publish("porch", picture(4000))
	expect("back", false)
	w.fleet.change("porch", func(c *bridge.Camera) { c.State, c.Connected = bridge.Offline, false })
	expect("offline again", true)
	w.fleet.change("porch", func(c *bridge.Camera) { c.State, c.Connected = bridge.Online, true })
	w.publish("porch", picture(4000))
	expect("back again", false)
	if err := w.fleet.SetEnabled("porch", false); err != nil {
		t.Fatal(err)
	}
	expect("switched off", true)
}

func TestStatesReachThePage(t *testing.T) {
	w := open(t, httpapi.Config{Auth: true, Timing: httpapi.Timing{Stats: 100 * time.Millisecond}})
	p, _ := w.tab(bearer(viewerToken)...)
	limited, _ := w.tab(bearer(porchToken)...)
	w.fleet.change("yard", func(c *bridge.Camera) { c.Name = "Back yard" })
	for m := p.await("camera"); m.camera(t).Name != "Back yard"; m = p.await("camera") {
	}
	w.fleet.add("cellar")
	for m := p.await("camera"); m.camera(t).ID != "cellar"; m = p.await("camera") {
	}
	if err := w.fleet.Remove("cellar"); err != nil {
		t.Fatal(err)
	}
	if m := p.await("removed"); string(m.Camera) != `"cellar"` {
		t.Errorf("removed %s", m.Camera)
	}
	w.fleet.notify(bridge.Notice{Time: time.UnixMilli(1772366400123), Camera: "yard", Code: bridge.CodeInvalid, Message: "no", Property: "quality", Value: "99"})
	w.fleet.notify(bridge.Notice{Camera: "porch", Code: bridge.CodeBusy, Message: "for both"})
	w.server.Notify(bridge.Notice{Camera: "yard", Code: bridge.CodeInvalid, Message: "of no camera's doing"})
	m := p.await("notice")
	if m.Time != 1772366400123 || string(m.Camera) != `"yard"` || m.Code != "invalid" || m.Message != "no" || m.Property != "quality" || m.Value != "99" {
		t.Errorf("notice %+v", m)
	}
	for m.Message != "of no camera's doing" {
		m = p.await("notice")
	}
	// The limited page hears of its own camera only; figures come by themselves.
	seen := map[string]int{}
	for seen["notice"] == 0 || seen["camera"] < 3 {
		m := limited.text()
		seen[m.Type]++
		if text := string(m.Camera); !strings.Contains(text, "porch") || strings.Contains(text, "yard") {
			t.Errorf("a page for the porch was told %s %s", m.Type, text)
		}
	}
}

// TestCameraIsToldAtMostTwiceASecond: changes are merged, the last one arrives.
func TestCameraIsToldAtMostTwiceASecond(t *testing.T) {
	w := open(t, httpapi.Config{Timing: httpapi.Timing{Stats: time.Hour}})
	p, _ := w.tab()
	start := time.Now()
	told := 0
	for n := 0; time.Since(start) < 1200*time.Millisecond; n++ {
		w.fleet.change("porch", func(c *bridge.Camera) { c.Name = fmt.Sprint("name ", n) })
		p.say(`{"type":"ping"}`)
		for m := p.text(); m.Type != "pong"; m = p.text() {
			told++
		}
		<-time.After(25 * time.Millisecond) // well below the limit of messages
	}
	w.fleet.change("porch", func(c *bridge.Camera) { c.Name = "last" })
	for m := p.await("camera"); m.camera(t).Name != "last"; m = p.await("camera") {
	}
	if told > 4 {
		t.Errorf("told %d times in 1.2 s", told)
	}
}

// messages of the page, complete but for the camera.
var messages = map[string]string{
	"subscribe":   `{"type":"subscribe","camera":%q,"channel":1}`,
	"unsubscribe": `{"type":"unsubscribe","channel":1}`,
	"painted":     `{"type":"painted","channels":[1]}`,
	"ping":        `{"type":"ping","time":1}`,
	"set":         `{"type":"set","id":"7","camera":%q,"settings":{"quality":12}}`,
	"motion":      `{"type":"motion","id":"7","camera":%q,"motion":{"sensitivity":60}}`,
	"do":          `{"type":"do","id":"7","camera":%q,"action":"restart","args":{}}`,
	"rename":      `{"type":"rename","id":"7","camera":%q,"name":"New"}`,
	"enable":      `{"type":"enable","id":"7","camera":%q,"enabled":true}`,
}

func TestEveryMessageAndRole(t *testing.T) {
	w := open(t, httpapi.Config{Auth: true})
	for _, row := range httpapi.Routes() {
		kind, ok := strings.CutPrefix(row.On, "page ")
		if !ok {
			continue
		}
		text := messages[kind]
		if text == "" {
			t.Errorf("the table has a message %q that this test does not know", kind)
			continue
		}
		for _, c := range callers[1:] {
			for _, camera := range []string{"porch", "yard"} {
				t.Run(kind+" "+c.name+" "+camera, func(t *testing.T) {
					w.t = t
					p, _ := w.tab(bearer(c.token)...)
					denied := !c.role.Includes(row.Role)
					if strings.Contains(text, "%q") {
						denied = denied || c.limited && camera == "yard"
						p.say(text, camera)
					} else {
						p.say("%s", text)
					}
					p.say(`{"type":"set","id":"end"}`) // always an answer
					got := ""
					for got == "" {
						switch m := p.text(); {
						case m.Type == "error", m.ID == "7" && !m.OK:
							got = m.Error.Code
						case m.ID == "7", m.ID == "end":
							got = "ok"
						}
					}
					if want := map[bool]string{true: "denied", false: "ok"}[denied]; got != want {
						t.Errorf("got %s, want %s", got, want)
					}
				})
			}
		}
	}
	if len(messages) != len(slices.DeleteFunc(httpapi.Routes(), func(r httpapi.Route) bool { return !strings.HasPrefix(r.On, "page ") })) {
		t.Errorf("this test knows %v", slices.Sorted(maps.Keys(messages)))
	}
}

func TestCommandsAnswer(t *testing.T) {
	w := open(t, httpapi.Config{})
	p, _ := w.tab()
	p.say(`{"type":"set","id":"a","camera":"porch","settings":{"quality":20}}`)
	if m := p.await("result"); !m.OK || m.ID != "a" || m.camera(t).Settings.Reported["quality"] != 20.0 {
		t.Errorf("set: %+v", m)
	}
	p.say(`{"type":"rename","id":"b","camera":"porch","name":"Gate"}`)
	if m := p.await("result"); !m.OK || m.camera(t).Name != "Gate" {
		t.Errorf("rename: %+v", m)
	}
	p.say(`{"type":"enable","id":"c","camera":"porch","enabled":false}`)
	if m := p.await("result"); !m.OK || m.camera(t).State != "disabled" {
		t.Errorf("enable: %+v", m)
	}
	wrong := []struct{ text, kind, code, field string }{
		{`{"type":"set","id":"1","camera":"porch","settings":{"quality":99}}`, "result", "invalid", "settings.quality"},
		{`{"type":"set","id":"1","camera":"porch","settings":{}}`, "result", "invalid", "settings"},
		{`{"type":"set","camera":"porch","settings":{"quality":20}}`, "error", "invalid", "id"},
		{`{"type":"set","id":"1","camera":"nowhere","settings":{"quality":20}}`, "result", "not_found", ""},
		{`{"type":"set","id":"1","camera":"` + strings.Repeat("a", 300) + `","settings":{}}`, "result", "invalid", "camera"},
		{`{"type":"do","id":"1","camera":"porch","action":"explode"}`, "result", "invalid", "action"},
		{`{"type":"rename","id":"1","camera":"porch"}`, "result", "invalid", "name"},
		{`{"type":"enable","id":"1","camera":"porch"}`, "result", "invalid", "enabled"},
		{`{"type":"subscribe","camera":"porch"}`, "error", "invalid", "channel"},
		{`{"type":"subscribe","camera":"porch","channel":65536}`, "error", "invalid", "channel"},
		{`{"type":"subscribe","camera":"porch","channel":1,"fps":-1}`, "error", "invalid", "fps"},
		{`{"type":"subscribe","camera":"nowhere","channel":1}`, "error", "not_found", ""},
		{`{"type":"unsubscribe"}`, "error", "invalid", "channel"},
		{`{"type":"explode","id":"1"}`, "result", "invalid", "type"},
		{`{"type":"ping","tiem":1}`, "error", "invalid", "tiem"},
		{`{"type":"ping"} x`, "error", "invalid", ""},
		{`[]`, "error", "invalid", ""},
		{`hello`, "error", "invalid", ""},
		{``, "error", "invalid", ""},
	}
	for _, c := range wrong {
		p.say("%s", c.text)
		if m := p.await(c.kind); m.OK || m.Error.Code != c.code || m.Error.Field != c.field || len(m.Error.Message) < 10 {
			t.Errorf("%.100s: %s %+v", c.text, m.Type, m.Error)
		}
	}
}

// TestCommandsOfACameraStayInOrder, and one that does not answer holds up
// nobody else.
func TestCommandsOfACameraStayInOrder(t *testing.T) {
	w := open(t, httpapi.Config{})
	blocked := make(chan struct{})
	w.fleet.device = func(ctx context.Context, camera string) error {
		if camera == "porch" {
			select {
			case <-blocked:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		return nil
	}
	p, _ := w.tab()
	for n := range 5 {
		p.say(`{"type":"set","id":"p%d","camera":"porch","settings":{"quality":%d}}`, n, 10+n)
	}
	p.say(`{"type":"set","id":"y","camera":"yard","settings":{"quality":40}}`)
	if m := p.await("result"); m.ID != "y" || !m.OK {
		t.Errorf("first came %+v", m)
	}
	for n := range 20 { // one is under way, 16 may wait
		p.say(`{"type":"do","id":"x%d","camera":"porch","action":"restart"}`, n)
	}
	busy := p.await("result")
	if busy.Error.Code != "busy" || !strings.HasPrefix(busy.ID, "x") {
		t.Errorf("too many commands: %+v", busy)
	}
	close(blocked)
	for n := 0; n < 5; {
		if m := p.await("result"); strings.HasPrefix(m.ID, "p") {
			if m.ID != fmt.Sprint("p", n) || m.camera(t).Settings.Reported["quality"] != float64(10+n) {
				t.Errorf("result %d is %+v", n, m)
			}
			n++
		}
	}
}

// TestPageLeavesDuringACommand: its goroutines end with it.
func TestPageLeavesDuringACommand(t *testing.T) {
	w := open(t, httpapi.Config{})
	asked, left := make(chan struct{}), make(chan struct{})
	w.fleet.device = func(ctx context.Context, _ string) error {
		close(asked)
		<-ctx.Done()
		close(left)
		return ctx.Err()
	}
	p, _ := w.tab()
	p.say(`{"type":"subscribe","camera":"porch","channel":1}`)
	p.say(`{"type":"set","id":"1","camera":"porch","settings":{"quality":20}}`)
	<-asked
	p.Close()
	<-left
	until(t, "nobody watches", func() bool { return w.hub.Feed("porch").Stats().Viewers == 0 })
}

func TestPageLimits(t *testing.T) {
	w := open(t, httpapi.Config{})
	t.Run("message size", func(t *testing.T) {
		p, _ := w.tab()
		p.say(`{"type":"ping","id":"%s"}`, strings.Repeat("x", 64<<10))
		if m := p.await("error"); m.Error.Code != "too_large" {
			t.Errorf("told %+v", m)
		}
		if code := closed(t, p.Conn); code != websocket.CloseMessageTooBig {
			t.Errorf("closed with %d", code)
		}
	})
	t.Run("binary", func(t *testing.T) {
		p, _ := w.tab()
		if err := p.WriteMessage(websocket.BinaryMessage, []byte("{}")); err != nil {
			t.Fatal(err)
		}
		if m := p.await("error"); m.Error.Code != "invalid" {
			t.Errorf("told %+v", m)
		}
		if code := closed(t, p.Conn); code != websocket.CloseUnsupportedData {
			t.Errorf("closed with %d", code)
		}
	})
	t.Run("message rate", func(t *testing.T) {
		p, _ := w.tab()
		start := time.Now()
		for range 150 { // 100 at once, then 50 a second
			p.say(`{"type":"ping"}`)
		}
		for range 150 {
			p.await("pong")
		}
		if took := time.Since(start); took < 900*time.Millisecond || took > 5*time.Second {
			t.Errorf("150 messages were read within %v", took)
		}
	})
	t.Run("bad UTF-8 and odd frames", func(t *testing.T) {
		p, _ := w.tab()
		p.say("{\"type\":\"\xff\"}")
		if m := p.await("error"); m.Error.Code != "invalid" {
			t.Errorf("told %+v", m)
		}
		if _, err := p.NetConn().Write([]byte{0xFF, 0xFF}); err != nil {
			t.Fatal(err)
		}
		if _, _, err := p.ReadMessage(); err == nil {
			t.Error("a frame that breaks the protocol is borne")
		}
	})
}

// TestStuckPageIsClosed: a page that reads nothing is gone after the deadline.
func TestStuckPageIsClosed(t *testing.T) {
	w := open(t, httpapi.Config{Timing: httpapi.Timing{Write: 300 * time.Millisecond}})
	p, _ := w.tab()
	if err := p.NetConn().(*net.TCPConn).SetReadBuffer(4096); err != nil {
		t.Fatal(err)
	}
	p.say(`{"type":"subscribe","camera":"porch","channel":1}`)
	big := picture(3_000_000)
	until(t, "the page is gone", func() bool {
		w.publish("porch", big)
		_ = p.WriteMessage(websocket.TextMessage, []byte(`{"type":"painted","channels":[1,1]}`)) // fails once it is gone
		return w.hub.Feed("porch").Stats().Viewers == 0 && w.hub.Feed("porch").Stats().Frames > 2
	})
}

// TestRevocationEndsWhatIsOpen: a session that was closed, and a token that the
// configuration no longer has, end sockets and streams.
func TestRevocationEndsWhatIsOpen(t *testing.T) {
	w := open(t, httpapi.Config{Auth: true, Timing: httpapi.Timing{Recheck: 50 * time.Millisecond}})
	c := w.ask("POST", "/api/v1/login", `{"token":"`+viewerToken+`"}`).Cookies()[0]
	cookie := "Cookie: " + c.Name + "=" + c.Value
	p, _ := w.tab(cookie)
	p.say(`{"type":"subscribe","camera":"yard","channel":1}`)
	raw := w.dialSocket("/live/ws?room=porch", cookie)
	s := w.stream(mjpegPath, cookie)
	s.part()
	until(t, "all are watching", func() bool {
		return w.hub.Feed("porch").Stats().Viewers == 2 && w.hub.Feed("yard").Stats().Viewers == 1
	})
	if err := w.auth.Logout(c.Value); err != nil {
		t.Fatal(err)
	}
	if code := closed(t, p.Conn); code != 4401 {
		t.Errorf("the page's socket was closed with %d", code)
	}
	closed(t, raw)
	until(t, "nobody is watching", func() bool {
		return w.hub.Feed("porch").Stats().Viewers == 0 && w.hub.Feed("yard").Stats().Viewers == 0
	})
}

func TestCloseEndsPages(t *testing.T) {
	w := open(t, httpapi.Config{})
	p, _ := w.tab()
	raw := w.dialSocket("/live/ws?room=porch")
	ended := make(chan struct{})
	go func() { w.server.Close(); close(ended) }()
	if code := closed(t, p.Conn); code != websocket.CloseGoingAway {
		t.Errorf("the page's socket was closed with %d", code)
	}
	closed(t, raw)
	<-ended
}

// TestAViewerThatOnlyReadsStays: StreamHub's viewers need not answer pings.
func TestAViewerThatOnlyReadsStays(t *testing.T) {
	w := open(t, httpapi.Config{Timing: httpapi.Timing{Silence: 100 * time.Millisecond, Repeat: 50 * time.Millisecond}})
	w.publish("porch", picture(2000))
	raw := w.dialSocket("/live/ws?room=porch")
	if err := raw.WriteControl(websocket.PingMessage, nil, time.Now().Add(time.Second)); err != nil {
		t.Fatal(err)
	}
	for i := range 12 { // over 500 ms
		if _, _, err := raw.ReadMessage(); err != nil {
			t.Fatalf("cut off after %d pictures: %v", i, err)
		}
	}
}

func TestRawSocket(t *testing.T) {
	w := open(t, httpapi.Config{})
	one := picture(4000)
	w.publish("porch", one)
	for _, path := range []string{"/live/ws?app=live&room=Room-porch", "/live/ws?room=porch", "/live/ws?app=live&room=live-Room-porch"} {
		c := w.dialSocket(path)
		kind, b, err := c.ReadMessage()
		if err != nil || kind != websocket.BinaryMessage || !bytes.Equal(b, one) {
			t.Errorf("%s: %d, %d bytes, %v", path, kind, len(b), err)
		}
		if err := c.WriteControl(websocket.PingMessage, []byte("x"), time.Now().Add(time.Second)); err != nil {
			t.Fatal(err)
		}
		pong := make(chan string, 1)
		c.SetPongHandler(func(s string) error { pong <- s; return nil })
		two := picture(5000)
		until(t, "the pong came", func() bool {
			w.publish("porch", two)
			if _, b, err = c.ReadMessage(); err != nil || !bytes.Equal(b, two) {
				t.Fatalf("%v, %d bytes", err, len(b))
			}
			return len(pong) == 1
		})
		w.publish("porch", one)
		c.Close()
	}
	for path, want := range map[string]string{
		"/live/ws?app=live&room=nowhere":   `{"type":"error","code":"4401","message":"invalid_room"}`,
		"/live/ws?app=live":                `{"type":"error","code":"4401","message":"invalid_room"}`,
		"/live/ws?app=other&room=porch":    `{"type":"error","code":"4401","message":"unknown_app"}`,
		"/live/ws?app=a%20b&room=porch":    `{"type":"error","code":"4401","message":"invalid_app"}`,
		"/live/ws?app=live&room=../secret": `{"type":"error","code":"4401","message":"invalid_room"}`,
	} {
		c := w.dialSocket(path)
		if _, b, err := c.ReadMessage(); err != nil || string(b) != want {
			t.Errorf("%s: %s, %v", path, b, err)
		}
		if code := closed(t, c); code != 4401 {
			t.Errorf("%s: closed with %d", path, code)
		}
	}
}
