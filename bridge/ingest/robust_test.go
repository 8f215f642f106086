package ingest_test

import (
	"bytes"
	"context"
	"errors"
	"net"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge"
	"github.com/espcam-bridge/espcam-bridge/bridge/ingest"
)

func TestDamagedPicturesEndNoConnection(t *testing.T) {
	d := open(t, ingest.Config{})
	c := d.camera(t)
	good := picture(t, 320, 240)
	bad := damage(t)
	if len(bad) < 30 {
		t.Fatalf("only %d damaged pictures: at least 30 are promised", len(bad))
	}
	for name, b := range bad {
		before := d.dropped("porch", bridge.DropInvalid)
		c.picture(b)
		c.alive() // what comes after was read too
		if n := d.dropped("porch", bridge.DropInvalid); n != before+1 {
			t.Errorf("%s: counted %d damaged frames, want %d", name, n, before+1)
		}
		c.picture(good)
	}
	c.alive()
	if n := d.frames("porch"); n != uint64(len(bad)) {
		t.Errorf("%d frames were published, want %d good ones", n, len(bad))
	}
	if !bytes.Equal(d.hub.Latest("porch").JPEG(), good) {
		t.Error("the newest picture is not the good one")
	}
}

func TestFiveDamagedPicturesInARow(t *testing.T) {
	d := open(t, ingest.Config{})
	c := d.camera(t)
	good, bad := picture(t, 32, 24), []byte("no picture")
	for range 3 {
		for range 4 {
			c.picture(bad)
		}
		c.picture(good)
	}
	for range 4 {
		c.picture(bad)
	}
	c.alive()
	c.picture(bad)
	c.wantClose(errorText("invalid_frames", "invalid_frames"), 1003, "invalid_frames")
	s := d.registry.session(t, 0)
	s.endedWith(t, bridge.ReasonInvalid)
	if n, lost := d.frames("porch"), d.dropped("porch", bridge.DropInvalid); n != 3 || lost != 17 {
		t.Errorf("%d frames, %d damaged, want 3 and 17", n, lost)
	}
	// The camera comes back and does it again: people are told once.
	c = d.camera(t)
	for range 5 {
		c.picture(bad)
	}
	c.wantClose(errorText("invalid_frames", "invalid_frames"), 1003, "invalid_frames")
	said := append(s.lines(), d.registry.session(t, 1).lines()...)
	if len(said) != 1 || !strings.Contains(said[0], "5 damaged pictures in a row") {
		t.Errorf("people were told %q", said)
	}
}

func TestPaddingIsTrimmed(t *testing.T) {
	d := open(t, ingest.Config{})
	c := d.camera(t)
	pic := picture(t, 64, 48)
	c.picture(append(bytes.Clone(pic), make([]byte, 700)...))
	until(t, "the frame", func() bool { return d.frames("porch") == 1 })
	if !bytes.Equal(d.hub.Latest("porch").JPEG(), pic) {
		t.Error("padding was not trimmed")
	}
}

func TestFrameRate(t *testing.T) {
	clk := newClock()
	d := open(t, ingest.Config{Now: clk.now})
	d.registry.fps.Store(10)
	c := d.camera(t)
	pic := picture(t, 32, 24)
	burst := func(n int) { // damaged frames above the rate are not even looked at
		for range n {
			c.picture(pic)
		}
		c.alive()
	}
	steps := []struct {
		wait   time.Duration
		fps    int64
		send   int
		frames uint64 // accepted altogether
	}{
		{0, 10, 25, 10},
		{100 * time.Millisecond, 10, 5, 11},
		{500 * time.Millisecond, 10, 5, 16},
		{time.Hour, 10, 30, 26},
		{0, 2, 5, 26}, // less is wanted now
		{time.Second, 2, 5, 28},
		{time.Second, 10, 50, 38}, // more again
	}
	sent := uint64(0)
	for i, s := range steps {
		clk.forward(s.wait)
		d.registry.fps.Store(s.fps)
		burst(s.send)
		sent += uint64(s.send)
		if got := d.frames("porch"); got != s.frames {
			t.Fatalf("step %d: %d frames accepted, want %d", i, got, s.frames)
		}
	}
	if n := d.dropped("porch", bridge.DropRate); n != sent-38 {
		t.Errorf("%d dropped, want %d", n, sent-38)
	}
}

func TestSwitchedOff(t *testing.T) {
	d := open(t, ingest.Config{})
	c := d.camera(t)
	pic := picture(t, 32, 24)
	c.picture(pic)
	c.alive()
	d.registry.off.Store(true)
	for range 10 {
		c.picture([]byte("not looked at"))
		c.picture(pic)
	}
	c.alive()
	d.registry.off.Store(false)
	c.picture(pic)
	c.alive()
	if n, lost := d.frames("porch"), d.dropped("porch", bridge.DropDisabled); n != 2 || lost != 20 {
		t.Errorf("%d frames, %d dropped, want 2 and 20", n, lost)
	}
}

