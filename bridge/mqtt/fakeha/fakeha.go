// Package fakeha is a Home Assistant for tests: the part that speaks MQTT
// discovery, small enough to be read, strict where the real one is.
//
// Tests of package mqtt connect it to a real broker, look at the entities that it
// made of what was published, operate them, restart it, and read Problems: every
// line that the real one would log at WARNING or above. It knows the rules of the
// schema file (facts about Home Assistant Core) and nothing of the code under
// test. One goroutine works through the messages in their order, as the real one
// does; all methods may be called from any goroutine.
package fakeha

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
)

// Prefix is the discovery prefix.
const Prefix = "homeassistant"

// HA is one Home Assistant. Restart ends its process, not its registry.
type HA struct {
	broker, user, password string
	schema                 *Schema

	mu       sync.Mutex
	queue    []paho.Message
	busy     bool
	wake     chan struct{}
	client   paho.Client
	done     chan struct{} // closed when the process is over
	wg       sync.WaitGroup
	docs     map[string]document // by config topic
	entities map[string]*entity
	topics   map[string][]*entity
	devices  map[string]string // name by identifier
	problems []string
	deleting map[string]int    // ends of documents that a person's deletion made, and that did not come back yet
	ghosts   map[string]string // devices that somebody is via, and nobody announced, with that somebody
	registry map[string]string // platform by unique id, over restarts
}

// document is one that was taken.
type document struct {
	payload []byte
	device  DocumentDevice
}

// Device is what a person sees of one.
type Device struct{ ID, Name string }

// Start runs a Home Assistant on a broker. The caller calls Stop.
func Start(schema *Schema, broker, user, password string) (*HA, error) {
	h := &HA{broker: broker, user: user, password: password, schema: schema, registry: map[string]string{}, deleting: map[string]int{}, ghosts: map[string]string{}}
	return h, h.boot()
}

func (h *HA) boot() error {
	h.mu.Lock()
	h.queue, h.docs, h.entities, h.topics = nil, map[string]document{}, map[string]*entity{}, map[string][]*entity{}
	h.devices, h.done, h.wake = map[string]string{}, make(chan struct{}), make(chan struct{}, 1)
	done, wake := h.done, h.wake
	h.mu.Unlock()
	o := paho.NewClientOptions().AddBroker(h.broker).SetUsername(h.user).SetPassword(h.password).
		SetClientID(fmt.Sprintf("ha-%p", h)).SetProtocolVersion(4).SetCleanSession(true).SetOrderMatters(true).
		SetAutoReconnect(true).SetMaxReconnectInterval(100 * time.Millisecond).SetConnectTimeout(5 * time.Second).SetWriteTimeout(2 * time.Second).
		SetDefaultPublishHandler(func(_ paho.Client, m paho.Message) { h.receive(m) }).
		SetOnConnectHandler(func(c paho.Client) { h.subscribeAll(c) })
	h.client = paho.NewClient(o)
	if t := h.client.Connect(); !t.WaitTimeout(10*time.Second) || t.Error() != nil {
		return fmt.Errorf("fakeha: connect: %w", t.Error())
	}
	h.wg.Add(1)
	go func() {
		defer h.wg.Done()
		h.work(done, wake)
	}()
	return nil
}

// Stop ends the process.
func (h *HA) Stop() {
	h.client.Disconnect(250)
	close(h.done)
	h.wg.Wait()
}

// Restart ends the process and starts it again: all that it knew is gone but the
// registry. The caller sends Birth when it thinks that the start is over.
func (h *HA) Restart() error {
	h.Stop()
	return h.boot()
}

// Birth says that Home Assistant is there.
func (h *HA) Birth() { h.Publish(Prefix+"/status", "online", false) }

// Delete is what happens when a person deletes a device: its document is ended
// once for each entity.
func (h *HA) Delete(device string) {
	h.mu.Lock()
	var topics []string
	for _, e := range h.entities {
		if e.device == device {
			topics = append(topics, e.document)
		}
	}
	for _, t := range topics {
		h.deleting[t]++
	}
	h.mu.Unlock()
	for _, t := range topics {
		h.client.Publish(t, 0, true, "")
	}
}

