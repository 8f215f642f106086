package motion

import "time"

// scene is what is known of the picture as a whole.
type scene struct {
	start   time.Time
	seen    int   // pictures since start
	ms      int64 // the last of them, after start
	step    int   // ms from the one before to it
	settled int   // pictures since the last new scene
	quietMS int   // no motion for so long
	mean    int   // brightness of the last picture, in 1/16 levels
	jumpMS  int   // the threshold is raised for so long
	odd     bool  // the last picture looked like a new scene
}

// tick takes the time of the next picture. It reports false when too much time
// has passed, or the clock went back, to go on with what is known.
func (s *scene) tick(at time.Time, t *tuning) bool {
	if s.seen == 0 {
		*s = scene{start: at, seen: 1, settled: 1, quietMS: t.settleMS}
		return true
	}
	ms := at.Sub(s.start).Milliseconds()
	if ms-s.ms > int64(t.gapMS) || s.ms-ms > int64(t.gapMS) {
		return false
	}
	s.step = int(max(0, ms-s.ms))
	s.ms = max(s.ms, ms)
	s.seen++
	s.settled++
	s.quietMS = max(0, s.quietMS-s.step)
	s.jumpMS = max(0, s.jumpMS-s.step)
	return true
}

// settling reports whether it is too early for motion.
func (s *scene) settling(t *tuning) bool { return s.quietMS > 0 || s.settled <= t.settleFrames }

// brightness takes the mean of the picture and notices a jump.
func (s *scene) brightness(mean int, t *tuning) {
	if s.mean > 0 && abs(mean-s.mean)*1000 > t.jumpShare*s.mean {
		s.jumpMS = t.jumpMS
	}
	s.mean = mean
}

// renew begins to settle in a new scene.
func (s *scene) renew(t *tuning) { s.settled, s.quietMS, s.odd = 0, t.settleMS, false }

// isOdd reports whether the picture does not fit the scene.
func (d *Detector) isOdd(light light) bool {
	changed, count := d.marks.changes, d.marks.valid.count
	if d.scene.settling(&d.t) || count == 0 {
		return false
	}
	if float64(changed) > d.cfg.SceneShare*float64(count) {
		return true
	}
	return changed*1000 > d.t.meanNeeds*count &&
		float64(abs(light.now-light.base)) > d.cfg.SceneMean*float64(max(light.base, 8*meanUnit))
}

// newScene decides on a picture that does not fit. One alone is skipped. After
// two the picture becomes the background, unless it still moves: then something
// large stands before the camera, and newScene reports false.
func (d *Detector) newScene(pic []byte) bool {
	if !d.scene.odd {
		d.scene.odd = true
		return true
	}
	if d.unrest(pic)*1000 > d.t.unrest*d.marks.valid.count {
		return false
	}
	d.model.takeOver(pic)
	d.history.clear()
	d.tracks = d.tracks[:0]
	d.scene.renew(&d.t)
	return true
}

// unrest counts the pixels that differ from the last picture by more than a
// change of light.
func (d *Detector) unrest(pic []byte) int {
	if !d.last.filled {
		return 0
	}
	d.fitter.fit(&d.curve, d.marks.samples, d.last.pic, pic, d.t.bins)
	table := d.curve.levels()
	n := 0
	for i, v := range pic {
		if d.marks.valid.in[i] != 0 && abs(int(v)-int(table[d.last.pic[i]])) > d.threshold {
			n++
		}
	}
	return n
}
