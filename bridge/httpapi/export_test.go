package httpapi

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge"
)

// CheckRow mounts one row on a server, as New does with its table.
func CheckRow(on string, role bridge.Role, fields map[string]bridge.Role) error {
	serve := func(*Server, http.ResponseWriter, *http.Request, *visit) error { return nil }
	return new(Server).mount([]entry{{on: on, role: role, fields: fields, serve: serve}})
}

// Viewer is a viewer whose connection is a function, without a goroutine:
// what it would write, Drain writes.
type Viewer struct{ v *viewer }

// NewViewer makes one. skipped counts.
func NewViewer(write func([]byte) error, skipped func()) Viewer {
	return Viewer{newViewer(outlet{form: bridge.Frame.JPEG, write: write, skipped: skipped}, 0, time.Now)}
}

func (v Viewer) Offer(f bridge.Frame) { v.v.Offer(f) }
func (v Viewer) Show(f bridge.Frame) bool {
	return v.v.show(func() bridge.Frame { return f })
}
func (v Viewer) ShowWhat(picture func() bridge.Frame) bool { return v.v.show(picture) }
func (v Viewer) Drain() error                              { return v.v.drain() }
func (v Viewer) SwitchedOff() bool                         { return v.v.switchedOff() }

// Turns returns the channels in the order in which a page's writer serves them
// when all of them always have a frame.
func Turns(channels, turns int, f bridge.Frame) (out []int) {
	k := &socket{}
	for n := range channels {
		k.order = append(k.order, &channel{socket: k, number: uint16(n), credit: turns, next: f})
	}
	for range turns {
		c, _ := k.nextPicture()
		out = append(out, int(c.number))
		c.next = f
	}
	return out
}

// Receive feeds one message to a page's socket that nobody is connected to and
// returns what it would be answered.
func Receive(ctx context.Context, s *Server, who bridge.Principal, message []byte) (answers [][]byte) {
	k := newSocket(ctx, s, &visit{who: who})
	k.receive(message)
	k.cancel()
	k.lanes.Wait()
	k.leaveAll()
	return k.queue
}

// ReadClip returns the pictures of a clip.
func ReadClip(r io.Reader) (out []bridge.Frame) {
	clip := newClipReader(r)
	for {
		f, err := clip.next()
		if err != nil {
			return out
		}
		out = append(out, f)
	}
}

// EventFilter reads the query of a list of events.
func EventFilter(s *Server, query string, who bridge.Principal) (bridge.EventFilter, error) {
	q, err := url.ParseQuery(query)
	if err != nil {
		return bridge.EventFilter{Limit: 1}, nil // net/http leaves out what it cannot read
	}
	return s.eventFilter(q, who)
}
