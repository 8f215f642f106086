package httpapi_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/espcam-bridge/espcam-bridge/bridge"
	"github.com/espcam-bridge/espcam-bridge/bridge/httpapi"
)

// happening is a message about an event.
type happening struct {
	Type  string
	Event struct {
		ID, Camera, End string
		Score           float64
	}
	Now    []bridge.Box
	Active bool
}

// happening reads until the next message about an event.
func (p *tab) happening() (h happening) {
	p.t.Helper()
	for {
		kind, b, err := p.ReadMessage()
		if err != nil {
			p.t.Fatal(err)
		}
		if kind != websocket.TextMessage || !strings.Contains(string(b), `"type":"event"`) {
			continue
		}
		if err := json.Unmarshal(b, &h); err != nil {
			p.t.Fatalf("%v in %s", err, b)
		}
		if h.Now == nil || strings.Contains(string(b), `"boxes":null`) {
			p.t.Fatalf("a null in %s", b)
		}
		return h
	}
}

// TestEventsReachThePage: begin and end at once, what is between at most five
// times a second, and each page only what it may see.
func TestEventsReachThePage(t *testing.T) {
	m := newMotion(t)
	w := open(t, httpapi.Config{Auth: true}, m.with)
	goesOn := begun("porch", 0)
	m.tell(goesOn)
	p, _ := w.tab(bearer(porchToken)...)
	if h := p.happening(); h.Event.ID != goesOn.ID || !h.Active || len(h.Now) != 1 {
		t.Errorf("what goes on when the page comes: %+v", h)
	}
	m.tell(begun("yard", 1)) // not for this page
	began := time.Now()
	e := begun("porch", 2)
	m.tell(e)
	if h := p.happening(); h.Event.ID != e.ID || !h.Active || h.Event.End != "" || time.Since(began) > 150*time.Millisecond && !testing.Short() {
		t.Errorf("the begin: %+v after %v", h, time.Since(began))
	}
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for n := range 120 { // 0.6 s
		<-tick.C
		e.Score = float64(n) / 1000
		m.tell(e)
	}
	took := time.Since(began)
	e.Score = 0.9
	m.tell(over(e))
	updates := 0
	for {
		h := p.happening()
		if h.Event.ID != e.ID {
			t.Fatalf("another event: %+v", h)
		}
		if !h.Active {
			if h.Event.Score != 0.9 || h.Event.End == "" || len(h.Now) != 0 {
				t.Errorf("the end: %+v", h)
			}
			break
		}
		updates++
	}
	if most := int(took/(200*time.Millisecond)) + 1; updates < 1 || updates > most {
		t.Errorf("%d updates in %v", updates, took)
	}
	m.tell(over(goesOn))
	if h := p.happening(); h.Event.ID != goesOn.ID || h.Active {
		t.Errorf("the end of the first: %+v", h)
	}
}

// TestCameraSaysThatSomethingMoves: its state follows the event.
func TestCameraSaysThatSomethingMoves(t *testing.T) {
	m := newMotion(t)
	w := open(t, httpapi.Config{}, m.with)
	p, _ := w.tab()
	moves := func(want bool) {
		t.Helper()
		for {
			var c struct {
				ID     string
				Motion struct{ Active bool }
			}
			if err := json.Unmarshal(p.await("camera").Camera, &c); err != nil {
				t.Fatal(err)
			}
			if c.ID == "porch" && c.Motion.Active == want {
				return
			}
		}
	}
	e := begun("porch", 0)
	m.tell(e)
	moves(true)
	m.tell(over(e))
	moves(false)
}

// TestManyEventsAtOnce: a page that reads is told all of them, however many.
func TestManyEventsAtOnce(t *testing.T) {
	const many = 700
	m := newMotion(t)
	w := open(t, httpapi.Config{}, m.with)
	p, _ := w.tab()
	for n := range many {
		e := begun("porch", n)
		m.tell(e)
		m.tell(over(e))
	}
	ended := map[string]bool{}
	for len(ended) < many {
		if h := p.happening(); !h.Active {
			ended[h.Event.ID] = true
		}
	}
}

// TestManyCamerasOnOnePage: there are more of them than answers may wait.
func TestManyCamerasOnOnePage(t *testing.T) {
	w := open(t, httpapi.Config{Timing: httpapi.Timing{Stats: 50 * time.Millisecond}})
	for n := range 400 {
		w.fleet.add(fmt.Sprintf("cam%d", n))
	}
	p, welcome := w.tab()
	if len(welcome.Cameras) != 402 {
		t.Fatalf("welcomed with %d cameras", len(welcome.Cameras))
	}
	told := map[string]bool{}
	for len(told) < 402 {
		told[p.await("camera").camera(t).ID] = true
	}
}

func TestMotionSettingsFromThePage(t *testing.T) {
	m := newMotion(t)
	w := open(t, httpapi.Config{}, m.with)
	p, _ := w.tab()
	p.say(`{"type":"motion","id":"7","camera":"porch","motion":{"off_delay":20,"ignore":[[[0,0],[0.5,0],[0,0.5]]]}}`)
	r := p.await("result")
	if !r.OK || r.ID != "7" || !strings.Contains(string(r.Camera), `"off_delay":20`) || !strings.Contains(string(r.Camera), `"ignore":[[[0,0],[0.5,0],[0,0.5]]]`) {
		t.Errorf("the answer: %+v %s", r, r.Camera)
	}
	for text, want := range map[string]string{
		`{"type":"motion","id":"8","camera":"porch","motion":{"ignore":[[[0,0],[2,0],[0,1]]]}}`: "motion.ignore",
		`{"type":"motion","id":"8","camera":"porch","motion":{"color":1}}`:                      "motion.color",
		`{"type":"motion","id":"8","camera":"porch","motion":{}}`:                               "motion",
		`{"type":"motion","id":"8","camera":"porch"}`:                                           "motion",
	} {
		p.say("%s", text)
		if r := p.await("result"); r.OK || r.Error.Field != want || r.Error.Code != "invalid" || len(r.Error.Message) < 20 {
			t.Errorf("%s: %+v", text, r)
		}
	}
}
