package mqtt

import (
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge"
)

// AnswerWithin sets how long a probe waits for a rival.
func (c *Client) AnswerWithin(d time.Duration) { c.answerTime = d }

// AcknowledgeWithin sets how long the broker may take for a message.
func (c *Client) AcknowledgeWithin(d time.Duration) { c.ackTime = d }

// Backoff is the time until the next attempt after one that ended so.
func (c *Client) Backoff(err error) time.Duration { return c.backoff(err) }

// Document is what is announced for a camera.
func (c *Client) Document(cam bridge.Camera) []byte {
	e := c.entry(cam)
	return encode(c.document(e, c.components(e)))
}

// BridgeDocument is what is announced for the bridge.
func (c *Client) BridgeDocument() []byte { return encode(c.bridgeDocument(c.bridgeComponents())) }

// States are the values of a camera's settings by topic, and its telemetry and
// facts.
func (c *Client) States(cam bridge.Camera) map[string]string {
	c.out.reset(true)
	c.putStates(c.entry(cam))
	out := map[string]string{}
	for m, ok := c.out.next(); ok; m, ok = c.out.next() {
		out[m.topic] = string(m.payload)
	}
	return out
}

// Read reads a command as it arrives on T/property/set.
func (c *Client) Read(cam bridge.Camera, property string, payload []byte) (settings bridge.Settings, motion bridge.MotionChange, action string, err error) {
	j, err := c.read(c.entry(cam), property, incoming{payload: payload, long: len(payload) > maxCommand})
	return j.settings, j.motion, j.action, err
}

// Outbox is the queue of one session.
type Outbox struct{ *outbox }

// NewOutbox makes one.
func NewOutbox() Outbox { return Outbox{newOutbox()} }

// Put puts a message of that kind, and reports whether there was room.
func (o Outbox) Put(kind, topic, text string) bool {
	m := message{topic: topic, payload: []byte(text)}
	switch kind {
	case "state":
		o.state(m, false)
	case "force":
		o.state(m, true)
	case "event":
		o.event(m)
	case "image":
		o.image(m)
	case "urgent":
		return o.urge(m)
	case "urgent state":
		m.retain = true
		return o.urge(m)
	case "proof":
		o.illustrate(m)
	case "clear":
		o.clear(topic)
	}
	return true
}

// Drain returns what waits, in order.
func (o Outbox) Drain() []string {
	var list []string
	for m, ok := o.next(); ok; m, ok = o.next() {
		list = append(list, m.topic+" "+string(m.payload))
	}
	return list
}

// Open begins or ends a session.
func (o Outbox) Open(open bool) { o.reset(open) }

// Lost counts what was dropped.
func (o Outbox) Lost() uint64 { return o.lost() }

// NewAgenda makes the client's calendar.
func NewAgenda(c Clock) *agenda { return newAgenda(c) }

// Plan, Cancel, Due and Do are its methods.
func (a *agenda) Plan(d time.Duration, name string, do func()) { a.in(d, name, do) }
func (a *agenda) Soon(d time.Duration, name string, do func()) { a.soon(d, name, do) }
func (a *agenda) Cancel(name string)                           { a.drop(name) }
func (a *agenda) Due() <-chan time.Time                        { return a.next() }
func (a *agenda) Do()                                          { a.run() }
