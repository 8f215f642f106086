package wire

import (
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge"
)

// Ready admits a camera; it may send pictures from now on.
//
//	{"type":"ready","room":"live-porch","streamId":"k3f9a1","maxFps":15,
//	 "maxFrameBytes":262144,"idleTimeoutSec":30,
//	 "proto":1,"server":"espcam-bridge/1.2.3","time":1760000000000}
//
// The first line and a half is StreamHub's. Its sketch searches for the
// substrings "ready" and "maxFps": followed by the digits, so the JSON has no
// spaces. Nothing is required; maxFps is 0 (not told) to 1000, proto 0 (absent)
// or the server's version, time is the server's clock in Unix milliseconds.
type Ready struct {
	Room           string // "{app}-{room}"
	StreamID       string
	MaxFPS         int
	MaxFrameBytes  int
	IdleTimeoutSec int
	Proto          int
	Server         string    // name/version
	Time           time.Time // zero if not told
}

// Set asks a native camera for settings; it answers with a Result.
//
//	{"type":"set","id":"7","settings":{"framesize":"SVGA","led":128,"led_ms":30000,"quality":12}}
//
// Required: id (1 to 32 of [A-Za-z0-9_.:-]), settings. A value that is neither
// number, bool nor string is read as nil, which the device refuses as invalid.
// A camera takes all of the settings or none.
type Set struct {
	ID       string
	Settings bridge.Settings
}

// Do asks a native camera for an action; it answers with a Result.
//
//	{"type":"do","id":"8","action":"drive","args":{"ttl_ms":600,"x":0.5,"y":-1}}
//
// Required: id, action (both as Set's id). Values are read like a Set's, and a
// number with a fraction is a float64.
type Do struct {
	ID     string
	Action string
	Args   map[string]any
}

// Error says why the connection is refused or about to be closed, see
// ErrorText.
//
//	{"type":"error","code":"4401","message":"invalid_key"}
//
// Required: code.
type Error struct {
	Code    string
	Message string
}

// ParseServer reads a text from a server, for cameras. A type that is not known
// gives no message and no error; every error is a *Fault.
func ParseServer(text []byte) (Message, error) {
	kind, o, err := open(text, MaxServerText)
	if err != nil {
		return nil, err
	}
	switch kind {
	case "ready":
		return parseReady(o), nil
	case "set":
		return parseSet(o)
	case "do":
		return parseDo(o)
	case "error":
		return parseError(o)
	}
	return nil, nil
}

func parseReady(o object) Message {
	r := Ready{
		Room:           o.text("room", 2*64+1),
		StreamID:       o.text("streamId", 64),
		MaxFPS:         int(o.count("maxFps", 1000)),
		MaxFrameBytes:  int(o.count("maxFrameBytes", 1<<30)),
		IdleTimeoutSec: int(o.count("idleTimeoutSec", 1<<30)),
		Proto:          int(o.count("proto", 1<<30)),
		Server:         o.text("server", 64),
	}
	if ms := o.count("time", maxWhole); ms > 0 {
		r.Time = time.UnixMilli(ms)
	}
	return r
}

func parseSet(o object) (Message, error) {
	s := Set{ID: o.name("id")}
	if s.ID == "" {
		return nil, missing("id")
	}
	settings := o.object("settings")
	if settings == nil {
		return nil, missing("settings")
	}
	s.Settings = settings.scalars()
	return s, nil
}

func parseDo(o object) (Message, error) {
	d := Do{ID: o.name("id"), Action: o.name("action")}
	if d.ID == "" {
		return nil, missing("id")
	}
	if d.Action == "" {
		return nil, missing("action")
	}
	d.Args = o.object("args").scalars()
	return d, nil
}

func parseError(o object) (Message, error) {
	e := Error{Code: o.text("code", maxWord), Message: o.text("message", maxSentence)}
	if e.Code == "" {
		return nil, missing("code")
	}
	return e, nil
}

// Append implements Message.
func (r Ready) Append(b []byte) []byte {
	var ms int64
	if !r.Time.IsZero() {
		ms = r.Time.UnixMilli()
	}
	return appendJSON(b, struct {
		Type           string `json:"type"`
		Room           string `json:"room"`
		StreamID       string `json:"streamId"`
		MaxFPS         int    `json:"maxFps"`
		MaxFrameBytes  int    `json:"maxFrameBytes"`
		IdleTimeoutSec int    `json:"idleTimeoutSec"`
		Proto          int    `json:"proto,omitempty"`
		Server         string `json:"server,omitempty"`
		Time           int64  `json:"time,omitempty"`
	}{"ready", r.Room, r.StreamID, r.MaxFPS, r.MaxFrameBytes, r.IdleTimeoutSec, r.Proto, r.Server, ms})
}

// Append implements Message.
func (s Set) Append(b []byte) []byte {
	return appendJSON(b, struct {
		Type     string         `json:"type"`
		ID       string         `json:"id"`
		Settings map[string]any `json:"settings"`
	}{"set", s.ID, scalars(s.Settings)})
}

// Append implements Message.
func (d Do) Append(b []byte) []byte {
	return appendJSON(b, struct {
		Type   string         `json:"type"`
		ID     string         `json:"id"`
		Action string         `json:"action"`
		Args   map[string]any `json:"args,omitempty"`
	}{"do", d.ID, d.Action, scalars(d.Args)})
}

// Append implements Message.
func (e Error) Append(b []byte) []byte {
	return appendJSON(b, struct {
		Type    string `json:"type"`
		Code    string `json:"code"`
		Message string `json:"message,omitempty"`
	}{"error", e.Code, e.Message})
}
