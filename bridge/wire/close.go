package wire

import (
	"strconv"

	"github.com/espcam-bridge/espcam-bridge/bridge"
)

// closing is how a connection ends for one reason: its WebSocket close code,
// and the code in the error text sent before it ("" for none).
type closing struct {
	code int
	text string
}

// closings is the table of DESIGN, section 5. What refuses a handshake carries
// its close code as the text's code, what ends a running connection its name:
// that is what StreamHub does.
var closings = map[bridge.Reason]closing{
	bridge.ReasonHandshake:    {4401, "4401"},
	bridge.ReasonInvalidApp:   {4401, "4401"},
	bridge.ReasonInvalidRoom:  {4401, "4401"},
	bridge.ReasonInvalidKey:   {4401, "4401"},
	bridge.ReasonUnknownApp:   {4401, "4401"},
	bridge.ReasonRoomMismatch: {4401, "4401"},
	bridge.ReasonKeyRevoked:   {4401, "4401"},
	bridge.ReasonIngestOff:    {4403, "4403"},
	bridge.ReasonQuota:        {4403, "4403"},
	bridge.ReasonMaxCameras:   {4403, "4403"},
	bridge.ReasonRemoved:      {4403, "4403"},
	bridge.ReasonIdle:         {4408, "idle_timeout"},
	bridge.ReasonReplaced:     {4409, "4409"},
	bridge.ReasonTooLarge:     {4413, "frame_too_large"},
	bridge.ReasonInvalid:      {1003, "invalid_frames"},
	bridge.ReasonRateLimited:  {4429, "4429"},
	bridge.ReasonNormal:       {1000, ""},
}

// CloseCode returns the WebSocket close code of a reason. A reason that is not
// in the table is 1011, a fault of the server.
func CloseCode(r bridge.Reason) int {
	if c, ok := closings[r]; ok {
		return c.code
	}
	return 1011
}

// ErrorText returns the text that goes before the close frame, or nil where
// none does (a normal end). The close frame's own text is the reason itself.
func ErrorText(r bridge.Reason) []byte {
	c, ok := closings[r]
	if !ok {
		c.text = strconv.Itoa(CloseCode(r))
	}
	if c.text == "" {
		return nil
	}
	return Error{Code: c.text, Message: string(r)}.Append(nil)
}