// Publish sends a message as anybody could.
func (h *HA) Publish(topic, payload string, retain bool) {
	h.client.Publish(topic, 1, retain, payload).WaitTimeout(5 * time.Second)
}

// subscribeAll is what happens at each connection: discovery at QoS 0, and what
// the entities are interested in.
func (h *HA) subscribeAll(c paho.Client) {
	filters := map[string]byte{Prefix + "/device/+/config": 0, Prefix + "/device/+/+/config": 0}
	for _, p := range h.schema.PlatformsAll {
		filters[Prefix+"/"+p+"/+/config"], filters[Prefix+"/"+p+"/+/+/config"] = 0, 0
	}
	h.mu.Lock()
	for topic := range h.topics {
		filters[topic] = 1
	}
	h.mu.Unlock()
	c.SubscribeMultiple(filters, nil)
}

func (h *HA) receive(m paho.Message) {
	h.mu.Lock()
	h.queue = append(h.queue, m)
	wake := h.wake
	h.mu.Unlock()
	select {
	case wake <- struct{}{}:
	default:
	}
}

func (h *HA) work(done, wake chan struct{}) {
	for {
		select {
		case <-done:
			return
		case <-wake:
		}
		h.mu.Lock()
		queue := h.queue
		h.queue, h.busy = nil, true
		h.mu.Unlock()
		for _, m := range queue {
			topics := h.handle(m)
			select {
			case <-done:
				return
			default:
			}
			if len(topics) > 0 {
				filters := map[string]byte{}
				for _, t := range topics {
					filters[t] = 1
				}
				h.client.SubscribeMultiple(filters, nil).WaitTimeout(5 * time.Second)
			}
		}
		h.mu.Lock()
		h.busy = false
		h.mu.Unlock()
	}
}

// Idle reports whether all that arrived was worked through.
func (h *HA) Idle() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return !h.busy && len(h.queue) == 0
}

// handle works through one message and returns topics to subscribe to.
func (h *HA) handle(m paho.Message) []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	if rest, ok := strings.CutPrefix(m.Topic(), Prefix+"/"); ok && strings.HasSuffix(rest, "/config") {
		return h.discover(m.Topic(), strings.Split(strings.TrimSuffix(rest, "/config"), "/"), m.Payload())
	}
	for _, e := range h.topics[m.Topic()] {
		for _, p := range e.receive(m.Topic(), m.Payload(), m.Retained()) {
			h.problem("%s", p)
		}
	}
	return nil
}

func (h *HA) problem(format string, args ...any) {
	h.problems = append(h.problems, fmt.Sprintf(format, args...))
}

// discover takes a document. It returns the topics of its entities.
func (h *HA) discover(topic string, parts []string, payload []byte) []string {
	for _, id := range parts[1:] {
		if !h.schema.validID(id) {
			h.problem("WARNING Received message on illegal discovery topic %s", topic)
			return nil
		}
	}
	old, known := h.docs[topic]
	switch {
	case parts[0] != "device":
		h.problem("WARNING %s: the bridge speaks device discovery only", topic)
		return nil
	case len(payload) == 0 && !known && h.deleting[topic] > 0:
		h.deleting[topic]-- // it warns of its own messages; those are known
		return nil
	case len(payload) == 0 && !known:
		h.problem("WARNING No device components to cleanup for %s", topic)
		return nil
	case len(payload) == 0:
		h.deleting[topic] = max(0, h.deleting[topic]-1)
		delete(h.docs, topic)
		for _, id := range old.device.Identifiers {
			delete(h.devices, id)
		}
		h.forget(func(e *entity) bool {
			if e.document == topic {
				delete(h.registry, e.unique)
			}
			return e.document == topic
		})
		return nil
	case bytes.Equal(old.payload, payload):
		return nil
	}
	doc, faults := h.schema.Parse(payload)
	for _, f := range faults {
		h.problem("%s %s", f, topic)
	}
	if doc == nil {
		return nil
	}
	h.docs[topic] = document{payload, doc.Device}
	h.device(topic, doc)
	return h.populate(topic, doc)
}

