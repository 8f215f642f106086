// Package bridge holds the nouns of the program: frames, cameras, settings,
// commands, errors, and the few small interfaces through which the adapters
// meet. Every other package imports it; it imports only the standard library.
//
// Data flows one way: a camera's connection (ingest) makes a Frame, the hub
// keeps the newest one and hands it to viewers. Commands flow back: a page, an
// MQTT message or an API call asks the fleet, the fleet asks the camera's Link.
//
// Nothing here starts a goroutine or does I/O. Values that are shared (Frame,
// Camera, Offer) are never changed after they were handed out; who needs a
// different one makes a new one. The only type with a lock is Listener, whose
// queue is bounded and counts what it drops.
package bridge

import "regexp"

// DefaultApp is the StreamHub application name used in URLs when the
// configuration names no other.
const DefaultApp = "live"

var (
	idPattern   = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,31}$`)
	roomPattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$`)
)

// CheckID reports why s cannot be a camera id, or nil. An id is a slug of 1 to
// 32 characters that never changes; "bridge", "plugin" and "all" are taken by
// MQTT topics.
func CheckID(s string) error {
	switch {
	case s == "bridge" || s == "plugin" || s == "all":
		return Errorf(CodeInvalid, "camera id %q is reserved: choose another", s)
	case len(s) > 32:
		return Errorf(CodeInvalid, "camera id is %d characters long: use at most 32", len(s))
	case !idPattern.MatchString(s):
		return Errorf(CodeInvalid, "camera id %q must be lower-case letters, digits, - or _, and begin with a letter or digit", s)
	}
	return nil
}

// ValidRoom reports whether s is a StreamHub slug (app, room or identity): 1 to
// 64 letters, digits, - or _, beginning with a letter or digit.
func ValidRoom(s string) bool { return roomPattern.MatchString(s) }
