package httpapi

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge"
)

// eventJSON is an event as the API and the page's socket show it.
type eventJSON struct {
	bridge.Event
	CameraName string `json:"camera_name"` // the id for a camera that was removed
	Picture    bool   `json:"picture"`     // there is one to ask for
	Clip       bool   `json:"clip"`        // there is one to ask for
}

// showEvent is the event for people: without nulls, its times in UTC.
func (s *Server) showEvent(e bridge.Event) eventJSON {
	out := eventJSON{Event: e, CameraName: e.Camera, Picture: !e.Picture.IsZero()}
	if c, err := s.deps.Fleet.Camera(e.Camera); err == nil && c.ID == e.Camera {
		out.CameraName = c.Name
	}
	if s.deps.Events != nil {
		picture, clip := s.deps.Events.Has(e.ID)
		out.Picture, out.Clip = picture, clip
	}
	for _, t := range []*time.Time{&out.Begin, &out.Last, &out.End} {
		*t = t.UTC().Truncate(time.Millisecond)
	}
	out.Sources, out.Zones = orNone(e.Sources), orNone(e.Zones)
	out.Boxes, out.Labels = orNone(e.Boxes), orNone(e.Labels)
	return out
}

// orNone makes JSON say [] and not null.
func orNone[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

func (s *Server) listEvents(w http.ResponseWriter, r *http.Request, v *visit) error {
	if s.deps.Events == nil {
		return noEvents()
	}
	f, err := s.eventFilter(r.URL.Query(), v.who)
	if err != nil {
		return err
	}
	events, next, err := s.deps.Events.List(f)
	if err != nil {
		return err
	}
	items := make([]eventJSON, len(events))
	for i, e := range events {
		items[i] = s.showEvent(e)
	}
	send(w, http.StatusOK, map[string]any{"items": items, "next": next})
	return nil
}

func noEvents() error {
	return bridge.Errorf(bridge.CodeNotFound, "this bridge keeps no events")
}

const (
	usualEvents = 50
	mostEvents  = 200
	longestWord = 64 // bytes of a zone, label or source
)

// eventFilter reads which events are asked for, of those that who may see.
func (s *Server) eventFilter(q url.Values, who bridge.Principal) (f bridge.EventFilter, err error) {
	f = bridge.EventFilter{Zone: q.Get("zone"), Label: q.Get("label"), Source: q.Get("source"), Before: q.Get("before"), Limit: usualEvents}
	for name, value := range map[string]string{"zone": f.Zone, "label": f.Label, "source": f.Source} {
		if len(value) > longestWord {
			return f, bridge.Errorf(bridge.CodeInvalid, "%s is longer than %d bytes", name, longestWord).At(name)
		}
	}
	if _, valid := bridge.EventTime(f.Before); f.Before != "" && !valid {
		return f, bridge.Errorf(bridge.CodeInvalid, "before is %.40q: it must be the id of an event, such as next of the page before", f.Before).At("before")
	}
	if f.Cameras, err = s.eventCameras(q["camera"], who); err != nil {
		return f, err
	}
	if f.Since, err = queryTime(q, "since"); err != nil {
		return f, err
	}
	if f.Until, err = queryTime(q, "until"); err != nil {
		return f, err
	}
	if text := q.Get("limit"); text != "" {
		if f.Limit, err = strconv.Atoi(text); err != nil || f.Limit < 1 || f.Limit > mostEvents {
			return f, bridge.Errorf(bridge.CodeInvalid, "limit is %.20q: it must be a whole number from 1 to %d", text, mostEvents).At("limit")
		}
	}
	if text := q.Get("min_score"); text != "" {
		if f.MinScore, err = strconv.ParseFloat(text, 64); err != nil || !(f.MinScore >= 0 && f.MinScore <= 1) {
			return f, bridge.Errorf(bridge.CodeInvalid, "min_score is %.20q: it must be from 0 to 1", text).At("min_score")
		}
	}
	return f, nil
}

func queryTime(q url.Values, name string) (time.Time, error) {
	text := q.Get(name)
	if text == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return t, bridge.Errorf(bridge.CodeInvalid, "%s is %.40q: it must be a time such as 2026-11-21T07:30:00Z (in a URL, + is written %%2B)", name, text).At(name)
	}
	return t, nil
}

