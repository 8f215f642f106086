package pluginhost

import (
	"math"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/espcam-bridge/espcam-bridge/bridge"
	"github.com/espcam-bridge/espcam-bridge/plugins/pluginpb"
)

// This file translates nouns of the bridge into those of the wire and back.

func cameraOf(c bridge.Camera) *pluginpb.Camera {
	return &pluginpb.Camera{Id: c.ID, Name: c.Name, Online: c.State == bridge.Online}
}

// pictureOf is a frame on the wire; the bytes are shared, not copied.
func pictureOf(f bridge.Frame) (*pluginpb.Picture, error) {
	jpeg := f.JPEG()
	if len(jpeg) > maxPicture {
		return nil, status.Errorf(codes.ResourceExhausted, "the picture has more than %d MiB", maxPicture>>20)
	}
	return &pluginpb.Picture{
		Jpeg: jpeg, Sequence: f.Seq, ReceivedMs: millis(f.Received), CapturedMs: millis(f.Captured),
		Width: uint32(f.Width), Height: uint32(f.Height),
	}, nil
}

// statusOf is an error of the bridge on the wire.
func statusOf(err error) error {
	code := codes.Internal
	switch bridge.CodeOf(err) {
	case "":
		return nil
	case bridge.CodeInvalid:
		code = codes.InvalidArgument
	case bridge.CodeTooLarge, bridge.CodeRateLimited:
		code = codes.ResourceExhausted
	case bridge.CodeUnavailable:
		code = codes.Unavailable
	}
	return status.Error(code, err.Error())
}

// millis is t on the wire; 0 for the zero time.
func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func phaseOf(p bridge.Phase) pluginpb.Phase {
	switch p {
	case bridge.PhaseBegin:
		return pluginpb.Phase_PHASE_BEGIN
	case bridge.PhaseUpdate:
		return pluginpb.Phase_PHASE_UPDATE
	case bridge.PhaseEnd:
		return pluginpb.Phase_PHASE_END
	case bridge.PhaseTest:
		return pluginpb.Phase_PHASE_TEST
	}
	return pluginpb.Phase_PHASE_UNSPECIFIED
}

// eventOf is an event on the wire, with its picture if that is not too large.
func eventOf(e bridge.Event, phase bridge.Phase, camera *pluginpb.Camera) *pluginpb.Event {
	out := &pluginpb.Event{
		Id: e.ID, Phase: phaseOf(phase), Camera: camera, Sources: e.Sources, Labels: detectionsOf(e.Labels), Zones: e.Zones, Boxes: boxesOf(e.Boxes),
		Score: e.Score, BeginMs: millis(e.Begin), LastMs: millis(e.Last), EndMs: millis(e.End), Ending: string(e.Ending),
	}
	if f := e.Picture; !f.IsZero() && len(f.JPEG()) <= maxPicture {
		out.Jpeg, out.TakenMs, out.Width, out.Height = f.JPEG(), millis(f.Time()), uint32(f.Width), uint32(f.Height)
	}
	return out
}

// namedCamera is an event's camera as it is called now.
func (i *instance) namedCamera(id string) *pluginpb.Camera {
	c, err := i.host.deps.Cameras.Camera(id)
	if err != nil { // it was removed meanwhile
		return &pluginpb.Camera{Id: id, Name: id}
	}
	return cameraOf(c)
}

func boxOf(b bridge.Box) *pluginpb.Box { return &pluginpb.Box{X: b.X, Y: b.Y, W: b.W, H: b.H} }

func boxesOf(boxes []bridge.Box) []*pluginpb.Box {
	out := make([]*pluginpb.Box, len(boxes))
	for n, b := range boxes {
		out[n] = boxOf(b)
	}
	return out
}

func detectionsOf(list []bridge.Detection) []*pluginpb.Detection {
	out := make([]*pluginpb.Detection, len(list))
	for n, d := range list {
		out[n] = &pluginpb.Detection{Label: d.Label, Score: d.Score, Box: boxOf(d.Box)}
	}
	return out
}

// detections takes what a plugin found.
func detections(list []*pluginpb.Detection) []bridge.Detection {
	out := make([]bridge.Detection, 0, len(list))
	for _, d := range list {
		found := bridge.Detection{Label: d.GetLabel(), Score: d.GetScore(), Box: bridge.Box{W: 1, H: 1}}
		if b := d.GetBox(); b != nil {
			found.Box = bridge.Box{X: b.X, Y: b.Y, W: b.W, H: b.H}
		}
		if !math.IsNaN(found.Score) {
			out = append(out, found)
		}
	}
	return out
}

func alertOf(a bridge.Alert, camera *pluginpb.Camera) *pluginpb.Alert {
	out := &pluginpb.Alert{
		Event: eventOf(a.Event, a.Phase, camera), Title: a.Title, Text: a.Text,
		Priority: uint32(max(a.Priority, 0)), Url: a.URL, Attempt: uint32(max(a.Attempt, 0)), Handle: a.Handle,
	}
	if a.Name != "" {
		camera.Name = a.Name
	}
	for _, b := range a.Actions {
		out.Actions = append(out.Actions, &pluginpb.Action{Label: b.Label, Url: b.URL})
	}
	return out
}
