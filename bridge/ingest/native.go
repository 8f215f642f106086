package ingest

import (
	"context"
	"sync"

	"github.com/espcam-bridge/espcam-bridge/bridge"
	"github.com/espcam-bridge/espcam-bridge/bridge/wire"
)

// native is our firmware, after its hello: a StreamHub camera that also tells
// its state and takes commands.
type native struct{ c *conn }

var _ dialect = native{}

func (d native) hear(m wire.Message) bool {
	c := d.c
	switch m := m.(type) {
	case wire.Stats:
		c.session.Stats(m.Bridge())
	case wire.State:
		c.heardStream(m.Settings)
		c.session.Reported(m.Settings)
	case wire.Event:
		c.session.Event(m.Name, m.Active)
	case wire.Result:
		c.heardStream(m.Settings)
		return c.requests.settle(m)
	default:
		return false // a second hello, for one
	}
	return true
}

func (d native) garbled(err error) {
	d.c.notice(bridge.CodeInvalid, "The camera sent a message that nobody understands ("+err.Error()+"): is its firmware newer than this bridge?")
}

// anyMessageCounts: this firmware stops its stats when it is in trouble.
func (d native) anyMessageCounts() bool { return true }

// Set implements bridge.Link.
func (c *conn) Set(ctx context.Context, id string, s bridge.Settings) (bridge.Settings, error) {
	r, err := c.request(ctx, id, wire.Set{ID: id, Settings: s})
	if err != nil {
		return nil, err
	}
	if r.Settings == nil {
		return bridge.Known(s), nil // it took them and told no more
	}
	return r.Settings, nil
}

// Do implements bridge.Link.
func (c *conn) Do(ctx context.Context, id string, a bridge.Action) error {
	_, err := c.request(ctx, id, wire.Do{ID: id, Action: a.Name, Args: a.Args})
	return err
}

// request sends m and waits for the result with that id.
func (c *conn) request(ctx context.Context, id string, m wire.Message) (wire.Result, error) {
	text := m.Append(nil)
	if len(text) > wire.MaxServerText {
		return wire.Result{}, bridge.Errorf(bridge.CodeTooLarge, "the command has %d bytes: a camera takes at most %d", len(text), wire.MaxServerText)
	}
	answer, err := c.requests.add(id)
	if err != nil {
		return wire.Result{}, err
	}
	defer c.requests.remove(id, answer)
	l := c.out.text(text)
	if l == nil {
		return wire.Result{}, c.unread()
	}
	select {
	case r := <-answer:
		return r, r.Err()
	case <-c.over:
		select {
		case r := <-answer: // a camera that restarts answers and hangs up at once
			return r, r.Err()
		default:
		}
		return wire.Result{}, bridge.Errorf(bridge.CodeUnavailable, "the camera's connection ended before it answered")
	case <-ctx.Done():
	}
	// Sent late, a command to move would come as a surprise.
	if c.out.withdraw(l) {
		return wire.Result{}, c.unread()
	}
	return wire.Result{}, ctx.Err()
}

func (c *conn) unread() error {
	c.in.counts.commandsDropped.Add(1)
	return bridge.Errorf(bridge.CodeUnavailable, "the camera does not take commands at the moment: its connection is blocked")
}

// maxRequests is how many requests may wait for their result; fleet sends one at
// a time.
const maxRequests = 16

// requests are the commands that a camera has not answered.
type requests struct {
	mu      sync.Mutex
	waiting map[string]chan wire.Result // nil before the hello; each has room for one
}

// open lets requests through, from the camera's hello on.
func (q *requests) open() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.waiting = map[string]chan wire.Result{}
}

func (q *requests) add(id string) (<-chan wire.Result, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	_, taken := q.waiting[id]
	switch {
	case q.waiting == nil:
		return nil, bridge.Errorf(bridge.CodeUnsupported, "this camera takes no commands: it only sends pictures")
	case taken || len(q.waiting) == maxRequests:
		return nil, bridge.Errorf(bridge.CodeBusy, "the camera still has commands to answer: try again")
	}
	answer := make(chan wire.Result, 1)
	q.waiting[id] = answer
	return answer, nil
}

// settle hands a result to who waits for it, and reports whether somebody did.
func (q *requests) settle(r wire.Result) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	answer, ok := q.waiting[r.ID]
	if ok {
		delete(q.waiting, r.ID)
		answer <- r
	}
	return ok
}

func (q *requests) remove(id string, answer <-chan wire.Result) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.waiting[id] == answer {
		delete(q.waiting, id)
	}
}
