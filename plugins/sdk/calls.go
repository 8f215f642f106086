package sdk

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// maxCalls bounds the author's functions that run at once, those that go on
// although nobody waits for them included.
const maxCalls = 64

// calls counts the author's functions that run, and lets them end.
type calls struct {
	mu      sync.Mutex
	running int
	stopped bool
	idle    chan struct{} // closed when stopped and none runs
}

func newCalls() *calls { return &calls{idle: make(chan struct{})} }

// begin reports whether one more may run; then end must follow.
func (c *calls) begin() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.stopped:
		return &unserved{codes.Unavailable, "the plugin is stopping"}
	case c.running >= maxCalls:
		return &unserved{codes.ResourceExhausted, fmt.Sprintf("%d calls run already", c.running)}
	}
	c.running++
	return nil
}

func (c *calls) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.running--
	if c.stopped && c.running == 0 {
		close(c.idle)
	}
}

// stop lets no more begin; the channel is closed when none runs any more.
func (c *calls) stop() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.stopped {
		c.stopped = true
		if c.running == 0 {
			close(c.idle)
		}
	}
	return c.idle
}

// unserved is why the author's function was not called.
type unserved struct {
	code codes.Code
	why  string
}

func (e *unserved) Error() string { return e.why }

type outcome[T any] struct {
	value T
	err   error
}

// run calls a function of the author. It returns when ctx ends, even if the
// function does not; done is called when the function has really ended.
func run[T any](ctx context.Context, log *slog.Logger, done func(), f func() (T, error)) (T, error) {
	result := make(chan outcome[T], 1)
	go func() {
		defer done()
		value, err := protect(log, f)
		result <- outcome[T]{value, err}
	}()
	select {
	case r := <-result:
		return r.value, r.err
	case <-ctx.Done():
		var zero T
		return zero, status.FromContextError(ctx.Err()).Err()
	}
}

// protect makes an error of a panic, and logs where it was.
func protect[T any](log *slog.Logger, f func() (T, error)) (value T, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = &panicError{p}
			log.Error("the plugin panicked", "err", fmt.Sprint(p), "stack", string(debug.Stack()))
		}
	}()
	return f()
}
