package hub_test

import (
	"bytes"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge"
	"github.com/espcam-bridge/espcam-bridge/bridge/hub"
)

// eye is a viewer that keeps what it was offered.
type eye struct {
	mu    sync.Mutex
	got   []bridge.Frame
	ended bool
}

func (e *eye) Offer(f bridge.Frame) {
	e.mu.Lock()
	e.got = append(e.got, f)
	e.mu.Unlock()
}

func (e *eye) End() {
	e.mu.Lock()
	e.ended = true
	e.mu.Unlock()
}

func (e *eye) frames() []bridge.Frame {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.got
}

func frame(text string) bridge.Frame {
	b := bridge.NewBuffer([]byte(text))
	return b.Frame(len(text), bridge.Frame{Camera: "porch", Received: time.Now()})
}

func TestEveryViewerGetsEveryFrameWithoutACopy(t *testing.T) {
	feed := hub.New(nil).Feed("porch")
	a, b := &eye{}, &eye{}
	if f := feed.Join(a); !f.IsZero() {
		t.Errorf("a new feed has the frame %q", f.JPEG())
	}
	feed.Publish(frame("one"))
	if f := feed.Join(b); string(f.JPEG()) != "one" {
		t.Errorf("Join returned %q, want the newest frame", f.JPEG())
	}
	feed.Publish(frame("two"))
	feed.Leave(a)
	feed.Leave(a)
	feed.Publish(frame("three"))

	if got := len(a.frames()); got != 2 {
		t.Errorf("a saw %d frames, want the 2 before it left", got)
	}
	fb := b.frames()
	if len(fb) != 2 || fb[0].Seq != 2 || fb[1].Seq != 3 {
		t.Fatalf("b saw %v", fb)
	}
	if &a.frames()[1].JPEG()[0] != &fb[0].JPEG()[0] {
		t.Error("two viewers have different bytes of the same frame")
	}
	if s := feed.Stats(); s.Frames != 3 || s.Viewers != 1 || s.FrameSize != 5 {
		t.Errorf("stats are %+v", s)
	}
}

func TestMutedFeedShowsNothing(t *testing.T) {
	feed := hub.New(nil).Feed("porch")
	v := &eye{}
	feed.Publish(frame("private"))
	feed.Join(v)
	feed.Mute(true)
	feed.Publish(frame("more"))
	if got := v.frames(); len(got) != 1 || !got[0].IsZero() {
		t.Errorf("the viewer was offered %v, want the one empty frame", got)
	}
	if !feed.Latest().IsZero() {
		t.Error("the newest frame was kept")
	}
	if n := feed.Stats().Dropped[bridge.DropDisabled]; n != 1 {
		t.Errorf("%d frames counted as disabled, want 1", n)
	}
	feed.Mute(false)
	feed.Publish(frame("back"))
	if got := v.frames(); len(got) != 2 || string(got[1].JPEG()) != "back" {
		t.Errorf("after switching on, the viewer has %d offers", len(got))
	}
}

func TestRemoveEndsViewers(t *testing.T) {
	h := hub.New(nil)
	v := &eye{}
	h.Feed("porch").Join(v)
	h.Remove("porch")
	h.Remove("porch")
	if !v.ended {
		t.Error("the viewer was not told")
	}
	if h.Lookup("porch") != nil || !h.Latest("porch").IsZero() {
		t.Error("the feed is still there")
	}
}

func TestRates(t *testing.T) {
	now := time.Unix(1000, 0)
	feed := hub.New(func() time.Time { return now }).Feed("porch")
	for range 31 {
		feed.Publish(frame("0123456789"))
		now = now.Add(100 * time.Millisecond)
	}
	if s := feed.Stats(); s.FPS < 9.5 || s.FPS > 10.5 || s.BytesPerSecond < 95 || s.BytesPerSecond > 105 {
		t.Errorf("10 frames of 10 bytes a second are measured as %.2f fps, %.1f B/s", s.FPS, s.BytesPerSecond)
	}
	now = now.Add(10 * time.Second)
	if s := feed.Stats(); s.FPS != 0 || s.Frames != 31 {
		t.Errorf("10 s later: %.2f fps, %d frames", s.FPS, s.Frames)
	}
}

