package pluginhost

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/espcam-bridge/espcam-bridge/bridge"
	"github.com/espcam-bridge/espcam-bridge/plugins/pluginpb"
)

// errGrown is within the error of a life that took too much memory.
var errGrown = errors.New("more than it may have")

// serve keeps a configured plugin at work until it ends or is to end.
func (l *life) serve(ctx context.Context) error {
	closing := l.open(ctx)
	defer closing()
	health, memory := time.NewTicker(l.host.timing.health), time.NewTicker(l.host.timing.memory)
	defer health.Stop()
	defer memory.Stop()
	settled := time.NewTimer(l.host.timing.settled)
	defer settled.Stop()
	files := l.fingerprint()
	for {
		var err error
		select {
		case <-ctx.Done():
			return errAsked
		case <-l.process.Done():
			return l.crashed()
		case <-settled.C:
			l.breaker.reset()
		case <-memory.C:
			err = l.watchMemory(l.host.memory.process)
			if err == nil && l.cfg.Dev {
				if now := l.fingerprint(); now != files {
					files, err = now, l.renew(ctx)
				}
			}
		case <-health.C:
			err = errors.Join(l.examine(ctx), l.watchMemory(l.host.memory.group))
		case c := <-l.requests:
			err = l.reconfigure(ctx, c)
		case <-l.poke:
			if l.takeWish() || !l.wanted() {
				return errAsked
			}
			l.show()
		}
		if err != nil {
			return err
		}
	}
}

// open gives the plugin work of its roles. The result takes it away.
func (l *life) open(ctx context.Context) (closing func()) {
	l.success.Store(l.host.deps.Now().UnixNano())
	var undo []func()
	if l.has(pluginpb.Role_ROLE_DETECTOR) && l.host.deps.AddDetector != nil {
		undo = append(undo, l.host.deps.AddDetector(&detector{l: l}, l.detectorOptions()))
	}
	if l.has(pluginpb.Role_ROLE_SINK) && l.host.deps.Events != nil {
		undo = append(undo, l.sink.feed(ctx, l))
	}
	l.work.Store(l)
	l.enter(bridge.PluginReady, "", time.Time{})
	return func() {
		l.work.Store(nil)
		for _, f := range undo {
			f()
		}
	}
}

func (l *life) has(r pluginpb.Role) bool { return slices.Contains(l.about.Roles, r) }

// show brings the state in line with what is known of the plugin's health.
func (l *life) show() {
	switch {
	case l.ill != "":
		l.enter(bridge.PluginDegraded, l.ill, time.Time{})
	case l.stale != "":
		l.enter(bridge.PluginDegraded, l.stale, time.Time{})
	case l.slow():
		l.enter(bridge.PluginDegraded, fmt.Sprintf("it needs more than %v for a picture: it is asked half as often", l.host.timing.detect), time.Time{})
	default:
		l.enter(bridge.PluginReady, "", time.Time{})
	}
}

// examine asks for a sign of life. Any answer is one, and so is a call that
// succeeded meanwhile.
func (l *life) examine(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, l.host.timing.healthCall)
	defer cancel()
	r, err := l.process.Plugin().Check(ctx, &pluginpb.CheckRequest{Alive: true})
	recent := l.host.deps.Now().Sub(time.Unix(0, l.success.Load())) < l.host.timing.health
	switch code := status.Code(err); {
	case err == nil:
		l.misses, l.ill = 0, ""
		if r.Degraded {
			l.ill = oneLine(r.Message, "it says that it does not work as it should")
		}
	case code != codes.DeadlineExceeded && code != codes.Unavailable && code != codes.Canceled && code != codes.Unimplemented:
		l.misses, l.ill = 0, oneLine(status.Convert(err).Message(), "its check fails")
	case recent || code == codes.Unimplemented:
		l.misses, l.ill = 0, ""
	default:
		if l.misses++; l.misses >= l.host.timing.misses {
			return l.lost("it did not answer", fmt.Errorf("%d signs of life in a row did not come", l.misses))
		}
		l.ill = "it does not answer"
	}
	l.show()
	return nil
}

// watchMemory ends a plugin that takes more than it may, by measure.
func (l *life) watchMemory(measure func(pid int) int64) error {
	used := measure(l.process.PID())
	if used == 0 {
		return nil // it is not known here, or the process has just ended
	}
	l.memory.Store(used)
	if used <= l.memLimit {
		return nil
	}
	return fmt.Errorf("it took %d MiB of memory, %w (%d MiB): it was ended; raise `memory` of the instance if it needs that", used>>20, errGrown, l.memLimit>>20)
}

// reconfigure answers a wish for other settings: the plugin has to take them
// before they are kept. Afterwards the old ones hold again if it did not.
func (l *life) reconfigure(ctx context.Context, c change) error {
	rec, err := l.judge(c)
	if err != nil {
		c.reply <- err
		return nil
	}
	restart, err := l.configure(ctx, rec.merged(l.cfg))
	var h *halt
	if errors.As(err, &h) {
		c.reply <- h.err
		_, err = l.configure(ctx, l.settings())
		return err
	}
	if err != nil {
		c.reply <- bridge.Errorf(bridge.CodeUnavailable, "plugin %s: %w", l.cfg.Name, err)
		return err
	}
	err = l.keep(rec)
	c.reply <- err
	if restart {
		return errAsked
	}
	return nil
}

// oneLine is the first line of a plugin's sentence, or another if it has none.
func oneLine(text, otherwise string) string {
	const most = 300
	for n, r := range text {
		if r == '\n' || n > most {
			text = text[:n]
			break
		}
	}
	if text == "" {
		return otherwise
	}
	return text
}
