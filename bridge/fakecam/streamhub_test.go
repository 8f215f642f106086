package fakecam_test

import (
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/espcam-bridge/espcam-bridge/bridge"
	"github.com/espcam-bridge/espcam-bridge/bridge/wire"
)

func TestSketchHandshake(t *testing.T) {
	for _, tt := range []struct {
		inQuery                 bool
		query, bearer, original string
	}{
		{false, "app=live&room=cam1", "Bearer wsk_test_key", ""},
		{true, "app=live&key=wsk_test_key&room=cam1", "", "file://"},
	} {
		s := serve(t, foreign(15))
		cfg := small(s)
		cfg.Dialect, cfg.App, cfg.Room, cfg.KeyInQuery = "streamhub", "live", "cam1", tt.inQuery
		play(t, cfg)
		r := s.next(t).request
		if r.URL.RawQuery != tt.query || r.Header.Get("Authorization") != tt.bearer || r.Header.Get("Origin") != tt.original {
			t.Errorf("key in query %v: query %q, bearer %q, origin %q", tt.inQuery, r.URL.RawQuery, r.Header.Get("Authorization"), r.Header.Get("Origin"))
		}
		if got := websocket.Subprotocols(r); len(got) != 1 || got[0] != "arduino" {
			t.Errorf("it offers the subprotocols %v", got)
		}
	}
}

func TestSketchStats(t *testing.T) {
	for _, old := range []bool{false, true} {
		s := serve(t, foreign(15))
		cfg := small(s)
		cfg.Dialect, cfg.OldStats, cfg.Stats = "streamhub", old, 50*time.Millisecond
		play(t, cfg)
		text := receive(t, "stats", s.next(t).texts)
		if !contains(text, `{"type":"stats","fps":`, `,"rssi":-`, `,"heapFree":`) || contains(text, `"frames"`) == old || contains(text, `"uptime"`) {
			t.Errorf("old stats %v: %s", old, text)
		}
	}
}

// TestSketchObeysNothing: it answers no set, and a text that merely looks like
// ready counts as one, as in the sketch.
func TestSketchObeysNothing(t *testing.T) {
	s := serve(t, wire.Ready{})
	cfg := small(s)
	cfg.Dialect, cfg.Stats = "streamhub", time.Hour
	c := play(t, cfg)
	l := s.next(t)
	if err := l.ws.WriteMessage(websocket.TextMessage, []byte(`it is "ready" with "maxFps":7!`)); err != nil {
		t.Fatal(err)
	}
	l.picture()
	l.say(wire.Set{ID: "1", Settings: bridge.Settings{"quality": 50}})
	l.say(wire.Do{ID: "2", Action: "restart"})
	for range 3 {
		l.picture()
	}
	if r := c.Report(); r.Settings["quality"] != 12 || r.Obeyed != 0 || len(l.texts) != 0 || r.Boots != 0 {
		t.Errorf("it obeyed: %+v", r)
	}
}

// TestSketchNeverGoesFaster: a lower maxFps holds until the board restarts.
func TestSketchNeverGoesFaster(t *testing.T) {
	t.Parallel()
	s := serve(t, foreign(4))
	cfg := small(s)
	cfg.Dialect = "streamhub"
	c := play(t, cfg)
	l := s.next(t)
	l.picture()
	s.ready = foreign(30)
	l.end(4408, "idle_timeout")
	l = s.next(t)
	began := time.Now()
	for range 3 {
		l.picture()
	}
	if d := time.Since(began); d < 450*time.Millisecond {
		t.Errorf("three pictures took %v at 4 a second", d)
	}
	if r := c.Report(); r.Connections != 2 || r.Ready.MaxFPS != 30 {
		t.Errorf("report is %+v", r)
	}
}

// TestSketchComesBackAtOnce: whatever the server said, after the same pause.
func TestSketchComesBackAtOnce(t *testing.T) {
	s := serve(t, foreign(15))
	cfg := small(s)
	cfg.Dialect, cfg.Retry = "streamhub", 10*time.Millisecond
	c := play(t, cfg)
	for _, code := range []int{4401, 4409, 4429, 1000} {
		s.next(t).end(code, "go away")
		until(t, "the code is reported", func() bool { return c.Report().CloseCode == code })
	}
	s.next(t)
}
