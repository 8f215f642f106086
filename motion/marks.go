package motion

// marks are the planes of 0 and 1 that lead from a picture to its groups.
type marks struct {
	valid    area    // what counts
	ignored  area    // what does not
	inside   []byte  // all but the padding
	smallest int     // pixels of the smallest group
	samples  []int32 // pixels that the light is measured at

	changed  []byte // differs from what is expected
	before   []byte // changed in the picture before
	counted  []byte // changed and valid
	coherent []byte // counted, and touched by what was changed before
	solid    []byte // the majority around is counted
	wide     []byte // before, and the neighbours
	sums     []byte // scratch of majority
	all      int    // changed pixels
	changes  int    // counted pixels
	grouper  grouper
}

// someSamples are enough for the medians of a tone curve.
const someSamples = 2400

func newMarks(f frame, ignored area, share float64) marks {
	whole := f.whole()
	m := marks{inside: whole.in, ignored: ignored, valid: f.whole()}
	m.valid.without(ignored)
	m.smallest = max(4, int(share*float64(m.valid.count)+0.5))
	n := f.size()
	for _, plane := range []*[]byte{&m.changed, &m.before, &m.counted, &m.coherent, &m.solid, &m.wide, &m.sums} {
		*plane = make([]byte, n)
	}
	each := max(1, m.valid.count/someSamples)
	for y := range f.h {
		for x := range f.w {
			if i := f.row(y) + x; m.valid.in[i] != 0 && (x+3*y)%each == 0 {
				m.samples = append(m.samples, int32(i))
			}
		}
	}
	return m
}

// group finds the groups of counted pixels.
func (m *marks) group(f frame, coherent bool, step, need int) {
	m.grouper.reset()
	if m.changes == 0 {
		return
	}
	majority(f, m.solid, m.counted, m.sums, need)
	both(m.solid, m.solid, m.valid.in)
	copy(m.coherent, m.counted)
	if coherent {
		m.overlap(f, step)
	}
	m.grouper.find(f, m.solid)
}

// overlap keeps in coherent what touches the changed pixels of the picture
// before: one pixel away, or two when that is some time ago.
func (m *marks) overlap(f frame, step int) {
	if step > 120 {
		spread(f, m.wide, m.before)
		m.before, m.wide = m.wide, m.before
	}
	touching(f, m.coherent, m.before)
}

// quiet says why the groups are no motion, provided that none of them is.
func (m *marks) quiet() Quiet {
	tooSmall := false
	for i := range m.grouper.groups {
		switch m.grouper.groups[i].verdict {
		case lit:
			return SceneChange
		case small:
			tooSmall = true
		}
	}
	switch {
	case m.all-m.changes >= 2*m.smallest:
		return Masked
	case tooSmall:
		return TooSmall
	}
	return ""
}

// movingIn counts the pixels of moving groups in an area.
func (m *marks) movingIn(f frame, a area) int {
	n := 0
	for i, r := range m.grouper.runs {
		if !m.grouper.of(i).verdict.moving() {
			continue
		}
		from := f.row(int(r.y))
		for _, in := range a.in[from+int(r.x0) : from+int(r.x1)+1] {
			n += int(in)
		}
	}
	return n
}

// zone is a named area with a decision of its own.
type zone struct {
	name  string
	area  area
	least int // moving pixels for a vote
	votes votes
}
