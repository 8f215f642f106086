package bridge

import (
	"errors"
	"fmt"
)

// Code says what kind of failure an Error is. Adapters map it once: to an HTTP
// status, a line on an MQTT error topic, a word on the page.
type Code string

// The codes. CodeInternal is what CodeOf answers for every error that is not an
// *Error; its text is for the log, not for users.
const (
	CodeNotFound    Code = "not_found"    // HTTP 404
	CodeInvalid     Code = "invalid"      // HTTP 400
	CodeDenied      Code = "denied"       // HTTP 401 without, 403 with credentials
	CodeConflict    Code = "conflict"     // HTTP 409: something else holds this value (the config file, another camera)
	CodeBusy        Code = "busy"         // HTTP 409: try again
	CodeUnsupported Code = "unsupported"  // HTTP 422: this camera cannot do that
	CodeTooLarge    Code = "too_large"    // HTTP 413
	CodeRateLimited Code = "rate_limited" // HTTP 429
	CodeUnavailable Code = "unavailable"  // HTTP 503
	CodeTimeout     Code = "timeout"      // HTTP 504: no acknowledgement; the message says what is still desired
	CodeInternal    Code = "internal"     // HTTP 500
)

// Error is a failure that a person reads: a code for programs and a sentence
// that says what to do.
type Error struct {
	Code    Code
	Message string
	Field   string // the input it is about, such as "settings.quality"; may be empty
	Err     error  // the cause, for the log; may be nil
}

// Errorf makes an Error. A %w in format keeps its cause.
func Errorf(code Code, format string, args ...any) *Error {
	err := fmt.Errorf(format, args...)
	return &Error{Code: code, Message: err.Error(), Err: errors.Unwrap(err)}
}

// At returns a copy of e that names the input it is about.
func (e *Error) At(field string) *Error {
	c := *e
	c.Field = field
	return &c
}

func (e *Error) Error() string { return e.Message }

func (e *Error) Unwrap() error { return e.Err }

// CodeOf returns the code of the first *Error in err's chain, CodeInternal if
// there is none, and "" for nil.
func CodeOf(err error) Code {
	if err == nil {
		return ""
	}
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return CodeInternal
}
