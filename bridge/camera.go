package bridge

import (
	"context"
	"time"
)

// State is a camera's state as the outside sees it. "offline" is damped: a
// camera that returns within a few seconds never was offline (Camera.Connected
// is not damped).
type State string

// The states.
const (
	Online   State = "online"
	Offline  State = "offline"
	Pending  State = "pending"  // waits for somebody to adopt it
	Disabled State = "disabled" // switched off by its owner
)

// Camera is a snapshot of one camera. Its maps and slices are the reader's own
// to read, never to change.
type Camera struct {
	ID          string
	Room        string // StreamHub name; the id unless set
	Name        string // for people; the id unless set
	Dialect     Dialect
	State       State
	Connected   bool      // a connection is open now
	Enabled     bool      // false: no pictures leave the bridge
	Hidden      bool      // not announced to Home Assistant, because somebody removed it there
	Address     string    // host:port of the connection, or of the last one
	ConnectedAt time.Time // of the current connection; zero if none
	LastFrame   time.Time // arrival of the newest picture; zero if none
	BootedAt    time.Time // computed from the device's uptime; zero if unknown
	Reconnects  uint64    // connections after the first since the program started
	Device      Device
	Offer       Offer
	Desired     Settings       // what people asked for
	Reported    Settings       // what is in force, as far as the camera said
	Motion      Motion         // how its pictures are judged
	Angles      map[string]int // degrees to which "pan" and "tilt" last turned it, since its boot; absent if they did not
	Disturbed   time.Time      // until then the picture changes because somebody asked for it: flash, resolution, pan ...; zero if never
	Stats       Stats
	Source      string // "file:line" if the configuration file names this camera, else ""
}

// Setting returns the value in force, or the desired one while the camera has
// not said.
func (c Camera) Setting(name string) (any, bool) {
	if v, ok := c.Reported[name]; ok {
		return v, true
	}
	v, ok := c.Desired[name]
	return v, ok
}

// Device is what a native camera says of its hardware. All fields may be empty.
type Device struct {
	MAC      string `json:"mac,omitempty"` // lower case, with colons
	Firmware string `json:"firmware,omitempty"`
	Board    string `json:"board,omitempty"`
	Sensor   string `json:"sensor,omitempty"` // such as OV2640
	PSRAM    int64  `json:"psram,omitempty"`  // bytes
	Reset    string `json:"reset,omitempty"`  // why it booted
}

// Stats are a camera's current figures: measured by the bridge, or as the
// device last reported them (pointers: nil if it never did).
type Stats struct {
	FPS            float64 // accepted frames per second, measured
	BytesPerSecond float64 // of accepted frames, measured
	FrameSize      int     // bytes of the newest frame
	Frames         uint64  // accepted since the program started
	Bytes          uint64  // of those frames
	Viewers        int
	Dropped        map[Drop]uint64 // by reason, since the program started; only reasons that occurred

	RSSI        *int     // dBm
	HeapFree    *int64   // bytes
	PSRAMFree   *int64   // bytes
	Temperature *float64 // °C
	Uptime      *int64   // s
	DeviceFPS   *float64 // as the device counts
	DeviceDrops *int64   // frames that the device itself dropped
}

// Drop says why a frame did not reach its viewers. The set is fixed, so that it
// may be a metric's label.
type Drop string

// The reasons. The first group counts frames that were not published, the
// second deliveries of a published frame to one viewer.
const (
	DropRate     Drop = "rate"    // above the frame rate limit
	DropInvalid  Drop = "invalid" // not a whole, reasonable JPEG
	DropTooLarge Drop = "too_large"
	DropDisabled Drop = "disabled" // the camera is switched off

	DropSlow Drop = "viewer_slow" // a newer frame came before the viewer had taken this one
)

// Drops lists all reasons.
func Drops() []Drop { return []Drop{DropRate, DropInvalid, DropTooLarge, DropDisabled, DropSlow} }

