package motion

import (
	"slices"
	"time"
)

// scene is what is known of the whole picture.
type scene struct {
	start   time.Time
	litter  int
	ms      int64 // of the last picture since start
	step    int   // from the picture before to it
	seen    int   // pictures since the start
	settled int   // pictures since the last new scene
	quietMS int   // no motion for so long
	mean    int   // of the last picture
	jumpMS  int   // the threshold is raised for so long
	odd     bool  // the last picture looked like a new scene
}

// tick takes a picture's time. It reports false when everything starts anew.
func (s *scene) tick(at time.Time, t *tuning) bool {
	if s.seen == 0 {
		*s = scene{start: at, quietMS: t.settleMS}
		return true
	}
	ms := at.Sub(s.start).Milliseconds()
	s.step = int(max(0, ms-s.ms))
	s.ms = max(ms, s.ms)
	return s.step <= t.gapMS
}

// marks are the planes of 0 and 1 that lead from a picture to its groups.
type marks struct {
	valid        area   // what counts
	ignored      area   // what does not
	smallest     int    // pixels of the smallest group
	inside       []byte // all but the padding
	changed      []byte
	before       []byte // changed in the picture before
	coherent     []byte
	solid, spare []byte
	samples      []int32
	grouper      grouper
	changes      int // of the valid pixels
}

func newMarks(f frame, ignored area, share float64) marks {
	valid := f.whole()
	m := marks{inside: slices.Clone(valid.in), ignored: ignored}
	valid.without(ignored)
	m.valid = valid
	m.smallest = max(4, int(share*float64(valid.count)+0.5))
	n := f.size()
	m.spare = make([]byte, n)
	m.changed, m.before, m.coherent, m.solid = make([]byte, n), make([]byte, n), make([]byte, n), make([]byte, n)
	for y := 0; y < f.h; y += 2 {
		for x := y / 2 % 2; x < f.w; x += 2 {
			if i := f.row(y) + x; valid.in[i] != 0 {
				m.samples = append(m.samples, int32(i))
			}
		}
	}
	return m
}

// broken reports whether the decoder ran out of data: then the last row is flat
// where the background is not.
func (d *Detector) broken() bool {
	if d.scene.seen == 0 || d.frame.h < 3 || !d.t.tailcheck {
		return false
	}
	at := d.frame.row(d.frame.h - 2)
	return span(d.raw[at:at+d.frame.w]) <= 1 && span(d.raw[at+d.frame.stride:][:d.frame.w]) <= 1 && span(d.model.base[at:at+d.frame.w]) > 8
}

func span(p []byte) int {
	return int(slices.Max(p)) - int(slices.Min(p))
}

func compareNames(a, b string) int {
	if a < b {
		return -1
	}
	return 1
}

