package mqtt_test

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"testing"
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge/mqtt"
)

// BenchmarkAnnounce announces 600 cameras with everything, up to the broker's
// last acknowledgement, and shows the memory that is held at that moment.
func BenchmarkAnnounce(b *testing.B) {
	const cameras = 600
	f := newFleet()
	for i := range cameras {
		c := porch()
		c.ID = fmt.Sprintf("camera-%03d", i)
		c.Device.MAC = fmt.Sprintf("02:00:00:00:%02x:%02x", i/256, i%256)
		f.cameras[c.ID] = c
	}
	e := &embedded{addr: "127.0.0.1:0"}
	addr := e.bench(b)
	defer e.end()
	var before, after runtime.MemStats
	for b.Loop() {
		runtime.GC()
		runtime.ReadMemStats(&before)
		c, err := mqtt.New(mqttConfig("mqtt://"+addr), mqtt.Deps{Fleet: f, Pictures: f, Store: newMemory(), Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			b.Fatal(err)
		}
		ctx, cancel := context.WithCancel(b.Context())
		done := make(chan error, 1)
		go func() { done <- c.Run(ctx) }()
		tick := time.NewTicker(time.Millisecond)
		for c.Status().Published < cameras*16 {
			<-tick.C
		}
		tick.Stop()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/1e6, "MB")
		cancel()
		<-done
	}
}
