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
	// sweepTime is how long retained documents and states of plugins are listened for.
	sweepTime = 5 * time.Second
)

// sweep looks for documents of this instance that belong to no camera: of those
// removed while the broker was away, or announced under another id prefix. What
// is this instance's says so by its availability topic, <base>/bridge/state;
// everything else is left alone.
func (c *Client) sweep() {
	if !c.live {
		return
	}
	c.sweepPlugins()
	if c.topics.discovery == "" {
		return
	}
	c.sweeping = true
	again := c.session.paho.Subscribe(c.topics.document("+"), 1, nil) // brings what is retained once more
	s := c.session
	c.wg.Go(func() { _ = s.wait(again) }) // without it nothing is swept
	c.agenda.in(sweepTime, "sweep", func() { c.sweeping = false })
}

// concerns reports whether a message is one for us. A house may have hundreds of
// documents: what matters are our own, where they are replayed (the sweep) or
// ended (onErased). It is called by paho's goroutine.
func (c *Client) concerns(topic string, payload []byte, retained bool) bool {
	if c.isPluginState(topic) {
		return retained && len(payload) > 0 // our own, while the sweep listens
	}
	device, document := strings.CutPrefix(topic, c.topics.discovery+"/device/")
	switch {
	case !document || c.topics.discovery == "":
		return true
	case len(payload) == 0:
		return strings.HasPrefix(device, c.prefix+"_")
	}
	return retained && bytes.Contains(payload, encode(c.topics.bridge("state")))
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
	if len(m.payload) == 0 {
		c.onErased(m.topic)
		return
	}
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
	c.endDocument(m.topic)
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
