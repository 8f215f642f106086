package app_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"image/jpeg"
	"io"
	"mime/multipart"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge"
	"github.com/espcam-bridge/espcam-bridge/bridge/config"
	"github.com/espcam-bridge/espcam-bridge/bridge/fakecam"
)

// street is the clock of a camera that plays fakecam.Motion: a quiet second of
// that plan passes again and again until somebody lets a car by.
type street struct {
	mu    sync.Mutex
	asked bool
	car   time.Time // when the newest one came
}

const (
	quiet  = 900 * time.Millisecond
	first  = 1900 * time.Millisecond // in the plan, just before its first figure
	passes = 4300 * time.Millisecond // for so long a figure crosses
)

func (s *street) now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	noon := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	if !s.asked { // that is when the camera was switched on
		s.asked = true
		return noon
	}
	if since := time.Since(s.car); since < passes {
		return noon.Add(first + since)
	}
	return noon.Add(time.Duration(time.Now().UnixNano()) % quiet)
}

// drive lets a car by.
func (s *street) drive() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.car = time.Now()
}

// guarded is a world with one native camera that looks at a street, and somebody
// at each of its doors.
type guarded struct {
	*porch
	*street
}

// onStreet is a camera with a lamp, servos and sizes, but without a sensor of
// motion.
func onStreet(s *street) fakecam.Config {
	return fakecam.Config{
		Plan: fakecam.Motion, Scene: 2, Width: 160, Height: 120, FPS: 10, Clock: s.now,
		Caps: &bridge.Capabilities{
			LED: 255, Pan: &bridge.Range{0, 180}, FrameSizes: []string{"QQVGA", "QVGA"},
			Settings: map[string]bridge.Limit{"hmirror": {}, "vflip": {}, "brightness": {Range: &bridge.Range{-2, 2}}},
		},
	}
}

// openGuarded waits until the camera's street is known.
func openGuarded(t *testing.T, cfg *config.Config) *guarded {
	t.Helper()
	g := &guarded{porch: &porch{world: start(t, cfg)}}
	g.key, _ = g.provision("porch")
	g.mqtt, g.page = observe(t, g.world.mqtt), openPage(t, g.world)
	g.turnUp()
	return g
}

// turnUp gives a new camera of the same key power.
func (g *guarded) turnUp() {
	g.t.Helper()
	g.street = &street{}
	g.plug(onStreet(g.street))
	g.learned()
}

// learned waits until the detector knows the place.
func (g *guarded) learned() {
	g.t.Helper()
	eventually(g.t, "the street is known", func() bool {
		m := g.camera("porch")["motion"]
		return at(m, "learning") == false && at(m, "detector", "analysed").(float64) > 0
	})
	g.judged(5)
}

// judged waits until so many more pictures were judged. The patience is for each:
// a slow machine sends few of them.
func (w *world) judged(n int) {
	w.t.Helper()
	analysed := func() float64 { return at(w.camera("porch"), "motion", "detector", "analysed").(float64) }
	for end := analysed() + float64(n); analysed() < end; {
		before := analysed()
		eventually(w.t, "another picture is judged", func() bool { return analysed() > before })
	}
}

// setMotion changes how pictures are judged.
func (w *world) setMotion(settings string) {
	w.t.Helper()
	w.call(http.StatusOK, "PATCH", "/api/v1/cameras/porch", `{"motion":`+settings+`}`)
}

// seesCar lets a car by and waits for what is told of it.
func (g *guarded) seesCar() (id string) {
	g.t.Helper()
	began := time.Now()
	g.drive()
	return g.told(began)
}

// told waits for an ON that came after then, and returns the event's id.
func (g *guarded) told(then time.Time) (id string) {
	g.t.Helper()
	eventually(g.t, "motion is ON", func() bool { return g.mqtt.says(then, "ON") == 1 })
	eventually(g.t, "T/event says which event it is", func() bool {
		list := g.mqtt.since(then, "espcam/porch/event")
		if len(list) > 0 {
			id = story(g.t, list[0]).ID
		}
		return id != ""
	})
	return id
}

