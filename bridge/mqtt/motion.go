package mqtt

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge"
)

// Motion on MQTT. When an event begins, T/motion/image gets its picture and
// T/motion/last its begin, T/motion becomes ON, and T/event says motion_start;
// when it is over, T/motion becomes OFF and T/event says motion_end. These leave
// in that order and before everything else that waits.
//
// T/motion is a state: after an interruption it is what is true now. T/event is
// told once for each event: what the broker has not acknowledged when a
// connection ends is kept, at most maxStories of them, and sent lateTime after the
// next announcement, with the time at which it happened.

const (
	// maxStories is how many events may wait to be told; the oldest is dropped.
	maxStories = 1000
	// lateTime is the time between a new connection and what was missed without
	// one: Home Assistant tries to connect every 10 s.
	lateTime = 15 * time.Second
)

// story is an event that is not told to its end.
type story struct {
	event    bridge.Event
	over     bool // OFF was published for it, or nobody could hear it
	pictured bool // its picture was taken
	lit      bool // ON was published for it

	// What was handed to the present session, and what a broker has.
	told, closed   bool
	started, ended atomic.Bool
}

// onEvents takes what the watch told.
func (c *Client) onEvents(events []bridge.Event, lost uint64) {
	for _, ev := range events {
		c.happen(ev)
	}
	if lost > 0 {
		c.out.count(lost)
		c.reconcile()
	}
}

// reconcile makes up for events whose begin or end was not heard.
func (c *Client) reconcile() {
	active := c.deps.Motion.Active()
	for _, e := range c.entries {
		going := func(ev bridge.Event) bool { return ev.ID == e.story.event.ID }
		if e.story != nil && !slices.ContainsFunc(active, going) {
			c.finish(e, c.deps.Clock.Now())
		}
	}
	for _, ev := range active {
		c.happen(ev)
	}
}

// happen takes the newest state of an event. Its begin may be news, its end, or
// both.
func (c *Client) happen(ev bridge.Event) {
	e := c.entries[ev.Camera]
	if e == nil || e.story == nil {
		cam, err := c.deps.Fleet.Camera(ev.Camera)
		if err != nil || cam.ID != ev.Camera {
			return // it was removed
		}
		e = c.entry(cam)
	}
	switch {
	case e.story != nil && e.story.event.ID == ev.ID:
		e.story.event = ev
		c.takePicture(e)
	case ev.ID == e.past || muted(e.camera) || e.hidden():
		return
	default:
		c.finish(e, ev.Begin)
		c.start(e, ev)
	}
	if ev.Over() {
		c.finish(e, ev.End)
	}
}

// muted reports whether nobody wants to hear of the camera's motion: what was
// under way when it was switched off may still arrive.
func muted(cam bridge.Camera) bool { return !cam.Enabled || !cam.Motion.Enabled }

func (c *Client) start(e *entry, ev bridge.Event) {
	e.story, e.moved = &story{event: ev}, ev.Begin
	c.keep(e.story)
	c.takePicture(e)
	if c.live {
		e.story.lit = true
		c.urgent(message{topic: c.topics.camera(e.camera.ID, "motion/last"), payload: []byte(begin(e.moved)), qos: 1, retain: true})
		c.urgent(message{topic: c.topics.camera(e.camera.ID, "motion"), payload: []byte("ON"), qos: 1, retain: true})
	}
	c.tellAll(e.camera.ID)
}

// finish ends the camera's event, if there is one. at is used if the event does
// not know its end.
func (c *Client) finish(e *entry, at time.Time) {
	s := e.story
	if s == nil {
		return
	}
	e.story, e.past, s.over = nil, s.event.ID, true
	s.event.Picture = bridge.Frame{} // or it would be held as long as the story
	if !s.event.Over() {
		s.event.End = at
	}
	if c.live {
		c.urgent(message{topic: c.topics.camera(e.camera.ID, "motion"), payload: []byte("OFF"), qos: 1, retain: true})
	}
	c.tellAll(e.camera.ID)
}

// keep adds a story to those that are not told.
func (c *Client) keep(s *story) {
	c.stories = slices.DeleteFunc(c.stories, func(s *story) bool { return s.ended.Load() })
	if i := slices.IndexFunc(c.stories, func(s *story) bool { return s.over }); i >= 0 && len(c.stories) >= maxStories {
		c.stories = slices.Delete(c.stories, i, i+1)
		c.out.count(1)
	}
	c.stories = append(c.stories, s)
}

// tellAll tells what is to be told of a camera, in order; of all if it is "".
func (c *Client) tellAll(camera string) {
	if !c.live {
		return
	}
	for _, s := range c.stories {
		if camera == "" || s.event.Camera == camera {
			c.tell(s)
		}
	}
}