// Reason says why a camera's connection is refused or ended. It is the text
// that the camera is sent; package wire knows the close code of each.
type Reason string

// The reasons (DESIGN, section 5).
const (
	ReasonHandshake    Reason = "handshake_error"
	ReasonInvalidApp   Reason = "invalid_app"
	ReasonInvalidRoom  Reason = "invalid_room"
	ReasonInvalidKey   Reason = "invalid_key"
	ReasonUnknownApp   Reason = "unknown_app"
	ReasonRoomMismatch Reason = "room_mismatch"
	ReasonKeyRevoked   Reason = "key_revoked"
	ReasonIngestOff    Reason = "ws_ingest_disabled"
	ReasonQuota        Reason = "quota_exceeded"
	ReasonMaxCameras   Reason = "max_cameras"
	ReasonRemoved      Reason = "removed"
	ReasonIdle         Reason = "idle_timeout"
	ReasonReplaced     Reason = "replaced"
	ReasonTooLarge     Reason = "frame_too_large"
	ReasonInvalid      Reason = "invalid_frames"
	ReasonRateLimited  Reason = "rate_limited"
	ReasonNormal       Reason = "normal"

	// The reasons of an end that no camera is told: nobody is left to hear it,
	// or WebSocket's own code 1002 says it.
	ReasonLost     Reason = "connection_lost"
	ReasonProtocol Reason = "protocol_error"
)

// Refusal is the error of a connection that is not admitted.
type Refusal struct {
	Reason Reason
	Detail string // for the log: which key, which camera
}

func (r *Refusal) Error() string {
	if r.Detail == "" {
		return string(r.Reason)
	}
	return string(r.Reason) + ": " + r.Detail
}

// Claim is what a connecting camera shows.
type Claim struct {
	App      string // may be empty with a good key
	Room     string // may be empty with a good key
	Key      string
	Identity string
	Address  string // host:port of the peer
}

// Link is one live connection to a camera, made by ingest and used by fleet.
// Set and Do block until the device answered or ctx ended; the device's refusal
// is an *Error. They may be called from any goroutine; fleet sends one at a
// time.
type Link interface {
	// Set asks for settings and returns those in force afterwards.
	Set(ctx context.Context, id string, s Settings) (Settings, error)
	// Do asks for an action.
	Do(ctx context.Context, id string, a Action) error
	// Close ends the connection with that reason. It does not wait.
	Close(Reason)
}

// Session is fleet's side of an admitted connection. Ingest calls it from the
// goroutine that reads the camera; no method blocks on the network.
type Session interface {
	// Camera is the camera's id.
	Camera() string
	// Dialect is what the camera speaks, as far as it has shown: a hello makes
	// a StreamHub camera a native one.
	Dialect() Dialect
	// MaxFPS is the limit now in force, in frames per second.
	MaxFPS() int
	// Wanted is false while the camera is switched off: frames are discarded.
	Wanted() bool
	// Hello tells what a native device said of itself; the fleet then repairs
	// settings that differ from the desired ones.
	Hello(Device, Capabilities, Settings)
	// Reported tells settings in force that changed on the device itself.
	Reported(Settings)
	// Stats tells the device's own figures; only the device's fields are read.
	Stats(Stats)
	// Event tells a change of a device's sensor, such as "pir".
	Event(name string, active bool)
	// Notice tells people of a fault of this camera in words.
	Notice(Code, string)
	// End is called once, when the connection is over.
	End(Reason)
}

// Key is a camera key as lists show it. The secret itself is not kept.
type Key struct {
	ID       string    // such as "k3f9a1bc", or "config-" and the camera for one from the file
	Camera   string    // the one camera that it admits
	Prefix   string    // the first 8 characters of the key
	Identity string    // StreamHub's name of the device; may be empty
	Created  time.Time // zero for one from the file
	Source   string    // "file:line" for one from the file, else ""
}
