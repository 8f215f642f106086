package watch_test

import (
	"bytes"
	"context"
	"image"
	"image/color"
	"image/draw"
	"image/jpeg"
	"log/slog"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge"
	"github.com/espcam-bridge/espcam-bridge/bridge/auth"
	"github.com/espcam-bridge/espcam-bridge/bridge/fleet"
	"github.com/espcam-bridge/espcam-bridge/bridge/hub"
	"github.com/espcam-bridge/espcam-bridge/bridge/store"
	"github.com/espcam-bridge/espcam-bridge/bridge/watch"
)

// place draws what a camera looks at: a rough wall, a little noise, and maybe a
// black square.
type place struct {
	w, h  int
	seed  uint64 // another seed is another wall
	light int    // grey levels more
	rnd   *rand.Rand
}

func (p *place) jpeg(square image.Rectangle) []byte {
	img := image.NewGray(image.Rect(0, 0, p.w, p.h))
	wall := rand.New(rand.NewPCG(p.seed, 7))
	block, noise := p.w/20, uint64(0)
	for y := 0; y < p.h; y += block {
		for x := 0; x < p.w; x += block {
			grey := uint8(80 + wall.IntN(100) + p.light)
			draw.Draw(img, image.Rect(x, y, x+block, y+block), image.NewUniform(color.Gray{Y: grey}), image.Point{}, draw.Src)
		}
	}
	for i := range img.Pix {
		if i%16 == 0 {
			noise = p.rnd.Uint64()
		}
		img.Pix[i] += uint8(noise & 3)
		noise >>= 2
	}
	draw.Draw(img, square, image.Black, image.Point{}, draw.Src)
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, &jpeg.Options{Quality: 85}); err != nil {
		panic(err)
	}
	return b.Bytes()
}

// obeys is a camera that does what it is told.
type obeys struct{}

func (obeys) Set(_ context.Context, _ string, s bridge.Settings) (bridge.Settings, error) {
	return s, nil
}
func (obeys) Do(context.Context, string, bridge.Action) error { return nil }
func (obeys) Close(bridge.Reason)                             {}

// home is a bridge with one camera, without its network.
type home struct {
	*fleet.Fleet
	t       *testing.T
	hub     *hub.Hub
	watch   *watch.Watch
	events  *bridge.EventListener
	key     string
	session bridge.Session
	place   place
	start   time.Time // of the last stream
}

func newHome(t *testing.T) *home {
	st, err := store.Open(t.TempDir())
	must(t, err)
	keys, err := auth.Open(auth.Config{}, st)
	must(t, err)
	h := &home{t: t, hub: hub.New(nil), place: place{w: 160, h: 120, seed: 1, rnd: rand.New(rand.NewPCG(3, 4))}}
	log := slog.New(slog.DiscardHandler)
	h.Fleet, err = fleet.Open(t.Context(), fleet.Config{Grace: 1500 * time.Millisecond}, st, h.hub, keys, log)
	must(t, err)
	h.watch = watch.New(watch.Config{}, watch.Deps{Fleet: h.Fleet, Hub: h.hub, Log: log})
	h.OnSensor(h.watch.Sensor)
	h.events, _ = h.watch.Subscribe()
	_, err = h.Add("porch", "", "")
	must(t, err)
	h.key, _, err = h.MintKey("porch", "")
	must(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- h.watch.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		must(t, <-done)
		h.Close()
		st.Close()
	})
	return h
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (h *home) connect() {
	h.t.Helper()
	var err error
	h.session, err = h.Admit(bridge.Claim{Key: h.key, Address: "192.0.2.7:1"}, obeys{})
	must(h.t, err)
	h.session.Hello(bridge.Device{}, bridge.Capabilities{LED: 255, FrameSizes: []string{"QVGA", "VGA"}}, bridge.Settings{"led": 0})
}

// stream sends pictures at 10 fps; with moves, the square crosses the picture in
// 2 s. It returns when the first event began, if one did.
func (h *home) stream(d time.Duration, moves bool) (began time.Time) {
	h.start = time.Now()
	for ; time.Since(h.start) < d; time.Sleep(100 * time.Millisecond) {
		var square image.Rectangle
		if moves {
			square = h.square(time.Since(h.start))
		}
		b := h.place.jpeg(square)
		h.hub.Feed("porch").Publish(bridge.NewBuffer(b).Frame(len(b), bridge.Frame{
			Camera: "porch", Received: time.Now(), Width: h.place.w, Height: h.place.h}))
		synctest.Wait()
		if began.IsZero() && h.watch.State("porch").Active {
			began = time.Now()
		}
	}
	return began
}

