package motion

// drops learns how large the things are that show up in one picture and are gone
// in the next: rain, snow, insects, noise. What counts must be larger.
type drops struct {
	level  int // only a few of them are larger, in 1/16 pixel
	before []group
}

// size is what a group must have so as not to be one of them.
func (s *drops) size() int { return s.level * 3 / 32 }

// learn takes the groups of a picture, step ms after the one before.
func (s *drops) learn(f frame, groups []group, smallest, step int, t *tuning) {
	up := 6 * smallest
	s.level = max(0, s.level-smallest*step/t.dropsForget)
	for i := range groups {
		g := &groups[i]
		if g.area*16 > s.level && 2*g.area >= smallest && g.area <= 12*smallest && !s.near(g, 2+f.w/16+g.x1-g.x0) {
			s.level += up
		}
	}
	s.level = min(s.level, 32*smallest*t.dropsMost/3)
	s.before = s.before[:0]
	for i := range groups {
		if 2*groups[i].area >= smallest {
			s.before = append(s.before, groups[i])
		}
	}
}

// near reports whether there was a group within far pixels in the picture
// before.
func (s *drops) near(g *group, far int) bool {
	for i := range s.before {
		if b := &s.before[i]; max(b.x0-g.x1, g.x0-b.x1, b.y0-g.y1, g.y0-b.y1) <= far {
			return true
		}
	}
	return false
}
