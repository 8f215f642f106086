package watch

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge"
)

// TestMoreCamerasThanCPU overloads one worker a little, more and much, with
// cameras that are out of step, one of them slower than the others.
func TestMoreCamerasThanCPU(t *testing.T) {
	for _, takes := range []time.Duration{14 * time.Millisecond, 17 * time.Millisecond, 40 * time.Millisecond} {
		t.Run(takes.String(), func(t *testing.T) {
			slow := func() *script { return &script{takes: takes} }
			bubble(t, Config{Workers: 1}, slow, func(r *rig) { r.overload(takes) })
		})
	}
}

func (r *rig) overload(takes time.Duration) {
	const cameras, seconds = 8, 20
	var streams sync.WaitGroup
	rnd := rand.New(rand.NewPCG(1, 2))
	for i := range cameras {
		id := fmt.Sprintf("cam%d", i)
		r.add(id)
		synctest.Wait()
		phase, gap := time.Duration(rnd.IntN(100))*time.Millisecond, 100*time.Millisecond
		if i == 0 {
			gap = 150 * time.Millisecond
		}
		streams.Go(func() { r.stream(id, phase, gap, seconds*time.Second) })
	}
	streams.Wait()
	turn := takes + min(takes/2, longestRest) // of the one worker
	all := 0.0
	for i := range cameras {
		id := fmt.Sprintf("cam%d", i)
		c := r.State(id)
		fps := float64(c.Analysed) / seconds
		all += fps
		want := min(1/turn.Seconds()/cameras, 10)
		if i == 0 {
			want = min(want, 1/0.15)
		}
		if fps < 0.9*want || fps > 1.1*want {
			r.t.Errorf("%s is judged %.2f times a second, want about %.2f", id, fps, want)
		}
		if c.FPS < 0.85*fps || c.FPS > 1.15*fps {
			r.t.Errorf("%s: %.2f a second are measured as %.2f", id, fps, c.FPS)
		}
		n := r.hub.Feed(id).Stats().Frames
		if known := c.Analysed + c.Skipped["busy"]; c.Skipped["pace"] != 0 || known > n || known+2 < n {
			r.t.Errorf("%s: of %d pictures %d were judged, skipped %v", id, n, c.Analysed, c.Skipped)
		}
	}
	if most := 1 / turn.Seconds(); all < 0.97*most {
		r.t.Errorf("%.1f pictures a second are judged, the worker can do %.1f", all, most)
	}
	r.after(time.Second) // the last ones
}

// stream publishes a picture every gap, and fails if that takes any time.
func (r *rig) stream(id string, phase, gap, d time.Duration) {
	time.Sleep(phase)
	for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(gap) {
		before := time.Now()
		r.hub.Feed(id).Publish(picture(id, still, 0))
		if waited := time.Since(before); waited != 0 {
			r.t.Errorf("a picture waited %v for the judge", waited)
			return
		}
	}
}

