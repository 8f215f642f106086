package motion

import "time"

// Detector judges the pictures of one camera. It is used by one goroutine at a
// time; different Detectors are independent.
type Detector struct {
	cfg    Config
	counts Counts
}

// New returns a Detector that has seen nothing yet.
func New(cfg Config) *Detector { return &Detector{cfg: cfg} }

// Configure puts new settings into force. What was learnt is kept where the
// working size stays.
func (d *Detector) Configure(cfg Config) { d.cfg = cfg }

// Judge decodes one picture small and grey and judges it. It never panics,
// whatever the bytes. at is the time of arrival; it should rise.
func (d *Detector) Judge(jpeg []byte, at time.Time) Judgement {
	d.counts.Frames++
	return Judgement{}
}

// Reset forgets everything learnt: after a reconnect, a switched lamp, while
// disabled. There is no motion until 1 s and 4 pictures later.
func (d *Detector) Reset() {}

// Close frees what the Detector holds. It may be called more than once.
func (d *Detector) Close() {}

// Counts returns what became of all pictures so far.
func (d *Detector) Counts() Counts { return d.counts }

// Debug returns a copy of what the last Judge saw, nil before the first picture.
func (d *Detector) Debug() *Debug { return nil }
