package alert

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge"
	"github.com/espcam-bridge/espcam-bridge/bridge/jpeg"
)

const (
	// maxLosses is how often a plugin may go away while it sends one letter: one
	// that makes it crash must not keep it from all others.
	maxLosses = 3

	maxReceipts = 256     // events of one instance that may go on
	maxPicture  = 8 << 20 // bytes
)

// send makes one attempt. That it begins is on disk before the call.
func (l *lane) send(ctx context.Context, m *letter) {
	m.State = sending
	l.a.ledger.save(m)
	l.mark(ctx)
	if m.Picture && m.frame.IsZero() {
		m.frame = l.a.picture(m.Event)
	}
	call, cancel := l.call(ctx)
	defer cancel()
	r, err := l.a.deps.Notifier.Notify(call, l.instance, m.alert(l.handle(m)))
	switch {
	case err == nil:
		l.delivered(m, r)
	case ctx.Err() != nil && call.Err() != nil:
		// The bridge stops, and nobody knows how far it came. It stays marked.
	default:
		l.missed(m, err, time.Now())
	}
}

// mark waits until the disk has what was saved. A disk that takes nothing does
// not keep an alert from going out.
func (l *lane) mark(ctx context.Context) {
	within, cancel := context.WithTimeout(context.WithoutCancel(ctx), flushFor)
	defer cancel()
	if err := l.a.ledger.flush(within); err != nil {
		l.a.deps.Log.Debug("an alert is sent without a mark on disk", "plugin", l.instance, "err", err)
	}
}

// call is a context for one attempt: it outlives ctx by Config.Drain.
func (l *lane) call(ctx context.Context) (context.Context, context.CancelFunc) {
	call, cancel := context.WithTimeout(context.WithoutCancel(ctx), l.a.cfg.Timeout)
	stop := context.AfterFunc(ctx, func() {
		select {
		case <-call.Done():
		case <-time.After(l.a.cfg.Drain):
			cancel()
		}
	})
	return call, func() {
		cancel()
		stop()
	}
}

func (l *lane) handle(m *letter) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if r := l.receipts[m.tale()]; r != nil {
		return r.Handle
	}
	return ""
}

// delivered forgets a letter. What names its message stays while the event goes
// on.
func (l *lane) delivered(m *letter, r bridge.Receipt) {
	l.a.deps.Log.Info("alert sent", "plugin", l.instance, "route", m.Route, "camera", m.Event.Camera, "event", m.Event.ID, "phase", m.Phase, "attempt", m.Attempts+m.Lost+1)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.counts.Sent++
	l.trouble = ""
	tale := m.tale()
	old := l.receipts[tale]
	if !m.lasting || m.Phase == bridge.PhaseEnd {
		delete(l.receipts, tale)
		l.a.ledger.remove(m.ID, receiptID(tale))
		return
	}
	if r.Handle == "" && old != nil {
		r.Handle = old.Handle
	}
	kept := &letter{ID: receiptID(tale), State: receipt, Instance: l.instance, Route: m.Route, Event: m.Event, Handle: r.Handle, At: time.Now()}
	l.receipts[tale] = kept
	l.a.ledger.replace(kept, m.ID)
	if len(l.receipts) > maxReceipts {
		l.forgetLocked()
	}
}

func receiptID(tale string) string { return "receipt/" + tale }

// forgetLocked drops the oldest receipt.
func (l *lane) forgetLocked() {
	var oldest *letter
	for _, r := range l.receipts {
		if oldest == nil || r.At.Before(oldest.At) {
			oldest = r
		}
	}
	delete(l.receipts, oldest.tale())
	l.a.ledger.remove(oldest.ID)
}

// missed decides what becomes of a letter after an attempt that failed.
func (l *lane) missed(m *letter, err error, now time.Time) {
	m.Reason = sentence(err.Error())
	after, final := verdict(err)
	wait := time.Duration(0)
	switch {
	case final:
		m.Attempts++
		l.giveUp(m, m.Reason)
		return
	case bridge.CodeOf(err) == bridge.CodeUnavailable && after < 0:
		if m.Lost++; m.Lost == maxLosses {
			l.giveUp(m, fmt.Sprintf("%s stopped %d times while it was being sent: %s", l.instance, maxLosses, m.Reason))
			return
		}
		wait = l.a.retry(m.Lost)
	default:
		if m.Attempts++; m.Attempts > len(l.a.cfg.Retries) {
			l.giveUp(m, fmt.Sprintf("%d attempts failed, the last one so: %s", m.Attempts, m.Reason))
			return
		}
		wait = max(l.a.retry(m.Attempts), after)
	}
	if m.Due = now.Add(wait); !m.Due.Before(m.Expires) {
		l.giveUp(m, fmt.Sprintf("%s, and it may be tried again only in %s, when it is too old", m.Reason, wait.Round(time.Second)))
		wait = min(wait, l.a.cfg.Expiry)
	} else {
		l.back(m)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.counts.Retried++
	l.trouble = m.Reason
	if after > 0 { // it is the service that wants to be left alone, not this letter
		l.pause = latest(l.pause, now.Add(wait))
	}
}

// retry is the pause after the nth attempt.
func (a *Alerts) retry(n int) time.Duration {
	if len(a.cfg.Retries) == 0 {
		return 0
	}
	return a.cfg.Retries[min(n, len(a.cfg.Retries))-1]
}

// verdict reads an error: final if time does not help; else after is how long
// the service asked to wait, and below 0 if it did not say that it may work
// later.
func verdict(err error) (after time.Duration, final bool) {
	var r *bridge.RetryError
	if errors.As(err, &r) {
		return max(r.After, 0), false
	}
	final = slices.Contains([]bridge.Code{
		bridge.CodeDenied, bridge.CodeInvalid, bridge.CodeNotFound, bridge.CodeUnsupported, bridge.CodeTooLarge,
	}, bridge.CodeOf(err))
	return -1, final
}

// picture reads an event's picture from the journal; a zero frame if it has none.
func (a *Alerts) picture(e bridge.Event) bridge.Frame {
	f, err := a.readPicture(e)
	if err != nil && bridge.CodeOf(err) != bridge.CodeNotFound {
		a.deps.Log.Warn("an alert goes without its picture", "camera", e.Camera, "event", e.ID, "err", err)
	}
	return f
}

func (a *Alerts) readPicture(e bridge.Event) (bridge.Frame, error) {
	r, err := a.deps.Journal.Picture(e.ID)
	if err != nil {
		return bridge.Frame{}, err
	}
	buf, err := bridge.ReadBuffer(r, 64<<10, maxPicture)
	if err = errors.Join(err, r.Close()); err != nil {
		return bridge.Frame{}, err
	}
	info, err := jpeg.Check(buf.Bytes(), jpeg.Limits{})
	if err != nil {
		return bridge.Frame{}, err
	}
	return buf.Frame(info.Size, bridge.Frame{Camera: e.Camera, Received: e.Begin, Width: info.Width, Height: info.Height}), nil
}
