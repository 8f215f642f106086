package httpapi_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"log/slog"
	"maps"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge"
	"github.com/espcam-bridge/espcam-bridge/bridge/httpapi"
	"github.com/espcam-bridge/espcam-bridge/bridge/journal"
	"github.com/espcam-bridge/espcam-bridge/bridge/store"
)

// motion is a watch that sees what a test tells it, with a real journal behind.
type motion struct {
	*journal.Journal

	mu        sync.Mutex
	states    map[string]bridge.MotionState
	active    map[string]bridge.Event
	listeners map[*bridge.EventListener]bool
}

func newMotion(t *testing.T) *motion {
	t.Helper()
	m := &motion{states: map[string]bridge.MotionState{}, active: map[string]bridge.Event{}, listeners: map[*bridge.EventListener]bool{}}
	db, err := store.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	m.Journal, err = journal.Open(journal.Config{Dir: filepath.Join(t.TempDir(), "events"), Now: func() time.Time { return noon }}, db, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	inbox, leave := m.Subscribe()
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() {
		if err := m.Run(ctx, inbox); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() {
		cancel()
		running.Wait()
		leave()
		db.Close()
	})
	return m
}

// with connects a server to the watch.
func (m *motion) with(d *httpapi.Deps) {
	d.Motion, d.Events = m, m.Journal
	d.Sources.Events = m.Check
	d.Sources.Journal = func() httpapi.EventFigures { return httpapi.EventFigures(m.Stats()) }
}

func (m *motion) State(camera string) bridge.MotionState {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.states[camera]
}

func (m *motion) Subscribe() (*bridge.EventListener, func()) {
	l := bridge.NewEventListener()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.listeners[l] = true
	return l, func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		delete(m.listeners, l)
	}
}

func (m *motion) Active() []bridge.Event {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Collect(maps.Values(m.active))
}

func (m *motion) Debug(camera string) (image.Image, bool) {
	img := image.NewNRGBA(image.Rect(0, 0, 160, 120))
	img.Set(7, 9, color.NRGBA{255, 0, 0, 128})
	return img, camera == "porch"
}

// tell tells everybody of an event.
func (m *motion) tell(e bridge.Event) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.active[e.ID] = e; e.Over() {
		delete(m.active, e.ID)
	}
	state := m.states[e.Camera]
	state.Active, state.Since, state.Event = !e.Over(), e.Begin, e.ID
	if e.Over() {
		state.Since, state.Event = e.End, ""
	}
	m.states[e.Camera] = state
	for l := range m.listeners {
		l.Tell(e)
	}
}

// settled waits until the journal has written so many events.
func (m *motion) settled(t *testing.T, events int) {
	t.Helper()
	until(t, "the events are on disk", func() bool { return m.Stats().Events == events })
}

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// begun makes an event that began n seconds after noon and goes on.
func begun(camera string, n int) bridge.Event {
	at := noon.Add(time.Duration(n) * time.Second)
	return bridge.Event{ID: bridge.NewEventID(at, 1), Camera: camera, Sources: []string{bridge.SourcePixels}, Begin: at.In(time.FixedZone("X", 3600)), Last: at.Add(time.Second),
		Score: 0.5, Boxes: []bridge.Box{{X: 0.1, Y: 0.2, W: 0.3, H: 0.4}}, Now: []bridge.Box{{X: 0.5, Y: 0.5, W: 0.1, H: 0.1}}}
}

func over(e bridge.Event) bridge.Event {
	e.End, e.Ending, e.Now = e.Last.Add(time.Second), bridge.EndQuiet, nil
	return e
}

// shotAt is a picture of a clip, taken so long after noon.
func shotAt(after time.Duration, size int) bridge.Frame {
	jpg := picture(size)
	return bridge.NewBuffer(jpg).Frame(len(jpg), bridge.Frame{Camera: "porch", Seq: uint64(after) + 1, Received: noon.Add(after)})
}

