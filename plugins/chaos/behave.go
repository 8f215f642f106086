package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/espcam-bridge/espcam-bridge/plugins/sdk"
)

// act does what the settings say, if it is time. The text is what large returns.
func (p *plugin) act(ctx context.Context, s *settings) (string, error) {
	if p.calls.Add(1) < int64(s.After) {
		return "", nil
	}
	switch s.Behaviour {
	case "panic":
		panic("chaos was asked to panic, with " + s.Token)
	case "crash":
		go crash()
		<-ctx.Done() // the end of the process comes first
	case "freeze":
		err := freeze()
		<-ctx.Done() // other threads stop a moment later; after SIGCONT it goes on here
		return "", err
	case "fork":
		return "", fork()
	case "allocate":
		p.allocate(s.Megabytes)
	case "late", "deaf":
		return "", wait(ctx, s)
	case "large":
		return strings.Repeat("x", s.Megabytes<<20), nil
	case "flood":
		flood(ctx)
	case "chatter":
		for range 10_000 {
			sdk.Log(ctx).Info("chaos says the same ten thousand times, and that its token is " + s.Token)
		}
	case "retry":
		return "", sdk.Retry(time.Second, errors.New("try again, with "+s.Token))
	case "reject":
		return "", sdk.Reject(errors.New("never, with " + s.Token))
	}
	return "", nil
}

// crash ends the process as a mistake in a goroutine does, out of the SDK's reach.
func crash() {
	var nothing *plugin
	nothing.calls.Add(1)
}

// fork leaves a child that does nothing and never ends, and ends.
func fork() error {
	child := exec.Command(os.Args[0], "silent")
	child.Env = append(os.Environ(), orphanKey+"=1")
	if err := child.Start(); err != nil {
		return err
	}
	os.Exit(3)
	return nil
}

// allocate takes so many megabytes a second, for ever.
func (p *plugin) allocate(megabytes int) {
	if !p.held.CompareAndSwap(nil, &[][]byte{}) {
		return // it does already
	}
	go func() {
		for range time.Tick(time.Second) {
			more := make([]byte, megabytes<<20)
			for i := 0; i < len(more); i += 4096 {
				more[i] = 1 // a page that is not written takes no memory
			}
			held := append(*p.held.Load(), more)
			p.held.Store(&held)
		}
	}()
}

// wait answers late; deaf does not even hear that nobody waits any more.
func wait(ctx context.Context, s *settings) error {
	if s.Behaviour == "deaf" {
		time.Sleep(s.Delay)
		return nil
	}
	select {
	case <-time.After(s.Delay):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

const floodTime = 10 * time.Second

// flood asks the bridge for everything at once.
func flood(ctx context.Context) {
	host, end := sdk.Host(ctx), time.Now().Add(floodTime)
	ctx = context.WithoutCancel(ctx)
	for range 16 {
		go func() {
			var err error
			for n := 0; time.Now().Before(end) && !errors.Is(err, sdk.ErrNoHost); n++ {
				_, err = host.Cameras(ctx)
				_, _ = host.Snapshot(ctx, fmt.Sprint("camera", n), 0) // whether it may is not the question
				_ = host.SetState(ctx, "flood", fmt.Sprint(n))
			}
		}()
	}
}
