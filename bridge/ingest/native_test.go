package ingest_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge"
	"github.com/espcam-bridge/espcam-bridge/bridge/ingest"
)

const hello = `{"type":"hello","proto":1,"mac":"24:0A:C4:00:00:01","firmware":"1.0.0","board":"ai-thinker","sensor":"OV2640",` +
	`"psram":4194304,"reset":"poweron","caps":{"framesizes":["QVGA","VGA"],"led":255,"pan":[0,180],"motor":true},` +
	`"settings":{"framesize":"VGA","quality":12}}`

// native connects a camera and sends its hello.
func (d *door) native(t testing.TB) (*rawCam, *session) {
	t.Helper()
	c := d.camera(t)
	c.text(hello)
	s := d.registry.session(t, 0)
	s.heard(t, "hello 24:0a:c4:00:00:01 map[framesize:VGA quality:12]")
	return c, s
}

func TestNativeConversation(t *testing.T) {
	d := open(t, ingest.Config{})
	c, s := d.native(t)
	if s.caps.LED != 255 || s.caps.Pan == nil || !s.caps.Motor {
		t.Errorf("capabilities are %+v", s.caps)
	}
	c.text(`{"type":"state","settings":{"led":0}}`)
	c.text(`{"type":"event","name":"pir","active":true}`)
	c.text(`{"type":"stats","fps":12,"rssi":-61,"heapFree":41232,"psramFree":100,"frames":9000,"dropped":3,"uptime":60,"temperature":41.5}`)
	c.picture(picture(t, 32, 24))
	c.text(`{"type":"event","name":"pir","active":false}`)
	c.alive()
	want := []string{"hello 24:0a:c4:00:00:01 map[framesize:VGA quality:12]", "reported map[led:0]", "event pir true", "stats", "event pir false"}
	if got := s.lines(); !slices.Equal(got, want) {
		t.Errorf("the session was told\n%q, want\n%q", got, want)
	}
	if st := s.device(); *st.Uptime != 60 || *st.Temperature != 41.5 || *st.DeviceDrops != 3 || *st.PSRAMFree != 100 {
		t.Errorf("stats are %+v", st)
	}
	if d.frames("porch") != 1 || s.Dialect() != bridge.Native {
		t.Errorf("%d frames, dialect %s", d.frames("porch"), s.Dialect())
	}
	c.text(hello) // once per connection
	c.text(`{"type":"from the future"}`)
	c.alive()
	if n := d.Stats().TextsUnknown; n != 2 || len(s.lines()) != len(want) {
		t.Errorf("%d texts had no use, want 2; told %q", n, s.lines())
	}
}

// reply answers the next command of the server and returns it.
func (c *rawCam) reply(format string, args ...any) chan string {
	asked := make(chan string, 1)
	go func() {
		asked <- c.wantText()
		c.text(fmt.Sprintf(format, args...))
	}()
	return asked
}

func TestSetAndDo(t *testing.T) {
	d := open(t, ingest.Config{})
	c, s := d.native(t)

	asked := c.reply(`{"type":"result","id":"7","ok":true,"settings":{"framesize":"SVGA","quality":12,"led":128}}`)
	got, err := s.link.Set(t.Context(), "7", bridge.Settings{"framesize": "SVGA", "led": 128, "led_ms": 30000})
	if err != nil || got["framesize"] != "SVGA" || got["led"] != 128 || len(got) != 3 {
		t.Errorf("Set = %v, %v", got, err)
	}
	if want := `{"type":"set","id":"7","settings":{"framesize":"SVGA","led":128,"led_ms":30000}}`; <-asked != want {
		t.Errorf("the camera was not asked %s", want)
	}

	asked = c.reply(`{"type":"result","id":"8","ok":true}`)
	if err := s.link.Do(t.Context(), "8", bridge.Action{Name: "pan", Args: map[string]any{"angle": 90}}); err != nil {
		t.Errorf("Do = %v", err)
	}
	if want := `{"type":"do","id":"8","action":"pan","args":{"angle":90}}`; <-asked != want {
		t.Errorf("the camera was not asked %s", want)
	}

	c.reply(`{"type":"result","id":"9","ok":true}`)
	if got, err := s.link.Set(t.Context(), "9", bridge.Settings{"led": 1, "led_ms": 500}); err != nil || len(got) != 1 || got["led"] != 1 {
		t.Errorf("Set without settings in its result = %v, %v", got, err)
	}

	for code, want := range map[string]bridge.Code{
		"unsupported": bridge.CodeUnsupported, "invalid": bridge.CodeInvalid, "busy": bridge.CodeBusy, "failed": bridge.CodeUnavailable, "odd": bridge.CodeUnavailable,
	} {
		c.reply(`{"type":"result","id":"x","ok":false,"code":%q,"message":"no such lamp"}`, code)
		err := s.link.Do(t.Context(), "x", bridge.Action{Name: "identify"})
		if bridge.CodeOf(err) != want || !strings.Contains(err.Error(), "no such lamp") {
			t.Errorf("%s: Do = %v (%s), want %s", code, err, bridge.CodeOf(err), want)
		}
	}
}