// judge says what the picture in d.raw means.
func (d *Detector) judge(at time.Time) Judgement {
	s := &d.scene
	if !s.tick(at, &d.t) {
		d.Reset()
		s.tick(at, &d.t)
	}
	pic := d.smoothed()
	d.ppic = pic
	if s.seen == 0 {
		d.model.takeOver(pic)
		d.model.forgetNoise()
	}
	s.seen++
	s.settled++
	s.quietMS = max(0, s.quietMS-s.step)
	s.jumpMS = max(0, s.jumpMS-s.step)

	mean, bgMean := d.fitter.fit(&d.curve, d.marks.samples, d.model.base, pic, d.t.bins, d.t.tail)
	for l, v := range d.curve {
		d.curve8[l] = uint8((v + 128) >> 8)
	}
	if s.mean > 0 && abs(mean-s.mean)*1000 > d.t.jumpMean*max(s.mean, 1) {
		s.jumpMS = d.t.jumpMS
	}
	s.mean = mean
	gain := 1000
	if s.jumpMS > 0 {
		gain = d.t.jumpGain
	}
	thr := d.cfg.Threshold
	d.model.sat = d.t.sat
	if d.t.spread > 0 {
		thr = thr * min(1000, max(d.t.floor, d.fitter.spread(len(d.marks.samples))*1000/d.t.spread)) / 1000
	}
	d.thr = thr
	d.model.setLimits(thr, int(d.cfg.Noise*256))
	m := &d.marks
	m.changed, m.before = m.before, m.changed
	d.model.compare(m.changed, pic, &d.curve8, gain)
	all := both(m.changed, m.inside)
	_ = all
	copy(m.coherent, m.changed)
	m.changes = both(m.coherent, m.valid.in)

	var j Judgement
	odd := m.changes*1000 > int(d.cfg.SceneShare*1000)*m.valid.count ||
		m.changes*1000 > d.t.meanNeeds*m.valid.count && abs(mean-bgMean)*1000 > int(d.cfg.SceneMean*1000)*max(bgMean, 8)
	settling := s.quietMS > 0 || s.settled <= d.t.settleFrames
	if odd && !settling {
		if !s.odd {
			s.odd = true
			d.push(false, nil)
			return d.finish(pic, j, SceneChange)
		}
		if d.t.unrest == 0 || d.unrest(pic)*1000 <= d.t.unrest*m.valid.count {
			d.model.takeOver(pic)
			s.quietMS, s.settled, s.odd = d.t.settleMS, 0, false
			d.push(false, nil)
			d.history.clear()
			return d.finish(pic, j, SceneChange)
		}
	} else {
		s.odd = false
	}
	coherent := d.t.coherentMS > 0 && s.step <= d.t.coherentMS
	majority(d.frame, m.solid, m.coherent, d.t.majority)
	both(m.solid, m.valid.in)
	if coherent {
		if s.step > 120 {
			spread(d.frame, m.spare, m.before)
			m.before, m.spare = m.spare, m.before
		}
		spread(d.frame, m.spare, m.before)
		both(m.coherent, m.spare)
	}
	m.grouper.find(d.frame, m.solid)
	d.activity(pic)
	small, light := false, false
	born := 0
	for i := range m.grouper.groups {
		g := &m.grouper.groups[i]
		if d.t.litter > 0 && g.area*2 >= m.smallest && g.area <= 12*m.smallest && g.area*16 > s.litter && !near(d.last, g, 2+d.frame.w/16+g.x1-g.x0) {
			born++
		}
		d.decide(g, coherent)
		if g.moving {
			j.Score += float64(g.contrast) / float64(d.cfg.Threshold) / float64(m.valid.count)
		} else if g.light {
			light = true
		} else if g.area < m.smallest {
			small = true
		}
	}
	j.Score = j.Score / (j.Score + 0.01)
	if settling {
		for i := range m.grouper.groups {
			m.grouper.groups[i].moving = false
		}
	}
	s.litter = max(0, s.litter+born*4*m.smallest-m.smallest*s.step*d.t.litter/1000_000)
	s.litter = min(s.litter, m.smallest*16*d.t.litterMax/1000)
	d.last = d.last[:0]
	for _, g := range m.grouper.groups {
		if g.area*2 >= m.smallest {
			d.last = append(d.last, g)
		}
	}
	d.tracks = follow(d.tracks, m.grouper.groups, d.frame.w*d.t.reach/1000*max(100, min(400, s.step))/100)
	yes := false
	for i := range d.tracks {
		yes = yes || d.tracks[i].won(d.cfg.Need, d.cfg.Of)
	}
	quiet := Quiet("")
	if settling {
		yes = false
		quiet = Settling
	} else if light {
		quiet = SceneChange
	} else if small && !yes {
		quiet = TooSmall
	}
	d.learn(pic, settling)
	j.Motion = yes
	return d.finish(pic, j, quiet)
}

func (d *Detector) push(yes bool, zones []bool) { d.votes.push(yes) }

func (d *Detector) finish(pic []byte, j Judgement, q Quiet) Judgement {
	copy(d.prev.pic, pic)
	d.prev.curve, d.prev.ms, d.prev.filled = d.curve8, d.scene.ms, true
	d.pic = d.history.swap(pic, &d.curve8, d.scene.ms)
	if !j.Motion {
		j.Quiet = q
	}
	return j
}

func (d *Detector) smoothed() []byte {
	if d.cfg.Width <= 80 {
		copy(d.pic, d.raw)
	} else {
		smooth(d.frame, d.pic, d.raw, d.scratch)
	}
	return d.pic
}

// activity
func (d *Detector) activity(pic []byte) {
	near, far := d.history.ago(d.t.nearMS, d.scene.ms), d.history.ago(d.t.farMS, d.scene.ms)
	var prev *past
	if d.prev.filled {
		prev = &d.prev
	}
	g := &d.marks.grouper
	lim := d.thr * d.t.activeLevel / 1000
	for i, r := range g.runs {
		o := g.of(i)
		from := d.frame.row(int(r.y)) + int(r.x0)
		for k := from; k <= from+int(r.x1-r.x0); k++ {
			l := d.model.base[k]
			diff := int(pic[k]) - int(d.curve8[l])
			o.contrast += abs(diff)
			o.coherent += int(d.marks.coherent[k])
			n, f := diff, diff
			if near != nil {
				n = int(near.pic[k]) - int(near.curve[l])
			}
			if far != nil {
				f = int(far.pic[k]) - int(far.curve[l])
			}
			if abs(diff-n) > lim || abs(diff-f) > lim {
				o.active++
				d.model.still[k] = 0
				if near != nil && far != nil && abs(diff-n) > lim {
					o.recent++
				}
				if near != nil && far != nil && abs(n-f) > lim {
					o.earlier++
				}
			}
			if prev != nil && abs(diff-(int(prev.pic[k])-int(prev.curve[l]))) > lim {
				o.now++
			}
		}
	}
}

