package httpapi_test

import (
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge"
	"github.com/espcam-bridge/espcam-bridge/bridge/httpapi"
)

// crowd is a number of viewers that read and throw away.
type crowd struct {
	size int
	read atomic.Int64 // bytes, by all of them
}

// watched starts n viewers and waits until each has its first picture, which is
// the camera's newest.
func (w *world) watched(n int, newest bridge.Frame) *crowd {
	w.hub.Feed("porch").Publish(newest)
	c := &crowd{size: n}
	var readers sync.WaitGroup
	w.t.Cleanup(readers.Wait) // after dial's own, which closes
	for range n {
		conn := w.dial(mjpegPath)
		readers.Go(func() { c.readAway(conn) })
	}
	until(w.t, "all have the first picture", func() bool { return c.read.Load() > int64(n*len(newest.Machine())) })
	return c
}

func (c *crowd) readAway(conn net.Conn) {
	b := make([]byte, 64<<10)
	for {
		n, err := conn.Read(b)
		c.read.Add(int64(n))
		if err != nil {
			return
		}
	}
}

// await waits until every viewer has read the frame that publish sends.
func (c *crowd) await(f bridge.Frame, publish func()) {
	all := c.read.Load() + int64(c.size*len(f.Machine()))
	publish()
	for c.read.Load() < all {
		runtime.Gosched()
	}
}

// TestNoAllocationPerViewer: a frame for many viewers is neither copied nor
// wrapped for each of them.
func TestNoAllocationPerViewer(t *testing.T) {
	w := open(t, httpapi.Config{Timing: httpapi.Timing{Repeat: time.Hour}})
	const viewers = 20
	f := frame("porch", picture(20_000))
	crowd := w.watched(viewers, f)
	feed := w.hub.Feed("porch")
	publish := func() { feed.Publish(f) }
	if n := testing.AllocsPerRun(100, func() { crowd.await(f, publish) }); n > 0 {
		t.Errorf("a frame for %d viewers costs %v allocations", viewers, n)
	}
	if n := feed.Stats().Dropped[bridge.DropSlow]; n > 0 {
		t.Errorf("%d deliveries were skipped", n)
	}
}

// BenchmarkPublish is the cost of one frame of 20 KB for 50 viewers over real
// sockets, the publisher's side.
func BenchmarkPublish(b *testing.B) {
	w := open(b, httpapi.Config{})
	f := frame("porch", picture(20_000))
	crowd := w.watched(50, f)
	feed := w.hub.Feed("porch")
	b.ReportAllocs()
	for b.Loop() {
		crowd.await(f, func() {
			feed.Publish(f)
			b.StopTimer()
		})
		b.StartTimer()
	}
}
