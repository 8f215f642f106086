package ingest_test

import (
	"testing"

	"github.com/espcam-bridge/espcam-bridge/bridge"
	"github.com/espcam-bridge/espcam-bridge/bridge/ingest"
)

// arrivals is a viewer that says when a frame came.
type arrivals chan struct{}

func (a arrivals) Offer(bridge.Frame) { a <- struct{}{} }
func (a arrivals) End()               {}

// intake returns a function that sends one picture of about 20 KB over a real
// connection and waits until it reached a viewer.
func intake(t testing.TB) (size int, send func()) {
	d := open(t, ingest.Config{})
	came := make(arrivals, 1)
	d.hub.Feed("porch").Join(came)
	c := d.camera(t)
	pic := sized(t, 20_000)
	message := frame(fin|opBinary, pic)
	send = func() {
		c.send(message)
		<-came
	}
	send() // the first one is of unknown size
	return len(pic), send
}

// TestAllocationsPerFrame: the frame's own buffer, and 8 bytes of gorilla's.
func TestAllocationsPerFrame(t *testing.T) {
	_, send := intake(t)
	if n := testing.AllocsPerRun(200, send); n > 2 {
		t.Errorf("a frame costs %v allocations, want 2", n)
	}
}

func BenchmarkIntake20KB(b *testing.B) {
	size, send := intake(b)
	b.SetBytes(int64(size))
	b.ReportAllocs()
	for b.Loop() {
		send()
	}
}
