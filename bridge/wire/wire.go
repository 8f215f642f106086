// Package wire is the language between a camera and the bridge on
// /ingest/ws: StreamHub's ws-ingest protocol plus the messages that let our own
// firmware be told things. It describes, it does not talk: no socket, no clock,
// no goroutine. Ingest and the simulated cameras use it; the firmware implements
// the same text in C++ and is tested with the same vectors (testdata).
//
// # Conversation
//
// The camera dials and upgrades. The server always answers 101 first and speaks
// first, in a TCP segment of its own (some devices lose bytes that are glued to
// the 101):
//
//	server  {"type":"ready",...}               the camera is admitted
//	server  {"type":"error",...} + close code  it is not; see CloseCode
//
// Then each side sends when it likes. A binary message is one complete JPEG,
// nothing else; it may be fragmented. A text message is one JSON object.
//
//	StreamHub camera  JPEGs, and {"type":"stats"} every 30 s
//	native camera     the same, and after a ready that has "proto": one hello,
//	                  then state, event, and a result for every set and do
//	server            pings; to a native camera also set and do
//
// A set or do carries an id; the result carries it back. The server has one
// request in flight; a device may answer busy. Settings and arguments go by
// name ("VGA", never a framesize number). Motion carries a time to live, after
// which the board stops by itself.
//
// # Text messages
//
// UTF-8 JSON, at most MaxText bytes from a device, MaxServerText to one, at most
// MaxDepth objects and lists deep. "type" names the message; a type that the
// receiver does not know is ignored, and so is a member that it does not know.
// That is how both sides stay compatible. Names are case sensitive; of two
// members with one name the last counts.
//
// A member of the wrong type, out of its range or malformed counts as absent,
// and so does null. A message that lacks a required member (the id of a set, the
// settings of a state) is malformed, as is a text that is not a JSON object. A
// malformed text is dropped; it never ends a connection. Ranges and lengths
// stand at each message type. Control characters are removed from
// strings and over-long ones are cut (except ids and names, which are malformed
// then).
//
// # Versions
//
// "proto" in ready and hello is the version each side speaks; a side never
// changes the meaning of a member, it adds members and types. Without proto in
// ready the server is somebody else's and a native camera stays a StreamHub
// camera.
//
//	proto 0 (absent)  StreamHub ws-ingest: ready, error, stats, JPEGs
//	proto 1           hello, set, do, result, state, event
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
