package motion

import (
	"slices"
	"time"
)

// Detector judges the pictures of one camera. It is used by one goroutine at a
// time; different Detectors are independent.
type Detector struct {
	cfg    Config
	t      tuning
	counts Counts
	votes  votes

	plan          plan
	width, height int // of the last picture
	frame         frame
	raw, scratch  []byte
	pic           []byte
	ppic          []byte
	thr           int
	curve2        toneCurve
	prev          past
	tracks        []track
	last          []group
	fitter        toneFitter
	curve         toneCurve
	curve8        [256]uint8
	model         model
	history       history
	scene         scene
	marks         marks
	zones         []zone
}

// New returns a Detector that has seen nothing yet.
func New(cfg Config) *Detector {
	return &Detector{cfg: cfg.clamped(), t: standard()}
}

// Configure puts new settings into force. What was learnt is kept where the
// working size stays.
func (d *Detector) Configure(cfg Config) {
	d.cfg = cfg.clamped()
	d.votes = votes{}
	if d.raw != nil && planFor(d.width, d.height, d.cfg.Width) == d.plan {
		d.setAreas()
		return
	}
	d.Close()
}

// Judge decodes one picture small and grey and judges it. It never panics,
// whatever the bytes. at is the time of arrival; it should rise.
func (d *Detector) Judge(jpeg []byte, at time.Time) Judgement {
	d.counts.Frames++
	ok, resized := d.read(jpeg)
	if !ok || d.broken() {
		d.counts.Damaged++
		return Judgement{Quiet: Damaged}
	}
	if resized {
		d.Reset()
	}
	return d.judge(at)
}

// Reset forgets everything learnt: after a reconnect, a switched lamp, while
// disabled. There is no motion until 1 s and 4 pictures later.
func (d *Detector) Reset() {
	d.scene = scene{}
	d.history.clear()
	d.prev.filled = false
	d.tracks = d.tracks[:0]
	d.votes = votes{}
	for i := range d.zones {
		d.zones[i].votes = votes{}
	}
}

// Close frees what the Detector holds. It may be called more than once; a
// Judge after it starts anew.
func (d *Detector) Close() {
	*d = Detector{cfg: d.cfg, t: d.t, counts: d.counts}
}

// Counts returns what became of all pictures so far.
func (d *Detector) Counts() Counts { return d.counts }

// resize makes the planes for a picture of this size. It reports whether the
// size is a new one.
func (d *Detector) resize(width, height int, p plan) bool {
	if d.raw != nil && d.width == width && d.height == height && d.plan == p {
		return false
	}
	d.width, d.height, d.plan = width, height, p
	d.frame = frameFor(p.w, p.h)
	n := d.frame.size()
	d.raw, d.scratch, d.pic = make([]byte, n), make([]byte, n), make([]byte, n)
	d.model = newModel(d.frame)
	d.prev.pic = make([]byte, n)
	d.history = newHistory(n)
	d.setAreas()
	return true
}

// setAreas makes the masks of the present size and settings.
func (d *Detector) setAreas() {
	ignored := d.frame.polygons(d.cfg.Ignore)
	d.marks = newMarks(d.frame, ignored, d.cfg.Area)
	d.zones = d.zones[:0]
	for _, z := range d.cfg.Zones {
		a := d.frame.polygons([]Polygon{z.Area})
		a.without(ignored)
		d.zones = append(d.zones, zone{name: z.Name, area: a})
	}
	slices.SortFunc(d.zones, func(a, b zone) int { return compareNames(a.name, b.name) })
}

// Debug returns a copy of what the last Judge saw, nil before the first picture.
func (d *Detector) Debug() *Debug { return nil }

func (c Config) clamped() Config {
	if c.Width == 0 {
		c.Width = 160
	}
	if c.Threshold == 0 {
		c.Threshold = 20
	}
	if c.Noise == 0 {
		c.Noise = 5
	}
	if c.Area == 0 {
		c.Area = 0.0008
	}
	if c.Need == 0 {
		c.Need, c.Of = 2, 3
	}
	if c.SceneShare == 0 {
		c.SceneShare = 0.5
	}
	if c.SceneMean == 0 {
		c.SceneMean = 0.35
	}
	if c.MaxPixels == 0 {
		c.MaxPixels = 2_100_000
	}
	return c
}
