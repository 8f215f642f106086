package fakecam

import (
	"context"
	"errors"
	"time"

	"github.com/gorilla/websocket"

	"github.com/espcam-bridge/espcam-bridge/bridge/wire"
)

// firmware is what differs between boards that dial a WebSocket. Its methods are
// called by the goroutine that owns the connection.
type firmware interface {
	// dialling returns how to connect, with the right key or a wrong one.
	dialling(wrongKey bool) dialling
	// heard takes a text from the server.
	heard(s *session, text []byte) error
	// interval is the time between pictures; 0 sends none.
	interval() time.Duration
	// fragment is the most bytes of one WebSocket frame; 0 is no limit.
	fragment() int
	// firstStats is when stats are due first, after ready.
	firstStats() time.Duration
	// stats makes the text of the last period.
	stats(s *session, now time.Time) wire.Message
	// sensed hears that a figure came into view or left it.
	sensed(s *session, figure bool) error
	// patience is how many pings may go without a pong; 0 does not count them.
	patience() int
	// pause is how long to wait before dialling again.
	pause(e ending) time.Duration
}

// ending is how a connection ended.
type ending struct {
	err      error
	admitted bool
	code     int // close code; 1006 without a close frame, 0 if there was no connection
	text     string
}

func (e ending) what() string {
	switch {
	case e.code == 0:
		return "cannot connect"
	case !e.admitted:
		return "not admitted"
	}
	return "disconnected"
}

// What ends a connection from the camera's side.
var (
	errStorm   = errors.New("hung up and dials at once")
	errRestart = errors.New("restarts")
	errDeaf    = errors.New("no pong from the server")
)

const (
	bootTime   = 2 * time.Second
	pongTime   = 3 * time.Second
	halfOpen   = 90 * time.Second
	maxTimeout = time.Hour // of the loop, when nothing is due
)

// session is one connection, played by one goroutine.
type session struct {
	c        *Camera
	fw       firmware
	line     *line
	admitted bool
	stalled  bool // a fault: no more pictures
	figure   bool // what the firmware was told last

	nextPicture, nextPing, nextStats, pongBy time.Time
	missed                                   int // pings without a pong

	sent       uint64 // pictures since statsSince
	statsSince time.Time
}

// redial plays a camera that dials again whenever its connection is over, until
// ctx ends.
func (c *Camera) redial(ctx context.Context, fw firmware) {
	for {
		e := c.connect(ctx, fw)
		if ctx.Err() != nil {
			return
		}
		wait := fw.pause(e)
		switch {
		case errors.Is(e.err, errStorm):
			wait = 0
		case errors.Is(e.err, errRestart):
			wait = min(bootTime, 2*wait)
			c.restart()
		}
		c.log.Info(e.what(), "err", e.err, "again_in", wait.Round(time.Millisecond))
		if !sleep(ctx, wait) {
			return
		}
	}
}

func (c *Camera) restart() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.board.restart(c.cfg.Clock())
	c.report.Boots++
}

// connect dials and plays one connection to its end.
func (c *Camera) connect(ctx context.Context, fw firmware) ending {
	c.note(func(r *Report) { r.Dials++ })
	wrong := c.faults.key()
	if wrong {
		c.strike(WrongKey)
	}
	d := fw.dialling(wrong)
	l, err := dial(ctx, c.address(d.query), d)
	if err != nil {
		return ending{err: err}
	}
	s := &session{c: c, fw: fw, line: l, nextPing: time.Now().Add(wire.PingInterval)}
	e := ending{err: s.run(ctx), code: websocket.CloseAbnormalClosure}
	if ctx.Err() != nil {
		l.bye()
	}
	l.close()
	var closed *websocket.CloseError
	if errors.As(e.err, &closed) {
		e.code, e.text = closed.Code, closed.Text
	}
	e.admitted = s.admitted
	c.note(func(r *Report) { r.Connected, r.CloseCode, r.CloseText = false, e.code, e.text })
	return e
}

// address is where the camera dials, with the key in it if it goes there.
func (c *Camera) address(key string) string {
	if key == "" {
		return c.url.String()
	}
	u := *c.url
	q := u.Query()
	q.Set("key", key)
	u.RawQuery = q.Encode()
	return u.String()
}

// sleep waits and reports whether ctx still goes on.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// run takes turns between what the server says, what other goroutines ask for
// and what is due, until one of them ends the connection.
func (s *session) run(ctx context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		requests := s.c.requests
		if !s.admitted {
			requests = nil
		}
		timer.Reset(s.due(time.Now()))
		var err error
		select {
		case <-ctx.Done():
			return ctx.Err()
		case h, ok := <-s.line.inbox:
			if !ok {
				return s.line.err
			}
			err = s.take(h)
		case r := <-requests:
			r.done <- r.do(s)
		case <-timer.C:
			err = s.tick(ctx, time.Now())
		}
		if err != nil {
			return err
		}
	}
}

// due returns how long nothing has to be done.
func (s *session) due(now time.Time) time.Duration {
	next := now.Add(maxTimeout)
	soonest := func(t time.Time) {
		if !t.IsZero() && t.Before(next) {
			next = t
		}
	}
	soonest(s.nextPing)
	soonest(s.pongBy)
	if s.admitted {
		soonest(s.nextStats)
		soonest(s.pictureDue(now))
		s.c.mu.Lock()
		soonest(s.c.board.alarm())
		s.c.mu.Unlock()
	}
	return max(next.Sub(now), 0)
}

