package httpapi_test

import (
	"io"
	"sync"
	"testing"
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge"
	"github.com/espcam-bridge/espcam-bridge/bridge/httpapi"
)

// watched starts n viewers that read and throw away, and returns the camera's
// next frame.
func (w *world) watched(n, size int) bridge.Frame {
	var readers sync.WaitGroup
	w.t.Cleanup(readers.Wait) // after dial's own, which closes
	for range n {
		c := w.dial(mjpegPath)
		readers.Go(func() { _, _ = io.Copy(io.Discard, c) })
	}
	until(w.t, "all are watching", func() bool { return w.hub.Feed("porch").Stats().Viewers == n })
	return frame("porch", picture(size))
}

// TestNoAllocationPerViewer: a frame for many viewers is neither copied nor
// wrapped for each of them.
func TestNoAllocationPerViewer(t *testing.T) {
	w := open(t, httpapi.Config{})
	const viewers = 20
	f := w.watched(viewers, 20_000)
	feed := w.hub.Feed("porch")
	publish := func() { feed.Publish(f) }
	publish()
	if n := testing.AllocsPerRun(200, publish); n > 0 {
		t.Errorf("a frame for %d viewers costs %v allocations", viewers, n)
	}
}

// BenchmarkPublish is the cost of one frame of 20 KB for 50 viewers over real
// sockets, the publisher's side.
func BenchmarkPublish(b *testing.B) {
	w := open(b, httpapi.Config{})
	f := w.watched(50, 20_000)
	feed := w.hub.Feed("porch")
	pause := time.NewTicker(time.Millisecond)
	defer pause.Stop()
	b.ReportAllocs()
	for b.Loop() {
		feed.Publish(f)
		b.StopTimer()
		<-pause.C
		b.StartTimer()
	}
	b.ReportMetric(float64(feed.Stats().Dropped[bridge.DropSlow])/float64(b.N), "skipped/op")
}