// TestConformance: who breaks WebSocket's rules gets code 1002, and nobody else
// notices.
func TestConformance(t *testing.T) {
	d := open(t, ingest.Config{})
	bystander := d.connect(t, sketch("/ingest/ws?key="+otherKey))
	bystander.wantReady()
	pic := picture(t, 32, 24)
	tests := map[string][]byte{
		"unmasked picture":            append([]byte{fin | opBinary, 126, byte(len(pic) >> 8), byte(len(pic))}, pic...),
		"unmasked ping":               {fin | opPing, 0},
		"opcode 3":                    frame(fin|3, []byte("x")),
		"opcode 11":                   frame(fin|11, []byte("x")),
		"reserved bit 1 (compressed)": frame(fin|rsv1|opText, []byte("x")),
		"reserved bit 2":              frame(fin|0x20|opBinary, pic),
		"reserved bit 3":              frame(fin|0x10|opPing, nil),
		"ping of 126 bytes":           frame(fin|opPing, make([]byte, 126)),
		"fragmented ping":             frame(opPing, []byte("x")),
		"continuation of nothing":     frame(fin|opMore, pic),
		"picture within a picture":    append(frame(opBinary, pic[:50]), frame(fin|opBinary, pic)...),
		"close code 1005":             frame(fin|opClose, []byte{0x03, 0xED}),
		"close code 0":                frame(fin|opClose, []byte{0, 0}),
		"close text that is no UTF-8": frame(fin|opClose, []byte{0x03, 0xE8, 0xFF, 0xFE}),
	}
	n := 0
	for name, bytes := range tests {
		t.Run(name, func(t *testing.T) {
			c := d.camera(t)
			c.t = t
			c.send(bytes)
			op, payload := c.nextButPings()
			if op != opClose || payload[:2] != "\x03\xea" {
				t.Errorf("got opcode %d %q, want close 1002", op, payload)
			}
			c.Close()
			d.registry.session(t, n+1).endedWith(t, bridge.ReasonProtocol)
		})
		n++
	}
	bystander.picture(pic)
	bystander.alive()
	if d.frames("porch") != 0 || d.frames("garage") != 1 {
		t.Errorf("%d and %d frames, want 0 and 1", d.frames("porch"), d.frames("garage"))
	}
}

// TestBorderline: odd, but within the rules or harmless, so the camera stays.
func TestBorderline(t *testing.T) {
	pic := picture(t, 32, 24)
	n := len(pic)
	tests := map[string][]byte{
		"length in 64 bits though it fits 16": append([]byte{fin | opBinary, 0xFF, 0, 0, 0, 0, 0, 0, byte(n >> 8), byte(n), 0, 0, 0, 0}, pic...),
		"three fragments with pings between": bytes.Join([][]byte{
			frame(opBinary, pic[:10]), frame(fin|opPing, []byte("a")), frame(opMore, nil), frame(fin|opPong, []byte("unasked")),
			frame(opMore, pic[10:20]), frame(fin|opMore, pic[20:]),
		}, nil),
		"text that is no UTF-8":     append(frame(fin|opText, []byte("{\"type\":\"\xff\xfe\"}")), frame(fin|opBinary, pic)...),
		"text that is no JSON":      append(frame(fin|opText, []byte("camera up\x00")), frame(fin|opBinary, pic)...),
		"empty text":                append(frame(fin|opText, nil), frame(fin|opBinary, pic)...),
		"text of 17 KiB":            append(frame(fin|opText, bytes.Repeat([]byte("x"), 17<<10)), frame(fin|opBinary, pic)...),
		"text of 2 MiB":             append(frame(fin|opText, bytes.Repeat([]byte("x"), 2<<20)), frame(fin|opBinary, pic)...),
		"result that nobody awaits": append(frame(fin|opText, []byte(`{"type":"result","id":"1","ok":true}`)), frame(fin|opBinary, pic)...),
		"deeply nested":             append(frame(fin|opText, bytes.Repeat([]byte("["), 16<<10)), frame(fin|opBinary, pic)...),
	}
	for name, b := range tests {
		t.Run(name, func(t *testing.T) {
			d := open(t, ingest.Config{})
			c := d.camera(t)
			c.send(b)
			until(t, "the frame", func() bool { return d.frames("porch") == 1 })
			if !bytes.Equal(d.hub.Latest("porch").JPEG(), pic) {
				t.Error("the picture came out changed")
			}
			c.send(frame(fin|opPing, []byte("still there?")))
			for payload := ""; payload != "still there?"; {
				_, payload = c.nextButPings()
			}
			if said := d.registry.session(t, 0).lines(); len(said) != 0 {
				t.Errorf("the session was told %q", said)
			}
		})
	}
}