// keep puts an event with picture and clip on disk.
func (m *motion) keep(t *testing.T, e bridge.Event, gaps ...time.Duration) {
	t.Helper()
	already := m.Stats().Events
	e.Picture = shotAt(0, 4000)
	for i, gap := range append([]time.Duration{0}, gaps...) {
		if !m.Record(e.ID, shotAt(gap, 3000+i)) {
			t.Fatal("a frame is refused")
		}
	}
	m.tell(e)
	until(t, "the journal knows it", func() bool { _, err := m.Event(e.ID); return err == nil })
	m.tell(over(e))
	m.settled(t, already+1)
}

// eventList is an answer of GET /events.
type eventList struct {
	Items []struct {
		ID, Camera, Begin, Last, End string
		Name                         string `json:"camera_name"`
		Ending                       string
		Score                        float64
		Picture, Clip                bool
	}
	Next string
}

func (w *world) events(t *testing.T, query string, headers ...string) eventList {
	t.Helper()
	var out eventList
	w.get("/api/v1/events"+query, headers...).decode(t, &out)
	return out
}

func (l eventList) ids() (out []string) {
	for _, e := range l.Items {
		out = append(out, e.ID)
	}
	return out
}

func TestEventJSON(t *testing.T) {
	m := newMotion(t)
	w := open(t, httpapi.Config{}, m.with)
	w.fleet.change("porch", func(c *bridge.Camera) { c.Name = "Front porch" })
	kept := begun("porch", 0)
	m.keep(t, kept)
	m.tell(begun("shed", 5)) // a camera that was removed
	until(t, "both are there", func() bool { return len(w.events(t, "").Items) == 2 })
	got := w.get("/api/v1/events/" + kept.ID)
	want := fmt.Sprintf(`{"id":%q,"camera":"porch","sources":["pixels"],"begin":"2026-11-21T12:00:00Z","last":"2026-11-21T12:00:01Z","end":"2026-11-21T12:00:02Z","ending":"quiet",`+
		`"score":0.5,"boxes":[{"x":0.1,"y":0.2,"w":0.3,"h":0.4}],"zones":[],"labels":[],"camera_name":"Front porch","picture":true,"clip":true}`, kept.ID)
	if strings.TrimSpace(string(got.body)) != want {
		t.Errorf("got  %s\nwant %s", got.body, want)
	}
	going := w.get("/api/v1/events/" + begun("shed", 5).ID)
	for _, part := range []string{`"camera_name":"shed"`, `"picture":false`, `"clip":false`} {
		if !strings.Contains(string(going.body), part) || strings.Contains(string(going.body), `"end`) {
			t.Errorf("one that goes on lacks %s: %s", part, going.body)
		}
	}
}

