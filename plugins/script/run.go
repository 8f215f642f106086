package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"time"

	"github.com/espcam-bridge/espcam-bridge/plugins/sdk"
)

// maxLine bounds a line that the program prints.
const maxLine = 1 << 20

// command is the program, not started. All that runs below it can be killed at
// once; when ctx ends it is.
func (s *settings) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, s.Command[0], append(s.Command[1:len(s.Command):len(s.Command)], args...)...)
	cmd.Dir = sdk.DataDir(ctx)
	cmd.Env = os.Environ() // the bridge's short list, nothing secret
	for name, value := range s.Environment {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	ownGroup(cmd)
	cmd.Cancel = func() error { return killGroup(cmd) }
	cmd.WaitDelay = time.Second // for its output
	return cmd
}

// attached runs f, which starts and awaits a program, on a thread that stays: a
// program is killed when the thread that started it ends, so that it does not
// outlive the plugin.
func attached(f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		f()
	}()
	<-done
}

// run starts the program for one task: kind, camera and picture as arguments, the
// task in its environment and on stdin. The last line of JSON that it prints is
// the answer.
func (s *settings) run(ctx context.Context, t task) (r reply, err error) {
	defer func() { remove(t.Picture) }()
	if err := t.save(sdk.DataDir(ctx)); err != nil {
		return r, err
	}
	in, err := json.Marshal(t)
	if err != nil {
		return r, err
	}
	cmd := s.command(ctx, t.Kind, t.Camera, t.Picture)
	cmd.Env = append(cmd.Env, t.variables()...)
	cmd.Stdin = bytes.NewReader(append(in, '\n'))
	out, complaints := output(ctx, func(last reply) { r = last }), output(ctx, nil)
	cmd.Stdout, cmd.Stderr = out, complaints
	attached(func() { err = cmd.Run() })
	if cmd.Process != nil {
		_ = killGroup(cmd) // what it left running; mostly there is nothing
	}
	out.rest()
	complaints.rest()
	return r, s.judge(ctx, err)
}

// judge makes one sentence of how a run ended.
func (s *settings) judge(ctx context.Context, err error) error {
	exit, _ := errors.AsType[*exec.ExitError](err)
	switch {
	case err == nil, errors.Is(err, exec.ErrWaitDelay):
		return nil
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return fmt.Errorf("the program did not end within %s and was killed", s.Timeout)
	case exit != nil && exit.ExitCode() == rejected:
		return sdk.Reject(errors.New("the program rejected it with exit code 77"))
	case exit != nil:
		return fmt.Errorf("the program failed: %s", exit.ProcessState)
	}
	return err
}

// output is what a program prints; with answer nil, all of it is for the log.
func output(ctx context.Context, answer func(reply)) *printed {
	return &printed{answer: answer, log: func(line string) { sdk.Log(ctx).Info(line, "from", "program") }}
}

// printed takes what a program prints apart: JSON objects are answers, other
// lines are for the log.
type printed struct {
	log    func(string)
	answer func(reply)
	part   []byte
}

func (p *printed) Write(b []byte) (int, error) {
	p.part = append(p.part, b...)
	for {
		line, rest, found := bytes.Cut(p.part, []byte("\n"))
		if !found {
			break
		}
		p.line(line)
		p.part = rest
	}
	if len(p.part) > maxLine {
		return 0, io.ErrShortBuffer
	}
	return len(b), nil
}

// rest is a last line that does not end.
func (p *printed) rest() { p.line(p.part) }

func (p *printed) line(line []byte) {
	line = bytes.TrimSpace(line)
	if len(line) == 0 {
		return
	}
	if p.answer != nil && line[0] == '{' {
		var r reply
		err := json.Unmarshal(line, &r)
		if err == nil {
			p.answer(r)
			return
		}
		p.log("this is no answer: " + err.Error())
	}
	p.log(string(line))
}
