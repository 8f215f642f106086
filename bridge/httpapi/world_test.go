package httpapi_test

import (
	"bytes"
	"context"
	"encoding/json"
	"image"
	"image/jpeg"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"go.uber.org/goleak"

	"github.com/espcam-bridge/espcam-bridge/bridge"
	"github.com/espcam-bridge/espcam-bridge/bridge/auth"
	"github.com/espcam-bridge/espcam-bridge/bridge/httpapi"
	"github.com/espcam-bridge/espcam-bridge/bridge/hub"
	"github.com/espcam-bridge/espcam-bridge/bridge/store"
)

// cameras is a fleet in memory: no devices, but the same answers.
type cameras struct {
	hub *hub.Hub

	mu        sync.Mutex
	all       map[string]bridge.Camera
	keys      map[string]bridge.Key
	listeners map[*bridge.Listener]bool
	does      []string
	device    func(ctx context.Context, camera string) error // what a device answers; nil: yes
}

func newCameras(h *hub.Hub) *cameras {
	return &cameras{hub: h, all: map[string]bridge.Camera{}, keys: map[string]bridge.Key{}, listeners: map[*bridge.Listener]bool{}}
}

var nativeCaps = bridge.Capabilities{FrameSizes: []string{"QVGA", "VGA"}, LED: 255, Motor: true}

// add makes a camera that is online.
func (f *cameras) add(id string) {
	f.change(id, func(c *bridge.Camera) {
		*c = bridge.Camera{ID: id, Room: "Room-" + id, Name: id, Dialect: bridge.Native, State: bridge.Online, Connected: true, Enabled: true,
			Address: "192.0.2.9:1234", ConnectedAt: time.Now(), Offer: bridge.NewOffer(bridge.Native, nativeCaps, 15), Motion: bridge.DefaultMotion()}
	})
}

func (f *cameras) change(id string, how func(*bridge.Camera)) {
	f.mu.Lock()
	c := f.all[id]
	how(&c)
	f.all[id] = c
	f.mu.Unlock()
	f.changed(id)
}

func (f *cameras) changed(id string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for l := range f.listeners {
		l.Changed(id)
	}
}

func (f *cameras) notify(n bridge.Notice) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for l := range f.listeners {
		l.Notify(n)
	}
}

func (f *cameras) answer(ctx context.Context, camera string) error {
	f.mu.Lock()
	device := f.device
	f.mu.Unlock()
	if device == nil {
		return nil
	}
	return device(ctx, camera)
}

func (f *cameras) Cameras() (out []bridge.Camera) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, id := range slices.Sorted(maps.Keys(f.all)) {
		out = append(out, f.snapshotLocked(id))
	}
	return out
}

func (f *cameras) snapshotLocked(id string) bridge.Camera {
	c := f.all[id]
	rssi := c.Stats.RSSI
	c.Stats = f.hub.Feed(id).Stats()
	c.Stats.RSSI = rssi
	return c
}

func (f *cameras) Camera(ref string) (bridge.Camera, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for id, c := range f.all {
		if ref == id || ref == c.Room || ref == "live-"+c.Room {
			return f.snapshotLocked(id), nil
		}
	}
	return bridge.Camera{}, bridge.Errorf(bridge.CodeNotFound, "there is no camera %.64q", ref)
}

func (f *cameras) Subscribe() (*bridge.Listener, func()) {
	l := bridge.NewListener()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.listeners[l] = true
	return l, func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		delete(f.listeners, l)
	}
}

func (f *cameras) Set(ctx context.Context, id string, s bridge.Settings) (bridge.Camera, error) {
	c, err := f.Camera(id)
	if err == nil {
		s, err = c.Offer.Check(s)
	}
	if err == nil {
		err = f.answer(ctx, id)
	}
	if err != nil {
		return c, err
	}
	f.change(id, func(c *bridge.Camera) { c.Desired, c.Reported = c.Desired.With(s), c.Reported.With(s) })
	return f.Camera(id)
}

func (f *cameras) Do(ctx context.Context, id string, a bridge.Action) error {
	c, err := f.Camera(id)
	if err == nil {
		a, err = c.Offer.CheckAction(a)
	}
	if err == nil {
		err = f.answer(ctx, id)
	}
	if err == nil {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.does = append(f.does, id+" "+a.Name)
	}
	return err
}

func (f *cameras) SetMotion(id string, in map[string]any) (bridge.Camera, error) {
	change, err := bridge.CheckMotion(in)
	if err != nil {
		return bridge.Camera{}, err
	}
	f.change(id, func(c *bridge.Camera) { c.Motion = c.Motion.With(change) })
	return f.Camera(id)
}