func near(tracks []group, g *group, far int) bool {
	for i := range tracks {
		t := tracks[i]
		if max(0, t.x0-g.x1, g.x0-t.x1, t.y0-g.y1, g.y0-t.y1) <= far {
			return true
		}
	}
	return false
}

func (d *Detector) decide(g *group, coherent bool) {
	t := &d.t
	least := max(d.marks.smallest, d.scene.litter*5/64)
	if g.area < least || g.active*1000 < g.area*t.activeShare {
		return
	}
	if t.step {
		part := g.area * t.stepShare
		if g.now*1000 < part && (g.recent*1000 < part || g.earlier*1000 < part) {
			return
		}
	}
	g.sure = !coherent || g.coherent*1000 >= max(g.area*t.coherentShare, d.marks.smallest*1000)
	if !g.sure && g.area < max(t.weakArea*d.marks.smallest, least*3/2) {
		return
	}
	d.examine(g)
	g.light = d.lit(g)
	g.moving = !g.light
}

// unrest counts the pixels that differ from the picture before by more than a
// change of light.
func (d *Detector) unrest(pic []byte) int {
	d.fitter.fit(&d.curve2, d.marks.samples, d.prev.pic, pic, d.t.bins, d.t.tail)
	n := 0
	for i, v := range pic {
		if d.marks.valid.in[i] != 0 && abs(int(v)-int(d.curve2[d.prev.pic[i]]+128)>>8) > d.thr {
			n++
		}
	}
	return n
}

// examine compares the slopes of a group's pixels with those of the background.
func (d *Detector) examine(g *group) {
	if d.t.tornShare == 0 {
		g.torn, g.examined = 1, 1
		return
	}
	gr := &d.marks.grouper
	for i, r := range gr.runs {
		if gr.of(i) != g {
			continue
		}
		from := d.frame.row(int(r.y)) + int(r.x0)
		for k := from; k <= from+int(r.x1-r.x0); k++ {
			g.examined++
			lim := max(d.t.tornFloor, int(d.model.limit[k])*d.t.tornLevel/1000)
			if d.tear(g, k, 1) > lim || d.tear(g, k, d.frame.stride) > lim {
				g.torn++
			}
		}
	}
}

// tear is how much the slope at k differs from that of the background under the
// light of this place.
func (d *Detector) tear(g *group, k, step int) int {
	p0, p1 := int(d.ppic[k-step]), int(d.ppic[k+step])
	b0, b1 := int(d.curve8[d.model.base[k-step]]), int(d.curve8[d.model.base[k+step]])
	dp, db := p1-p0, b1-b0
	g.pp += dp * dp
	g.bb += db * db
	g.pb += dp * db
	return abs(dp - db*(p0+p1)/max(b0+b1, 1))
}

// lit reports whether the group is the background under another light.
func (d *Detector) lit(g *group) bool {
	if g.torn*1000 < g.examined*d.t.tornShare {
		return true
	}
	return g.pb > 0 && g.bb > d.t.texture*g.examined && float64(g.pb)*float64(g.pb)*1000 > float64(d.t.alike)*float64(g.pp)*float64(g.bb)
}

func (d *Detector) learn(pic []byte, settling bool) {
	t, dt := &d.t, d.scene.step
	rate := func(tau int) int32 { return int32(dt << 16 / (tau + dt)) }
	r := rates{bg: rate(t.bgMS), active: rate(t.activeMS), idle: rate(t.idleMS), noise: rate(t.noiseMS)}
	if settling {
		warm := int32(1<<16) / int32(d.scene.settled)
		r.bg, r.noise = max(r.bg, warm), max(r.noise, warm)
		r.active, r.idle = r.bg, r.bg
	}
	for i, c := range d.marks.changed {
		if c == 0 {
			d.model.still[i] = 0
		} else {
			d.model.still[i] = byte(min(255, int(d.model.still[i])+dt/stillUnit))
		}
	}
	d.model.learn(pic, d.marks.changed, &d.curve, r, byte(t.stillMS/stillUnit))
}
