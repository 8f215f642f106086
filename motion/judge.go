package motion

import (
	"cmp"
	"slices"
	"time"
)

const maxBoxes = 16

// judge says what the picture in d.raw means.
func (d *Detector) judge(at time.Time) Judgement {
	d.smooth()
	d.begin(at)
	light := d.fitter.fit(&d.curve, d.marks.samples, d.model.base, d.pic, d.t.bins)
	d.table = d.curve.levels()
	d.scene.brightness(light.now, &d.t)
	d.refreshLimits()
	d.compare()

	quiet := SceneChange
	if !d.isOdd(light) {
		d.scene.odd = false
		quiet = d.findMotion()
	} else if d.newScene(d.pic) {
		d.marks.grouper.reset()
		d.vote()
	} else {
		quiet = d.findMotion()
	}
	j := d.judgement(quiet)
	d.last.set(d.pic, &d.table, d.scene.ms)
	d.history.add(d.pic, &d.table, d.scene.ms)
	return j
}

// begin takes the time, and the first picture of a scene as its background.
func (d *Detector) begin(at time.Time) {
	if !d.scene.tick(at, &d.t) {
		d.Reset()
		d.scene.tick(at, &d.t)
	}
	if d.scene.seen == 1 {
		d.model.start(d.pic)
		d.model.fresh = 0
	}
}

// smooth makes d.pic of d.raw. At 80 columns the decoder has smoothed enough.
func (d *Detector) smooth() {
	if d.cfg.Width <= 80 {
		copy(d.pic, d.raw)
		return
	}
	smooth(d.frame, d.pic, d.raw, d.scratch)
}

// refreshLimits turns the noise into limits, now and then. A background of few
// levels (night, fog) lowers the threshold.
func (d *Detector) refreshLimits() {
	d.model.fresh -= d.scene.step
	if d.model.fresh > 0 {
		return
	}
	d.model.fresh = d.t.limitsEachMS
	if d.scene.settling(&d.t) {
		d.model.fresh = 0
	}
	share := clamp(d.fitter.spread()*1000/d.t.spread, d.t.lowest, 1000)
	d.threshold = max(3, d.cfg.Threshold*share/1000)
	d.model.setLimits(d.threshold, int(d.cfg.Noise*256))
}

// compare marks the pixels that differ from what is expected.
func (d *Detector) compare() {
	m := &d.marks
	m.changed, m.before = m.before, m.changed
	d.model.expect(d.expected, d.pic, &d.table, d.t.saturated)
	limit := d.model.limit
	if d.scene.jumpMS > 0 {
		limit = d.scratch
		for i, v := range d.model.limit {
			limit[i] = byte(min(int(v)*d.t.jumpGain/1000, 255))
		}
	}
	differ(m.changed, d.expected, d.pic, limit)
	m.all = both(m.changed, m.changed, m.inside)
	m.changes = m.all
	if m.ignored.count > 0 {
		m.changes = both(m.counted, m.changed, m.valid.in)
	} else {
		copy(m.counted, m.changed)
	}
}

// findMotion looks for moving groups, learns, and says why the picture is quiet
// if it should be.
func (d *Detector) findMotion() Quiet {
	m := &d.marks
	coherent := d.mustOverlap()
	m.group(d.frame, coherent, d.scene.step, d.t.majority)
	d.inspect(d.pic, coherent)
	d.drops.learn(d.frame, m.grouper.groups, m.smallest, d.scene.step, &d.t)
	quiet := m.quiet()
	least := int32(0)
	if d.scene.settling(&d.t) {
		quiet, least = Settling, 1<<rateBits/int32(max(1, d.scene.settled))
		for i := range m.grouper.groups {
			m.grouper.groups[i].verdict = idle
		}
	}
	d.model.learn(d.pic, d.expected, m.changed, &d.table, d.rates(), d.scene.step, d.t.stillMS, least)
	d.vote()
	return quiet
}

func (d *Detector) rates() rates {
	return rates{bg: d.t.bgMS, active: d.t.activeMS, idle: d.t.idleMS, noise: d.t.noiseMS}
}

// mustOverlap reports whether pictures come fast enough that a moving thing
// overlaps itself from one to the next.
func (d *Detector) mustOverlap() bool {
	return d.scene.step <= d.t.coherentMS && (d.cfg.FPS == 0 || d.cfg.FPS >= 6)
}

// vote lets the tracks and the zones count this picture.
func (d *Detector) vote() {
	hundreds := clamp(d.scene.step, 100, 400)
	reach := d.frame.w * d.t.reach * hundreds / 100_000
	d.tracks = follow(d.tracks, d.marks.grouper.groups, reach, d.cfg.Of)
	for i := range d.zones {
		z := &d.zones[i]
		z.votes.push(d.marks.movingIn(d.frame, z.area) >= z.least)
	}
}

// judgement puts together what Judge returns.
func (d *Detector) judgement(quiet Quiet) Judgement {
	j := Judgement{Sharpness: d.sharpness(), Quiet: quiet}
	for i := range d.tracks {
		j.Motion = j.Motion || d.tracks[i].won(d.cfg.Need, d.cfg.Of)
	}
	if j.Motion {
		j.Quiet = ""
		for i := range d.zones {
			if d.zones[i].votes.won(d.cfg.Need, d.cfg.Of) {
				j.Zones = append(j.Zones, d.zones[i].name)
			}
		}
	}
	j.Boxes, j.Score = d.boxes()
	return j
}

// boxes returns the moving groups, and how much they are.
func (d *Detector) boxes() (boxes []Box, score float64) {
	groups := d.marks.grouper.groups
	sum := 0
	for i := range groups {
		if groups[i].verdict.moving() {
			sum += groups[i].contrast
			boxes = append(boxes, d.frame.box(&groups[i]))
		}
	}
	if sum == 0 {
		return nil, 0
	}
	slices.SortStableFunc(boxes, func(a, b Box) int { return cmp.Compare(b.W*b.H, a.W*a.H) })
	// 1 % of the picture, just above the threshold, is a half.
	half := float64(d.cfg.Threshold*d.marks.valid.count) / 100
	return boxes[:min(len(boxes), maxBoxes)], float64(sum) / (float64(sum) + half)
}

func (f frame) box(g *group) Box {
	w, h := float64(f.w), float64(f.h)
	return Box{X: float64(g.x0) / w, Y: float64(g.y0) / h, W: float64(g.x1-g.x0+1) / w, H: float64(g.y1-g.y0+1) / h}
}

// sharpness is the mean step between neighbours, in every fourth row.
func (d *Detector) sharpness() float64 {
	sum, n := 0, 0
	for y := 0; y < d.frame.h; y += 4 {
		row := d.raw[d.frame.row(y):][:d.frame.w]
		for x := 1; x < len(row); x++ {
			sum += abs(int(row[x]) - int(row[x-1]))
		}
		n += len(row)
	}
	return float64(sum) / float64(max(1, n))
}

// torn reports whether the decoder ran out of data: then the last rows are flat
// where the background is not.
func (d *Detector) torn() bool {
	f := d.frame
	if d.scene.seen == 0 || f.h < 8 {
		return false
	}
	a, b := f.row(f.h-2), f.row(f.h-1)
	return span(d.raw[a:a+f.w]) <= 1 && span(d.raw[b:b+f.w]) <= 1 && span(d.model.base[a:a+f.w]) > 8
}

func span(p []byte) int { return int(slices.Max(p)) - int(slices.Min(p)) }