func TestEventPages(t *testing.T) {
	m := newMotion(t)
	w := open(t, httpapi.Config{}, m.with)
	var want []string
	for n := range 7 {
		e := begun("porch", n)
		m.tell(over(e))
		want = append([]string{e.ID}, want...)
	}
	m.settled(t, 7)
	var got []string
	query := "?limit=3"
	for range 4 {
		l := w.events(t, query)
		got = append(got, l.ids()...)
		if query = "?limit=3&before=" + l.Next; l.Next == "" {
			break
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if l := w.events(t, "?since="+noon.Add(2*time.Second).Format(time.RFC3339)+"&until="+url.QueryEscape(noon.Add(4*time.Second).In(time.FixedZone("X", 3600)).Format(time.RFC3339))); len(l.Items) != 2 {
		t.Errorf("from 2 to 4 s: %v", l.ids())
	}
	if l := w.events(t, "?camera=Room-porch,yard&source=pixels&min_score=0.5"); len(l.Items) != 7 {
		t.Errorf("by room: %v", l.ids())
	}
	for _, query := range []string{"?camera=yard", "?zone=door", "?label=cat", "?source=pir", "?min_score=0.51", "?camera=gone"} {
		if l := w.events(t, query); len(l.Items) != 0 || l.Next != "" {
			t.Errorf("%s: %v", query, l.ids())
		}
	}
	if body := string(w.get("/api/v1/events?camera=yard").body); body != `{"items":[],"next":""}`+"\n" {
		t.Errorf("nothing is %s", body)
	}
}

func TestWrongEventQueries(t *testing.T) {
	m := newMotion(t)
	w := open(t, httpapi.Config{}, m.with)
	for query, want := range map[string][2]string{
		"limit=0":                               {"limit", "from 1 to 200"},
		"limit=1000":                            {"limit", "from 1 to 200"},
		"limit=ten":                             {"limit", "from 1 to 200"},
		"since=yesterday":                       {"since", `since is "yesterday": it must be a time such as`},
		"until=2026-13-01T00:00:00Z":            {"until", "must be a time"},
		"since=2026-11-21T07:30:00+01:00":       {"since", "+ is written %2B"},
		"before=me":                             {"before", "must be the id of an event"},
		"before=../../etc/passwd":               {"before", "must be the id of an event"},
		"min_score=2":                           {"min_score", "from 0 to 1"},
		"min_score=NaN":                         {"min_score", "from 0 to 1"},
		"camera=" + url.QueryEscape("<script>"): {"camera", "ids of cameras"},
		"camera=" + strings.Repeat("a", 300):    {"camera", "ids of cameras"},
		"zone=" + strings.Repeat("z", 65):       {"zone", "longer than 64 bytes"},
	} {
		got := w.get("/api/v1/events?" + query)
		got.fails(t, 400, bridge.CodeInvalid, want[1])
		if _, _, field := got.fault(); field != want[0] {
			t.Errorf("%s: the field is %q", query, field)
		}
	}
	for _, id := range []string{"me", "..%2f..%2fetc%2fpasswd", begun("porch", 1).ID, strings.Repeat("0", 5000)} {
		for _, leaf := range []string{"", "/picture.jpg", "/clip.mjpeg"} {
			got := w.get("/api/v1/events/" + id + leaf)
			got.fails(t, 404, bridge.CodeNotFound, "there is no")
			if len(got.body) > 300 {
				t.Errorf("the answer repeats the id: %d bytes", len(got.body))
			}
		}
	}
	for _, speed := range []string{"0", "0.2", "9", "fast", "-1", "NaN"} {
		w.get("/api/v1/events/"+begun("porch", 1).ID+"/clip.mjpeg?speed="+speed).fails(t, 400, bridge.CodeInvalid, "from 0.25 to 8")
	}
	bare := open(t, httpapi.Config{})
	bare.get("/api/v1/events").fails(t, 404, bridge.CodeNotFound, "keeps no events")
	bare.get("/api/v1/events/"+begun("porch", 1).ID).fails(t, 404, bridge.CodeNotFound, "keeps no events")
	bare.get("/api/v1/cameras/porch/motion.png").fails(t, 404, bridge.CodeNotFound, "motion detection of camera porch is off")
}

// FuzzEventQuery: a query is refused with the field's name, or stays within what
// the caller may ask.
func FuzzEventQuery(f *testing.F) {
	for _, q := range []string{"", "camera=porch&limit=3", "camera=yard", "since=2026-11-21T07:30:00Z&until=x", "before=01m7yg6560001", "min_score=1e-300&zone=%00", "camera=,,porch,", "limit=%31", "limit=9999999999999999999"} {
		f.Add(q)
	}
	w := open(f, httpapi.Config{})
	who := bridge.Principal{Name: "x", Role: bridge.Viewer, Cameras: []string{"porch"}}
	f.Fuzz(func(t *testing.T, query string) {
		got, err := httpapi.EventFilter(w.server, query, who)
		var e *bridge.Error
		switch {
		case errors.As(err, &e):
			if e.Code != bridge.CodeDenied && (e.Code != bridge.CodeInvalid || e.Field == "") || len(e.Message) > 500 {
				t.Fatalf("%q: %+v", query, e)
			}
		case err != nil:
			t.Fatalf("%q: %v", query, err)
		case got.Limit < 1 || got.Limit > 200 || !(got.MinScore >= 0 && got.MinScore <= 1):
			t.Fatalf("%q: %+v", query, got)
		case slices.ContainsFunc(got.Cameras, func(id string) bool { return id != "porch" }):
			t.Fatalf("%q asks for %v", query, got.Cameras)
		}
	})
}

// TestLimitedTokenSeesItsEvents: what others have does not exist for it.
func TestLimitedTokenSeesItsEvents(t *testing.T) {
	m := newMotion(t)
	w := open(t, httpapi.Config{Auth: true}, m.with)
	mine, theirs := begun("porch", 0), begun("yard", 1)
	m.keep(t, mine)
	m.keep(t, theirs)
	as := bearer(porchToken)
	if l := w.events(t, "", as...); !slices.Equal(l.ids(), []string{mine.ID}) {
		t.Errorf("the list has %v", l.ids())
	}
	if l := w.events(t, "?camera=porch", as...); len(l.Items) != 1 {
		t.Errorf("of porch: %v", l.ids())
	}
	w.get("/api/v1/events?camera=yard", as...).fails(t, 403, bridge.CodeDenied, "may not see")
	w.get("/api/v1/events?camera=porch,gone", as...).fails(t, 403, bridge.CodeDenied, "may not see")
	for _, leaf := range []string{"", "/picture.jpg", "/clip.mjpeg", "/clip.mjpeg?speed=8"} {
		w.get("/api/v1/events/"+theirs.ID+leaf, as...).fails(t, 404, bridge.CodeNotFound, "there is no event")
		if got := w.get("/api/v1/events/"+theirs.ID+leaf, bearer(viewerToken)...); got.StatusCode != 200 {
			t.Errorf("%q for who sees all: %s", leaf, got.Status)
		}
		w.get("/api/v1/events/"+mine.ID+leaf).fails(t, 401, bridge.CodeDenied, "needs a token")
	}
	// A removed camera's events stay, for those who might see the camera.
	if err := w.fleet.Remove("porch"); err != nil {
		t.Fatal(err)
	}
	if l := w.events(t, "?camera=porch", as...); len(l.Items) != 1 || l.Items[0].Name != "porch" {
		t.Errorf("of a removed camera: %+v", l)
	}
	public := open(t, httpapi.Config{Auth: true, PublicStreams: true}, m.with)
	public.get("/api/v1/events/"+mine.ID+"/picture.jpg").fails(t, 401, bridge.CodeDenied, "needs a token")
}

func TestEventPictureIsCached(t *testing.T) {
	m := newMotion(t)
	w := open(t, httpapi.Config{}, m.with, func(d *httpapi.Deps) { d.Now = func() time.Time { return noon.Add(time.Hour) } })
	e := begun("porch", 0)
	e.Picture = shotAt(0, 5000)
	m.tell(e)
	path := "/api/v1/events/" + e.ID + "/picture.jpg"
	until(t, "there is a picture", func() bool { return w.get(path).StatusCode == 200 })
	got := w.get(path)
	if got.Header.Get("Cache-Control") != "no-store" || got.Header.Get("Etag") != "" || !bytes.Equal(got.body, e.Picture.JPEG()) {
		t.Errorf("while it goes on: %v, %d bytes", got.Header, len(got.body))
	}
	e.Picture = shotAt(time.Second, 6000)
	m.tell(over(e))
	m.settled(t, 1)
	got = w.get(path)
	if got.Header.Get("Cache-Control") != "private, max-age=31536000, immutable" || got.Header.Get("Etag") != `"`+e.ID+`-6000"` ||
		got.Header.Get("Content-Type") != "image/jpeg" || !bytes.Equal(got.body, e.Picture.JPEG()) {
		t.Errorf("when it is over: %v, %d bytes", got.Header, len(got.body))
	}
	early := open(t, httpapi.Config{}, m.with, func(d *httpapi.Deps) { d.Now = func() time.Time { return over(e).End.Add(time.Second) } })
	if c := early.get(path).Header.Get("Cache-Control"); c != "private, no-cache" {
		t.Errorf("just after its end, while its files may grow: %s", c)
	}
	if again := w.get(path, `If-None-Match: "`+e.ID+`-6000"`); again.StatusCode != 304 || len(again.body) != 0 {
		t.Errorf("again: %s", again.Status)
	}
	if head := w.ask("HEAD", path, ""); head.StatusCode != 200 || head.ContentLength != 6000 {
		t.Errorf("HEAD: %s %d", head.Status, head.ContentLength)
	}
	w.get("/api/v1/events/"+e.ID+"/clip.mjpeg").fails(t, 404, bridge.CodeNotFound, "with a clip")
}

// whole reads an answer to its end, an MJPEG one, too.
func (w *world) whole(path string, headers ...string) (*http.Response, []byte) {
	w.t.Helper()
	req, err := http.NewRequest("GET", "http://"+w.addr+path, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		req.Header.Set(name, value)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return resp, b
}

func TestClipAtOnce(t *testing.T) {
	m := newMotion(t)
	w := open(t, httpapi.Config{}, m.with)
	e := begun("porch", 0)
	m.keep(t, e, 100*time.Millisecond, 250*time.Millisecond)
	path := "/api/v1/events/" + e.ID + "/clip.mjpeg"
	want := []byte(bridge.FirstBoundary)
	for i, after := range []time.Duration{0, 100 * time.Millisecond, 250 * time.Millisecond} {
		want = append(want, shotAt(after, 3000+i).Machine()...)
	}
	want = append(bytes.TrimSuffix(want, []byte("\r\n")), "--\r\n"...)
	resp, body := w.whole(path)
	if resp.StatusCode != 200 || resp.ContentLength != int64(len(want)) || !bytes.Equal(body, want) ||
		resp.Header.Get("Content-Type") != "multipart/x-mixed-replace; boundary=frame" || resp.Header.Get("Accept-Ranges") != "bytes" {
		t.Errorf("%s %v, %d bytes, want %d", resp.Status, resp.Header, len(body), len(want))
	}
	resp, body = w.whole(path, "Range: bytes=100-199")
	if resp.StatusCode != 206 || !bytes.Equal(body, want[100:200]) {
		t.Errorf("a range: %s, %d bytes", resp.Status, len(body))
	}
	w.get(path, "Range: bytes=99999999-").fails(t, 416, bridge.CodeInvalid, "shorter than the range")
	if resp, _ := w.whole(path, "If-None-Match: "+resp.Header.Get("Etag")); resp.StatusCode != 304 {
		t.Errorf("again: %s", resp.Status)
	}
	r := multipart.NewReader(bytes.NewReader(want), bridge.Boundary)
	n := 0
	for part, err := r.NextPart(); err == nil; part, err = r.NextPart() {
		if part.Header.Get("Content-Type") == "image/jpeg" {
			n++
		}
	}
	if n != 3 {
		t.Errorf("another reader finds %d pictures", n)
	}
}

// TestClipIsPlayed: with a speed the pictures come as they happened.
func TestClipIsPlayed(t *testing.T) {
	m := newMotion(t)
	w := open(t, httpapi.Config{}, m.with)
	e := begun("porch", 0)
	m.keep(t, e, 200*time.Millisecond, 100*time.Millisecond, 800*time.Millisecond) // the third came out of order
	path := "/api/v1/events/" + e.ID + "/clip.mjpeg?speed="
	began := time.Now()
	resp, body := w.whole(path + "2")
	if took := time.Since(began); took < 450*time.Millisecond || took > 5*time.Second {
		t.Errorf("played in %v, want 450 ms", took)
	}
	if resp.Header.Get("Content-Type") != "multipart/x-mixed-replace; boundary=frame" || resp.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("headers: %v", resp.Header)
	}
	r := multipart.NewReader(bytes.NewReader(body), bridge.Boundary)
	for i := range 4 {
		part, err := r.NextPart()
		if err != nil {
			t.Fatal(err)
		}
		jpg, err := io.ReadAll(part)
		if err != nil || !bytes.Equal(jpg, picture(3000+i)) || part.Header.Get("Content-Length") != fmt.Sprint(3000+i) {
			t.Errorf("picture %d: %d bytes, %v %v", i, len(jpg), part.Header, err)
		}
	}
	if _, err := r.NextPart(); err != io.EOF {
		t.Errorf("at the end: %v", err)
	}
	_, body = w.whole(path+"8", "Accept: image/avif,image/*;q=0.8")
	early := bridge.FirstBoundary + bridge.EarlyHeaders
	want := early + string(picture(3000)) + "\r\n" + early + string(picture(3001)) + "\r\n" + early + string(picture(3002)) + "\r\n" + early + string(picture(3003)) + "\r\n--frame--\r\n"
	if string(body) != want {
		t.Errorf("for a browser: %d bytes, want %d", len(body), len(want))
	}
	w.get(path+"1&style=x").fails(t, 400, bridge.CodeInvalid, "style")
}

// TestClipOverHTTP2: a pause in a clip that is longer than a write may take does
// not end it.
func TestClipOverHTTP2(t *testing.T) {
	m := newMotion(t)
	w := open(t, httpapi.Config{Timing: httpapi.Timing{Write: 100 * time.Millisecond}}, m.with)
	e := begun("porch", 0)
	m.keep(t, e, 300*time.Millisecond, 600*time.Millisecond)
	srv := httptest.NewUnstartedServer(w.server.Handler())
	srv.EnableHTTP2 = true
	srv.StartTLS()
	defer srv.Close()
	for _, query := range []string{"", "?speed=1"} {
		resp, err := srv.Client().Get(srv.URL + "/api/v1/events/" + e.ID + "/clip.mjpeg" + query)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if n := len(httpapi.ReadClip(bytes.NewReader(body))); err != nil || n != 3 || resp.ProtoMajor != 2 {
			t.Errorf("%q over %s: %d pictures, %v", query, resp.Proto, n, err)
		}
	}
}

// TestClipNeedsASeat, as every stream does, and ends with the bridge.
func TestClipNeedsASeat(t *testing.T) {
	m := newMotion(t)
	w := open(t, httpapi.Config{MaxViewers: 1}, m.with)
	e := begun("porch", 0)
	m.keep(t, e, 4*time.Second, 8*time.Second)
	path := "/api/v1/events/" + e.ID + "/clip.mjpeg"
	c := w.dial(path + "?speed=1")
	defer c.Close()
	until(t, "it plays", func() bool { return strings.Contains(string(w.get("/metrics").body), "espcam_open_streams 1") })
	w.get(path).fails(t, 503, bridge.CodeUnavailable, "streams are open")
	began := time.Now()
	w.server.Close()
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("it held the bridge up for %v", took)
	}
}

// TestClipEndsWithTheRightToSeeIt: it is asked again while a clip plays.
func TestClipEndsWithTheRightToSeeIt(t *testing.T) {
	m := newMotion(t)
	w := open(t, httpapi.Config{Auth: true, Timing: httpapi.Timing{Recheck: 10 * time.Millisecond}}, m.with)
	e := begun("porch", 0)
	m.keep(t, e, 100*time.Millisecond, 200*time.Millisecond, 300*time.Millisecond, 4*time.Second, 8*time.Second)
	login := w.ask("POST", "/api/v1/login", `{"token":"`+viewerToken+`"}`)
	cookie, _, _ := strings.Cut(login.Header.Get("Set-Cookie"), ";")
	c := w.dial("/api/v1/events/"+e.ID+"/clip.mjpeg?speed=1", "Cookie: "+cookie, "Connection: close")
	defer c.Close()
	b := make([]byte, 1000)
	if _, err := c.Read(b); err != nil || !strings.HasPrefix(string(b), "HTTP/1.1 200") {
		t.Fatalf("%v %.100q", err, b)
	}
	w.ask("POST", "/api/v1/logout", "{}", "Cookie: "+cookie, "Origin: http://"+w.addr)
	began := time.Now()
	if _, err := io.Copy(io.Discard, c); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took > 3*time.Second { // it would be 8 s long
		t.Errorf("it went on for %v", took)
	}
}

func TestMotionPicture(t *testing.T) {
	m := newMotion(t)
	w := open(t, httpapi.Config{Auth: true}, m.with)
	as := bearer(viewerToken)
	got := w.get("/api/v1/cameras/porch/motion.png", as...)
	img, err := png.Decode(bytes.NewReader(got.body))
	if err != nil || got.Header.Get("Content-Type") != "image/png" || got.Header.Get("Cache-Control") != "no-store" || img.Bounds().Dx() != 160 {
		t.Fatalf("%v %v", got.Header, err)
	}
	if _, _, _, a := img.At(0, 0).RGBA(); a != 0 {
		t.Error("it cannot be seen through")
	}
	w.get("/api/v1/cameras/yard/motion.png", as...).fails(t, 404, bridge.CodeNotFound, "no picture of camera yard was judged yet")
	w.get("/api/v1/cameras/yard/motion.png", bearer(porchToken)...).fails(t, 403, bridge.CodeDenied, "may not see")
	if err := w.fleet.SetEnabled("porch", false); err != nil {
		t.Fatal(err)
	}
	w.get("/api/v1/cameras/porch/motion.png", as...).fails(t, 503, bridge.CodeUnavailable, "is switched off")
	w.fleet.change("porch", func(c *bridge.Camera) { c.Enabled, c.Motion.Enabled = true, false })
	w.get("/api/v1/cameras/porch/motion.png", as...).fails(t, 404, bridge.CodeNotFound, "motion detection of camera porch is off")
}

func TestMotionOfACamera(t *testing.T) {
	m := newMotion(t)
	w := open(t, httpapi.Config{Auth: true}, m.with)
	m.states["porch"] = bridge.MotionState{Active: true, Since: noon, Event: "x", FPS: 9.5, Analysed: 7, Skipped: map[string]uint64{"pace": 3}}
	var got struct{ Motion map[string]any }
	w.get("/api/v1/cameras/porch", bearer(viewerToken)...).decode(t, &got)
	settings, _ := json.Marshal(got.Motion["settings"])
	delete(got.Motion, "settings")
	rest, _ := json.Marshal(got.Motion)
	if string(rest) != `{"active":true,"detector":{"analysed":7,"fps":9.5,"quiet":{},"skipped":{"pace":3}},"event":"x","learning":false,"since":"2026-11-21T12:00:00Z"}` {
		t.Errorf("motion is %s", rest)
	}
	if !strings.Contains(string(settings), `"sensitivity":50`) || !strings.Contains(string(settings), `"threshold":null`) {
		t.Errorf("settings are %s", settings)
	}
	patch := func(token, body string) reply {
		return w.ask("PATCH", "/api/v1/cameras/porch", body, bearer(token)...)
	}
	patch(viewerToken, `{"motion":{"sensitivity":60}}`).fails(t, 403, bridge.CodeDenied, "operator")
	patch(operatorToken, `{"motion":{"sensitivity":"high","zones":{"door":[[0,0],[1,0],[1,1]]}}}`).decode(t, &got)
	if s, _ := json.Marshal(got.Motion["settings"]); !strings.Contains(string(s), `"sensitivity":75`) || !strings.Contains(string(s), `"door":[[0,0],[1,0],[1,1]]`) {
		t.Errorf("after a change: %s", s)
	}
	wrong := patch(adminToken, `{"name":"Gate","motion":{"fps":1000}}`)
	wrong.fails(t, 400, bridge.CodeInvalid, "from 1 to 15")
	if _, _, field := wrong.fault(); field != "motion.fps" {
		t.Errorf("the field is %q", field)
	}
	if c, _ := w.fleet.Camera("porch"); c.Name != "porch" {
		t.Error("half of a wrong change was made")
	}
	patch(operatorToken, `{"motion":{"sensitivity":null}}`).decode(t, &got)
	if s, _ := json.Marshal(got.Motion["settings"]); !strings.Contains(string(s), `"sensitivity":50`) {
		t.Errorf("back to the default: %s", s)
	}
	patch(operatorToken, `{"motion":7}`).fails(t, 400, bridge.CodeInvalid, "motion cannot be")
}

func TestMotionMetricsAndReadiness(t *testing.T) {
	m := newMotion(t)
	var broken error
	w := open(t, httpapi.Config{}, m.with, func(d *httpapi.Deps) {
		d.Sources.Events = func() error { return broken }
		d.Sources.Detectors = func() []httpapi.DetectorFigures {
			return []httpapi.DetectorFigures{{Name: "cats", Calls: 4, Busy: 3, Timeouts: 2, Errors: 1}}
		}
	})
	m.states["porch"] = bridge.MotionState{Active: true, FPS: 9.5, Analysed: 7, Skipped: map[string]uint64{"pace": 3, "odd": 9}, Quiet: map[string]uint64{"masked": 2}}
	m.keep(t, begun("yard", 0))
	text := string(w.get("/metrics").body)
	for _, line := range []string{
		`espcam_motion_frames_analysed_total{camera="porch"} 7`, `espcam_motion_frames_skipped_total{camera="porch",reason="pace"} 3`,
		`espcam_motion_frames_skipped_total{camera="porch",reason="masked"} 2`, `espcam_motion_frames_skipped_total{camera="yard",reason="scene_change"} 0`,
		`espcam_motion_active{camera="porch"} 1`, `espcam_motion_active{camera="yard"} 0`, `espcam_motion_fps{camera="porch"} 9.5`,
		"espcam_motion_events_total 1", "espcam_events_stored 1", "espcam_events_corrupt 0", "espcam_events_lost_total 0", "espcam_events_frames_dropped_total 0",
		"espcam_events_waiting 0", "espcam_events_removed_total 0", "espcam_events_bytes 16384",
		`espcam_detector_calls_total{detector="cats"} 4`, `espcam_detector_busy_total{detector="cats"} 3`, `espcam_detector_timeouts_total{detector="cats"} 2`,
		`espcam_detector_errors_total{detector="cats"} 1`, `espcam_detector_hung{detector="cats"} 0`,
	} {
		if !strings.Contains(text, line+"\n") {
			t.Errorf("metrics lack %s", line)
		}
	}
	if strings.Contains(text, "odd") {
		t.Error("a reason that nobody knows became a label")
	}
	if got := string(w.get("/readyz").body); !strings.Contains(got, `"degraded":false`) || !strings.Contains(got, `"events":"ok"`) {
		t.Errorf("readyz: %s", got)
	}
	broken = bridge.Errorf(bridge.CodeUnavailable, "events cannot be saved")
	if got := w.get("/readyz"); got.StatusCode != 200 || !strings.Contains(string(got.body), `"ready":true,"degraded":true`) || !strings.Contains(string(got.body), `"events":"events cannot be saved"`) {
		t.Errorf("readyz: %s %s", got.Status, got.body)
	}
}