// device notes the device, and what goes wrong between devices.
func (h *HA) device(topic string, doc *Document) {
	if via := doc.Device.ViaDevice; via != "" && h.devices[via] == "" {
		h.ghosts[via] = topic // until it is announced: retained documents come in any order
	}
	for other, d := range h.docs {
		if other != topic && doc.Device.shares(d.device) {
			h.problem("merge: %s and %s become one device", topic, other)
		}
	}
	for _, id := range doc.Device.Identifiers {
		h.devices[id] = doc.Device.Name
		delete(h.ghosts, id)
	}
}

// populate makes, updates and removes the document's entities. One that the
// document no longer mentions stays.
func (h *HA) populate(topic string, doc *Document) []string {
	var topics []string
	for _, key := range slices.Sorted(maps.Keys(doc.Components)) {
		e := doc.Components[key]
		e.document, e.key, e.device = topic, key, doc.Device.Identifiers[0]
		if len(e.config) == 1 { // its platform only
			h.forget(func(o *entity) bool {
				gone := o.document == topic && o.key == key && o.platform == e.platform
				if gone {
					delete(h.registry, o.unique)
				}
				return gone
			})
			continue
		}
		var before []string // topics that it listens to already, and is not told again
		if old := h.entities[e.unique]; old != nil {
			before = old.listens()
			if old.document != topic || old.key != key || old.platform != e.platform {
				h.problem("ERROR Platform mqtt does not generate unique IDs. ID %s already exists", e.unique)
				continue
			}
			e.inherit(old)
		}
		if was := h.registry[e.unique]; was != "" && was != e.platform {
			h.problem("registry: %s was a %s and is a %s now", e.unique, was, e.platform)
		}
		h.registry[e.unique] = e.platform
		h.forget(func(o *entity) bool { return o.unique == e.unique })
		h.entities[e.unique] = e
		for _, t := range e.listens() {
			if !slices.Contains(h.topics[t], e) {
				h.topics[t] = append(h.topics[t], e)
			}
			if !slices.Contains(before, t) {
				topics = append(topics, t)
			}
		}
	}
	return topics
}

func (h *HA) forget(which func(*entity) bool) {
	maps.DeleteFunc(h.entities, func(_ string, e *entity) bool { return which(e) })
	for t := range h.topics {
		h.topics[t] = slices.DeleteFunc(h.topics[t], which)
	}
}

// Problems returns what the real one would have logged, and what would have
// gone wrong in silence.
func (h *HA) Problems() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	list := slices.Clone(h.problems)
	for _, id := range slices.Sorted(maps.Keys(h.ghosts)) {
		list = append(list, fmt.Sprintf("ghost: %s is via %s, which nobody announced", h.ghosts[id], id))
	}
	return list
}

// Devices returns all devices by id.
func (h *HA) Devices() []Device {
	h.mu.Lock()
	defer h.mu.Unlock()
	var list []Device
	for _, id := range slices.Sorted(maps.Keys(h.devices)) {
		list = append(list, Device{id, h.devices[id]})
	}
	return list
}

// Entities returns all entities by unique id.
func (h *HA) Entities() []Entity {
	h.mu.Lock()
	defer h.mu.Unlock()
	var list []Entity
	for _, id := range slices.Sorted(maps.Keys(h.entities)) {
		list = append(list, h.entities[id].snapshot())
	}
	return list
}

// Entity returns one entity; its Platform is empty if there is none.
func (h *HA) Entity(unique string) Entity {
	h.mu.Lock()
	defer h.mu.Unlock()
	if e := h.entities[unique]; e != nil {
		return e.snapshot()
	}
	return Entity{}
}

// Operate sends what the real one sends when a person operates the entity. It
// sends nothing to one that is not available.
func (h *HA) Operate(unique, value string) bool {
	e := h.Entity(unique)
	if e.CommandTopic == "" || !e.Available {
		return false
	}
	h.mu.Lock()
	payload := h.entities[unique].command(value)
	h.mu.Unlock()
	h.Publish(e.CommandTopic, payload, false)
	return true
}
