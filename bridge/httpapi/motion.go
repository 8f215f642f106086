package httpapi

import (
	"bytes"
	"image/png"
	"net/http"
	"strconv"
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge"
)

// motionJSON is what the watch over a camera does.
type motionJSON struct {
	Active   bool                `json:"active"`
	Since    *time.Time          `json:"since"`
	Event    string              `json:"event"` // id of the one that goes on; "" if none
	Learning bool                `json:"learning"`
	Settings bridge.MotionChange `json:"settings"`
	Detector detectorJSON        `json:"detector"`
}

type detectorJSON struct {
	FPS      float64           `json:"fps"`
	Analysed uint64            `json:"analysed"`
	Skipped  map[string]uint64 `json:"skipped"`
	Quiet    map[string]uint64 `json:"quiet"`
}

// show is the camera as the API and the page see it.
func (s *Server) show(c bridge.Camera) cameraJSON {
	out := toJSON(c)
	if s.deps.Motion == nil {
		return out
	}
	m := s.deps.Motion.State(c.ID)
	out.Motion = &motionJSON{
		Active: m.Active, Since: instant(m.Since), Event: m.Event, Learning: m.Learning, Settings: c.Motion.Values(),
		Detector: detectorJSON{FPS: m.FPS, Analysed: m.Analysed, Skipped: orEmpty(m.Skipped), Quiet: orEmpty(m.Quiet)},
	}
	return out
}

// motionPicture answers with what the detector sees, to be laid over the live
// picture. It shows what the camera shows, so it is refused when that is.
func (s *Server) motionPicture(w http.ResponseWriter, _ *http.Request, v *visit) error {
	c := v.camera
	if s.deps.Motion == nil || !c.Motion.Enabled {
		return bridge.Errorf(bridge.CodeNotFound, "motion detection of camera %s is off: it has nothing to show", c.ID)
	}
	if !c.Enabled {
		return bridge.Errorf(bridge.CodeUnavailable, "camera %s is switched off: nothing of it is shown", c.ID)
	}
	img, ok := s.deps.Motion.Debug(c.ID)
	if !ok {
		return bridge.Errorf(bridge.CodeNotFound, "no picture of camera %s was judged yet; it is %s", c.ID, c.State)
	}
	var b bytes.Buffer
	enc := png.Encoder{CompressionLevel: png.BestSpeed}
	if err := enc.Encode(&b, img); err != nil {
		return err
	}
	w.Header().Set("Content-Type", "image/png")
	w.Header().Set("Content-Length", strconv.Itoa(b.Len()))
	_, _ = w.Write(b.Bytes()) // a client that left is no fault
	return nil
}
