package fakecam_test

import (
	"context"
	"errors"
	"image"
	"testing"
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge"
	"github.com/espcam-bridge/espcam-bridge/bridge/fakecam"
	"github.com/espcam-bridge/espcam-bridge/bridge/wire"
)

func TestNativeIntroducesItself(t *testing.T) {
	t.Parallel()
	s := serve(t, native())
	cfg := small(s)
	cfg.App, cfg.Room = "live", "porch"
	c := play(t, cfg)
	l := s.next(t)
	if got := l.request.URL.String(); got != "/ingest/ws?app=live&room=porch" {
		t.Errorf("it dialled %s", got)
	}
	if got := l.request.Header.Get("Authorization"); got != "Bearer wsk_test_key" {
		t.Errorf("Authorization is %q", got)
	}
	h := message[wire.Hello](l)
	if h.Proto != 1 || h.Device.MAC == "" || h.Device.Reset != "poweron" || h.Caps.LED != 255 || len(h.Caps.FrameSizes) == 0 {
		t.Errorf("hello is %+v", h)
	}
	if h.Settings["framesize"] != "QQVGA" || h.Settings["fps"] != 30 || h.Settings["stream"] != true {
		t.Errorf("settings in force are %v", h.Settings)
	}
	if size := l.picture().Bounds().Size(); size != image.Pt(160, 120) {
		t.Errorf("picture is %v", size)
	}
	st := message[wire.Stats](l)
	if st.FPS == nil || st.RSSI == nil || st.HeapFree == nil || st.Uptime == nil || st.Frames == nil || st.Dropped == nil || st.Temperature == nil {
		t.Errorf("stats lack something: %s", st.Append(nil))
	}
	r := c.Report()
	if !r.Connected || r.Connections != 1 || r.Ready.MaxFPS != 30 || r.Frames == 0 || r.Bytes < r.Frames {
		t.Errorf("report is %+v", r)
	}
}

// TestNativeWithoutProto: at somebody else's server it is a StreamHub camera.
func TestNativeWithoutProto(t *testing.T) {
	s := serve(t, foreign(30))
	cfg := small(s)
	cfg.Stats = 20 * time.Millisecond
	play(t, cfg)
	l := s.next(t)
	l.picture()
	if first := receive(t, "text", l.texts); !contains(first, `"type":"stats"`) {
		t.Errorf("the first text is %s, not stats", first)
	}
}

func TestSettings(t *testing.T) {
	s := serve(t, native())
	c := play(t, small(s))
	l := s.next(t)
	message[wire.Hello](l)
	before := len(receive(t, "picture", l.pictures))

	r := l.ask(wire.Set{ID: "1", Settings: bridge.Settings{"framesize": "QVGA", "quality": 40}})
	if !r.OK || r.ID != "1" || r.Settings["framesize"] != "QVGA" || r.Settings["quality"] != 40 || r.Settings["fps"] != 30 {
		t.Fatalf("result is %s", r.Append(nil))
	}
	l.pictureLike("is 320x240", func(img image.Image) bool { return img.Bounds().Size() == image.Pt(320, 240) })

	l.ask(wire.Set{ID: "2", Settings: bridge.Settings{"framesize": "QQVGA", "quality": 63}})
	until(t, "coarser pictures are smaller", func() bool {
		b := receive(t, "picture", l.pictures)
		return decode(t, b).Bounds().Dx() == 160 && len(b) < before*2/3
	})
	if got := c.Report().Settings; got["quality"] != 63 || got["framesize"] != "QQVGA" {
		t.Errorf("settings in force are %v", got)
	}
	if cmds := c.Report().Commands; len(cmds) != 2 || cmds[1].Message.(wire.Set).ID != "2" || !cmds[1].Result.OK {
		t.Errorf("commands received are %+v", cmds)
	}
}

