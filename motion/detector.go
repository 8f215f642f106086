package motion

import (
	"slices"
	"strings"
	"time"
)

// Detector judges the pictures of one camera. It is used by one goroutine at a
// time; different Detectors are independent.
type Detector struct {
	cfg    Config
	t      tuning
	counts Counts

	width, height int // of the last picture; 0 before the first
	plan          plan
	frame         frame
	raw           []byte // the decoded picture at working size
	pic           []byte // smoothed
	expected      []byte // what the background would look like now
	scratch       []byte

	scene     scene
	model     model
	fitter    toneFitter
	curve     toneCurve
	table     [256]byte // curve in whole levels
	threshold int       // in force; lower than asked for in a dim scene
	last      past      // the last picture
	history   history
	marks     marks
	drops     drops
	tracks    []track
	zones     []zone
}

// New returns a Detector that has seen nothing yet.
func New(cfg Config) *Detector {
	return &Detector{cfg: cfg.clamped(), t: standard()}
}

// Configure puts new settings into force. What was learnt is kept where the
// working size stays.
func (d *Detector) Configure(cfg Config) {
	d.cfg = cfg.clamped()
	if d.width == 0 || planFor(d.width, d.height, d.cfg.Width) != d.plan {
		d.Close()
		return
	}
	d.setAreas()
	d.model.fresh = 0
}

// Judge decodes one picture small and grey and judges it. It never panics,
// whatever the bytes. at is the time of arrival and should rise; after a gap of
// 10 s the Detector starts anew.
func (d *Detector) Judge(jpeg []byte, at time.Time) Judgement {
	d.counts.Frames++
	ok := d.read(jpeg)
	if !ok || d.torn() {
		d.counts.add(Damaged)
		return Judgement{Quiet: Damaged}
	}
	j := d.judge(at)
	d.counts.add(j.Quiet)
	return j
}

// Reset forgets everything learnt: after a reconnect, a switched lamp, while
// disabled. There is no motion until 1 s and 4 pictures later.
func (d *Detector) Reset() {
	d.scene = scene{}
	d.history.clear()
	d.last.filled = false
	d.drops = drops{}
	d.tracks = d.tracks[:0]
	for i := range d.zones {
		d.zones[i].votes = 0
	}
}

// Close frees what the Detector holds. It may be called more than once; a
// Judge after it starts anew.
func (d *Detector) Close() {
	*d = Detector{cfg: d.cfg, t: d.t, counts: d.counts}
}

// Counts returns what became of all pictures so far.
func (d *Detector) Counts() Counts { return d.counts }

// resize makes the planes for a picture of this size, unless they exist.
func (d *Detector) resize(width, height int, p plan) {
	if d.width == width && d.height == height && d.plan == p {
		return
	}
	d.width, d.height, d.plan = width, height, p
	d.frame = frameFor(p.w, p.h)
	n := d.frame.size()
	d.raw, d.pic, d.expected, d.scratch = make([]byte, n), make([]byte, n), make([]byte, n), make([]byte, n)
	d.last.pic = make([]byte, n)
	d.model = newModel(d.frame)
	d.history = newHistory(n)
	d.setAreas()
	d.Reset()
}

// setAreas makes the masks for the present size and settings.
func (d *Detector) setAreas() {
	ignored := d.frame.polygons(d.cfg.Ignore)
	d.marks = newMarks(d.frame, ignored, d.cfg.Area)
	d.zones = d.zones[:0]
	for _, z := range d.cfg.Zones {
		a := d.frame.polygons([]Polygon{z.Area})
		a.without(ignored)
		least := max(1, min(d.marks.smallest, a.count/4))
		d.zones = append(d.zones, zone{name: z.Name, area: a, least: least})
	}
	slices.SortFunc(d.zones, func(a, b zone) int { return strings.Compare(a.name, b.name) })
}

// add counts a picture that was quiet for reason q.
func (c *Counts) add(q Quiet) {
	switch q {
	case Settling:
		c.Settling++
	case SceneChange:
		c.SceneChange++
	case Damaged:
		c.Damaged++
	case Masked:
		c.Masked++
	case TooSmall:
		c.TooSmall++
	}
}
