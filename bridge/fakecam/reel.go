package fakecam

import (
	"math"
	"time"
)

// reel plays a Loop: it knows which picture is next. It moves on with each
// picture that is sent, by the time between two, so that a clip whose own speed
// is kept loses no picture and repeats none. The zero reel plays nothing. It
// belongs to the goroutine in Run, but for loop, rate and own, which never change.
type reel struct {
	loop *Loop
	rate float64 // pictures of the loop in a second of its own
	own  bool    // the clip says how fast it is played
	once bool
	at   time.Duration // since the beginning of the loop
	over bool
}

// newReel keeps a labelled clip's own speed if unpaced: nobody gave another.
func newReel(cfg Config, unpaced bool) reel {
	r := reel{loop: cfg.Loop, rate: float64(cfg.FPS), once: cfg.ClipOnce}
	if r.loop != nil && unpaced && r.loop.fps > 0 {
		r.rate, r.own = r.loop.fps, true
	}
	return r
}

// fps is the camera's rate in whole pictures per second.
func (r *reel) fps(otherwise int) int {
	if !r.own {
		return otherwise
	}
	return min(int(math.Ceil(r.rate)), 30)
}

// cue starts cameras that share a drawn film at places of their own, of about a
// minute. Clips from disk begin at their beginning.
func (r *reel) cue(phase float64) {
	if r.loop != nil && r.loop.drawn && !r.once {
		r.at = time.Duration(phase * float64(time.Minute))
	}
}

// next is the number of the picture to be sent next.
func (r *reel) next() int {
	n := int(math.Round(r.at.Seconds() * r.rate))
	if r.once {
		return min(n, r.loop.Len()-1)
	}
	return n % r.loop.Len()
}

// advance moves on by d. A clip that is played once never skips its last picture.
func (r *reel) advance(d time.Duration) {
	last := r.once && r.next() == r.loop.Len()-1
	r.at += d
	r.over = last
}

// pace is the time between pictures at fps, a setting of the camera.
func (c *Camera) pace(fps int) time.Duration {
	if c.reel.own && c.reel.rate <= float64(fps) {
		return time.Duration(float64(time.Second) / c.reel.rate)
	}
	return time.Second / time.Duration(fps)
}

// played moves the clip on, if one is played, by the time until the next picture.
func (c *Camera) played(d time.Duration) {
	if c.reel.loop == nil {
		return
	}
	if c.cfg.Sent != nil {
		c.cfg.Sent(c.reel.next(), time.Now())
	}
	c.reel.advance(d)
}
