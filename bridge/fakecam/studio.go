package fakecam

import "time"

// studio keeps the stages of a camera that were drawn lately, since a blinking
// flash goes to and fro between two looks. The zero studio is empty.
type studio struct {
	stages map[look]*stage
}

// maxStages bounds the memory: about 4 MB per stage at VGA.
const maxStages = 3

// picture draws what look shows after elapsed. It is good until the next call.
func (s *studio) picture(l look, elapsed time.Duration, now time.Time, caption string) []byte {
	st := s.stages[l]
	if st == nil {
		if s.stages == nil || len(s.stages) == maxStages {
			s.stages = map[look]*stage{}
		}
		st = newStage(l)
		s.stages[l] = st
	}
	return st.picture(elapsed, now, caption)
}

// picture returns what the camera sees now. It is good until the next call.
func (c *Camera) picture(now time.Time) []byte {
	if c.reel.loop != nil {
		return c.reel.loop.Picture(c.reel.next())
	}
	clock := c.cfg.Clock()
	c.mu.Lock()
	born, l, words := c.board.booted, c.board.look(c.cfg, now), c.board.words(now)
	c.mu.Unlock()
	return c.studio.picture(l, c.elapsed(clock, born), clock, words)
}

// elapsed is how long the camera has been looking. Where one thing moves for
// ever, the phase gives each camera its own place in the film of about a minute.
func (c *Camera) elapsed(clock, born time.Time) time.Duration {
	d := max(clock.Sub(born), 0)
	if c.cfg.Plan == Lively {
		d += time.Duration(c.phase * float64(time.Minute))
	}
	return d
}

// figure reports whether somebody crosses the picture now, by the script.
func (c *Camera) figure() bool {
	if c.reel.loop != nil {
		return false
	}
	clock := c.cfg.Clock()
	c.mu.Lock()
	born := c.board.booted
	c.mu.Unlock()
	_, yes := c.script.crossing(c.elapsed(clock, born).Seconds())
	return yes
}
