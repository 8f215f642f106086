package motion

import "math/bits"

// votes remembers what the last pictures said, the newest in the lowest bit.
type votes uint32

func (v *votes) push(yes bool) {
	*v <<= 1
	if yes {
		*v |= 1
	}
}

func (v votes) won(need, of int) bool {
	return bits.OnesCount32(uint32(v)&(1<<of-1)) >= need
}

// track follows one moving thing from picture to picture, so that only pictures
// that saw it at about the same place vote together: raindrops are everywhere,
// each once.
type track struct {
	x0, y0, x1, y1 int
	sure           votes // pictures in which it overlapped itself
	any            votes // pictures in which it was there at all
}

const maxTracks = 32

// follow gives the moving groups to the tracks. reach is how far a thing may get
// from one picture to the next, beside its own size; of is how many pictures
// vote.
func follow(tracks []track, groups []group, reach, of int) []track {
	for i := range tracks {
		tracks[i].sure.push(false)
		tracks[i].any.push(false)
	}
	for i := range groups {
		if groups[i].verdict.moving() {
			tracks = extend(tracks, &groups[i], reach)
		}
	}
	kept := tracks[:0]
	for _, t := range tracks {
		if t.any.won(1, of+1) {
			kept = append(kept, t)
		}
	}
	return kept
}

// extend adds the group to the nearest track, or to a new one.
func extend(tracks []track, g *group, reach int) []track {
	best, closest := -1, reach+max(g.x1-g.x0, g.y1-g.y0)+1
	for i := range tracks {
		if gap := tracks[i].gap(g); gap < closest {
			best, closest = i, gap
		}
	}
	if best < 0 {
		if len(tracks) == maxTracks {
			return tracks
		}
		tracks = append(tracks, track{})
		best = len(tracks) - 1
	}
	tracks[best].take(g)
	return tracks
}

// gap is how many pixels lie between track and group, 0 when they touch.
func (t *track) gap(g *group) int {
	return max(0, t.x0-g.x1, g.x0-t.x1, t.y0-g.y1, g.y0-t.y1)
}

func (t *track) take(g *group) {
	if t.any&1 == 0 {
		t.x0, t.y0, t.x1, t.y1 = g.x0, g.y0, g.x1, g.y1
	} else { // several groups of one thing
		t.x0, t.y0, t.x1, t.y1 = min(t.x0, g.x0), min(t.y0, g.y0), max(t.x1, g.x1), max(t.y1, g.y1)
	}
	t.any |= 1
	if g.verdict == sure {
		t.sure |= 1
	}
}

// won reports whether need of the last of pictures saw the thing; one more of
// one more when it is too fast to overlap itself.
func (t *track) won(need, of int) bool {
	return t.sure.won(need, of) || t.any.won(need+1, of+1)
}
