package bridge

import (
	"context"
	"slices"
	"sync"
	"time"
)

// The sources of events that the bridge knows by itself. Detectors add their
// own names as labels, other dialects their own sources.
const (
	SourcePixels = "pixels" // the bridge saw it in the pictures
	SourcePIR    = "pir"    // the camera's own motion sensor
)

// Ending says why an event is over. The set is fixed.
type Ending string

// The endings.
const (
	EndQuiet        Ending = "quiet"        // nothing moved for the off delay
	EndLength       Ending = "length"       // it lasted for the longest time an event may; what goes on is a new one
	EndDisconnected Ending = "disconnected" // the camera went away
	EndDisabled     Ending = "disabled"     // camera or motion detection was switched off
	EndStopped      Ending = "stopped"      // the bridge stopped, or was killed
)

// Event is one happening in front of one camera, from its first motion to the
// last. A value is a snapshot: its slices are shared and never changed.
type Event struct {
	ID      string      `json:"id"` // sorts by time, see NewEventID
	Camera  string      `json:"camera"`
	Sources []string    `json:"sources"`         // who saw it, the first one first
	Begin   time.Time   `json:"begin"`           // of the first motion
	Last    time.Time   `json:"last"`            // of the newest motion so far
	End     time.Time   `json:"end,omitzero"`    // zero while it goes on
	Ending  Ending      `json:"ending,omitzero"` // "" while it goes on
	Score   float64     `json:"score"`           // 0 to 1, the highest so far
	Boxes   []Box       `json:"boxes"`           // in the best picture
	Zones   []string    `json:"zones"`           // all so far, sorted
	Labels  []Detection `json:"labels"`          // the best of each label so far

	Now     []Box `json:"-"` // what moves in the newest judged picture; nil when over
	Picture Frame `json:"-"` // the best so far; zero if there is none
}

// Over reports whether the event has ended.
func (e Event) Over() bool { return !e.End.IsZero() }

const eventDigits = "0123456789abcdefghjkmnpqrstvwxyz" // Crockford's base 32, lower case

const eventIDLength = 13

// NewEventID makes an id out of the event's begin (to the millisecond) and a
// number that tells events of one millisecond apart (its low 15 bits): 13
// characters that sort by time.
func NewEventID(begin time.Time, n uint16) string {
	v := uint64(max(begin.UnixMilli(), 0))<<15 | uint64(n&0x7fff)
	var b [eventIDLength]byte
	for i := len(b) - 1; i >= 0; i-- {
		b[i] = eventDigits[v&31]
		v >>= 5
	}
	return string(b[:])
}

// EventTime is the begin of the event with that id; false if it is no id.
func EventTime(id string) (time.Time, bool) {
	if len(id) != eventIDLength {
		return time.Time{}, false
	}
	var v uint64
	for i := range len(id) {
		at := slices.Index([]byte(eventDigits), id[i])
		if at < 0 {
			return time.Time{}, false
		}
		v = v<<5 | uint64(at)
	}
	return time.UnixMilli(int64(v >> 15)), true
}

// EventFilter says which events are asked for. Zero fields do not filter.
type EventFilter struct {
	Cameras  []string // ids; nil means all, an empty list none
	Since    time.Time
	Until    time.Time // begins before it
	Zone     string
	Label    string
	Source   string
	MinScore float64
	Before   string // id: only older events, for paging
	Limit    int    // at most so many
}

// maxEvents bounds a listener's mailbox: many times what a few hundred cameras
// do at once.
const maxEvents = 1024

// EventListener is one reader's mailbox of events. Package watch makes and fills
// it. It holds the newest state of each event that changed, so a slow reader
// misses updates between, but never that an event began or how it ended, unless
// more than 1024 events wait: then the oldest is dropped and counted.
type EventListener struct {
	wake chan struct{}

	mu     sync.Mutex
	events []Event // in the order in which they first changed
	lost   uint64
}

// NewEventListener makes an empty mailbox.
func NewEventListener() *EventListener { return &EventListener{wake: make(chan struct{}, 1)} }

// Tell puts an event's newest state into the mailbox. It never blocks.
func (l *EventListener) Tell(e Event) {
	l.mu.Lock()
	if i := slices.IndexFunc(l.events, func(o Event) bool { return o.ID == e.ID }); i >= 0 {
		l.events[i] = e
	} else {
		if len(l.events) == maxEvents {
			l.events = slices.Delete(l.events, 0, 1)
			l.lost++
		}
		l.events = append(l.events, e)
	}
	l.mu.Unlock()
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// Ready is readable when Take has something to give, for use in a select.
func (l *EventListener) Ready() <-chan struct{} { return l.wake }

// Take empties the mailbox. lost counts events dropped since the last call.
func (l *EventListener) Take() (events []Event, lost uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	events, lost = l.events, l.lost
	l.events, l.lost = nil, 0
	return events, lost
}

// MotionState is what the watch over one camera is doing now.
type MotionState struct {
	Active   bool              // an event is going on
	Since    time.Time         // of Active's last change; zero if it never did
	Event    string            // id of the event going on
	Score    float64           // of the newest judged picture
	Boxes    []Box             // of the newest judged picture
	Zones    []string          // with motion now
	Learning bool              // settling after a start, reconnect or change of light: no alarm yet
	FPS      float64           // pictures judged per second, measured
	Analysed uint64            // pictures judged since the program started
	Skipped  map[string]uint64 // pictures not judged, by reason: pace, busy
	Quiet    map[string]uint64 // judged pictures without motion that had a cause, by cause: settling, scene_change, damaged, masked, too_small
}

// Detection is a thing that a detector found in a picture.
type Detection struct {
	Label string  `json:"label"` // such as person
	Score float64 `json:"score"` // 0 to 1
	Box   Box     `json:"box"`
}

// Detector finds things in pictures: a model in a plugin, a service on another
// machine. Package watch calls it for judged pictures while an event goes on,
// with at most one call in flight per camera and one newer picture waiting; what
// is older is dropped and counted. boxes are where something moves, as a hint.
// The call ends when ctx does; CodeBusy means "not now".
type Detector interface {
	Name() string
	Detect(ctx context.Context, f Frame, boxes []Box) ([]Detection, error)
}

// DetectorOptions say when and how a detector is asked.
type DetectorOptions struct {
	Timeout time.Duration // for one call; 1 s
	Always  bool          // about every judged picture, else only while an event goes on
	Every   int           // of those pictures every so many only; 0 and 1: all
	MaxFPS  float64       // pictures a second and camera at most; 0: all that are judged
	Cameras []string      // ids; nil: all
}