// tell hands over what the broker does not have of a story.
func (c *Client) tell(s *story) {
	if !s.told {
		s.told = true
		c.urgent(c.eventMessage(s, "motion_start", s.event.Begin, func() { s.started.Store(true) }))
	}
	if s.over && !s.closed {
		s.closed = true
		c.urgent(c.eventMessage(s, "motion_end", s.event.End, func() { s.ended.Store(true) }))
	}
}

func (c *Client) eventMessage(s *story, kind string, at time.Time, taken func()) message {
	return message{topic: c.topics.camera(s.event.Camera, "event"), qos: 1, taken: taken, payload: encode(map[string]any{
		"event_type": kind, "id": s.event.ID, "score": share(s.event.Score), "time": at.UTC().Format("2006-01-02T15:04:05.000Z07:00"),
	})}
}

// share is a score that is one.
func share(score float64) float64 {
	if !(score > 0) {
		return 0
	}
	return math.Round(min(score, 1)*1000) / 1000
}

// begin is T/motion/last.
func begin(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// urgent publishes what must not wait, be left out or change its order. If the
// broker takes so little that even this does not fit, the connection is over; the
// next one makes up for it.
func (c *Client) urgent(m message) {
	if !c.out.urge(m) {
		c.session.end(bridge.Errorf(bridge.CodeUnavailable, "it takes messages too slowly"))
	}
}

// takePicture takes the event's first picture for T/motion/image.
func (c *Client) takePicture(e *entry) {
	s := e.story
	if s.pictured || s.event.Picture.IsZero() {
		s.event.Picture = bridge.Frame{}
		return
	}
	if !e.proof.IsZero() {
		c.out.count(1)
	}
	s.pictured, e.proof = true, s.event.Picture
	s.event.Picture = bridge.Frame{}
	c.putProof(e)
}

// putProof publishes the picture of the newest event, once there is a
// connection.
func (c *Client) putProof(e *entry) {
	if c.live && !e.proof.IsZero() {
		c.out.illustrate(message{topic: c.topics.camera(e.camera.ID, "motion/image"), payload: e.proof.JPEG(), retain: true})
		e.proof = bridge.Frame{}
	}
}

// resume prepares a new session for what went on without one. An event that
// began meanwhile needs an OFF before its ON, or nobody would notice that it is
// another.
func (c *Client) resume() {
	for _, s := range c.stories {
		s.told, s.closed = s.started.Load(), s.ended.Load()
	}
	for _, id := range sortedKeys(c.entries) {
		e := c.entries[id]
		e.bare = false
		if s := e.story; s != nil && !s.lit {
			s.lit = true
			c.urgent(message{topic: c.topics.camera(id, "motion"), payload: []byte("OFF"), qos: 1, retain: true})
		}
		c.putProof(e)
	}
	c.agenda.in(lateTime, "late", func() { c.tellAll("") })
}

// putMotion publishes the states that belong to motion.
func (c *Client) putMotion(e *entry) {
	if c.deps.Motion == nil {
		return
	}
	if muted(e.camera) {
		c.finish(e, c.deps.Clock.Now())
	}
	c.hidePicture(e)
	id, state := e.camera.ID, "OFF"
	if e.story != nil {
		state = "ON"
	}
	c.putRetained(c.topics.camera(id, "motion"), []byte(state), 1, false)
	if !e.moved.IsZero() {
		c.putRetained(c.topics.camera(id, "motion/last"), []byte(begin(e.moved)), 1, false)
	}
	for _, r := range c.rows {
		if r.motion != "" {
			c.putMotionSetting(e, r, false)
		}
	}
}

// hidePicture clears the retained picture of a camera that is switched off.
func (c *Client) hidePicture(e *entry) {
	if !e.camera.Enabled && !e.bare {
		e.proof = bridge.Frame{}
		c.clear(c.topics.camera(e.camera.ID, "motion/image"))
	}
	e.bare = !e.camera.Enabled
}

// putMotionSetting publishes how a camera's pictures are judged.
func (c *Client) putMotionSetting(e *entry, r row[subject], force bool) {
	text := ""
	switch v := e.camera.Motion.Values()[r.motion].(type) {
	case bool:
		text = "OFF"
		if v {
			text = "ON"
		}
	case int:
		text = strconv.Itoa(v)
	}
	c.putRetained(c.topics.camera(e.camera.ID, r.key), []byte(text), 1, force)
}

// parseMotion reads a command for a motion setting. The error is that of
// bridge.CheckMotion, as everywhere.
func parseMotion(r row[subject], payload []byte) (bridge.MotionChange, error) {
	text := strings.TrimSpace(string(payload))
	var v any = text
	if f, err := strconv.ParseFloat(text, 64); err == nil && r.platform == "number" {
		v = f
	}
	if on, err := parseSwitch(text); err == nil && r.platform == "switch" {
		v = on
	}
	return bridge.CheckMotion(map[string]any{r.motion: v})
}