func (h *home) square(t time.Duration) image.Rectangle {
	x := int(t.Seconds() / 2 * float64(h.place.w))
	return image.Rect(0, 0, h.place.w/6, h.place.h/4).Add(image.Pt(x, h.place.h/2))
}

// calm streams for a while and insists that no event begins.
func (h *home) calm(why string) {
	h.t.Helper()
	if began := h.stream(2*time.Second, false); !began.IsZero() {
		h.t.Errorf("%s: an alarm; the state is %+v", why, h.watch.State("porch"))
	}
}

// event lets something move and takes the event.
func (h *home) event() bridge.Event {
	h.t.Helper()
	h.events.Take()
	began := h.stream(1500*time.Millisecond, true)
	if d := began.Sub(h.start); began.IsZero() || d > 500*time.Millisecond {
		h.t.Errorf("the event begins %v after the motion; the state is %+v", d, h.watch.State("porch"))
	}
	return h.one()
}

// found reports whether the event's largest box is where the square was.
func (h *home) found(e bridge.Event) bool {
	if len(e.Boxes) == 0 {
		return false
	}
	w, ht, b := float64(h.place.w), float64(h.place.h), e.Boxes[0]
	box := image.Rect(int(b.X*w), int(b.Y*ht), int((b.X+b.W)*w), int((b.Y+b.H)*ht))
	return box.Overlaps(h.square(e.Picture.Received.Sub(h.start)))
}

func (h *home) one() bridge.Event {
	h.t.Helper()
	synctest.Wait()
	list, _ := h.events.Take()
	if len(list) != 1 {
		h.t.Fatalf("told %+v, want one event", list)
	}
	return list[0]
}

func (h *home) ended(want bridge.Ending) {
	h.t.Helper()
	if e := h.one(); e.Ending != want {
		h.t.Errorf("the event is %+v, want it to end with %q", e, want)
	}
}

// TestRealPictures shows drawn pictures to the real detector in the middle of
// the real fleet.
func TestRealPictures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHome(t)
		h.connect()
		h.calm("at the start")
		if _, err := h.SetMotion("porch", map[string]any{"off_delay": "2s", "zones": map[string]any{"floor": []any{[]any{0.0, 0.5}, []any{1.0, 0.5}, []any{1.0, 1.0}, []any{0.0, 1.0}}}}); err != nil {
			t.Fatal(err)
		}
		h.calm("other settings")

		e := h.event()
		if e.Score <= 0 || len(e.Zones) != 1 || e.Zones[0] != "floor" || e.Picture.IsZero() || !h.found(e) {
			t.Errorf("the event has score %.2f, zones %v, boxes %v, picture %d", e.Score, e.Zones, e.Boxes, e.Picture.Seq)
		}
		if d, ok := h.watch.Debug("porch"); !ok || d.Bounds().Empty() {
			t.Errorf("there is no debug picture: %v", ok)
		}
		h.stream(3*time.Second, false)
		h.ended(bridge.EndQuiet)

		_, err := h.Set(t.Context(), "porch", bridge.Settings{"led": 255})
		must(t, err)
		h.place.light = 60
		h.calm("the lamp")
		h.place.w, h.place.h = 320, 240
		h.calm("another resolution")
		h.place.w, h.place.h, h.place.seed = 160, 120, 2
		h.session.End(bridge.ReasonLost)
		time.Sleep(time.Second)
		h.connect()
		h.calm("a reconnect, looking elsewhere")

		h.event()
		must(t, h.SetEnabled("porch", false))
		h.ended(bridge.EndDisabled)
		h.place.seed = 3
		must(t, h.SetEnabled("porch", true))
		h.calm("switched off and on")

		h.session.Event("pir", true)
		if e := h.one(); len(e.Sources) != 1 || e.Sources[0] != bridge.SourcePIR || e.Picture.IsZero() {
			t.Errorf("the sensor makes %+v", e)
		}
		h.session.End(bridge.ReasonLost)
		time.Sleep(1400 * time.Millisecond)
		synctest.Wait()
		if list, _ := h.events.Take(); len(list) > 0 {
			t.Errorf("1.4 s without a connection: told %+v", list)
		}
		time.Sleep(200 * time.Millisecond)
		h.ended(bridge.EndDisconnected)
	})
}
