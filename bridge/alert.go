package bridge

import "time"

// Phase says at which point of an event people are told. The set is fixed.
type Phase string

// The phases.
const (
	PhaseBegin  Phase = "begin"
	PhaseUpdate Phase = "update"
	PhaseEnd    Phase = "end"
	PhaseTest   Phase = "test" // a person pressed "Test"
)

// Alert is what a notifier is asked to tell. Package alert makes it; the
// picture comes with the event, so it is never missing or another one.
type Alert struct {
	Event    Event // with its best picture
	Phase    Phase
	Name     string        // the camera's, for people
	Title    string        // rendered
	Text     string        // rendered
	Priority int           // 1 lowest, 3 normal, 5 highest
	URL      string        // to look at it; may be empty
	Actions  []AlertAction // buttons
	Attempt  int           // 1, 2, 3 ...
	Handle   string        // what the notifier returned for this event before
}

// AlertAction is a button of a message.
type AlertAction struct {
	Label string `json:"label"`
	URL   string `json:"url"`
}

// Receipt is what a notifier made of an alert that it delivered.
type Receipt struct {
	Handle  string // names the message, to edit it later; may be empty
	Message string // one sentence; may be empty
}

// RetryError is a failure that may be over later.
type RetryError struct {
	After time.Duration // 0: whenever the caller likes
	Err   error
}

func (e *RetryError) Error() string { return e.Err.Error() }

func (e *RetryError) Unwrap() error { return e.Err }

// FailedAlert is an alert that was given up, as the dead-letter list shows it.
type FailedAlert struct {
	ID       string    `json:"id"` // of this entry
	Instance string    `json:"instance"`
	Route    string    `json:"route"`
	Event    string    `json:"event"`
	Camera   string    `json:"camera"`
	Phase    Phase     `json:"phase"`
	Title    string    `json:"title"`
	Text     string    `json:"text"`
	Attempts int       `json:"attempts"`
	At       time.Time `json:"at"`     // when it was given up
	Reason   string    `json:"reason"` // one sentence
}
