package sdk

import (
	"errors"
	"fmt"
	"time"
)

// ErrBusy is what Detect returns when it cannot look at a picture now.
var ErrBusy = errors.New("busy with another picture")

// ErrDenied is in the errors of Host's methods that the bridge did not grant.
var ErrDenied = errors.New("the bridge has not granted this to the plugin")

// ErrNoHost is in the errors of Host's methods outside the bridge, as in a test
// without a fake host.
var ErrNoHost = errors.New("there is no bridge to ask")

// RetryError is a failure that may be over later.
type RetryError struct {
	After time.Duration // 0: when the bridge likes
	Err   error
}

func (e *RetryError) Error() string { return e.Err.Error() }

func (e *RetryError) Unwrap() error { return e.Err }

// Retry says that err may be over after that time (0: when the bridge likes).
func Retry(after time.Duration, err error) error { return &RetryError{After: after, Err: err} }

// RejectError is a failure that stays.
type RejectError struct{ Err error }

func (e *RejectError) Error() string { return e.Err.Error() }

func (e *RejectError) Unwrap() error { return e.Err }

// Reject says that trying again is in vain: a wrong token, an unknown chat.
func Reject(err error) error { return &RejectError{Err: err} }

// ProblemError is what is wrong with one setting.
type ProblemError struct {
	Field   string // "" for the settings as a whole
	Message string // one sentence that says what to do
}

func (e *ProblemError) Error() string {
	if e.Field == "" {
		return e.Message
	}
	return e.Field + " " + e.Message
}

// Problem is what Validate returns for a setting that it refuses, such as
// Problem("topic", "must not begin with a slash"); errors.Join takes several.
func Problem(field, format string, args ...any) error {
	return &ProblemError{Field: field, Message: fmt.Sprintf(format, args...)}
}

// panicError is a panic of the author's code.
type panicError struct{ value any }

func (e *panicError) Error() string { return fmt.Sprintf("the plugin panicked: %v", e.value) }