func (f *cameras) Rename(id, name string) error {
	if len(name) > 60 {
		return bridge.Errorf(bridge.CodeInvalid, "the name is longer than 60 characters").At("name")
	}
	f.change(id, func(c *bridge.Camera) { c.Name = name })
	return nil
}

func (f *cameras) SetHidden(id string, hidden bool) error {
	f.change(id, func(c *bridge.Camera) { c.Hidden = hidden })
	return nil
}

func (f *cameras) SetEnabled(id string, on bool) error {
	f.change(id, func(c *bridge.Camera) {
		c.Enabled, c.State = on, bridge.Online
		if !on {
			c.State = bridge.Disabled
		}
	})
	f.hub.Feed(id).Mute(!on)
	return nil
}

func (f *cameras) Remove(id string) error {
	f.mu.Lock()
	c := f.all[id]
	if c.Source != "" {
		f.mu.Unlock()
		return bridge.Errorf(bridge.CodeConflict, "%s stands in %s: remove it there", id, c.Source)
	}
	delete(f.all, id)
	f.mu.Unlock()
	f.changed(id)
	f.hub.Remove(id)
	return nil
}

const mintedSecret = "wsk_k1234567_thisisthesecretofthekeythatwasminted"

func (f *cameras) Provision(room, identity string) (bridge.Camera, string, bridge.Key, error) {
	id := strings.ToLower(room)
	f.add(id)
	f.change(id, func(c *bridge.Camera) { c.Room = room })
	k := bridge.Key{ID: "k1234567", Camera: id, Prefix: mintedSecret[:8], Identity: identity, Created: time.Now()}
	f.mu.Lock()
	f.keys[k.ID] = k
	f.mu.Unlock()
	c, err := f.Camera(id)
	return c, mintedSecret, k, err
}

func (f *cameras) RevokeKey(id string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, ok := f.keys[id]; !ok {
		return bridge.Errorf(bridge.CodeNotFound, "there is no key %.40q", id)
	}
	delete(f.keys, id)
	return nil
}

func (f *cameras) Keys() []bridge.Key {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Collect(maps.Values(f.keys))
}

// world is a Server behind a real listener.
type world struct {
	t      testing.TB
	fleet  *cameras
	hub    *hub.Hub
	auth   *auth.Auth
	server *httpapi.Server
	http   *httptest.Server
	log    *lines
	addr   string
}

// clock is a time that a test sets.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// lines is a log that can be read.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
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

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}

const (
	viewerToken   = "esb_viewer_0123456789abcdef0123456789"
	operatorToken = "esb_operator_0123456789abcdef01234567"
	adminToken    = "esb_admin_0123456789abcdef0123456789ab"
	porchToken    = "esb_porch_0123456789abcdef0123456789ab"
	weakToken     = "guessme1"
)

var testTokens = []auth.Token{
	{Name: "viewer", Secret: viewerToken, Role: bridge.Viewer},
	{Name: "operator", Secret: operatorToken, Role: bridge.Operator},
	{Name: "admin", Secret: adminToken, Role: bridge.Admin},
	{Name: "porch-only", Secret: porchToken, Role: bridge.Admin, Cameras: []string{"porch"}},
	{Name: "weak", Secret: weakToken, Role: bridge.Viewer},
}

// pageFiles is a page as package web has it.
var pageFiles = fstest.MapFS{
	"index.html": {Data: []byte(`<!doctype html><script type="module" src="{{assets}}/app.js"></script>`)},
	"app.js":     {Data: []byte("import './lib/a.js'; " + strings.Repeat("// much the same again\n", 100))},
	"lib/a.js":   {Data: []byte("export const a = 1;")},
}

// open starts a server with the cameras porch and yard. adapt may change
// everything before.
func open(t testing.TB, cfg httpapi.Config, adapt ...func(*httpapi.Deps)) *world {
	t.Helper()
	before := goleak.IgnoreCurrent()
	w := &world{t: t, hub: hub.New(nil), log: &lines{}}
	w.fleet = newCameras(w.hub)
	w.fleet.add("porch")
	w.fleet.add("yard")
	deps := httpapi.Deps{Fleet: w.fleet, Hub: w.hub, Web: pageFiles, Log: slog.New(slog.NewTextHandler(w.log, nil))}
	if cfg.Auth {
		db, err := store.Open(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { db.Close() })
		if w.auth, err = auth.Open(auth.Config{Tokens: testTokens}, db); err != nil {
			t.Fatal(err)
		}
		deps.Auth = w.auth
	}
	for _, f := range adapt {
		f(&deps)
	}
	var err error
	if w.server, err = httpapi.New(cfg, deps); err != nil {
		t.Fatal(err)
	}
	w.http = httptest.NewUnstartedServer(w.server.Handler())
	w.http.Config = httpapi.NewHTTPServer(w.server.Handler(), slog.New(slog.DiscardHandler))
	w.http.Start()
	w.addr = w.http.Listener.Addr().String()
	t.Cleanup(func() {
		w.http.CloseClientConnections()
		w.server.Close()
		w.http.Close()
		http.DefaultClient.CloseIdleConnections()
		// A journal outlives the server, and its writer may have begun after it.
		goleak.VerifyNone(t, before, goleak.IgnoreAnyFunction("github.com/espcam-bridge/espcam-bridge/bridge/journal.(*Journal).write"))
	})
	return w
}

