package sdk

import (
	"math"
	"slices"
	"time"

	"github.com/espcam-bridge/espcam-bridge/plugins/pluginpb"
)

// timeOf makes a time of milliseconds since 1970; 0 is none.
func timeOf(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms)
}

func cameraOf(c *pluginpb.Camera) Camera {
	return Camera{ID: c.GetId(), Name: c.GetName(), Online: c.GetOnline()}
}

func phaseOf(p pluginpb.Phase) Phase {
	switch p {
	case pluginpb.Phase_PHASE_BEGIN:
		return PhaseBegin
	case pluginpb.Phase_PHASE_END:
		return PhaseEnd
	case pluginpb.Phase_PHASE_TEST:
		return PhaseTest
	}
	return PhaseUpdate // a newer bridge may have more phases: to an older plugin they are news of the event
}

func boxOf(b *pluginpb.Box) Box {
	return Box{X: b.GetX(), Y: b.GetY(), W: b.GetW(), H: b.GetH()}
}

func boxesOf(in []*pluginpb.Box) []Box {
	out := make([]Box, len(in))
	for i, b := range in {
		out[i] = boxOf(b)
	}
	return out
}

func eventOf(e *pluginpb.Event) Event {
	labels := make([]Detection, len(e.GetLabels()))
	for i, d := range e.GetLabels() {
		labels[i] = Detection{Label: d.GetLabel(), Score: d.GetScore(), Box: boxOf(d.GetBox()), Track: d.GetTrackId()}
	}
	return Event{
		ID: e.GetId(), Phase: phaseOf(e.GetPhase()), Camera: cameraOf(e.GetCamera()),
		Sources: e.GetSources(), Labels: labels, Zones: e.GetZones(), Boxes: boxesOf(e.GetBoxes()), Score: e.GetScore(),
		Begin: timeOf(e.GetBeginMs()), Last: timeOf(e.GetLastMs()), End: timeOf(e.GetEndMs()), Ending: e.GetEnding(),
		JPEG: e.GetJpeg(), Taken: timeOf(e.GetTakenMs()), Width: int(e.GetWidth()), Height: int(e.GetHeight()),
	}
}

func alertOf(a *pluginpb.Alert) Alert {
	actions := make([]Action, len(a.GetActions()))
	for i, x := range a.GetActions() {
		actions[i] = Action{Label: x.GetLabel(), URL: x.GetUrl()}
	}
	return Alert{
		Event: eventOf(a.GetEvent()), Title: a.GetTitle(), Text: a.GetText(), Priority: int(a.GetPriority()),
		URL: a.GetUrl(), Actions: actions, Attempt: int(a.GetAttempt()), Handle: a.GetHandle(),
	}
}

func pictureOf(in *pluginpb.DetectRequest) Picture {
	return Picture{
		Camera: in.GetCamera(), Sequence: in.GetSequence(), Captured: timeOf(in.GetCapturedMs()),
		JPEG: in.GetJpeg(), Width: int(in.GetWidth()), Height: int(in.GetHeight()), Motion: boxesOf(in.GetMotion()),
	}
}

// detectionsTo makes what the bridge accepts out of what was found: boxes and
// scores are brought into 0 to 1; things without a label, with one that was not
// declared, or outside the picture are left out.
func detectionsTo(found []Detection, labels []string) []*pluginpb.Detection {
	var out []*pluginpb.Detection
	for _, d := range found {
		box, ok := inside(d.Box)
		if !ok || d.Label == "" || len(labels) > 0 && !slices.Contains(labels, d.Label) {
			continue
		}
		out = append(out, &pluginpb.Detection{Label: d.Label, Score: unit(d.Score), Box: box, TrackId: d.Track})
	}
	return out
}

// inside cuts a box at the picture's edges, and reports whether anything is left.
func inside(b Box) (*pluginpb.Box, bool) {
	x, y := unit(b.X), unit(b.Y)
	w, h := unit(b.X+b.W)-x, unit(b.Y+b.H)-y
	return &pluginpb.Box{X: x, Y: y, W: w, H: h}, w > 0 && h > 0
}

// unit brings v into 0 to 1; what is no number is 0.
func unit(v float64) float64 {
	if math.IsNaN(v) {
		return 0
	}
	return min(max(v, 0), 1)
}
