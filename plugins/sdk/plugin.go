// Package sdk is what plugins for the bridge are written with in Go: describe the
// plugin in one Plugin value, give it to Main, and the rest (handshake, gRPC,
// settings and their checks, one picture at a time, the end of the process) is
// done. An author needs to know nothing of the protocol.
//
// The functions of a Plugin may be called many at a time, each with the settings
// that held when its call began. A call that is cancelled is answered at once,
// even if the function goes on; a panic is an error of that call alone. Log lines
// and errors that leave the process hold no value of a secret setting.
package sdk

import (
	"context"
	"time"
)

// Version is the SDK's own, as plugins report it.
const Version = "1.0.0"

// Plugin is a plugin with settings of type S, a struct whose fields are tagged:
//
//	Topic string        `json:"topic" sdk:"required" help:"Where to." example:"home"`
//	Token string        `json:"token" sdk:"secret" help:"Access token."`
//	Level string        `json:"level" choices:"low,high" default:"low"`
//	Tries int           `json:"tries" default:"3" min:"1" max:"9"`
//	Every time.Duration `json:"every" default:"30s" min:"1s" max:"1h"`
//	Tags  []string      `json:"tags" default:"camera,home"`
//	Heads map[string]string `json:"headers"`
//	Run   string        `json:"run" sdk:"file" help:"Only the bridge's own file may set it."`
//
// Numbers, booleans and texts may be of any kind and named type. At least one of
// Notify, Detect and Deliver is needed; each makes the plugin have that role.
// Every function gets settings of its own that nobody changes.
type Plugin[S any] struct {
	Name        string   // [a-z0-9][a-z0-9-]{0,31}: the executable is espcam-plugin-NAME
	Version     string   // such as 1.0.0
	Summary     string   // one sentence: what it is for
	Permissions []string // of snapshot, frames, command, publish: what Host is asked for

	// Notify tells people of one alert. An error made by Reject is final, any
	// other means: again later (Retry says when). Its time is 15 s.
	Notify func(ctx context.Context, s *S, a Alert) (Receipt, error)
	// Detect finds things in one picture; ErrBusy means: not now. For each camera
	// it is called once at a time. Its time is 1 s.
	Detect func(ctx context.Context, s *S, p Picture) ([]Detection, error)
	// Deliver keeps one event; after an error it comes again, after one made by
	// Reject it does not. Events come in order, one at a time.
	Deliver func(ctx context.Context, s *S, e Event) error

	// Check says why it would not work, without telling anybody; nil means it
	// would. It has 4 s. Without it, nothing is checked.
	Check func(ctx context.Context, s *S) error
	// Validate refuses settings that the tags cannot judge; Problem names the
	// field. It asks nobody on the network: that is what Check is for.
	Validate func(ctx context.Context, s *S) error
	// Start works beside the calls for as long as these settings hold: then ctx
	// ends, and Start has 5 s to return. An error while they hold is shown as what
	// is wrong with the plugin.
	Start func(ctx context.Context, s *S) error

	Detector DetectorNeeds  // for Detect
	Notifier NotifierTraits // for Notify
}

// DetectorNeeds says which pictures a detector wants.
type DetectorNeeds struct {
	MaxFPS   float64  // per camera; 0: all that are judged
	MaxWidth int      // pixels, larger ones are scaled down; 0: as they are
	Labels   []string // all that it may find, others are dropped; nil: any
	Stateful bool     // it wants all pictures, not only those of events
}

// NotifierTraits says what a notifier can do.
type NotifierTraits struct {
	NoPicture  bool // it has no use for pictures
	MaxPicture int  // bytes; 0: 8 MiB
	CanEdit    bool // it changes the message of Alert.Handle instead of sending another
}

// Phase says at which point of an event people are told.
type Phase string

// The phases of an event.
const (
	PhaseBegin  Phase = "begin"
	PhaseUpdate Phase = "update"
	PhaseEnd    Phase = "end"
	PhaseTest   Phase = "test" // a person pressed "Test"
)

// Camera is one that the plugin may see.
type Camera struct {
	ID     string `json:"id"`
	Name   string `json:"name"` // for people
	Online bool   `json:"online"`
}

// Box is a part of a picture, in parts of its width and height (0 to 1), from the
// upper left corner.
type Box struct {
	X float64 `json:"x"`
	Y float64 `json:"y"`
	W float64 `json:"w"`
	H float64 `json:"h"`
}

// Detection is a thing in a picture.
type Detection struct {
	Label string  `json:"label"`
	Score float64 `json:"score"` // 0 to 1
	Box   Box     `json:"box"`
	Track string  `json:"track,omitempty"` // of one thing over many pictures
}

// Event is one happening in front of a camera, as it is now.
type Event struct {
	ID      string      `json:"id"` // sorts by time; the same from begin to end
	Phase   Phase       `json:"phase"`
	Camera  Camera      `json:"camera"`
	Sources []string    `json:"sources"` // who saw it: pixels, pir
	Labels  []Detection `json:"labels"`  // the best of each label so far
	Zones   []string    `json:"zones"`
	Boxes   []Box       `json:"boxes"` // what moves
	Score   float64     `json:"score"` // 0 to 1
	Begin   time.Time   `json:"begin"`
	Last    time.Time   `json:"last"`             // newest motion
	End     time.Time   `json:"end,omitzero"`     // zero while it goes on
	Ending  string      `json:"ending,omitempty"` // quiet, length, disconnected, disabled, stopped
	JPEG    []byte      `json:"-"`                // the best picture so far; nil if there is none
	Taken   time.Time   `json:"taken,omitzero"`   // of the picture
	Width   int         `json:"width,omitempty"`  // of the picture, pixels
	Height  int         `json:"height,omitempty"`
	Gap     uint64      `json:"gap,omitempty"` // for Deliver: so many events before this one were lost
}

// Alert is what a notifier tells. Its texts are ready to be shown.
type Alert struct {
	Event
	Title    string
	Text     string
	Priority int      // 1 lowest, 3 normal, 5 highest
	URL      string   // to look at it; may be empty
	Actions  []Action // buttons
	Attempt  int      // 1, 2, 3 ...
	Handle   string   // what Notify returned for this event before
}

// Action is a button of a message.
type Action struct {
	Label string
	URL   string
}

// Receipt is what became of an alert that was delivered.
type Receipt struct {
	Handle  string // names the message, to change it later; up to 1024 bytes
	Message string // one sentence; may be empty
}

// Picture is what a detector looks at.
type Picture struct {
	Camera   string
	Sequence uint64 // rises; per camera
	Captured time.Time
	JPEG     []byte
	Width    int // pixels
	Height   int
	Motion   []Box // where something moves, as a hint
}
