package mqtt_test

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"

	"github.com/espcam-bridge/espcam-bridge/bridge/mqtt"
)

// BenchmarkAnnounce announces 600 cameras with everything, from the start of the
// client until the bridge's "online", which is published last, is at a subscriber.
// It tells the most memory that was held meanwhile, and how many messages were
// dropped or lost.
func BenchmarkAnnounce(b *testing.B) {
	const cameras = 600
	f := newFleet()
	for i := range cameras {
		c := porch()
		c.ID = fmt.Sprintf("camera-%03d", i)
		c.Device.MAC = fmt.Sprintf("02:00:00:00:%02x:%02x", i/256, i%256)
		f.cameras[c.ID] = c
	}
	broker := newMosquitto(b) // a process of its own: what is measured is ours
	broker.start(b)
	addr := broker.address()
	online := make(chan struct{}, 16)
	observer := paho.NewClient(paho.NewClientOptions().AddBroker("tcp://" + addr).SetClientID("observer"))
	defer observer.Disconnect(0)
	heard := func(_ paho.Client, m paho.Message) {
		if string(m.Payload()) == "online" {
			online <- struct{}{}
		}
	}
	for _, t := range []func() paho.Token{observer.Connect, func() paho.Token { return observer.Subscribe("espcam/bridge/state", 1, heard) }} {
		if t := t(); !t.WaitTimeout(5*time.Second) || t.Error() != nil {
			b.Fatal(t.Error())
		}
	}
	most, lost, published := uint64(0), uint64(0), uint64(0)
	for b.Loop() {
		c, err := mqtt.New(mqttConfig("mqtt://"+addr), mqtt.Deps{Fleet: f, Pictures: f, Motion: newWatch(), Store: newMemory(), Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			b.Fatal(err)
		}
		ctx, cancel := context.WithCancel(b.Context())
		done := make(chan error, 1)
		held := heap()
		go func() { done <- c.Run(ctx) }()
		for waiting := true; waiting; {
			select {
			case <-online:
				waiting = false
			case <-time.After(20 * time.Millisecond):
				if now := heap(); now > held {
					most = max(most, now-held)
				}
			}
		}
		s := c.Status()
		lost, published = lost+s.Dropped+s.Failed, s.Published
		cancel()
		<-done
	}
	b.ReportMetric(float64(most)/1e6, "MB")
	b.ReportMetric(float64(lost), "lost")
	b.ReportMetric(float64(published), "messages")
}

// heap is what is held now, garbage too.
func heap() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
