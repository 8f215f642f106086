// Package wire is the language between a camera and the bridge on /ingest/ws:
// StreamHub's ws-ingest protocol plus the messages that let our own firmware be
// told things. PROTOCOL.md beside this file is its specification; each message
// stands at its type. Ingest and the simulated cameras use it; the firmware
// speaks the same in C++ and is tested with the same vectors (testdata).
//
// It describes, it does not talk: no socket, no clock, no goroutine. What
// arrives is judged by one rule: a member that does not fit counts as absent, a
// message that lacks a required one is a *Fault, an unknown type is nothing. So
// whatever a device sends costs at most its own message, and no string leaves
// here with control characters or longer than its type says.
package wire

import (
	"bytes"
	"encoding/json"
	"time"
)

// Proto is the version of the native dialect that this package speaks.
const Proto = 1

// The limits of the conversation.
const (
	MaxText       = 16 << 10  // bytes of a text from a device
	MaxServerText = 4 << 10   // bytes of a text to a device; common client libraries end at 15 KiB
	MaxDepth      = 8         // objects and lists within each other
	MaxMessage    = 2 << 20   // bytes of any message; a larger one ends the connection unread
	MaxFrame      = 256 << 10 // bytes of a picture, the default of what ready announces
	BadFrames     = 5         // pictures in a row that are none end the connection
)

// The rhythm of the conversation.
const (
	PingInterval = 15 * time.Second // from either side
	IdleTimeout  = 30 * time.Second // default: without a picture (StreamHub) or any message (native)
	ReadTimeout  = 45 * time.Second // without any byte; a missing pong alone never ends a connection
	StatsPeriod  = 30 * time.Second // of a camera's stats
)

// Subprotocol is what the most common client library offers by default. It
// means nothing, and a server need not echo it.
const Subprotocol = "arduino"

// Message is one text message: Hello, Result, State, Event or Stats from a
// device, Ready, Error, Set or Do from a server.
type Message interface {
	// Append adds the message's JSON to b: compact, members in the order of the
	// type's comment, those that are empty left out, settings sorted by name.
	Append(b []byte) []byte
}

// appendJSON never fails: every value it is given was made of scalars.
func appendJSON(b []byte, v any) []byte {
	buf := bytes.NewBuffer(b)
	e := json.NewEncoder(buf)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic("wire: " + err.Error()) // a message type of this package that JSON cannot write
	}
	return bytes.TrimSuffix(buf.Bytes(), []byte("\n"))
}
