package fakecam

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge"
	"github.com/espcam-bridge/espcam-bridge/bridge/wire"
)

// Report is what a camera has seen and done so far.
type Report struct {
	Connected   bool       // admitted now: ready came
	Connections int        // times it was admitted
	Dials       int        // times it dialled
	Boots       int        // restarts that it was told to do
	Ready       wire.Ready // the last one
	Refusal     wire.Error // the last error text from the server
	CloseCode   int        // of the last connection; 1006 if it broke without a close frame
	CloseText   string

	Settings bridge.Settings // in force
	Commands []Command       // the newest 256
	Obeyed   uint64          // all sets and dos
	Frames   uint64          // pictures sent whole, good or bad
	Bytes    uint64          // of those
	Skipped  uint64          // pictures not sent because the network was slow
	Faults   map[string]uint64
	Booted   time.Time // by the camera's Clock
}

// Command is a set or do and what the camera answered.
type Command struct {
	Message wire.Message // wire.Set or wire.Do
	Result  wire.Result
}

// maxCommands bounds what a report remembers; the oldest go.
const maxCommands = 256

// Report returns the state of things. It may be called at any time.
func (c *Camera) Report() Report {
	c.mu.Lock()
	defer c.mu.Unlock()
	r := c.report
	r.Settings = maps.Clone(c.board.settings)
	r.Commands = slices.Clone(r.Commands)
	r.Faults = maps.Clone(r.Faults)
	r.Booted = c.board.booted
	return r
}

// note changes the report.
func (c *Camera) note(f func(*Report)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f(&c.report)
}

func (r *Report) obeyed(cmd Command) {
	if len(r.Commands) == maxCommands {
		r.Commands = slices.Delete(r.Commands, 0, 1)
	}
	r.Commands = append(r.Commands, cmd)
	r.Obeyed++
}

// Sum adds up the figures of many cameras; connected is how many are.
func Sum(cams []*Camera) (total Report, connected int) {
	total.Faults = map[string]uint64{}
	for _, c := range cams {
		r := c.Report()
		if r.Connected {
			connected++
		}
		total.Connections += r.Connections
		total.Dials += r.Dials
		total.Obeyed += r.Obeyed
		total.Frames += r.Frames
		total.Bytes += r.Bytes
		total.Skipped += r.Skipped
		for k, n := range r.Faults {
			total.Faults[k] += n
		}
	}
	return total, connected
}

// Change sets something on the device itself, as a button would, and sends a
// state. It waits for a connection; its error is ctx's, the connection's, or an
// *bridge.Error of a setting that this camera does not have.
func (c *Camera) Change(ctx context.Context, s bridge.Settings) error {
	return c.ask(ctx, func(conn *session) error {
		c.mu.Lock()
		err := c.board.set(s, time.Now())
		state := wire.State{Settings: maps.Clone(c.board.settings)}
		c.mu.Unlock()
		if err != nil {
			return err
		}
		return conn.tell(state)
	})
}

// Event sends a change of a sensor, such as "pir". It waits for a connection.
func (c *Camera) Event(ctx context.Context, name string, active bool) error {
	return c.ask(ctx, func(conn *session) error { return conn.tell(wire.Event{Name: name, Active: active}) })
}

// SendText sends any text, good or bad. It waits for a connection.
func (c *Camera) SendText(ctx context.Context, text []byte) error {
	return c.ask(ctx, func(conn *session) error { return conn.line.text(text) })
}

// SendPicture sends any bytes as a picture. It waits for a connection.
func (c *Camera) SendPicture(ctx context.Context, b []byte) error {
	return c.ask(ctx, func(conn *session) error { return conn.send(b) })
}

// HangUp breaks the connection without a close frame, as a lost network does;
// the camera dials again. It waits for a connection.
func (c *Camera) HangUp(ctx context.Context) error {
	return c.ask(ctx, func(conn *session) error { return conn.line.raw.Close() })
}

// ask lets the goroutine that owns the connection do something.
func (c *Camera) ask(ctx context.Context, do func(*session) error) error {
	r := request{do: do, done: make(chan error, 1)}
	select {
	case c.requests <- r:
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-r.done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}
