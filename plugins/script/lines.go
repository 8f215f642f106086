package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/espcam-bridge/espcam-bridge/plugins/sdk"
)

const (
	maxKept  = 16              // pictures that a program without replies finds
	lastWord = 2 * time.Second // that it has when its input ends
)

// lines is the program that stays. It is started when it is needed and not
// running, and told one task at a time.
type lines struct {
	turn sync.Mutex // held while it is told something; guards kept
	kept []string   // pictures that it may still want to read, the oldest first

	mu      sync.Mutex // guards the rest
	current *process
	ended   bool // no more is started
}

// process is one run of it.
type process struct {
	in      *os.File
	answers chan reply
	kill    context.CancelFunc
	gone    chan struct{} // closed when it has ended
}

// tell writes a task as a line and, with replies, awaits the answer. A program that
// does not take or answer it in time is killed, and started again next time.
func (s *settings) tell(ctx context.Context, t task) (reply, error) {
	if t.Kind != "detect" {
		s.lines.turn.Lock()
	} else if !s.lines.turn.TryLock() {
		return reply{}, sdk.ErrBusy
	}
	defer s.lines.turn.Unlock()
	if ctx.Err() != nil {
		return reply{}, ctx.Err()
	}
	err := t.save(sdk.DataDir(ctx))
	defer s.release(t.Picture)
	if err != nil {
		return reply{}, err
	}
	in, err := json.Marshal(t)
	if err != nil {
		return reply{}, err
	}
	p, err := s.process(ctx)
	if err != nil {
		return reply{}, err
	}
	r, err := p.ask(ctx, append(in, '\n'), s.Reply)
	if err != nil {
		p.kill()
		<-p.gone
	}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded) {
		err = fmt.Errorf("the program did not answer within %s and was killed", s.Timeout)
	}
	return r, err
}

// release removes a picture; without replies, when it is likely to have been read.
func (s *settings) release(path string) {
	if s.Reply {
		remove(path)
		return
	}
	if path != "" {
		s.lines.kept = append(s.lines.kept, path)
	}
	if len(s.lines.kept) > maxKept {
		remove(s.lines.kept[0])
		s.lines.kept = s.lines.kept[1:]
	}
}

// ask hands over a line.
func (p *process) ask(ctx context.Context, line []byte, answered bool) (reply, error) {
	select {
	case r := <-p.answers:
		sdk.Log(ctx).Warn("the program answered when it was not asked", "message", r.Message)
	default:
	}
	if deadline, ok := ctx.Deadline(); ok {
		if err := p.in.SetWriteDeadline(deadline); err != nil {
			return reply{}, err
		}
	}
	if _, err := p.in.Write(line); err != nil {
		return reply{}, fmt.Errorf("the program takes nothing: %w", err)
	}
	if !answered {
		return reply{}, nil
	}
	select {
	case r := <-p.answers:
		return r, nil
	case <-p.gone:
		return reply{}, errors.New("the program ended instead of an answer")
	case <-ctx.Done():
		return reply{}, ctx.Err()
	}
}

// process returns the one that runs, or starts one.
func (s *settings) process(ctx context.Context) (*process, error) {
	s.lines.mu.Lock()
	defer s.lines.mu.Unlock()
	if s.lines.ended {
		return nil, errors.New("these settings do not hold any more")
	}
	if p := s.lines.current; p != nil {
		select {
		case <-p.gone:
		default:
			return p, nil
		}
	}
	p, err := s.launch(ctx)
	s.lines.current = p
	return p, err
}

func (s *settings) launch(ctx context.Context) (*process, error) {
	in, to, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer func() { _ = in.Close() }() // the program has it now
	life, kill := context.WithCancel(context.WithoutCancel(ctx))
	p := &process{in: to, answers: make(chan reply, 1), kill: kill, gone: make(chan struct{})}
	cmd := s.command(life)
	cmd.Stdin = in
	out, complaints := output(life, p.answer), output(life, nil)
	cmd.Stdout, cmd.Stderr = out, complaints
	started := make(chan error)
	go attached(func() {
		defer close(p.gone)
		err := cmd.Start()
		started <- err
		if err != nil {
			return
		}
		err = cmd.Wait()
		_ = killGroup(cmd)
		_ = to.Close()
		out.rest()
		complaints.rest()
		sdk.Log(life).Info("the program has ended", "how", fmt.Sprint(err))
	})
	if err := <-started; err != nil {
		kill()
		return nil, errors.Join(err, to.Close())
	}
	return p, nil
}

// answer keeps the newest answer until somebody asks for it.
func (p *process) answer(r reply) {
	select {
	case p.answers <- r:
	default:
	}
}

// end lets the program end by itself for a moment, then kills it.
func (l *lines) end() {
	l.mu.Lock()
	l.ended = true
	p := l.current
	l.mu.Unlock()
	if p == nil {
		return
	}
	_ = p.in.Close() // it may be closed already
	select {
	case <-p.gone:
	case <-time.After(lastWord):
	}
	p.kill()
	<-p.gone
	l.turn.Lock()
	defer l.turn.Unlock()
	for _, path := range l.kept {
		remove(path)
	}
}
