package mqtt

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"time"
)

const (
	// sweepDelay is the time after an announcement before orphans are looked for:
	// by then the broker has what is not one.
	sweepDelay = 5 * time.Second
	// sweepTime is how long retained documents are listened for.
	sweepTime = 5 * time.Second
)

// sweep looks for documents of this instance that belong to no camera: of those
// removed while the broker was away, or announced under another id prefix. What
// is this instance's says so by its availability topic, <base>/bridge/state;
// everything else is left alone.
func (c *Client) sweep() {
	if !c.live || c.topics.discovery == "" {
		return
	}
	filter, s := c.topics.document("+"), c.session
	c.sweeping = true
	c.wg.Go(func() { _ = s.subscribe(0, filter) }) // without it nothing is swept
	c.agenda.in(sweepTime, "sweep", func() {
		c.sweeping = false
		if c.live && c.session == s {
			c.wg.Go(func() { _ = s.wait(s.paho.Unsubscribe(filter)) }) // the session's end unsubscribes too
		}
	})
}

// foreign reports whether a message is a document of somebody else, of which a
// house may have hundreds. It is called by paho's goroutine.
func (c *Client) foreign(topic string, payload []byte) bool {
	return strings.HasPrefix(topic, c.topics.discovery+"/device/") && !bytes.Contains(payload, encode(c.topics.bridge("state")))
}

// orphan is the part of a document that tells whose it is.
type orphan struct {
	Origin            struct{ Name string }
	Availability      []struct{ Topic string }
	AvailabilityTopic string `json:"availability_topic"`
	Components        map[string]struct {
		AvailabilityTopic string `json:"availability_topic"`
	}
}

// onDocument ends a document of this instance that belongs to no known camera.
func (c *Client) onDocument(m incoming) {
	if !c.sweeping || !m.retained || m.topic == c.topics.document(c.device("bridge")) {
		return
	}
	for id := range c.entries {
		if m.topic == c.topics.document(c.device(id)) {
			return
		}
	}
	var doc orphan
	if json.Unmarshal(m.payload, &doc) != nil || doc.Origin.Name != originName || !c.ours(doc) {
		return
	}
	c.log.Info("an entity of a camera that is gone is removed", "topic", m.topic)
	c.clear(m.topic)
	for _, a := range doc.Availability {
		id, _ := strings.CutSuffix(a.Topic, "/availability")
		id, below := strings.CutPrefix(id, c.topics.base+"/")
		if below && !strings.Contains(id, "/") && c.entries[id] == nil && id != "bridge" {
			c.clearLater(id)
			c.missed = slices.DeleteFunc(c.missed, func(m string) bool { return m == id })
		}
	}
}

func (c *Client) ours(doc orphan) bool {
	state := c.topics.bridge("state")
	for _, a := range doc.Availability {
		if a.Topic == state {
			return true
		}
	}
	for _, part := range doc.Components {
		if part.AvailabilityTopic == state {
			return true
		}
	}
	return doc.AvailabilityTopic == state
}
