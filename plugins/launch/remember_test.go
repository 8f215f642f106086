package launch

import (
	"context"
	"testing"
	"time"

	"google.golang.org/grpc"
)

// TestStreamOpensWhileHostIDWaits: HostID holds mu while it waits for the stream
// that go-plugin opens beside it, so opening that must not wait for mu.
func TestStreamOpensWhileHostIDWaits(t *testing.T) {
	p, conn := &Process{}, &grpc.ClientConn{}
	p.mu.Lock()
	defer p.mu.Unlock()
	opened := make(chan struct{})
	go func() {
		defer close(opened)
		open := func(context.Context, *grpc.StreamDesc, *grpc.ClientConn, string, ...grpc.CallOption) (grpc.ClientStream, error) {
			return nil, nil
		}
		if _, err := p.remember(t.Context(), nil, conn, "", open); err != nil {
			t.Error(err)
		}
	}()
	select {
	case <-opened:
	case <-time.After(5 * time.Second):
		t.Fatal("it waits for mu")
	}
	if p.seen.Load() != conn {
		t.Error("it did not remember the connection")
	}
}
