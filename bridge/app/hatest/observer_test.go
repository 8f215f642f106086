package hatest_test

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
)

// observer is an MQTT client that hears everything, as mosquitto_sub does. It
// connects again when the broker was away.
type observer struct {
	client paho.Client

	mu    sync.Mutex
	heard []message
}

type message struct {
	topic, payload string
	at             time.Time
}

func reachable(port int) bool {
	c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err == nil {
		c.Close()
	}
	return err == nil
}

func observe(t testing.TB, port int) *observer {
	t.Helper()
	o := &observer{}
	o.client = paho.NewClient(paho.NewClientOptions().AddBroker(fmt.Sprintf("tcp://127.0.0.1:%d", port)).SetClientID("observer-" + rand.Text()).
		SetProtocolVersion(4).SetMaxReconnectInterval(100 * time.Millisecond).SetOrderMatters(true).
		SetOnConnectHandler(func(c paho.Client) { c.Subscribe("#", 1, o.hear) }))
	if token := o.client.Connect(); !token.WaitTimeout(patience) || token.Error() != nil {
		t.Fatalf("the broker does not answer: %v", token.Error())
	}
	t.Cleanup(func() { o.client.Disconnect(100) })
	return o
}

func (o *observer) hear(_ paho.Client, m paho.Message) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.heard = append(o.heard, message{m.Topic(), string(m.Payload()), time.Now()})
}

// since returns the payloads that came on a topic from then on.
func (o *observer) since(then time.Time, topic string) (out []message) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, m := range o.heard {
		if m.topic == topic && !m.at.Before(then) {
			out = append(out, m)
		}
	}
	return out
}

// story is when pictures came, who said that it is there, and who announced what.
func (o *observer) story(then time.Time) string {
	o.mu.Lock()
	defer o.mu.Unlock()
	var out []string
	for _, m := range o.heard {
		telling := strings.HasSuffix(m.topic, "/image") || strings.HasSuffix(m.topic, "/config") || m.topic == "homeassistant/status" || m.topic == "espcam/bridge/state"
		if after := m.at.Sub(then); after > -5*time.Second && telling {
			out = append(out, fmt.Sprintf("%.1f s %s %.8q", after.Seconds(), m.topic, m.payload))
		}
	}
	return strings.Join(out, ", ")
}

// size is that of the newest payload on a topic.
func (o *observer) size(topic string) int {
	list := o.since(time.Time{}, topic)
	if len(list) == 0 {
		return 0
	}
	return len(list[len(list)-1].payload)
}

// document is the newest document of a device; nil if it was withdrawn.
func (o *observer) document(device string) (doc object) {
	list := o.since(time.Time{}, "homeassistant/device/"+device+"/config")
	if len(list) > 0 {
		_ = json.Unmarshal([]byte(list[len(list)-1].payload), &doc) // nothing is no document
	}
	return doc
}

func (o *observer) publish(t testing.TB, topic, payload string) {
	t.Helper()
	if token := o.client.Publish(topic, 1, false, payload); !token.WaitTimeout(patience) || token.Error() != nil {
		t.Fatal(token.Error())
	}
}

// keeps lists the topics below a prefix that the broker keeps something on, as one
// who comes new is told.
func keeps(t testing.TB, port int, prefixes ...string) (out []string) {
	t.Helper()
	var mu sync.Mutex
	end := make(chan struct{})
	c := paho.NewClient(paho.NewClientOptions().AddBroker(fmt.Sprintf("tcp://127.0.0.1:%d", port)).SetClientID("keeps-" + rand.Text()).SetProtocolVersion(4))
	if token := c.Connect(); !token.WaitTimeout(patience) || token.Error() != nil {
		t.Fatal(token.Error())
	}
	defer c.Disconnect(100)
	c.Subscribe("#", 1, func(_ paho.Client, m paho.Message) {
		mu.Lock()
		defer mu.Unlock()
		if m.Topic() == "end/of/retained" {
			close(end)
		}
		for _, p := range prefixes {
			if m.Retained() && strings.HasPrefix(m.Topic(), p) {
				out = append(out, m.Topic())
			}
		}
	}).WaitTimeout(patience)
	c.Publish("end/of/retained", 1, false, "x")
	select {
	case <-end:
	case <-time.After(patience):
		t.Fatal("the broker does not say what it keeps")
	}
	mu.Lock()
	defer mu.Unlock()
	return out
}
