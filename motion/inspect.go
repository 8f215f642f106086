package motion

// active counts the pixels of a group that differ from earlier pictures.
type active struct {
	ever    int // from one of the two earlier ones
	now     int // from the last one
	recent  int // from the nearer one ...
	earlier int // ... and between the two
}

// slopes compares the slopes inside a group with those of the background.
type slopes struct {
	examined, torn int // torn: no light explains the difference
	pp, bb, pb     int // sums of squares: picture, background, and their product
}

// inspect finds out for all groups which are moving things.
func (d *Detector) inspect(pic []byte, coherent bool) {
	d.measure(pic)
	least := max(d.marks.smallest, d.drops.size())
	for i := range d.marks.grouper.groups {
		g := &d.marks.grouper.groups[i]
		g.verdict = d.judgeGroup(g, i, pic, least, coherent)
	}
}

func (d *Detector) judgeGroup(g *group, number int, pic []byte, least int, coherent bool) verdict {
	t := &d.t
	if !g.active.moves(g.area * t.activeShare) {
		return idle
	}
	if g.area < least {
		return small
	}
	kind := sure
	if coherent && g.coherent*1000 < max(g.area*t.coherent, d.marks.smallest*1000) {
		if g.area < max(t.loose*d.marks.smallest, least*3/2) {
			return small
		}
		kind = loose
	}
	d.examine(g, int32(number), pic)
	if g.slopes.light(t) {
		return lit
	}
	return kind
}

// moves reports whether enough pixels (least, in 1/1000) changed, and not all at
// once: what appears, switches or was left behind by a step is no motion.
func (a *active) moves(least int) bool {
	if a.ever*1000 < least {
		return false
	}
	return a.now*1000 >= least || a.recent*1000 >= least && a.earlier*1000 >= least
}

// measure counts the active pixels of all groups, and tells the model of them.
func (d *Detector) measure(pic []byte) {
	near, far := d.history.ago(d.t.nearMS, d.scene.ms), d.history.ago(d.t.farMS, d.scene.ms)
	var last *past
	if d.last.filled {
		last = &d.last
	}
	both := near != nil && far != nil
	level := d.threshold * d.t.activeLevel / 1000
	gr := &d.marks.grouper
	for i, r := range gr.runs {
		g := gr.of(i)
		from := d.frame.row(int(r.y))
		for k := from + int(r.x0); k <= from+int(r.x1); k++ {
			base := d.model.base[k]
			now := int(pic[k]) - int(d.table[base])
			g.contrast += abs(now)
			g.coherent += int(d.marks.coherent[k])
			if abs(now-last.offset(k, base, now)) > level {
				g.active.now++
			}
			n, f := near.offset(k, base, now), far.offset(k, base, now)
			if abs(now-n) <= level && abs(now-f) <= level {
				continue
			}
			g.active.ever++
			d.model.still[k] = 0
			if both && abs(now-n) > level {
				g.active.recent++
			}
			if both && abs(n-f) > level {
				g.active.earlier++
			}
		}
	}
}

// examine compares the slopes of a group, of large ones only in some rows.
func (d *Detector) examine(g *group, number int32, pic []byte) {
	gr := &d.marks.grouper
	skip := int32(1 + g.area/1500)
	for i := range gr.runs {
		r := &gr.runs[i]
		if r.y%skip != 0 || gr.number[gr.root(int32(i))] != number {
			continue
		}
		from := d.frame.row(int(r.y))
		for k := from + int(r.x0); k <= from+int(r.x1); k++ {
			most := max(d.t.tornFloor, int(d.model.limit[k])*d.t.tornLevel/1000)
			across := g.slopes.add(pic, d.expected, k, 1)
			down := g.slopes.add(pic, d.expected, k, d.frame.stride)
			g.slopes.examined++
			if across > most || down > most {
				g.slopes.torn++
			}
		}
	}
}

// add takes the slope over pixel k and returns how much it differs from that of
// the background under the light of this place.
func (s *slopes) add(pic, expected []byte, k, step int) int {
	p0, p1 := int(pic[k-step]), int(pic[k+step])
	b0, b1 := int(expected[k-step]), int(expected[k+step])
	p, b := p1-p0, b1-b0
	s.pp += p * p
	s.bb += b * b
	s.pb += p * b
	return abs(p - b*(p0+p1)/max(b0+b1, 1))
}

// light reports whether the group is the background under another light: its
// slopes fit everywhere, or follow those of a textured background.
func (s *slopes) light(t *tuning) bool {
	if s.torn*1000 < s.examined*t.tornShare {
		return true
	}
	return s.pb > 0 && s.bb > t.texture*s.examined && s.pb*1000/s.bb*s.pb > t.alike*s.pp
}
