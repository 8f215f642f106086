package broker

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// said is how often the same warning of the server may be repeated.
const said = time.Minute

// quietHandler passes on the server's warnings: without the packets that the
// server puts into them (they hold what people publish), and each sentence at
// most once a minute.
type quietHandler struct {
	slog.Handler
	*repeats
}

type repeats struct {
	mu   sync.Mutex
	last map[string]time.Time // by sentence; the server has about thirty
}

func quiet(h slog.Handler) slog.Handler {
	return quietHandler{h, &repeats{last: map[string]time.Time{}}}
}

// Enabled drops what is of interest to the server's authors only.
func (q quietHandler) Enabled(ctx context.Context, l slog.Level) bool {
	return l >= slog.LevelWarn && q.Handler.Enabled(ctx, l)
}

// Handle writes a line unless the same was written a moment ago.
func (q quietHandler) Handle(ctx context.Context, r slog.Record) error {
	q.mu.Lock()
	repeated := r.Time.Sub(q.last[r.Message]) < said
	if !repeated {
		q.last[r.Message] = r.Time
	}
	q.mu.Unlock()
	if repeated {
		return nil
	}
	out := slog.NewRecord(r.Time, r.Level, "MQTT broker: "+r.Message, r.PC)
	r.Attrs(func(a slog.Attr) bool {
		switch a.Key {
		case "pk", "packet":
		case "error":
			out.AddAttrs(slog.Any("err", a.Value.Any()))
		default:
			out.AddAttrs(a)
		}
		return true
	})
	return q.Handler.Handle(ctx, out)
}

// WithAttrs keeps the wrapping.
func (q quietHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return quietHandler{q.Handler.WithAttrs(attrs), q.repeats}
}

// WithGroup keeps the wrapping.
func (q quietHandler) WithGroup(name string) slog.Handler {
	return quietHandler{q.Handler.WithGroup(name), q.repeats}
}