// pictureDue returns when the next picture is due; zero while none is.
func (s *session) pictureDue(now time.Time) time.Time {
	switch {
	case s.stalled || s.c.reel.over || s.fw.interval() == 0:
		s.nextPicture = time.Time{}
	case s.nextPicture.IsZero(): // switched on again
		s.nextPicture = now
	}
	return s.nextPicture
}

// take handles what was heard.
func (s *session) take(h heard) error {
	switch h.kind {
	case websocket.PingMessage:
		return s.line.control(websocket.PongMessage, h.data)
	case websocket.PongMessage:
		s.pongBy, s.missed = time.Time{}, 0
		return nil
	}
	return s.fw.heard(s, h.data)
}

// tick does everything that is due.
func (s *session) tick(ctx context.Context, now time.Time) error {
	if err := s.heartbeat(now); err != nil {
		return err
	}
	if !s.admitted {
		return nil
	}
	if err := s.timers(now); err != nil {
		return err
	}
	if due := s.pictureDue(now); due.IsZero() || now.Before(due) {
		return nil
	}
	return s.capture(ctx, now)
}

// heartbeat pings, and counts pongs that do not come.
func (s *session) heartbeat(now time.Time) error {
	if !s.pongBy.IsZero() && !now.Before(s.pongBy) {
		s.pongBy = time.Time{}
		if s.missed++; s.fw.patience() > 0 && s.missed >= s.fw.patience() {
			return errDeaf
		}
	}
	if now.Before(s.nextPing) {
		return nil
	}
	s.nextPing, s.pongBy = now.Add(wire.PingInterval), now.Add(pongTime)
	return s.line.control(websocket.PingMessage, nil)
}

// timers sends stats and the end of the flash when they are due.
func (s *session) timers(now time.Time) error {
	c := s.c
	c.mu.Lock()
	rang := c.board.ring(now)
	state := wire.State{Settings: c.board.settings.With(nil)}
	c.mu.Unlock()
	if rang {
		c.log.Info("flash went out by itself")
		if err := s.tell(state); err != nil {
			return err
		}
	}
	if now.Before(s.nextStats) {
		return nil
	}
	m := s.fw.stats(s, now)
	s.sent, s.statsSince, s.nextStats = 0, now, now.Add(c.cfg.Stats)
	return s.tell(m)
}

// ready begins to send pictures and stats.
func (s *session) ready(r wire.Ready, now time.Time) {
	s.admitted = true
	s.c.note(func(rep *Report) {
		rep.Connected, rep.Ready = true, r
		rep.Connections++
	})
	s.nextPicture = now.Add(time.Duration(s.c.phase * float64(s.fw.interval())))
	s.nextStats, s.statsSince = now.Add(s.fw.firstStats()), now
	s.c.log.Info("ready", "room", r.Room, "max_fps", r.MaxFPS, "server", r.Server)
}

// refused notes what the server says before it hangs up.
func (s *session) refused(e wire.Error) {
	s.c.note(func(r *Report) { r.Refusal = e })
	s.c.log.Warn("server complains", "code", e.Code, "message", e.Message)
}

// tell sends a message.
func (s *session) tell(m wire.Message) error { return s.line.text(m.Append(nil)) }

// capture sends the picture that is due, and skips those that are overdue: a
// board always sends its newest.
func (s *session) capture(ctx context.Context, now time.Time) error {
	step := s.fw.interval()
	due := s.nextPicture
	s.nextPicture = due.Add(step)
	if late := now.Sub(s.nextPicture); late > 0 {
		skipped := late/step + 1
		s.nextPicture = s.nextPicture.Add(skipped * step)
		s.c.note(func(r *Report) { r.Skipped += uint64(skipped) })
	}
	if err := s.watch(); err != nil {
		return err
	}
	fault := s.c.faults.picture()
	if fault != "" {
		s.c.strike(fault)
	}
	if err := s.sendWith(ctx, fault, s.c.picture(now)); err != nil {
		return err
	}
	s.c.played(s.nextPicture.Sub(due))
	return nil
}

// watch tells the firmware when a figure comes into view or leaves it.
func (s *session) watch() error {
	figure := s.c.figure()
	if figure == s.figure {
		return nil
	}
	s.figure = figure
	return s.fw.sensed(s, figure)
}

// sendWith sends a picture and lets a fault strike it.
func (s *session) sendWith(ctx context.Context, fault string, b []byte) error {
	switch fault {
	case Garbage:
		b = s.c.faults.garbage(len(b))
	case Truncated:
		b = s.c.faults.cut(b)
	case Oversize:
		b = bloat(b, or(s.c.Report().Ready.MaxFrameBytes, wire.MaxFrame))
	case Slow:
		if err := s.line.dribble(ctx, b); err != nil {
			return err
		}
		s.count(b)
		return nil
	}
	if err := s.send(b); err != nil {
		return err
	}
	switch fault {
	case Stall:
		s.stalled = true
	case HalfOpen:
		sleep(ctx, halfOpen)
		return errors.New("was half open")
	case Storm:
		return errStorm
	}
	return nil
}

// send sends any bytes as a picture.
func (s *session) send(b []byte) error {
	if err := s.line.picture(b, s.fw.fragment()); err != nil {
		return err
	}
	s.count(b)
	return nil
}

func (s *session) count(b []byte) {
	s.sent++
	s.c.note(func(r *Report) {
		r.Frames++
		r.Bytes += uint64(len(b))
	})
}

// strike counts a fault.
func (c *Camera) strike(fault string) {
	c.note(func(r *Report) {
		if r.Faults == nil {
			r.Faults = map[string]uint64{}
		}
		r.Faults[fault]++
	})
}