// release waits until the street is quiet again, and ends the event: an off delay
// that is short from the beginning would cut it in pieces where few pictures are
// judged.
func (g *guarded) release(id string) (e eventView, at time.Time) {
	g.t.Helper()
	eventually(g.t, "the car is gone", g.parked)
	g.judged(5)
	at = time.Now()
	g.setMotion(`{"off_delay":1}`)
	return g.ended(id), at
}

// says counts a payload on the topic of motion.
func (o *observer) says(since time.Time, payload string) (n int) {
	for _, m := range o.since(since, "espcam/porch/motion") {
		if string(m.payload) == payload {
			n++
		}
	}
	return n
}

// told is what MQTT says once about events.
type told struct {
	Type  string    `json:"event_type"`
	ID    string    `json:"id"`
	Score float64   `json:"score"`
	Time  time.Time `json:"time"`
}

// stories are what was told on T/event.
func (o *observer) stories(camera string) (out []told) {
	for _, m := range o.since(time.Time{}, "espcam/"+camera+"/event") {
		out = append(out, story(o.t, m))
	}
	return out
}

func story(t testing.TB, m message) (s told) {
	t.Helper()
	if err := json.Unmarshal(m.payload, &s); err != nil {
		t.Errorf("T/event is %s: %v", m.payload, err)
	}
	return s
}

// happening is what the page's socket says of an event.
type happening struct {
	Event  eventView    `json:"event"`
	Now    []bridge.Box `json:"now"`
	Active bool         `json:"active"`
}

// eventView is an event as the API and the page show it.
type eventView struct {
	bridge.Event
	CameraName string `json:"camera_name"`
	Picture    bool   `json:"picture"`
	Clip       bool   `json:"clip"`
}

func (p *pageSocket) happens(b []byte) error {
	var h happening
	if err := json.Unmarshal(b, &h); err != nil {
		return fmt.Errorf("%.80q: %w", b, err)
	}
	p.events = append(p.events, h)
	return nil
}

// saw is what the page was told of one event, or of all.
func (p *pageSocket) saw(id string) (out []happening) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, h := range p.events {
		if id == "" || h.Event.ID == id {
			out = append(out, h)
		}
	}
	return out
}

// events are what the API lists, the newest first.
func (w *world) events(query string) (out []eventView) {
	w.t.Helper()
	var list struct {
		Items []eventView `json:"items"`
	}
	r := w.ask("GET", "/api/v1/events"+query, "")
	if err := json.Unmarshal(r.body, &list); err != nil || r.status != http.StatusOK {
		w.t.Fatalf("events: %d %s %v", r.status, r.body, err)
	}
	return list.Items
}

// ended waits until an event is over and on disk, and returns it.
func (w *world) ended(id string) (e eventView) {
	w.t.Helper()
	eventually(w.t, "the event is over", func() bool {
		list := w.events("")
		i := slices.IndexFunc(list, func(e eventView) bool { return e.ID == id })
		if i >= 0 {
			e = list[i]
		}
		return e.Over()
	})
	return e
}

// figure is a value in /metrics.
func (w *world) figure(name string) float64 {
	w.t.Helper()
	for line := range strings.Lines(string(w.ask("GET", "/metrics", "").body)) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), name+" "); ok {
			v, err := strconv.ParseFloat(value, 64)
			if err != nil {
				w.t.Fatalf("metrics: %s", line)
			}
			return v
		}
	}
	w.t.Fatalf("metrics lack %s", name)
	return 0
}

// TestOneHappening: what moves once is told once, and the same by everybody.
func TestOneHappening(t *testing.T) {
	t.Parallel()
	g := openGuarded(t, configured(t))
	g.mqtt.wants("espcam/porch/motion", "OFF")
	if got := g.page.saw(""); len(got) > 0 || len(g.events("")) > 0 {
		t.Fatalf("before anything happened the page heard of %v", got)
	}
	judged := g.figure(`espcam_motion_frames_analysed_total{camera="porch"}`)

	began := time.Now()
	id := g.seesCar()
	if got := g.figure(`espcam_motion_active{camera="porch"}`); got != 1 {
		t.Errorf("metrics say that motion is %v", got)
	}
	g.seen("motion is active", func(c map[string]any) bool {
		return at(c, "motion", "active") == true && at(c, "motion", "event") == id
	})
	e, released := g.release(id)
	g.seen("motion is over", func(c map[string]any) bool {
		return at(c, "motion", "active") == false && at(c, "motion", "event") == ""
	})
	g.event(e, began, released)
	g.toldOnMQTT(e, began)
	g.toldOnPage(e)
	g.pictureOf(e)
	g.clipOf(e)
	if got := g.figure(`espcam_motion_frames_analysed_total{camera="porch"}`); got < judged+20 {
		t.Errorf("%v pictures were judged before, %v after", judged, got)
	}
	for name, want := range map[string]float64{
		`espcam_motion_active{camera="porch"}`: 0, "espcam_motion_events_total": 1, "espcam_events_stored": 1, "espcam_events_waiting": 0,
	} {
		eventually(t, fmt.Sprint("metrics say that ", name, " is ", want), func() bool { return g.figure(name) == want })
	}
}