// TestFormsOfAFrame holds the bytes that clients parse (streaming research,
// section 6).
func TestFormsOfAFrame(t *testing.T) {
	b, err := bridge.ReadBuffer(bytes.NewReader([]byte("JPEGpadding")), 4, 100)
	if err != nil {
		t.Fatal(err)
	}
	f := b.Frame(4, bridge.Frame{Camera: "porch", Captured: time.Unix(1700000000, 12345000)})
	if got, want := string(f.Machine()), "Content-Type: image/jpeg\r\nContent-Length: 4\r\nX-Timestamp: 1700000000.012345\r\n\r\nJPEG\r\n--frame\r\n"; got != want {
		t.Errorf("machine form:\n%q\nwant\n%q", got, want)
	}
	if got, want := string(f.Browser()), "JPEG\r\n--frame\r\nContent-Type: image/jpeg\r\n\r\n"; got != want {
		t.Errorf("browser form:\n%q\nwant\n%q", got, want)
	}
	if _, err := bridge.ReadBuffer(bytes.NewReader(make([]byte, 101)), 10, 100); bridge.CodeOf(err) != bridge.CodeTooLarge {
		t.Errorf("101 bytes with a limit of 100: %v", err)
	}
	if b, err := bridge.ReadBuffer(bytes.NewReader(make([]byte, 100)), 10, 100); err != nil || len(b.Bytes()) != 100 {
		t.Errorf("100 bytes with a limit of 100: %d, %v", len(b.Bytes()), err)
	}
}

// TestHammer is for the race detector: every method at once.
func TestHammer(t *testing.T) {
	h := hub.New(nil)
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range 200 {
				id := fmt.Sprint("cam", i%3)
				v := &eye{}
				feed := h.Feed(id)
				feed.Join(v)
				feed.Publish(frame("x"))
				feed.Drop(bridge.DropSlow)
				feed.Stats()
				feed.Mute(i%7 == 0)
				feed.Leave(v)
				h.Latest(id)
				if g == 0 && i%50 == 0 {
					h.Remove(id)
				}
			}
		})
	}
	wg.Wait()
}

type blind struct{}

func (blind) Offer(bridge.Frame) {}
func (blind) End()               {}

// TestOneAllocationPerFrame holds the promise of the design: from the reader to
// any number of viewers a frame is allocated once and copied never.
func TestOneAllocationPerFrame(t *testing.T) {
	feed := hub.New(nil).Feed("porch")
	for range 50 {
		feed.Join(blind{})
	}
	picture := make([]byte, 20000)
	r := bytes.NewReader(picture)
	relay := func() {
		r.Reset(picture)
		b, err := bridge.ReadBuffer(r, 20100, 256<<10)
		if err != nil {
			t.Fatal(err)
		}
		feed.Publish(b.Frame(20000, bridge.Frame{Camera: "porch", Received: time.Now()}))
	}
	if n := testing.AllocsPerRun(200, relay); n > 1 {
		t.Errorf("a frame costs %v allocations, want 1", n)
	}
}

func BenchmarkRelay50Viewers(b *testing.B) {
	feed := hub.New(nil).Feed("porch")
	for range 50 {
		feed.Join(blind{})
	}
	picture := make([]byte, 20000)
	r := bytes.NewReader(picture)
	b.ReportAllocs()
	for b.Loop() {
		r.Reset(picture)
		buf, err := bridge.ReadBuffer(r, 20100, 256<<10)
		if err != nil {
			b.Fatal(err)
		}
		feed.Publish(buf.Frame(20000, bridge.Frame{Camera: "porch", Received: time.Now()}))
	}
}
