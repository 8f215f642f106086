package app_test

import (
	"crypto/rand"
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
)

// observer is an MQTT client that hears everything, as mosquitto_sub does.
type observer struct {
	t      testing.TB
	client paho.Client

	mu     sync.Mutex
	heard  []message
	latest map[string][]byte
}

type message struct {
	topic    string
	payload  []byte
	retained bool
	at       time.Time
}

func observe(t testing.TB, broker string) *observer {
	t.Helper()
	o := &observer{t: t, latest: map[string][]byte{}}
	o.client = paho.NewClient(paho.NewClientOptions().AddBroker("tcp://" + broker).SetClientID("observer-" + rand.Text()).
		SetProtocolVersion(4).SetAutoReconnect(false))
	o.done(o.client.Connect())
	t.Cleanup(func() { o.client.Disconnect(0) })
	o.done(o.client.Subscribe("#", 1, func(_ paho.Client, m paho.Message) {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.heard = append(o.heard, message{m.Topic(), m.Payload(), m.Retained(), time.Now()})
		o.latest[m.Topic()] = m.Payload()
	}))
	return o
}

func (o *observer) done(token paho.Token) {
	o.t.Helper()
	if !token.WaitTimeout(patience) || token.Error() != nil {
		o.t.Fatalf("the broker does not answer: %v", token.Error())
	}
}

func (o *observer) publish(topic, payload string) { o.t.Helper(); o.put(topic, payload, false) }

func (o *observer) put(topic, payload string, retained bool) {
	o.t.Helper()
	o.done(o.client.Publish(topic, 1, retained, payload))
}

// state is the newest payload on a topic.
func (o *observer) state(topic string) string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return string(o.latest[topic])
}

// wants waits until a topic has that payload.
func (o *observer) wants(topic, payload string) {
	o.t.Helper()
	eventually(o.t, topic+" is "+payload, func() bool { return o.state(topic) == payload })
}

// json is the newest payload on a topic, decoded.
func (o *observer) json(topic string) map[string]any {
	var v map[string]any
	_ = json.Unmarshal([]byte(o.state(topic)), &v) // nil is the answer for what is none
	return v
}

// since returns what came on a topic from then on.
func (o *observer) since(then time.Time, topic string) (out []message) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, m := range o.heard {
		if m.topic == topic && m.at.After(then) {
			out = append(out, m)
		}
	}
	return out
}

// topics lists the topics below a prefix that hold something.
func (o *observer) topics(prefix string) (out []string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for topic, payload := range o.latest {
		if strings.HasPrefix(topic, prefix) && len(payload) > 0 {
			out = append(out, topic)
		}
	}
	return out
}