// TestHostileTextCostsNoMemory sends 2 MiB texts and looks at the heap.
func TestHostileTextCostsNoMemory(t *testing.T) {
	d := open(t, ingest.Config{})
	c := d.camera(t)
	text := frame(fin|opText, bytes.Repeat([]byte("x"), 2<<20))
	c.send(text)
	c.alive()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range 10 {
		c.send(text)
	}
	c.alive()
	runtime.ReadMemStats(&after)
	if grown := after.TotalAlloc - before.TotalAlloc; grown > 512<<10 {
		t.Errorf("10 texts of 2 MiB cost %d bytes", grown)
	}
	if n := d.Stats().TextsMalformed; n != 11 {
		t.Errorf("counted %d malformed texts, want 11", n)
	}
}

func TestTextFlood(t *testing.T) {
	clk := newClock()
	d := open(t, ingest.Config{Now: clk.now})
	c := d.camera(t)
	c.send(bytes.Repeat(frame(fin|opText, []byte(`{"type":"stats","rssi":-40}`)), 500))
	c.picture(picture(t, 32, 24))
	c.alive()
	if st, heard := d.Stats(), len(d.registry.session(t, 0).lines()); st.TextsFlooded != 450 || heard != 50 || d.frames("porch") != 1 {
		t.Errorf("%d texts above the rate, %d heard, %d frames; want 450, 50, 1", st.TextsFlooded, heard, d.frames("porch"))
	}
}

// small gives the server's connections small send buffers.
type small struct{ net.Listener }

func (s small) Accept() (net.Conn, error) {
	c, err := s.Listener.Accept()
	if err == nil {
		err = c.(*net.TCPConn).SetWriteBuffer(1)
	}
	return c, err
}

// narrow connects a native camera with a small receive buffer.
func (d *door) narrow(t *testing.T) (*rawCam, *session) {
	t.Helper()
	dialer := net.Dialer{Control: func(_, _ string, raw syscall.RawConn) error {
		var failed error
		err := raw.Control(func(fd uintptr) {
			failed = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 1)
		})
		return errors.Join(err, failed)
	}}
	n, err := dialer.DialContext(t.Context(), "tcp", d.addr)
	if err != nil {
		t.Fatal(err)
	}
	c := greet(t, n, sketch("/ingest/ws?key="+goodKey))
	c.wantReady()
	c.text(`{"type":"hello","proto":1}`)
	s := d.registry.session(t, 0)
	s.heard(t, "hello  map[]")
	return c, s
}

// TestCameraThatDoesNotRead keeps delivering frames: it loses pings and
// commands, nothing else; and when it reads again, all is well.
func TestCameraThatDoesNotRead(t *testing.T) {
	cfg := ingest.Config{Timing: ingest.Timing{Ping: 10 * time.Millisecond, Silence: 10 * time.Second}}
	d := open(t, cfg, func(l net.Listener) net.Listener { return small{l} })
	c, s := d.narrow(t)

	pic := picture(t, 32, 24)
	command := bridge.Action{Name: "ota", Args: map[string]any{"url": "http://" + strings.Repeat("x", 2000)}}
	frames, blocked := uint64(0), 0
	until(t, "the connection to block", func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Millisecond)
		defer cancel()
		if bridge.CodeOf(s.link.Do(ctx, "1", command)) == bridge.CodeUnavailable {
			blocked++
		}
		c.picture(pic)
		frames++
		return blocked > 10
	})
	until(t, "dropped pings", func() bool {
		c.picture(pic)
		frames++
		return d.Stats().PingsDropped > 10
	})
	until(t, "all frames", func() bool { return d.frames("porch") == frames })
	if ends := s.ended(); len(ends) != 0 {
		t.Fatalf("the session ended: %v", ends)
	}
	if n := d.Stats().CommandsDropped; n == 0 {
		t.Error("no command was counted as dropped")
	}

	// Now it reads: whole frames, and a command gets through again.
	done := make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		for {
			err := s.link.Do(ctx, "last", bridge.Action{Name: "restart"})
			if bridge.CodeOf(err) != bridge.CodeUnavailable || ctx.Err() != nil {
				done <- err
				return
			}
		}
	}()
	for !strings.Contains(c.wantText(), `"last"`) {
	}
	c.text(`{"type":"result","id":"last","ok":true}`)
	if err := <-done; err != nil {
		t.Errorf("the command failed: %v", err)
	}
}

// TestCloseWhileBlocked: a camera that never reads does not hold up Close.
func TestCloseWhileBlocked(t *testing.T) {
	grace := 100 * time.Millisecond
	d := open(t, ingest.Config{Timing: ingest.Timing{Grace: grace}}, func(l net.Listener) net.Listener { return small{l} })
	_, s := d.narrow(t)
	command := bridge.Action{Name: "ota", Args: map[string]any{"url": strings.Repeat("x", 3000)}}
	until(t, "the connection to block", func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Millisecond)
		defer cancel()
		return bridge.CodeOf(s.link.Do(ctx, "1", command)) == bridge.CodeUnavailable
	})
	begun := time.Now()
	d.Close()
	if took := time.Since(begun); took > 10*grace {
		t.Errorf("Close took %v", took)
	}
	s.endedWith(t, bridge.ReasonNormal)
}