// event checks what the API says of an event that was released.
func (g *guarded) event(e eventView, began, released time.Time) {
	g.t.Helper()
	if list := g.events(""); len(list) != 1 {
		g.t.Errorf("the API lists %v", list)
	}
	if id, ok := bridge.EventTime(e.ID); !ok || id.Sub(e.Begin).Abs() > 10*time.Millisecond {
		g.t.Errorf("the event %s began at %v", e.ID, e.Begin)
	}
	c := g.camera("porch")
	since, err := time.Parse(time.RFC3339, at(c, "motion", "since").(string))
	if err != nil || since.Sub(e.End).Abs() > 10*time.Millisecond {
		g.t.Errorf("motion is as it is since %v (%v), the event ended at %v", since, err, e.End)
	}
	due := e.Last.Add(time.Second)
	if released.After(due) {
		due = released
	}
	if late := e.End.Sub(due); e.Begin.Before(began) || e.Last.Before(e.Begin.Add(time.Second)) || late < -10*time.Millisecond || late > 5*time.Second {
		g.t.Errorf("it began at %v (the car came at %v), its last motion was at %v, its end %v", e.Begin, began, e.Last, e.End)
	}
	if e.Camera != "porch" || e.CameraName != "porch" || !slices.Equal(e.Sources, []string{"pixels"}) || e.Ending != bridge.EndQuiet ||
		!(e.Score > 0 && e.Score <= 1) || len(e.Boxes) == 0 || !e.Picture || !e.Clip {
		g.t.Errorf("the event is %+v", e)
	}
}

// toldOnMQTT checks what MQTT said, and in which order.
func (g *guarded) toldOnMQTT(e eventView, began time.Time) {
	g.t.Helper()
	eventually(g.t, "MQTT has told the end", func() bool { return len(g.mqtt.stories("porch")) == 2 })
	s := g.mqtt.stories("porch")
	if s[0].Type != "motion_start" || s[1].Type != "motion_end" || s[0].ID != e.ID || s[1].ID != e.ID || s[1].Score < s[0].Score ||
		s[0].Time.Sub(e.Begin).Abs() > time.Millisecond || s[1].Time.Sub(e.End).Abs() > time.Millisecond {
		g.t.Errorf("T/event told %+v of %+v", s, e)
	}
	var order []string
	g.mqtt.mu.Lock()
	for _, m := range g.mqtt.heard {
		topic := strings.TrimPrefix(m.topic, "espcam/porch/")
		if m.at.After(began) && slices.Contains([]string{"motion", "motion/last", "motion/image", "event"}, topic) {
			order = append(order, topic)
		}
	}
	g.mqtt.mu.Unlock()
	if want := []string{"motion/image", "motion/last", "motion", "event", "motion", "event"}; !slices.Equal(order, want) {
		g.t.Errorf("MQTT told %v, want %v", order, want)
	}
	if on, off := g.mqtt.says(began, "ON"), g.mqtt.says(began, "OFF"); on != 1 || off != 1 {
		g.t.Errorf("there were %d ON and %d OFF", on, off)
	}
	if got := g.mqtt.state("espcam/porch/motion/last"); got != e.Begin.UTC().Format(time.RFC3339) {
		g.t.Errorf("T/motion/last is %s, the event began at %v", got, e.Begin)
	}
	g.sized("T/motion/image", []byte(g.mqtt.state("espcam/porch/motion/image")))
}

