package watch

import (
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge"
	"github.com/espcam-bridge/espcam-bridge/motion"
)

// judge is what the watch needs of a motion.Detector.
type judge interface {
	Configure(motion.Config)
	Judge(jpeg []byte, at time.Time) motion.Judgement
	Reset()
	Close()
	Debug() *motion.Debug
}

func newJudge(cfg motion.Config) judge { return motion.New(cfg) }

// orders are how a camera's pictures are to be judged.
type orders struct {
	on        bool // joined to the feed
	away      bool // the camera is offline
	cfg       motion.Config
	version   int       // of cfg
	disturbed time.Time // until then the picture changes on purpose
}

// examiner holds a camera's judge, which exists only while there are pictures to
// judge. The worker that visits the camera is the only one to use it, and brings
// it in line with the orders; Debug may look in between two pictures.
type examiner struct {
	build func(motion.Config) judge

	mu      sync.Mutex
	judge   judge // nil: none
	version int
	past    uint64    // generation of what it has learnt
	calm    time.Time // the disturbance after which it has learnt anew
}

// examine judges a picture of a generation.
func (x *examiner) examine(o orders, f bridge.Frame, generation uint64) motion.Judgement {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.judge == nil {
		x.judge, x.version, x.past = x.build(o.cfg), o.version, generation
	}
	if x.version != o.version {
		x.judge.Configure(o.cfg)
	}
	if x.past != generation {
		x.judge.Reset()
	}
	x.version, x.past = o.version, generation
	x.settle(o.disturbed, f.Received)
	return x.judge.Judge(f.JPEG(), f.Received)
}

// settle forgets what was learnt with each picture until a disturbance is over,
// and once more with the first one after it.
func (x *examiner) settle(disturbed, at time.Time) {
	if x.calm.Equal(disturbed) {
		return
	}
	x.judge.Reset()
	if at.After(disturbed) {
		x.calm = disturbed
	}
}

func (x *examiner) close() {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.judge != nil {
		x.judge.Close()
		x.judge = nil
	}
}

// debug is what the judge saw last, nil if nothing.
func (x *examiner) debug() *motion.Debug {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.judge == nil {
		return nil
	}
	return x.judge.Debug()
}

// configOf translates a camera's settings. The rate is left to the times of
// arrival: the camera may deliver fewer pictures than it may.
func configOf(m bridge.Motion, maxPixels int) motion.Config {
	c := motion.Config{Width: m.Width, Noise: m.Noise, Need: m.Need, Of: m.Of, MaxPixels: maxPixels}
	c.Threshold, c.Area = m.Resolved()
	for _, p := range m.Ignore {
		c.Ignore = append(c.Ignore, motion.Polygon(p))
	}
	for _, name := range slices.Sorted(maps.Keys(m.Zones)) {
		c.Zones = append(c.Zones, motion.Zone{Name: name, Area: motion.Polygon(m.Zones[name])})
	}
	return c
}