// TestPacing counts what is judged of cameras at, below and above the rate that
// is asked for, on unsteady networks.
func TestPacing(t *testing.T) {
	for _, tt := range []struct {
		want, camera int // frames per second
		jitter       time.Duration
		judged       float64 // of a camera's pictures
	}{
		{10, 10, 0, 1}, {10, 10, 250 * time.Millisecond, 1}, {5, 5, 290 * time.Millisecond, 1}, {1, 1, 400 * time.Millisecond, 1},
		{10, 3, 300 * time.Millisecond, 1}, {15, 15, 100 * time.Millisecond, 1},
		{10, 15, 0, 2. / 3}, {10, 15, 60 * time.Millisecond, 2. / 3}, {10, 30, 0, 1. / 3}, {5, 12, 100 * time.Millisecond, 5. / 12}, {1, 10, 0, 0.1},
	} {
		t.Run(fmt.Sprint(tt), func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(1, 2))
			start, gap := time.Unix(1000, 0), time.Second/time.Duration(tt.want)
			var p pacer
			var taken []time.Time
			last := start
			n := 60 * tt.camera
			for i := range n {
				at := start.Add(time.Duration(i) * time.Second / time.Duration(tt.camera))
				if tt.jitter > 0 {
					at = at.Add(time.Duration(rnd.Int64N(int64(tt.jitter))))
				}
				if at.Before(last) {
					at = last // one after the other over one connection
				}
				last = at
				if p.due(at, gap, slack(gap)) {
					taken = append(taken, at)
				}
			}
			if got := float64(len(taken)) / float64(n); got < tt.judged*0.99 || got > tt.judged*1.07 || tt.judged == 1 && got != 1 {
				t.Errorf("%.3f of the pictures are judged, want %.3f", got, tt.judged)
			}
			if tt.jitter > 0 || tt.judged == 1 {
				return
			}
			for i := len(taken) / 2; i < len(taken); i++ { // after the first burst
				if d := taken[i].Sub(taken[i-1]); d < gap/2 || d > 2*gap {
					t.Fatalf("a picture is judged %v after the one before, asked for was one every %v", d, gap)
				}
			}
		})
	}
}

func TestPacedPicturesAreCounted(t *testing.T) {
	bubble(t, Config{}, plain, func(r *rig) {
		r.settings(map[string]any{"fps": 5})
		r.play("porch", still, 0, 50*time.Millisecond, 20*time.Second)
		s := r.State("porch")
		if s.Analysed < 98 || s.Analysed > 103 || s.Analysed+s.Skipped["pace"] != 400 || s.Skipped["busy"] != 0 {
			t.Errorf("of 400 pictures in 20 s %d were judged, skipped %v, want 5 a second", s.Analysed, s.Skipped)
		}
	})
}

func TestAPictureThatComesDuringAVisitIsJudged(t *testing.T) {
	bubble(t, Config{}, func() *script { return &script{takes: 50 * time.Millisecond} }, func(r *rig) {
		r.show("porch", still)
		r.after(10*time.Millisecond).show("porch", still)
		if s := r.after(time.Second).State("porch"); s.Analysed != 2 {
			t.Errorf("%d of 2 pictures are judged", s.Analysed)
		}
	})
}

// TestOfferNeverWaits has all workers stuck while a fleet streams, reconnects
// and changes its settings.
func TestOfferNeverWaits(t *testing.T) {
	bubble(t, Config{Workers: 2}, func() *script { return &script{stuck: true} }, func(r *rig) {
		for i := range 10 {
			r.add(fmt.Sprintf("cam%d", i))
		}
		synctest.Wait()
		start := time.Now()
		for range 100 {
			for _, c := range r.town.Cameras() {
				r.hub.Feed(c.ID).Publish(picture(c.ID, moves(0.3), 0))
			}
			r.Sensor("porch", "pir", true)
			r.Stats()
			r.Active()
		}
		r.settings(map[string]any{"width": 80})
		r.town.change("porch", func(c *bridge.Camera) { c.ConnectedAt = time.Now().Add(time.Hour) })
		r.town.change("cam3", nil)
		r.town.enable("porch", false)
		synctest.Wait()
		if d := time.Since(start); d != 0 {
			t.Errorf("it took %v", d)
		}
		if e := r.ended(bridge.EndDisabled); fmt.Sprint(e.Sources) != "[pir]" {
			t.Errorf("ended %+v", e)
		}
		close(r.gate)
	})
}

func BenchmarkOffer(b *testing.B) {
	w := New(Config{}, Deps{Recorder: &tape{}})
	e := newEye(w, "porch")
	e.mail.setFPS(10)
	e.mail.begin()
	f := picture("porch", still, 20_000)
	b.ReportAllocs()
	for b.Loop() {
		f.Seq++
		f.Received = f.Received.Add(66 * time.Millisecond)
		e.mail.Offer(f)
	}
}