func TestRefusedCommands(t *testing.T) {
	s := serve(t, native())
	cfg := small(s)
	cfg.Caps = &bridge.Capabilities{FrameSizes: []string{"QQVGA", "QVGA"}, LED: 1}
	c := play(t, cfg)
	l := s.next(t)
	before := message[wire.Hello](l).Settings
	for _, tt := range []struct {
		ask  wire.Message
		code string
	}{
		{wire.Set{ID: "a", Settings: bridge.Settings{"quality": 99}}, wire.Invalid},
		{wire.Set{ID: "a", Settings: bridge.Settings{"quality": 20, "led": 2}}, wire.Invalid},
		{wire.Set{ID: "a", Settings: bridge.Settings{"quality": nil}}, wire.Invalid},
		{wire.Set{ID: "a", Settings: bridge.Settings{"framesize": "UXGA"}}, wire.Invalid},
		{wire.Set{ID: "a", Settings: bridge.Settings{"vflip": true}}, wire.Unsupported},
		{wire.Set{ID: "a", Settings: bridge.Settings{"led_ms": 500}}, wire.Invalid},
		{wire.Do{ID: "a", Action: "pan", Args: map[string]any{"angle": 90}}, wire.Unsupported},
		{wire.Do{ID: "a", Action: "dance"}, wire.Invalid},
		{wire.Do{ID: "a", Action: "restart", Args: map[string]any{"now": true}}, wire.Invalid},
	} {
		r := l.ask(tt.ask)
		if r.OK || r.Code != tt.code || r.ID != "a" || r.Message == "" {
			t.Errorf("%s was answered with %s, want code %s and a sentence", tt.ask.Append(nil), r.Append(nil), tt.code)
		}
	}
	if now := c.Report().Settings; len(bridge.Diff(now, before)) > 0 {
		t.Errorf("refused settings came into force: %v, before %v", now, before)
	}
}

func TestFlash(t *testing.T) {
	s := serve(t, native())
	cfg := small(s)
	cfg.Scene = 2 // at night
	play(t, cfg)
	l := s.next(t)
	middle := image.Rect(40, 40, 120, 80)
	dark := brightness(l.picture(), middle)
	lit := func(img image.Image) bool { return brightness(img, middle) > dark+20 }

	if r := l.ask(wire.Set{ID: "1", Settings: bridge.Settings{"led": 255, "led_ms": 300}}); r.Settings["led"] != 255 {
		t.Fatalf("result is %s", r.Append(nil))
	}
	l.pictureLike("is lit by the flash", lit)
	if st := message[wire.State](l); st.Settings["led"] != 0 {
		t.Errorf("after led_ms the camera reports %v", st.Settings)
	}
	l.pictureLike("is dark again", func(img image.Image) bool { return !lit(img) })

	// A new value without a timer forgets the old timer.
	l.ask(wire.Set{ID: "2", Settings: bridge.Settings{"led": 255, "led_ms": 100_000}})
	l.ask(wire.Set{ID: "3", Settings: bridge.Settings{"led": 100}})
	l.ask(wire.Set{ID: "4", Settings: bridge.Settings{"led": 0}})

	l.ask(wire.Do{ID: "5", Action: "identify"})
	l.pictureLike("is lit by identify", lit)
	l.pictureLike("is dark between blinks", func(img image.Image) bool { return !lit(img) })
}

func TestStreamOffAndSnapshot(t *testing.T) {
	s := serve(t, native())
	c := play(t, small(s))
	l := s.next(t)
	l.picture()
	l.ask(wire.Set{ID: "1", Settings: bridge.Settings{"stream": false}})
	sent := c.Report().Frames
	if r := l.ask(wire.Do{ID: "2", Action: "snapshot"}); !r.OK {
		t.Fatalf("snapshot: %s", r.Append(nil))
	}
	until(t, "the snapshot was sent", func() bool { return c.Report().Frames == sent+1 })
	// The answer to one more command proves that time passed without a picture.
	l.ask(wire.Set{ID: "3", Settings: bridge.Settings{"quality": 12}})
	if n := c.Report().Frames; n != sent+1 {
		t.Errorf("%d pictures were sent while stream was off, want the snapshot", n-sent)
	}
	l.ask(wire.Set{ID: "4", Settings: bridge.Settings{"stream": true}})
	until(t, "pictures flow again", func() bool { return c.Report().Frames > sent+5 })
	if skipped := c.Report().Skipped; skipped > 10 {
		t.Errorf("the pause counts as %d skipped pictures", skipped)
	}
}

