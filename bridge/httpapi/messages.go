package httpapi

import (
	"bytes"
	"encoding/json"
	"io"
	"time"

	"github.com/gorilla/websocket"

	"github.com/espcam-bridge/espcam-bridge/bridge"
)

// request is a message of the page; each type uses some of the members.
type request struct {
	Type     string          `json:"type"`
	ID       string          `json:"id"`
	Camera   string          `json:"camera"`
	Channel  *uint16         `json:"channel"`
	Channels []uint16        `json:"channels"`
	FPS      float64         `json:"fps"`
	Time     json.Number     `json:"time"`
	Settings bridge.Settings `json:"settings"`
	Motion   map[string]any  `json:"motion"`
	Action   string          `json:"action"`
	Args     map[string]any  `json:"args"`
	Name     *string         `json:"name"`
	Enabled  *bool           `json:"enabled"`

	found bridge.Camera // the camera, for rows with scope oneCamera
}

// read takes the page's messages until it leaves or breaks a limit.
func (k *socket) read() {
	for {
		kind, rd, err := k.conn.NextReader()
		if err != nil {
			return
		}
		if err := k.conn.SetReadDeadline(time.Now().Add(k.cfg.Timing.Silence)); err != nil {
			return
		}
		b, err := io.ReadAll(io.LimitReader(rd, maxMessage+1))
		switch {
		case err != nil:
			return
		case len(b) > maxMessage:
			k.complain("", bridge.Errorf(bridge.CodeTooLarge, "a message may have %d bytes", maxMessage))
			k.end(websocket.CloseMessageTooBig, "message too large")
		case kind != websocket.TextMessage:
			k.complain("", bridge.Errorf(bridge.CodeInvalid, "messages are JSON text"))
			k.end(websocket.CloseUnsupportedData, "text only")
		case k.rate.Wait(k.ctx) != nil: // who talks too fast is read more slowly
			return
		default:
			k.receive(b)
			continue
		}
		k.conn.readAway() // until the close frame was answered
		return
	}
}

// receive does what one message asks.
func (k *socket) receive(b []byte) {
	var in request
	err := strict(bytes.NewReader(b), &in)
	if err == nil {
		err = k.dispatch(in)
	}
	if err != nil {
		k.complain(in.ID, err)
	}
}

func (k *socket) dispatch(in request) error {
	e, ok := k.messages[in.Type]
	switch {
	case !ok:
		return bridge.Errorf(bridge.CodeInvalid, "there is no message %.40q", in.Type).At("type")
	case !k.v.who.Role.Includes(e.role):
		return bridge.Errorf(bridge.CodeDenied, "%s needs the role %s, and %q is %s", in.Type, e.role, k.v.who.Name, k.v.who.Role)
	case e.scope == oneCamera:
		c, err := k.find(k.v.who, in.Camera)
		if err != nil {
			return err
		}
		in.found = c
	}
	return e.take(k, in)
}

// complain answers with an error: to the request of that id, or to nothing in
// particular.
func (k *socket) complain(id string, err error) {
	f := k.faultOf(err)
	if id == "" {
		k.post(errorMessage{"error", f})
		return
	}
	k.post(resultMessage{Type: "result", ID: id, Error: &f})
}

func (k *socket) ping(in request) error {
	if in.Time == "" {
		in.Time = "0"
	}
	k.post(pongMessage{"pong", in.Time, k.now().UnixMilli()})
	return nil
}

func (k *socket) set(in request) error {
	if len(in.Settings) == 0 {
		return bridge.Errorf(bridge.CodeInvalid, "set needs settings").At("settings")
	}
	return k.later(in, func() error {
		_, err := k.deps.Fleet.Set(k.ctx, in.found.ID, in.Settings)
		return err
	})
}

func (k *socket) setMotion(in request) error {
	if len(in.Motion) == 0 {
		return bridge.Errorf(bridge.CodeInvalid, "motion needs motion: settings by name, such as {\"sensitivity\": 60}").At("motion")
	}
	return k.later(in, func() error {
		_, err := k.deps.Fleet.SetMotion(in.found.ID, in.Motion)
		return err
	})
}

func (k *socket) do(in request) error {
	return k.later(in, func() error {
		return k.deps.Fleet.Do(k.ctx, in.found.ID, bridge.Action{Name: in.Action, Args: in.Args})
	})
}

func (k *socket) rename(in request) error {
	if in.Name == nil {
		return bridge.Errorf(bridge.CodeInvalid, "rename needs a name").At("name")
	}
	return k.later(in, func() error { return k.deps.Fleet.Rename(in.found.ID, *in.Name) })
}

func (k *socket) enable(in request) error {
	if in.Enabled == nil {
		return bridge.Errorf(bridge.CodeInvalid, "enable needs enabled: true or false").At("enabled")
	}
	return k.later(in, func() error { return k.deps.Fleet.SetEnabled(in.found.ID, *in.Enabled) })
}

// later runs a command in the lane of its camera and answers with the camera as
// it is then.
func (k *socket) later(in request, command func() error) error {
	if in.ID == "" {
		return bridge.Errorf(bridge.CodeInvalid, "%s needs an id for its result", in.Type).At("id")
	}
	id := in.found.ID
	return k.enqueue(id, func() {
		if err := command(); err != nil {
			k.complain(in.ID, err)
			return
		}
		out := resultMessage{Type: "result", ID: in.ID, OK: true}
		if c, err := k.deps.Fleet.Camera(id); err == nil {
			j := k.show(c)
			out.Camera = &j
		}
		k.post(out)
	})
}

func (k *socket) enqueue(camera string, job func()) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	jobs, running := k.jobs[camera]
	if len(jobs) >= maxLane {
		return bridge.Errorf(bridge.CodeBusy, "%d commands are waiting for camera %s: try again when it has answered", maxLane, camera)
	}
	k.jobs[camera] = append(jobs, job)
	if !running {
		k.lanes.Go(func() { k.lane(camera) })
	}
	return nil
}

// lane runs the commands of one camera in order and ends with the last.
func (k *socket) lane(camera string) {
	for {
		k.mu.Lock()
		jobs := k.jobs[camera]
		if len(jobs) == 0 || k.ctx.Err() != nil {
			delete(k.jobs, camera)
			k.mu.Unlock()
			return
		}
		k.jobs[camera] = jobs[1:]
		k.mu.Unlock()
		jobs[0]()
	}
}