// reply is an answer that was read to its end.
type reply struct {
	*http.Response
	body []byte
}

// ask sends a request; headers are "Name: value".
func (w *world) ask(method, path, body string, headers ...string) reply {
	w.t.Helper()
	req, err := http.NewRequest(method, "http://"+w.addr+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		if name == "Host" {
			req.Host = value
			continue
		}
		req.Header.Set(name, value)
	}
	client := http.Client{Timeout: 15 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	got := reply{Response: resp}
	if resp.StatusCode == http.StatusSwitchingProtocols || strings.HasPrefix(resp.Header.Get("Content-Type"), "multipart/") {
		return got // endless
	}
	if got.body, err = io.ReadAll(resp.Body); err != nil {
		w.t.Fatal(err)
	}
	return got
}

func (w *world) get(path string, headers ...string) reply {
	w.t.Helper()
	return w.ask(http.MethodGet, path, "", headers...)
}

// fault is the error in a JSON answer.
func (r reply) fault() (code, message, field string) {
	var out struct {
		Error struct{ Code, Message, Field string }
	}
	if json.Unmarshal(r.body, &out) != nil {
		return "", string(r.body), ""
	}
	return out.Error.Code, out.Error.Message, out.Error.Field
}

// fails checks status, code and a part of the sentence of an error.
func (r reply) fails(t *testing.T, status int, code bridge.Code, sentence string) {
	t.Helper()
	gotCode, message, _ := r.fault()
	if r.StatusCode != status || gotCode != string(code) || !strings.Contains(message, sentence) {
		t.Errorf("got %d %s %q, want %d %s %q", r.StatusCode, gotCode, message, status, code, sentence)
	}
	if kind := r.Header.Get("Content-Type"); kind != "application/json" {
		t.Errorf("an error is %q", kind)
	}
}

func (r reply) decode(t *testing.T, v any) {
	t.Helper()
	if r.StatusCode >= 300 {
		t.Fatalf("got %d: %s", r.StatusCode, r.body)
	}
	if err := json.Unmarshal(r.body, v); err != nil {
		t.Fatalf("%v in %s", err, r.body)
	}
}

// until polls a condition for up to 10 s.
func until(t testing.TB, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); <-tick.C {
		if ok() {
			return
		}
	}
	t.Fatalf("still not: %s", what)
}

// smallPicture is a JPEG of 160x120, about 1 KB.
var smallPicture = sync.OnceValue(func() []byte {
	img := image.NewGray(image.Rect(0, 0, 160, 120))
	for i := range img.Pix {
		img.Pix[i] = uint8(i / 160)
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, nil); err != nil {
		panic(err)
	}
	return b.Bytes()
})

// picture makes a JPEG of exactly size bytes, which is 3,000 or more.
func picture(size int) []byte {
	small := smallPicture()
	var comments []byte
	for left := size - len(small); left > 0; left = size - len(small) - len(comments) {
		n := min(left, 60_000)
		if rest := left - n; rest > 0 && rest < 4 {
			n -= 4 // a comment has at least a head
		}
		comments = append(comments, 0xFF, 0xFE, byte((n-2)>>8), byte(n-2))
		comments = append(comments, bytes.Repeat([]byte("."), n-4)...)
	}
	return slices.Concat(small[:2], comments, small[2:])
}

// frame makes a frame of a picture, received now.
func frame(camera string, jpg []byte) bridge.Frame {
	return bridge.NewBuffer(jpg).Frame(len(jpg), bridge.Frame{Camera: camera, Received: time.Now(), Width: 160, Height: 120})
}

func (w *world) publish(camera string, jpg []byte) { w.hub.Feed(camera).Publish(frame(camera, jpg)) }

// dial opens a bare connection and sends a GET.
func (w *world) dial(path string, headers ...string) net.Conn {
	w.t.Helper()
	c, err := net.Dial("tcp", w.addr)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(15 * time.Second)); err != nil {
		w.t.Fatal(err)
	}
	head := "GET " + path + " HTTP/1.1\r\nHost: " + w.addr + "\r\n"
	for _, h := range headers {
		head += h + "\r\n"
	}
	if _, err := io.WriteString(c, head+"\r\n"); err != nil {
		w.t.Fatal(err)
	}
	return c
}