func TestMovement(t *testing.T) {
	s := serve(t, native())
	cfg := small(s)
	cfg.Scene = 3
	play(t, cfg)
	l := s.next(t)
	view := image.Rect(0, 30, 160, 85)
	ahead := l.picture()
	moved := func(img image.Image) bool { return difference(img, ahead, view) > 8 }
	if r := l.ask(wire.Do{ID: "1", Action: "pan", Args: map[string]any{"angle": 20}}); !r.OK {
		t.Fatalf("pan: %s", r.Append(nil))
	}
	l.pictureLike("looks elsewhere", moved)
	l.ask(wire.Do{ID: "2", Action: "pan", Args: map[string]any{"angle": 90}})
	l.pictureLike("looks ahead again", func(img image.Image) bool { return !moved(img) })
}

// TestDrivingEndsByItself: the plate says that it drives, until the time to live
// is over; nobody has to say stop.
func TestDrivingEndsByItself(t *testing.T) {
	s := serve(t, native())
	play(t, small(s))
	l := s.next(t)
	plate := image.Rect(6, 6, 60, 16)
	empty := brightness(l.picture(), plate)
	driving := func(img image.Image) bool { return brightness(img, plate) < empty*0.7 }
	if r := l.ask(wire.Do{ID: "1", Action: "drive", Args: map[string]any{"x": 0.5, "y": -1.0, "ttl_ms": 300}}); !r.OK {
		t.Fatalf("drive: %s", r.Append(nil))
	}
	l.pictureLike("says that it drives", driving)
	l.pictureLike("says nothing any more", func(img image.Image) bool { return !driving(img) })
	if r := l.ask(wire.Do{ID: "2", Action: "stop"}); !r.OK {
		t.Fatalf("stop: %s", r.Append(nil))
	}
	l.pictureLike("says that it stopped", driving)
}

func TestRestart(t *testing.T) {
	s := serve(t, native())
	now := time.Date(2026, 3, 14, 15, 9, 26, 0, time.UTC)
	cfg := small(s)
	cfg.Clock = func() time.Time { return now }
	c := play(t, cfg)
	l := s.next(t)
	message[wire.Hello](l)
	l.ask(wire.Set{ID: "1", Settings: bridge.Settings{"quality": 30}})
	if r := l.ask(wire.Do{ID: "2", Action: "restart"}); !r.OK {
		t.Fatalf("restart: %s", r.Append(nil))
	}
	if code := closeCode(receive(t, "end of the connection", l.closed)); code != 1006 {
		t.Errorf("a board that restarts sent the close code %d", code)
	}
	h := message[wire.Hello](s.next(t))
	if h.Device.Reset != "software" || h.Settings["quality"] != 12 {
		t.Errorf("after the restart hello says %+v, %v", h.Device, h.Settings)
	}
	until(t, "it is admitted again", func() bool { return c.Report().Connections == 2 })
	if r := c.Report(); r.Boots != 1 || !r.Booted.Equal(now) || !r.Connected {
		t.Errorf("report is %+v", r)
	}
}

func TestDeviceSpeaksFirst(t *testing.T) {
	s := serve(t, native())
	c := play(t, small(s))
	l := s.next(t)
	ctx := context.Background()
	if err := c.Event(ctx, "pir", true); err != nil {
		t.Fatal(err)
	}
	if e := message[wire.Event](l); e.Name != "pir" || !e.Active {
		t.Errorf("event is %+v", e)
	}
	if err := c.Change(ctx, bridge.Settings{"hmirror": true}); err != nil {
		t.Fatal(err)
	}
	if st := message[wire.State](l); st.Settings["hmirror"] != true {
		t.Errorf("state is %v", st.Settings)
	}
	if err := c.Change(ctx, bridge.Settings{"quality": 1000}); bridge.CodeOf(err) != bridge.CodeInvalid {
		t.Errorf("a wrong change has the error %v", err)
	}
	if err := c.SendText(ctx, []byte("no JSON")); err != nil {
		t.Fatal(err)
	}
	until(t, "the text came", func() bool { return string(receive(t, "text", l.texts)) == "no JSON" })
	if err := c.HangUp(ctx); err != nil {
		t.Fatal(err)
	}
	s.next(t)
}

