package watch

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge"
	"github.com/espcam-bridge/espcam-bridge/bridge/hub"
	"github.com/espcam-bridge/espcam-bridge/motion"
)

// TestRelief has workers that get no core: there are none. Relief judges as long
// as that is so, and leaves it to them when they run again.
func TestRelief(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Config{}, plain)
		r.follow("porch")
		ctx, cancel := context.WithCancel(t.Context())
		go r.relieve(ctx)
		judged := func() uint64 { return r.State("porch").Analysed }
		for n := range uint64(3) {
			r.show("porch", still)
			if got := judged(); got != n {
				t.Errorf("%d pictures are judged though workers may still come, want %d", got, n)
			}
			if got := func() uint64 { r.after(2 * reliefEvery); return judged() }(); got != n+1 {
				t.Errorf("%d pictures are judged while no worker runs, want %d", got, n+1)
			}
		}
		for range 10 { // workers do get on, if slowly
			r.show("porch", still)
			r.pool.visits.Add(1)
			r.after(reliefEvery)
		}
		if got := judged(); got != 3 {
			t.Errorf("relief judged %d pictures more while workers ran", got-3)
		}
		cancel()
		synctest.Wait()
		r.eye("porch").stop()
	})
}

// threads is a judge that notes on which kind of thread it runs.
type threads struct {
	script
	kinds chan string
}

func (s *threads) Judge(jpeg []byte, at time.Time) motion.Judgement {
	select {
	case s.kinds <- threadKind():
	default: // nobody asks any more
	}
	return s.script.Judge(jpeg, at)
}

// TestApart lets real threads judge, outside of synthetic time.
func TestApart(t *testing.T) {
	h := hub.New(nil)
	c := &town{hub: h, cameras: map[string]bridge.Camera{}, listeners: map[*bridge.Listener]struct{}{}}
	w := New(Config{Workers: 2, Apart: true}, Deps{Fleet: c, Hub: h, Log: slog.New(slog.DiscardHandler)})
	kinds := make(chan string, 64)
	w.judge = func(motion.Config) judge { return &threads{kinds: kinds} }
	for n := range 8 {
		c.change(fmt.Sprintf("cam%d", n), func(cam *bridge.Camera) {
			*cam = bridge.Camera{ID: fmt.Sprintf("cam%d", n), State: bridge.Online, Enabled: true, Connected: true, Motion: bridge.DefaultMotion()}
		})
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	for len(w.list()) < 8 || !w.eye("cam7").mail.opened() {
		time.Sleep(time.Millisecond) // the cameras are joined
	}
	// On a busy machine relief may judge the first ones.
	for kind := ""; kind != wantKind; kind = <-kinds {
		for _, cam := range c.Cameras() {
			h.Feed(cam.ID).Publish(picture(cam.ID, moves(0.5), 0))
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}
