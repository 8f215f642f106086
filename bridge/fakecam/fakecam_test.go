package fakecam_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/espcam-bridge/espcam-bridge/bridge"
	"github.com/espcam-bridge/espcam-bridge/bridge/fakecam"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestBadConfigs(t *testing.T) {
	good := fakecam.Config{URL: "ws://127.0.0.1:1"}
	for _, tt := range []struct {
		change func(*fakecam.Config)
		field  string
		want   string
	}{
		{func(c *fakecam.Config) { c.URL = "" }, "url", "not an address"},
		{func(c *fakecam.Config) { c.URL = "localhost:8080" }, "url", "not an address"},
		{func(c *fakecam.Config) { c.URL = "ftp://x" }, "url", "not an address"},
		{func(c *fakecam.Config) { c.URL = "ws://%zz" }, "url", "not an address"},
		{func(c *fakecam.Config) { c.Dialect = "klingon" }, "dialect", "native or streamhub"},
		{func(c *fakecam.Config) { c.FPS = 31 }, "fps", "1 to 30"},
		{func(c *fakecam.Config) { c.FPS = -1 }, "fps", "1 to 30"},
		{func(c *fakecam.Config) { c.Width = 10 }, "size", "64x64"},
		{func(c *fakecam.Config) { c.Height = 99999 }, "size", "2592x1944"},
		{func(c *fakecam.Config) { c.Key = "wsk_a\r\nX-Evil: 1" }, "key", "line break"},
		{func(c *fakecam.Config) { c.Retry = -1 }, "retry", "negative"},
		{func(c *fakecam.Config) { c.Faults = fakecam.Faults{"fire": 1} }, "fault", "not known"},
		{func(c *fakecam.Config) { c.Faults = fakecam.Faults{"stall": 2} }, "fault", "above 0 up to 1"},
		{func(c *fakecam.Config) { c.Clip = "/nonexistent/clip" }, "clip", "no such file"},
		{func(c *fakecam.Config) { c.ClipOnce = true }, "clip", "name its folder"},
		{func(c *fakecam.Config) { c.Plan = "war" }, "plan", "use lively, home, motion, weather, still"},
	} {
		cfg := good
		tt.change(&cfg)
		err := fakecam.Run(context.Background(), cfg)
		e, ok := err.(*bridge.Error)
		if !ok || e.Field != tt.field || !strings.Contains(e.Message, tt.want) {
			t.Errorf("%s: got %v, want a sentence with %q", tt.field, err, tt.want)
		}
	}
}

func TestParseFaults(t *testing.T) {
	f, err := fakecam.ParseFaults(" truncated:0.05, stall ,,slow:1")
	if err != nil || len(f) != 3 || f["truncated"] != 0.05 || f["stall"] != 1 || f["slow"] != 1 {
		t.Errorf("got %v, %v", f, err)
	}
	for _, bad := range []string{"fire", "stall:0", "stall:-1", "stall:1.1", "stall:NaN", "stall:x", "stall:", ":1"} {
		if f, err := fakecam.ParseFaults(bad); err == nil {
			t.Errorf("%q is taken as %v", bad, f)
		}
	}
}

func TestParseSize(t *testing.T) {
	for text, want := range map[string]string{"640x480": "640x480", "VGA": "640x480", "SVGA": "800x600", "96x96": "96x96"} {
		w, h, err := fakecam.ParseSize(text)
		if got := fmt.Sprintf("%dx%d", w, h); err != nil || got != want {
			t.Errorf("%q is %s, %v", text, got, err)
		}
	}
	for _, bad := range []string{"", "big", "640", "640x", "x480", "640x480x3", "640x480 px", "-1x5", "0x0", "640,480"} {
		if w, h, err := fakecam.ParseSize(bad); err == nil {
			t.Errorf("%q is taken as %dx%d", bad, w, h)
		}
	}
}

func TestFleet(t *testing.T) {
	s := serve(t, native())
	cfg := small(s)
	cfg.Key, cfg.Room, cfg.Name = "wsk_{n}_secret", "room{n}", "Camera {n}"
	cams, err := fakecam.Fleet(cfg, 3, nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		fakecam.RunAll(ctx, cams)
		close(done)
	}()
	seen := map[string]bool{}
	for range 3 {
		l := s.next(t)
		seen[l.request.Header.Get("Authorization")+" "+l.request.URL.Query().Get("room")] = true
		l.picture()
	}
	for i := 1; i <= 3; i++ {
		if want := fmt.Sprintf("Bearer wsk_%d_secret room%d", i, i); !seen[want] {
			t.Errorf("nobody dialled as %q: %v", want, seen)
		}
	}
	until(t, "all are counted together, which is a moment after a picture was sent", func() bool {
		total, connected := fakecam.Sum(cams)
		return connected == 3 && total.Frames >= 3 && total.Connections == 3
	})
	if cams[2].Name() != "Camera 3" {
		t.Errorf("the third is called %q", cams[2].Name())
	}
	cancel()
	receive(t, "end of the fleet", done)
}

func TestBadFleets(t *testing.T) {
	cfg := fakecam.Config{URL: "ws://127.0.0.1:1", Key: "wsk_one"}
	for _, tt := range []struct {
		n    int
		keys []string
		want string
	}{
		{0, nil, "count is 0"},
		{1_000_000, nil, "count is 1000000"},
		{2, nil, "push each other out"},
		{3, []string{"wsk_a", "wsk_b"}, "2 keys for 3 cameras"},
	} {
		if _, err := fakecam.Fleet(cfg, tt.n, tt.keys); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%d cameras, %d keys: error %v, want one with %q", tt.n, len(tt.keys), err, tt.want)
		}
	}
}