// TestWaitingForAConnection: without a connection, a request waits until its
// context ends.
func TestWaitingForAConnection(t *testing.T) {
	s := serve(t, wire.Ready{})
	c := play(t, small(s))
	s.next(t)
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if err := c.Event(ctx, "pir", true); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("an event before ready has the error %v", err)
	}
}

// TestUnwanted: a server that does not want the camera is left alone for a while.
func TestUnwanted(t *testing.T) {
	t.Parallel()
	s := serve(t, wire.Ready{})
	cfg := small(s)
	cfg.Retry = 20 * time.Millisecond // so the longest pause is 1.2 s
	c := play(t, cfg)
	l := s.next(t)
	l.say(wire.Error{Code: "4401", Message: "invalid_key"})
	l.end(4401, "invalid_key")
	began := time.Now()
	until(t, "the refusal is reported", func() bool { return c.Report().CloseCode == 4401 })
	if r := c.Report(); r.Refusal.Message != "invalid_key" || r.CloseText != "invalid_key" || r.Connections != 0 || r.Frames != 0 {
		t.Errorf("report is %+v", r)
	}
	s.next(t)
	if waited := time.Since(began); waited < 1200*time.Millisecond {
		t.Errorf("it came back after %v", waited)
	}
}

// TestKeepsDialling: with nobody there it tries on, and finds a server that
// comes later at the same address.
func TestKeepsDialling(t *testing.T) {
	s := serve(t, native())
	cfg := small(s)
	address := s.Listener.Addr().String()
	s.Server.Close()
	c := play(t, cfg)
	until(t, "it dialled three times", func() bool { return c.Report().Dials >= 3 })
	if r := c.Report(); r.Connections != 0 || r.Connected {
		t.Errorf("report is %+v", r)
	}
	later := serveAt(t, address, native())
	later.next(t).picture()
}

func TestNothingBeforeReady(t *testing.T) {
	for _, dialect := range fakecam.Dialects() {
		t.Run(dialect, func(t *testing.T) {
			s := serve(t, wire.Ready{})
			cfg := small(s)
			cfg.Dialect, cfg.Stats = dialect, 10*time.Millisecond
			c := play(t, cfg)
			l := s.next(t)
			// Pings are answered before ready, so a pong proves that time passed.
			pong := make(chan struct{}, 1)
			l.ws.SetPongHandler(func(string) error { pong <- struct{}{}; return nil })
			for range 3 {
				if err := l.ws.WriteControl(9, []byte("x"), time.Now().Add(patience)); err != nil {
					t.Fatal(err)
				}
				receive(t, "pong", pong)
			}
			if r := c.Report(); r.Frames != 0 || len(l.texts) != 0 || r.Connected {
				t.Errorf("before ready it sent %d pictures and %d texts", r.Frames, len(l.texts))
			}
			l.say(native())
			l.picture()
		})
	}
}

// TestFull: it has every setting there is, and runs other firmware after an update.
func TestFull(t *testing.T) {
	s := serve(t, native())
	cfg := small(s)
	cfg.Full, cfg.Retry = true, time.Millisecond
	play(t, cfg)
	l := s.next(t)
	h := message[wire.Hello](l)
	offer := bridge.NewOffer(bridge.Native, h.Caps, 30)
	if len(offer.Properties) != len(bridge.Properties()) || len(offer.Actions) != 8 {
		t.Errorf("it has %d of %d settings, and %v", len(offer.Properties), len(bridge.Properties()), offer.Actions)
	}
	if r := l.ask(wire.Do{ID: "1", Action: "ota", Args: map[string]any{"url": "http://192.0.2.1/x.bin"}}); !r.OK {
		t.Errorf("an update ended with %+v", r)
	}
	if again := message[wire.Hello](s.next(t)); again.Device.Firmware == h.Device.Firmware {
		t.Errorf("it still runs %s", again.Device.Firmware)
	}
}