// eventCameras returns the ids whose events are asked for: nil for all. A camera
// that was removed still has events, so any id may be asked for.
func (s *Server) eventCameras(given []string, who bridge.Principal) ([]string, error) {
	refs := strings.FieldsFunc(strings.Join(given, ","), func(r rune) bool { return r == ',' })
	if len(refs) == 0 {
		return who.Cameras, nil
	}
	ids := make([]string, 0, len(refs))
	for _, ref := range refs {
		if !validRef(ref) {
			return nil, bridge.Errorf(bridge.CodeInvalid, "camera is %.40q: it must be ids of cameras, with commas between", ref).At("camera")
		}
		id := ref
		if c, err := s.deps.Fleet.Camera(ref); err == nil {
			id = c.ID
		}
		if !who.May(bridge.Viewer, id) {
			return nil, bridge.Errorf(bridge.CodeDenied, "%q may not see a camera %.64q", who.Name, ref)
		}
		ids = append(ids, id)
	}
	return slices.Compact(slices.Sorted(slices.Values(ids))), nil
}

// findEvent returns the event that the path names. To a caller who may not see
// its camera it does not exist.
func (s *Server) findEvent(r *http.Request, v *visit) (bridge.Event, error) {
	if s.deps.Events == nil {
		return bridge.Event{}, noEvents()
	}
	id := r.PathValue("id")
	none := bridge.Errorf(bridge.CodeNotFound, "there is no event %.40q: it may have been removed since", id)
	if _, valid := bridge.EventTime(id); !valid {
		return bridge.Event{}, none
	}
	e, err := s.deps.Events.Event(id)
	if err == nil && !v.who.May(bridge.Viewer, e.Camera) || bridge.CodeOf(err) == bridge.CodeNotFound {
		return bridge.Event{}, none
	}
	return e, err
}

func (s *Server) getEvent(w http.ResponseWriter, r *http.Request, v *visit) error {
	e, err := s.findEvent(r, v)
	if err == nil {
		send(w, http.StatusOK, s.showEvent(e))
	}
	return err
}

func (s *Server) eventPicture(w http.ResponseWriter, r *http.Request, v *visit) error {
	e, err := s.findEvent(r, v)
	if err != nil {
		return err
	}
	f, err := s.deps.Events.Picture(e.ID)
	if err != nil {
		return err
	}
	defer f.Close()
	s.serveFile(w, r, f, e, "image/jpeg")
	return nil
}

func (s *Server) eventClip(w http.ResponseWriter, r *http.Request, v *visit) error {
	speed, err := querySpeed(r)
	if err != nil {
		return err
	}
	e, err := s.findEvent(r, v)
	if err != nil {
		return err
	}
	f, err := s.deps.Events.Clip(e.ID)
	if err != nil {
		return err
	}
	defer f.Close()
	leave, err := s.seat(v)
	if err != nil {
		return err
	}
	defer leave()
	const kind = "multipart/x-mixed-replace; boundary=" + bridge.Boundary
	if speed == 0 {
		s.serveFile(w, r, f, e, kind)
		return nil
	}
	w.Header().Set("Content-Type", kind)
	return s.playClip(w, r, f, speed, v)
}

// settled is how long after an event's end its files are still being written, at
// most; afterwards they never change.
const settled = time.Minute

// serveFile answers with a file of an event, or the part of it that is asked
// for. A client may keep it; until the event has settled it asks whether there
// is more.
func (s *Server) serveFile(w http.ResponseWriter, r *http.Request, f io.ReadSeeker, e bridge.Event, kind string) {
	h := w.Header()
	h.Set("Content-Type", kind)
	size, err := f.Seek(0, io.SeekEnd) // ServeContent goes back to the start
	if err == nil && e.Over() {
		h.Set("Etag", fmt.Sprintf(`"%s-%d"`, e.ID, size))
		h.Set("Cache-Control", "private, no-cache")
	}
	if err == nil && e.Over() && s.now().Sub(e.End) > settled {
		h.Set("Cache-Control", "private, max-age=31536000, immutable")
	}
	http.ServeContent(&patient{ResponseWriter: w, timeout: s.cfg.Timing.Write}, r, "", time.Time{}, f)
}

// patient gives each piece of a long answer a deadline of its own, and says in
// our words that a range is wrong.
type patient struct {
	http.ResponseWriter
	timeout time.Duration
	refused bool
}

// WriteHeader sends the status.
func (p *patient) WriteHeader(status int) {
	if p.refused = status == http.StatusRequestedRangeNotSatisfiable; p.refused {
		send(p.ResponseWriter, status, map[string]fault{"error": {Code: bridge.CodeInvalid, Message: "the file is shorter than the range that is asked for", Field: "range"}})
		return
	}
	p.ResponseWriter.WriteHeader(status)
}

// Write sends a piece within the timeout.
func (p *patient) Write(b []byte) (int, error) {
	if p.refused {
		return len(b), nil
	}
	rc := http.NewResponseController(p.ResponseWriter)
	if err := rc.SetWriteDeadline(time.Now().Add(p.timeout)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return 0, err
	}
	return p.ResponseWriter.Write(b)
}
