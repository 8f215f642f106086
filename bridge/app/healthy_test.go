package app_test

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge/config"
)

// healthy is a camera and its viewer that do nothing wrong while others do. A
// goroutine sends a picture, waits until the viewer shows it, and so on.
type healthy struct {
	*world
	cam  *sketch
	view *machine
	quit chan struct{}
	done chan struct{}

	mu      sync.Mutex
	shown   int
	slowest time.Duration
	err     error
}

// pace is the time between two pictures of the healthy camera.
const pace = 40 * time.Millisecond

// openHealthy starts a world in which one camera is well.
func openHealthy(t *testing.T, change func(*config.Config)) *healthy {
	t.Helper()
	cfg := configured(t)
	cfg.Ingest.MaxFPS = 60
	if change != nil {
		change(cfg)
	}
	h := &healthy{world: start(t, cfg), quit: make(chan struct{}), done: make(chan struct{})}
	key, wsURL := h.provision("healthy")
	h.cam = connect(t, wsURL, key, keyInHeader)
	h.cam.welcome()
	h.view = openMachine(t, h.world, "/live/live/healthy/mjpeg")
	showsPlaceholder(t, "the healthy viewer", h.view)
	pics := [][]byte{picture(t, 0, 3000), picture(t, 1, 3000)}
	go h.play(pics)
	t.Cleanup(func() { h.end(); h.verdict() })
	return h
}

func (h *healthy) play(pics [][]byte) {
	defer close(h.done)
	tick := time.NewTicker(pace)
	defer tick.Stop()
	for n := 0; ; n++ {
		select {
		case <-h.quit:
			return
		case <-tick.C:
		}
		began := time.Now()
		err := h.round(pics[n%2], pics[(n+1)%2])
		h.mu.Lock()
		h.shown++
		h.slowest = max(h.slowest, time.Since(began))
		h.err = err
		h.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// round lets one picture through. The one before may be repeated, the
// placeholder too before the first.
func (h *healthy) round(pic, before []byte) error {
	h.cam.answer(frame(finBit|opBinary, pic))
	for {
		switch got, err := h.view.picture(); {
		case err != nil:
			return fmt.Errorf("the healthy viewer: %w", err)
		case bytes.Equal(got, pic):
			return nil
		case !bytes.Equal(got, before) && !isPlaceholder(got):
			return fmt.Errorf("the healthy viewer is shown %d bytes that the camera never sent", len(got))
		}
	}
}

func (h *healthy) state() (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.shown, h.err
}

// check waits for some more pictures.
func (h *healthy) check(t *testing.T) {
	t.Helper()
	before, _ := h.state()
	eventually(t, "the healthy camera and its viewer go on", func() bool {
		n, err := h.state()
		if err != nil {
			t.Fatal(err)
		}
		return n >= before+3
	})
}

// end stops the camera; the viewer stays.
func (h *healthy) end() {
	select {
	case <-h.quit:
	default:
		close(h.quit)
	}
	<-h.done
}

// verdict says whether the camera and its viewer missed anything.
func (h *healthy) verdict() {
	h.t.Helper()
	n, err := h.state()
	stats := at(h.camera("healthy"), "stats")
	if err != nil || fmt.Sprint(at(stats, "frames")) != fmt.Sprint(n) || len(at(stats, "dropped").(map[string]any)) > 0 {
		h.t.Errorf("the healthy viewer saw %d pictures (%v); the camera's figures are %v", n, err, stats)
	}
	if h.slowest > 5*time.Second {
		h.t.Errorf("a picture of the healthy camera took %v", h.slowest)
	}
	h.t.Logf("the healthy viewer saw all of %d pictures, the slowest after %v", n, h.slowest.Round(time.Millisecond))
}

// logged reports whether the log has a line with all of the words.
func (w *world) logged(words ...string) bool {
	for line := range strings.Lines(w.log.String()) {
		all := true
		for _, word := range words {
			all = all && strings.Contains(line, word)
		}
		if all {
			return true
		}
	}
	return false
}