func TestResultsFindTheirRequest(t *testing.T) {
	d := open(t, ingest.Config{})
	c, s := d.native(t)
	c.text(`{"type":"result","id":"unasked","ok":true}`)
	c.text(`{"type":"result","id":"1","ok":true}`) // too early
	c.alive()

	type answer struct {
		id  string
		err error
	}
	answers := make(chan answer, 3)
	for _, id := range []string{"1", "2", "3"} {
		go func() { answers <- answer{id, s.link.Do(t.Context(), id, bridge.Action{Name: "restart"})} }()
	}
	for range 3 {
		c.wantText()
	}
	for _, id := range []string{"3", "1", "2"} {
		ok := id != "1"
		c.text(fmt.Sprintf(`{"type":"result","id":%q,"ok":%v,"code":"busy"}`, id, ok))
		got := <-answers
		if got.id != id || (got.err == nil) != ok {
			t.Errorf("the result of %s went to %+v", id, got)
		}
	}

	// A result that comes too late is ignored, and so is a second one.
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		c.wantText()
		cancel()
	}()
	if err := s.link.Do(ctx, "4", bridge.Action{Name: "restart"}); !errors.Is(err, context.Canceled) {
		t.Errorf("Do = %v, want the context's error", err)
	}
	c.text(`{"type":"result","id":"4","ok":true}`)
	c.text(`{"type":"result","id":"4","ok":true}`)
	c.alive()
	if n := d.Stats().TextsUnknown; n != 4 {
		t.Errorf("%d results were ignored, want 4", n)
	}
}

// late is a context that lets a request look at its channels only when wait
// returned.
type late struct {
	context.Context
	wait func()
}

func (l late) Done() <-chan struct{} { l.wait(); return l.Context.Done() }

// TestAnswerAndHangUp: a camera that restarts answers first and hangs up right
// behind it. The answer counts, however late it is looked at.
func TestAnswerAndHangUp(t *testing.T) {
	d := open(t, ingest.Config{})
	for i := range 20 { // either channel may be looked at first
		c := d.camera(t)
		c.text(hello)
		s := d.registry.session(t, i)
		s.heard(t, "hello 24:0a:c4:00:00:01 map[framesize:VGA quality:12]")
		go func() {
			c.wantText()
			c.text(`{"type":"result","id":"1","ok":true}`)
			c.Close()
		}()
		ctx := late{t.Context(), func() { s.endedWith(t, bridge.ReasonLost) }}
		if err := s.link.Do(ctx, "1", bridge.Action{Name: "restart"}); err != nil {
			t.Fatalf("Do = %v, though the camera answered", err)
		}
	}
}

func TestRequestsAreBounded(t *testing.T) {
	d := open(t, ingest.Config{})
	c, s := d.native(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	long := bridge.Action{Name: "ota", Args: map[string]any{}}
	for i := range 50 {
		long.Args[fmt.Sprint("argument", i)] = strings.Repeat("x", 100)
	}
	if err := s.link.Do(ctx, "long", long); bridge.CodeOf(err) != bridge.CodeTooLarge {
		t.Errorf("Do = %v, want too_large", err)
	}
	errs := make(chan error, 100)
	for i := range 16 {
		go func() { errs <- s.link.Do(ctx, fmt.Sprint(i), bridge.Action{Name: "restart"}) }()
		c.wantText()
	}
	for _, id := range []string{"one-more", "3"} {
		if err := s.link.Do(ctx, id, bridge.Action{Name: "restart"}); bridge.CodeOf(err) != bridge.CodeBusy {
			t.Errorf("%s: Do = %v, want busy", id, err)
		}
	}
	c.Close()
	for range 16 {
		if err := <-errs; bridge.CodeOf(err) != bridge.CodeUnavailable {
			t.Errorf("after the camera went, Do = %v, want unavailable", err)
		}
	}
	if err := s.link.Do(ctx, "x", bridge.Action{Name: "restart"}); bridge.CodeOf(err) != bridge.CodeUnavailable {
		t.Errorf("Do on a dead link = %v, want unavailable", err)
	}
}

func TestStreamHubTakesNoCommands(t *testing.T) {
	d := open(t, ingest.Config{})
	c := d.camera(t)
	s := d.registry.session(t, 0)
	if _, err := s.link.Set(t.Context(), "1", bridge.Settings{"quality": 12}); bridge.CodeOf(err) != bridge.CodeUnsupported {
		t.Errorf("Set = %v, want unsupported", err)
	}
	c.text(`{"type":"state","settings":{"led":0}}`)
	c.text(`{"type":"event","name":"pir","active":true}`)
	c.text(`{"type":"stats","rssi":-40}`)
	c.alive()
	if got := s.lines(); !slices.Equal(got, []string{"stats"}) {
		t.Errorf("the session was told %q", got)
	}
}

func TestMalformedTextOfANativeCamera(t *testing.T) {
	clk := newClock()
	d := open(t, ingest.Config{Now: clk.now})
	c, s := d.native(t)
	for _, text := range []string{`{"type":"state"`, `{"type":"result","ok":true}`, `[]`, `{"no":"type"}`, "{\"type\":\"\xff\"}", strings.Repeat("x", 17<<10)} {
		c.text(text)
	}
	c.alive()
	if n := d.Stats().TextsMalformed; n != 6 {
		t.Errorf("counted %d, want 6", n)
	}
	notices := func() (n int) {
		for _, line := range s.lines() {
			if strings.HasPrefix(line, "notice invalid The camera sent a message that nobody understands") {
				n++
			}
		}
		return n
	}
	if notices() != 1 {
		t.Errorf("people were told %q, want one notice", s.lines())
	}
	clk.forward(time.Minute)
	c.text("nonsense")
	c.alive()
	if notices() != 2 {
		t.Errorf("a minute later people were told %q, want a second notice", s.lines())
	}
}
