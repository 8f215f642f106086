package hatest_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// object is a JSON object.
type object = map[string]any

// at walks into decoded JSON; nil if there is nothing.
func at(v any, path ...string) any {
	for _, p := range path {
		m, _ := v.(object)
		v = m[p]
	}
	return v
}

func text(v any) string {
	if v == nil {
		return ""
	}
	return fmt.Sprint(v)
}

// client speaks HTTP with a token.
type client struct {
	base  string // http://host:port
	token string
}

// ask sends one request; form or JSON, as the body is url.Values or anything else
// but nil.
func (c *client) ask(method, path string, body any) (status int, answer []byte, err error) {
	var r io.Reader
	kind := "application/json"
	switch b := body.(type) {
	case nil:
	case url.Values:
		r, kind = strings.NewReader(b.Encode()), "application/x-www-form-urlencoded"
	default:
		text, err := json.Marshal(b)
		if err != nil {
			return 0, nil, err
		}
		r = bytes.NewReader(text)
	}
	req, err := http.NewRequest(method, c.base+path, r)
	if err != nil {
		return 0, nil, err
	}
	if req.Header.Set("Content-Type", kind); c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	resp, err := (&http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	answer, err = io.ReadAll(resp.Body)
	return resp.StatusCode, answer, err
}

// call is ask where the answer must be good JSON.
func (c *client) call(t testing.TB, method, path string, body any) (v any) {
	t.Helper()
	status, answer, err := c.ask(method, path, body)
	if err != nil {
		t.Fatal(err)
	}
	if status/100 != 2 {
		t.Fatalf("%s %s: %d %.300s", method, path, status, answer)
	}
	if err := json.Unmarshal(answer, &v); err != nil {
		t.Fatalf("%s %s: %v: %.300s", method, path, err, answer)
	}
	return v
}

// socket is Home Assistant's WebSocket API.
type socket struct {
	conn *websocket.Conn
	done chan struct{} // closed when the connection is over

	mu      sync.Mutex
	next    int
	answers map[int]chan object
	states  map[string]state // newest by entity id
	changes []change
	called  []call
}

// state is what Home Assistant says of an entity.
type state struct {
	ID         string `json:"entity_id"`
	State      string `json:"state"`
	Attributes object `json:"attributes"`
}

// change is a new state, and when it was told.
type change struct {
	state
	at time.Time
}

// dial opens the WebSocket and follows all states.
func dial(t testing.TB, base, token string) *socket {
	t.Helper()
	conn, _, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(base, "http")+"/api/websocket", nil)
	if err != nil {
		t.Fatal(err)
	}
	var hello object
	for _, want := range []string{"auth_required", "auth_ok"} {
		if err := conn.ReadJSON(&hello); err != nil || hello["type"] != want {
			t.Fatalf("WebSocket: %v %v, want %s", hello, err, want)
		}
		if want == "auth_required" {
			if err := conn.WriteJSON(object{"type": "auth", "access_token": token}); err != nil {
				t.Fatal(err)
			}
		}
	}
	s := &socket{conn: conn, done: make(chan struct{}), answers: map[int]chan object{}, states: map[string]state{}}
	go s.read()
	return s
}

// follow keeps the states and remembers their changes and the service calls.
func (s *socket) follow(t testing.TB) {
	t.Helper()
	s.call(t, "subscribe_events", object{"event_type": "state_changed"})
	s.call(t, "subscribe_events", object{"event_type": "call_service"})
	text, err := json.Marshal(s.call(t, "get_states", nil))
	if err != nil {
		t.Fatal(err)
	}
	var all []state
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, st := range all {
		if _, newer := s.states[st.ID]; !newer {
			s.states[st.ID] = st
		}
	}
}

func (s *socket) read() {
	defer close(s.done)
	for {
		_, text, err := s.conn.ReadMessage()
		if err != nil {
			return
		}
		var m struct {
			ID    int
			Type  string
			Event struct {
				Type string `json:"event_type"`
				Data json.RawMessage
			}
		}
		var whole object
		if json.Unmarshal(text, &m) != nil || json.Unmarshal(text, &whole) != nil {
			continue
		}
		s.mu.Lock()
		switch {
		case m.Type == "event":
			s.happen(m.Event.Type, m.Event.Data)
		case s.answers[m.ID] != nil:
			s.answers[m.ID] <- whole
		}
		s.mu.Unlock()
	}
}

// happen takes an event; the lock is held.
func (s *socket) happen(kind string, data json.RawMessage) {
	var e struct {
		EntityID string `json:"entity_id"`
		New      *state `json:"new_state"`
	}
	switch {
	case json.Unmarshal(data, &e) != nil:
	case kind == "call_service":
		var c struct {
			Domain, Service string
			Data            object `json:"service_data"`
		}
		if json.Unmarshal(data, &c) == nil {
			s.called = append(s.called, call{time.Now(), c.Domain, c.Service, c.Data})
		}
	case e.New == nil:
		delete(s.states, e.EntityID)
	default:
		s.states[e.EntityID] = *e.New
		s.changes = append(s.changes, change{*e.New, time.Now()})
	}
}

// try sends a command and returns its result, or the error that it says.
func (s *socket) try(t testing.TB, kind string, args object) (any, error) {
	t.Helper()
	m := object{"type": kind}
	for k, v := range args {
		m[k] = v
	}
	answer := make(chan object, 1)
	s.mu.Lock()
	s.next++
	id := s.next
	m["id"], s.answers[id] = id, answer
	err := s.conn.WriteJSON(m)
	s.mu.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	select {
	case a := <-answer:
		if a["success"] != true {
			return nil, fmt.Errorf("%s: %v", kind, a["error"])
		}
		return a["result"], nil
	case <-s.done:
		t.Fatalf("%s: the connection is gone", kind)
	case <-time.After(patience):
		t.Fatalf("%s: no answer", kind)
	}
	return nil, nil
}

// call is try that must succeed.
func (s *socket) call(t testing.TB, kind string, args object) any {
	t.Helper()
	result, err := s.try(t, kind, args)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

func (s *socket) close() {
	_ = s.conn.Close() // its error says that it was closed already
	<-s.done
}

// state returns the newest state of an entity; zero if there is none.
func (s *socket) state(id string) state {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.states[id]
}

// since returns what changed from then on.
func (s *socket) since(then time.Time, id string) (out []change) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.changes {
		if c.ID == id && !c.at.Before(then) {
			out = append(out, c)
		}
	}
	return out
}