// sized checks that a picture is one of the camera's.
func (g *guarded) sized(name string, b []byte) {
	g.t.Helper()
	c, err := jpeg.DecodeConfig(bytes.NewReader(b))
	if err != nil || c.Width != 160 || c.Height != 120 {
		g.t.Errorf("%s is %dx%d (%v)", name, c.Width, c.Height, err)
	}
}

// toldOnPage checks that the page could draw what moved, and stop to.
func (g *guarded) toldOnPage(e eventView) {
	g.t.Helper()
	eventually(g.t, "the page is told of the end", func() bool {
		list := g.page.saw(e.ID)
		return len(list) > 0 && !list[len(list)-1].Active
	})
	if all := g.page.saw(""); len(all) != len(g.page.saw(e.ID)) {
		g.t.Errorf("the page was told of other events: %+v", all)
	}
	list := g.page.saw(e.ID)
	drawn := 0
	for i, h := range list {
		if last := i == len(list)-1; h.Active == last || h.Event.Over() != last {
			g.t.Errorf("message %d of %d is %+v", i, len(list), h)
		}
		drawn += len(h.Now)
		for _, b := range h.Now {
			if b.X < 0 || b.Y < 0 || b.W <= 0 || b.H <= 0 || b.X+b.W > 1.000001 || b.Y+b.H > 1.000001 {
				g.t.Errorf("a box is %+v", b)
			}
		}
	}
	last := list[len(list)-1]
	if drawn == 0 || len(last.Now) > 0 || last.Event.Ending != bridge.EndQuiet || last.Event.Score != e.Score {
		g.t.Errorf("the page drew %d boxes, and was told at last %+v", drawn, last)
	}
	if rate := float64(len(list)-2) / e.End.Sub(e.Begin).Seconds(); rate > 6 {
		g.t.Errorf("the page was told %.1f times a second", rate)
	}
}

func (g *guarded) pictureOf(e eventView) {
	g.t.Helper()
	r := g.ask("GET", "/api/v1/events/"+e.ID+"/picture.jpg", "")
	if r.status != http.StatusOK || r.header.Get("Content-Type") != "image/jpeg" {
		g.t.Errorf("picture.jpg: %d %v", r.status, r.header)
	}
	g.sized("picture.jpg", r.body)
}

// clipOf checks that the clip begins before the event, by the pre-roll of 2 s.
func (g *guarded) clipOf(e eventView) {
	g.t.Helper()
	r := g.ask("GET", "/api/v1/events/"+e.ID+"/clip.mjpeg", "")
	if r.status != http.StatusOK || r.header.Get("Content-Type") != "multipart/x-mixed-replace; boundary=frame" || r.header.Get("Content-Length") != strconv.Itoa(len(r.body)) {
		g.t.Fatalf("clip.mjpeg: %d %v", r.status, r.header)
	}
	var stamps []time.Time
	parts := multipart.NewReader(bytes.NewReader(r.body), bridge.Boundary)
	for {
		part, err := parts.NextPart()
		if err == io.EOF || len(stamps) > 0 && err != nil && strings.Contains(err.Error(), "EOF") { // it ends with a boundary that opens a part
			break
		}
		if err != nil {
			g.t.Fatal(err)
		}
		b, err := io.ReadAll(part)
		if err == io.ErrUnexpectedEOF && len(b) == 0 {
			break
		}
		s, errStamp := strconv.ParseFloat(part.Header.Get("X-Timestamp"), 64)
		if err != nil || errStamp != nil {
			g.t.Fatalf("part %d: %v %v %v", len(stamps), part.Header, err, errStamp)
		}
		g.sized("a picture of the clip", b)
		stamps = append(stamps, time.UnixMicro(int64(s*1e6)))
	}
	if len(stamps) < 10 || !slices.IsSortedFunc(stamps, time.Time.Compare) || len(slices.Compact(stamps)) != len(stamps) {
		g.t.Fatalf("the clip's times are %v", stamps)
	}
	first, last := e.Begin.Sub(stamps[0]), stamps[len(stamps)-1].Sub(e.End)
	if first < time.Second || first > 2200*time.Millisecond || last > 100*time.Millisecond || last < -3*time.Second {
		g.t.Errorf("the clip begins %v before the event, and ends %v after it", first, last)
	}
}
