package fakecam

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge"
	"github.com/espcam-bridge/espcam-bridge/bridge/wire"
)

// playNative plays our own firmware: StreamHub's protocol, and after a ready
// with proto a hello, stats soon after, results for every set and do. It sends
// pictures in fragments and waits longer each time before it dials again.
func playNative(ctx context.Context, c *Camera) {
	c.redial(ctx, &native{c: c, retry: or(c.cfg.Retry, 500*time.Millisecond)})
}

// native is the state of the firmware that outlives a connection.
type native struct {
	c      *Camera
	retry  time.Duration
	waited time.Duration // before the last dial
	maxFPS int           // what ready told
}

const (
	nativeFragment = 16 << 10
	retryGrowth    = 60 // the longest pause is that many times the first
)

func (n *native) dialling(wrongKey bool) dialling {
	d := n.c.dialling(wrongKey)
	d.header.Set("User-Agent", "espcam/fakecam")
	d.silence = wire.ReadTimeout
	return d
}

// dialling puts the key where the configuration wants it.
func (c *Camera) dialling(wrongKey bool) dialling {
	key := c.cfg.Key
	if wrongKey {
		key = "wsk_wrong_0000000000000000000000000000"
	}
	d := dialling{header: http.Header{}, insecure: c.cfg.Insecure}
	switch {
	case c.cfg.KeyInQuery:
		d.query = key
	case key != "":
		d.header.Set("Authorization", "Bearer "+key)
	}
	return d
}

func (n *native) fragment() int             { return nativeFragment }
func (n *native) patience() int             { return 0 } // any byte within silence will do
func (n *native) firstStats() time.Duration { return min(2*time.Second, n.c.cfg.Stats) }

func (n *native) interval() time.Duration {
	n.c.mu.Lock()
	defer n.c.mu.Unlock()
	fps, stream := n.c.board.number("fps"), n.c.board.settings["stream"]
	if fps == 0 {
		fps = n.c.cfg.FPS
	}
	if n.maxFPS > 0 {
		fps = min(fps, n.maxFPS)
	}
	if stream == false {
		return 0
	}
	return n.c.pace(fps)
}

func (n *native) heard(s *session, text []byte) error {
	m, err := wire.ParseServer(text)
	if err != nil {
		n.c.log.Warn("server sent what is no message", "err", err)
		return nil
	}
	switch m := m.(type) {
	case wire.Ready:
		return n.admitted(s, m)
	case wire.Set:
		return n.answer(s, m, n.set(m))
	case wire.Do:
		return n.do(s, m)
	case wire.Error:
		s.refused(m)
	}
	return nil
}

func (n *native) admitted(s *session, r wire.Ready) error {
	n.maxFPS = r.MaxFPS
	if r.Proto > 0 {
		n.c.mu.Lock()
		hello := n.c.board.hello()
		n.c.mu.Unlock()
		if err := s.tell(hello); err != nil {
			return err
		}
	}
	s.ready(r, time.Now())
	return nil
}

func (n *native) set(m wire.Set) wire.Result {
	c, now := n.c, time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.board.set(m.Settings, now); err != nil {
		return refusal(m.ID, err)
	}
	return wire.Result{ID: m.ID, OK: true, Settings: maps.Clone(c.board.settings)}
}

// do performs an action and answers. A restart answers first, since it cannot
// afterwards.
func (n *native) do(s *session, m wire.Do) error {
	c, now := n.c, time.Now()
	c.mu.Lock()
	err := c.board.do(bridge.Action{Name: m.Action, Args: m.Args}, now)
	c.mu.Unlock()
	if err != nil {
		return n.answer(s, m, refusal(m.ID, err))
	}
	if err := n.answer(s, m, wire.Result{ID: m.ID, OK: true}); err != nil {
		return err
	}
	switch m.Action {
	case "restart", "ota":
		return errRestart
	case "snapshot":
		return s.send(c.picture(now))
	}
	return nil
}

func refusal(id string, err error) wire.Result {
	r := wire.Result{ID: id, Code: wire.Failed, Message: err.Error()}
	var e *bridge.Error
	if errors.As(err, &e) {
		switch e.Code {
		case bridge.CodeUnsupported:
			r.Code = wire.Unsupported
		case bridge.CodeInvalid:
			r.Code = wire.Invalid
		}
	}
	return r
}

func (n *native) answer(s *session, m wire.Message, r wire.Result) error {
	n.c.note(func(rep *Report) { rep.obeyed(Command{m, r}) })
	n.c.log.Info("told", "message", string(m.Append(nil)), "ok", r.OK, "answer", r.Message)
	return s.tell(r)
}

// sensed tells what the PIR says, if the board has one.
func (n *native) sensed(s *session, figure bool) error {
	if !n.c.board.caps.PIR {
		return nil
	}
	return s.tell(wire.Event{Name: "pir", Active: figure})
}

func (n *native) stats(s *session, now time.Time) wire.Message {
	c := n.c
	c.mu.Lock()
	defer c.mu.Unlock()
	m := c.board.stats(c.cfg.Clock().Sub(c.board.booted))
	fps := float64(int(s.rate(now)*10+0.5)) / 10
	frames, skipped := int64(c.report.Frames), int64(c.report.Skipped)
	m.FPS, m.Frames, m.Dropped = &fps, &frames, &skipped
	return m
}

// rate is the pictures per second since the last stats.
func (s *session) rate(now time.Time) float64 {
	if d := now.Sub(s.statsSince).Seconds(); d > 0 {
		return float64(s.sent) / d
	}
	return 0
}

// pause grows from the first pause to the longest, at random between, so that a
// site full of cameras does not come back in step. A server that does not want
// this camera (4401, 4403) or has a newer one with its key (4409) is left alone
// for the longest pause at least: two boards with one key must not fight.
func (n *native) pause(e ending) time.Duration {
	longest := retryGrowth * n.retry
	switch {
	case e.code == 4401 || e.code == 4403 || e.code == 4409:
		n.waited = longest
		return longest + time.Duration(n.c.random.Float64()*float64(longest)/2)
	case e.admitted:
		n.waited = 0
	}
	spread := max(3*n.waited-n.retry, n.retry)
	n.waited = min(n.retry+time.Duration(n.c.random.Float64()*float64(spread)), longest)
	return n.waited
}
