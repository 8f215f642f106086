package fakecam

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// What follows takes half a minute or more of real time from outside, so it is
// tested from inside, with times of its own.

func TestPausesGrow(t *testing.T) {
	play := func(seed uint64, endings ...ending) (out []time.Duration) {
		c, err := New(Config{URL: "ws://127.0.0.1:1", Seed: seed})
		if err != nil {
			t.Fatal(err)
		}
		n := &native{c: c, retry: 500 * time.Millisecond}
		for _, e := range endings {
			out = append(out, n.pause(e))
		}
		return out
	}
	nobody := make([]ending, 40)
	a, b, other := play(1, nobody...), play(1, nobody...), play(2, nobody...)
	longest, total := time.Duration(0), time.Duration(0)
	for i, d := range a {
		if d < 500*time.Millisecond || d > 30*time.Second {
			t.Errorf("pause %d is %v", i, d)
		}
		if d != b[i] {
			t.Errorf("the same seed waits %v and %v", d, b[i])
		}
		longest, total = max(longest, d), total+d
	}
	if longest < 10*time.Second || total < 2*time.Minute || a[3] == other[3] {
		t.Errorf("40 pauses do not grow, or are the same for every camera: %v, %v", a, other)
	}
	for _, code := range []int{4401, 4403, 4409} {
		if d := play(1, ending{code: code})[0]; d < 30*time.Second || d > 45*time.Second {
			t.Errorf("after %d it waits %v, want 30 to 45 s", code, d)
		}
	}
	after := play(1, append(nobody, ending{admitted: true, code: 1006})...)
	if d := after[len(after)-1]; d > time.Second {
		t.Errorf("after a connection that worked it waits %v", d)
	}
}

// TestPatience: the sketch gives up after two pings without a pong, our own
// firmware does not count pongs.
func TestPatience(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		up := websocket.Upgrader{CheckOrigin: func(*http.Request) bool { return true }}
		ws, err := up.Upgrade(w, r, nil)
		if err != nil {
			t.Error(err)
			return
		}
		defer ws.Close()
		ws.SetPingHandler(func(string) error { return nil }) // never answers
		_, _, _ = ws.ReadMessage()
	}))
	defer server.Close()
	c, err := New(Config{URL: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		fw   firmware
		deaf bool
	}{{&sketch{c: c, fps: 10}, true}, {&native{c: c}, false}} {
		l, err := dial(t.Context(), c.address(""), tt.fw.dialling(false))
		if err != nil {
			t.Fatal(err)
		}
		now := time.Now()
		s := &session{c: c, fw: tt.fw, line: l, nextPing: now}
		var got error
		for second := range 40 {
			if got = s.heartbeat(now.Add(time.Duration(second) * time.Second)); got != nil {
				if second != 18 {
					t.Errorf("%T gave up after %d s", tt.fw, second)
				}
				break
			}
		}
		if errors.Is(got, errDeaf) != tt.deaf {
			t.Errorf("%T ended with %v", tt.fw, got)
		}
		s.missed = 1
		if err := s.take(heard{kind: websocket.PongMessage}); err != nil || s.missed != 0 {
			t.Errorf("%T: a pong leaves %d missed, %v", tt.fw, s.missed, err)
		}
		l.close()
	}
}

// TestFrameHeaders: the three forms of the length, 65,535 in the long one.
func TestFrameHeaders(t *testing.T) {
	for n, want := range map[int]string{
		0: "\x82\x80", 125: "\x82\xfd", 126: "\x82\xfe\x00\x7e", 65534: "\x82\xfe\xff\xfe",
		65535: "\x82\xff\x00\x00\x00\x00\x00\x00\xff\xff", 65536: "\x82\xff\x00\x00\x00\x00\x00\x01\x00\x00",
	} {
		var l line
		if f := l.frame(0x82, make([]byte, n)); string(f[:len(f)-n]) != want+"\x00\x00\x00\x00" {
			t.Errorf("%d bytes: header % x, want % x and a zero mask", n, f[:len(f)-n], want)
		}
	}
}
