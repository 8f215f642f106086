package plugintest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/espcam-bridge/espcam-bridge/plugins/launch"
	"github.com/espcam-bridge/espcam-bridge/plugins/pluginpb"
)

const arriveTime = 2 * time.Second // for a message that was reported as delivered

func (k *kit) testEvent(ctx context.Context) (string, error) {
	p, err := k.plugin(ctx)
	if err != nil {
		return "", err
	}
	detail := ""
	if k.notifies() {
		if detail, err = k.arrives(ctx, p); err != nil {
			return "", err
		}
	}
	if k.has(pluginpb.Role_ROLE_DETECTOR) {
		out, err := k.detect(ctx, p, CameraID, k.picture(0))
		if err != nil {
			return "", err
		}
		if out.GetBusy() {
			return "", errors.New("the first Detect was answered with busy")
		}
	}
	if k.has(pluginpb.Role_ROLE_SINK) {
		if err := k.delivers(ctx, p, TestEvent(1, pluginpb.Phase_PHASE_BEGIN), TestEvent(1, pluginpb.Phase_PHASE_END)); err != nil {
			return "", err
		}
	}
	return detail, nil
}

// arrives sends a test alert and looks for it where it should be.
func (k *kit) arrives(ctx context.Context, p *launch.Process) (string, error) {
	a, before := k.alert(pluginpb.Phase_PHASE_TEST), len(k.upstream.Messages())
	if _, err := k.delivered(ctx, p, a); err != nil {
		return "", err
	}
	if !k.reaches() {
		return "delivered, says the plugin: no setting leads to the test's server", nil
	}
	short, cancel := context.WithTimeout(ctx, arriveTime)
	defer cancel()
	if err := arrivedSince(short, k.upstream, before, []byte(a.GetTitle())); err != nil {
		return "", fmt.Errorf("delivered, says the plugin, but looking for the title: %w", err)
	}
	if !k.desc.GetNotifier().GetWantsPicture() {
		return "with title", nil
	}
	if err := arrivedSince(short, k.upstream, before, a.GetEvent().GetJpeg()); err != nil {
		return "", fmt.Errorf("delivered, says the plugin, but looking for the picture: %w; if the service takes none, say NoPicture: true in NotifierTraits (Go) or @notifier(no_picture=True) (Python), or skip point 8 in check.yaml", err)
	}
	return "with title and picture", nil
}

// delivers hands events to a sink and wants all of them acknowledged.
func (k *kit) delivers(ctx context.Context, p *launch.Process, events ...*pluginpb.Event) error {
	ctx, cancel := context.WithTimeout(ctx, notifyTime)
	defer cancel()
	in := &pluginpb.DeliverRequest{}
	for _, e := range events {
		k.sequence++
		in.Events = append(in.Events, &pluginpb.SinkEvent{Sequence: k.sequence, Event: e})
	}
	for {
		out, err := p.Sink().Deliver(ctx, in)
		if err != nil {
			k.hear(err.Error())
			return fmt.Errorf("calling Deliver: %w", err)
		}
		switch acked := out.GetAcked(); {
		case acked == k.sequence:
			return nil
		case acked > k.sequence:
			return fmt.Errorf("it acknowledged %d of %d events", acked, k.sequence)
		case acked < in.GetEvents()[0].GetSequence():
			return errors.New("it acknowledged nothing")
		default:
			in.Events = in.GetEvents()[acked-in.GetEvents()[0].GetSequence()+1:]
		}
	}
}

func (k *kit) sizes(ctx context.Context) (string, error) {
	p, err := k.plugin(ctx)
	if err != nil {
		return "", err
	}
	for _, c := range []struct {
		what string
		jpeg []byte
	}{
		{"without a picture", nil},
		{"with 1 byte", []byte{0xff}},
		{"with 6 MB", Padded(Picture(1, width, height), 6<<20)},
		{"with a normal picture afterwards", k.picture(1)},
	} {
		if err := k.takes(ctx, p, c.jpeg); err != nil {
			return "", fmt.Errorf("%s: %w", c.what, err)
		}
	}
	return "", nil
}

// takes gives a picture to each role. An answer is enough, if it is one of the
// author: that a message is too large is not.
func (k *kit) takes(ctx context.Context, p *launch.Process, jpeg []byte) error {
	if k.notifies() {
		a := k.alert(pluginpb.Phase_PHASE_TEST)
		a.Event.Jpeg = jpeg
		if _, err := k.notify(ctx, p, a); err != nil {
			return err
		}
	}
	if k.has(pluginpb.Role_ROLE_DETECTOR) {
		_, err := k.detect(ctx, p, CameraID, jpeg)
		if code := status.Code(errors.Unwrap(err)); err != nil && code != codes.Unknown && code != codes.InvalidArgument {
			return err
		}
	}
	if k.has(pluginpb.Role_ROLE_SINK) {
		return k.delivers(ctx, p, eventWith(k.events, pluginpb.Phase_PHASE_BEGIN, jpeg))
	}
	return nil
}

const cancelledCalls = 4

func (k *kit) cancelled(ctx context.Context) (string, error) {
	p, err := k.plugin(ctx)
	if err != nil {
		return "", err
	}
	if !k.reaches() {
		return "", skipped("no setting leads to the test's server, so it cannot be made slow")
	}
	if !k.notifies() && !k.has(pluginpb.Role_ROLE_DETECTOR) {
		return "", skipped("neither notifier nor detector")
	}
	k.upstream.Answer(AnswerSlow)
	for n := range cancelledCalls {
		if err := k.cancelOne(ctx, p, n); err != nil {
			return "", err
		}
	}
	short, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	if _, err := p.Plugin().Check(short, &pluginpb.CheckRequest{Alive: true}); err != nil {
		return "", fmt.Errorf("after %d cancelled calls, Check: %w", cancelledCalls, err)
	}
	// The cancelled ones still have no answer, and the next one gets through.
	if err := k.cancelOne(ctx, p, cancelledCalls); err != nil {
		return "", fmt.Errorf("after %d cancelled calls: %w", cancelledCalls, err)
	}
	return "", nil
}

// cancelOne makes a call, waits until it is at the upstream, which is slow, and
// cancels it. It must come back within a second.
func (k *kit) cancelOne(ctx context.Context, p *launch.Process, n int) error {
	ctx, cancel := context.WithTimeout(ctx, notifyTime)
	defer cancel()
	before, done := len(k.upstream.Messages()), make(chan error, 1)
	go func() {
		if k.notifies() {
			_, err := p.Notifier().Notify(ctx, TestAlert(n, pluginpb.Phase_PHASE_BEGIN))
			done <- err
			return
		}
		_, err := p.Detector().Detect(ctx, &pluginpb.DetectRequest{
			Camera: fmt.Sprint("camera", n), Jpeg: k.picture(n), Width: width, Height: height,
		})
		done <- err
	}()
	at, stop := context.WithTimeout(ctx, arriveTime)
	defer stop()
	if err := arrivedSince(at, k.upstream, before, nil); err != nil {
		return fmt.Errorf("a call did not reach the upstream: %w", err)
	}
	cancel()
	select {
	case err := <-done:
		if err == nil {
			return errors.New("a call without an answer from upstream succeeded")
		}
		k.hear(err.Error())
		return nil
	case <-time.After(time.Second):
		return errors.New("a cancelled call did not return within 1 s")
	}
}

func (k *kit) outcomes(ctx context.Context) (string, error) {
	p, err := k.plugin(ctx)
	if err != nil {
		return "", err
	}
	if !k.notifies() {
		return "", skipped("no notifier")
	}
	if !k.reaches() {
		return "", skipped("no setting leads to the test's server")
	}
	for _, c := range []struct {
		answer Answer
		want   pluginpb.Outcome
		what   string
	}{
		{AnswerBroken, pluginpb.Outcome_OUTCOME_RETRY, "500"},
		{AnswerDenied, pluginpb.Outcome_OUTCOME_REJECTED, "401"},
	} {
		k.upstream.Answer(c.answer)
		r, err := k.notify(ctx, p, k.alert(pluginpb.Phase_PHASE_BEGIN))
		if err != nil {
			return "", fmt.Errorf("upstream %s: %w", c.what, err)
		}
		if r.GetOutcome() != c.want || r.GetMessage() == "" {
			return "", fmt.Errorf("upstream %s: %s with the message %q, not %s with a sentence", c.what, r.GetOutcome(), r.GetMessage(), c.want)
		}
	}
	return "", nil
}

func (k *kit) eight(ctx context.Context) (string, error) {
	p, err := k.plugin(ctx)
	if err != nil {
		return "", err
	}
	if !k.notifies() && !k.has(pluginpb.Role_ROLE_DETECTOR) {
		return "", skipped("neither notifier nor detector")
	}
	const many = 8
	before := len(k.upstream.Messages())
	if k.notifies() && k.reaches() {
		k.upstream.Answer(AnswerSlow) // so that they really are at once
	}
	var alerts [many]*pluginpb.Alert
	var errs [many]error
	var wg sync.WaitGroup
	for n := range many {
		alerts[n] = k.alert(pluginpb.Phase_PHASE_BEGIN)
		wg.Go(func() { errs[n] = k.one(ctx, p, alerts[n], n) })
	}
	k.gather(before + many)
	k.upstream.Answer(AnswerOK)
	wg.Wait()
	if err := errors.Join(errs[:]...); err != nil {
		return "", err
	}
	if !k.notifies() || !k.reaches() {
		return "", nil
	}
	short, cancel := context.WithTimeout(ctx, arriveTime)
	defer cancel()
	for _, a := range alerts {
		if err := arrivedSince(short, k.upstream, before, []byte(a.GetTitle())); err != nil {
			return "", fmt.Errorf("one of eight at once: %w", err)
		}
	}
	return "", nil
}

// gather waits until n messages are at the upstream. A plugin may send one after
// the other: then it waits in vain, for a moment.
func (k *kit) gather(n int) {
	tick, end := time.NewTicker(2*time.Millisecond), time.After(500*time.Millisecond)
	defer tick.Stop()
	for k.notifies() && k.reaches() && len(k.upstream.Messages()) < n {
		select {
		case <-tick.C:
		case <-end:
			return
		}
	}
}

func (k *kit) one(ctx context.Context, p *launch.Process, a *pluginpb.Alert, n int) error {
	if k.notifies() {
		_, err := k.delivered(ctx, p, a)
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, notifyTime)
	defer cancel()
	_, err := p.Detector().Detect(ctx, &pluginpb.DetectRequest{Camera: fmt.Sprint("camera", n), Jpeg: k.picture(n), Width: width, Height: height})
	return err
}

func (k *kit) updates(ctx context.Context) (string, error) {
	p, err := k.plugin(ctx)
	if err != nil {
		return "", err
	}
	if !k.notifies() {
		return "", skipped("no notifier")
	}
	first := k.alert(pluginpb.Phase_PHASE_BEGIN)
	handle := ""
	for _, phase := range []pluginpb.Phase{pluginpb.Phase_PHASE_BEGIN, pluginpb.Phase_PHASE_UPDATE, pluginpb.Phase_PHASE_END} {
		a := TestAlert(k.events, phase)
		a.Title, a.Event.Id, a.Handle = first.GetTitle(), first.GetEvent().GetId(), handle
		r, err := k.delivered(ctx, p, a)
		if err != nil {
			return "", fmt.Errorf("%s: %w", phase, err)
		}
		if len(r.GetHandle()) > 1024 {
			return "", fmt.Errorf("its handle has %d bytes, more than 1024", len(r.GetHandle()))
		}
		if handle = r.GetHandle(); k.desc.GetNotifier().GetCanEdit() && handle == "" {
			return "", fmt.Errorf("it can edit, but %s has no handle in its receipt", phase)
		}
	}
	// A handle that is none, from another life of the plugin.
	a := k.alert(pluginpb.Phase_PHASE_UPDATE)
	a.Handle = "no such handle"
	_, err = k.notify(ctx, p, a)
	return "", err
}

const (
	overlaps   = 10
	longEnough = 100 * time.Millisecond // a detection of that length cannot be missed by the second of ten
)

func (k *kit) busy(ctx context.Context) (string, error) {
	p, err := k.plugin(ctx)
	if err != nil {
		return "", err
	}
	if !k.has(pluginpb.Role_ROLE_DETECTOR) {
		return "", skipped("no detector")
	}
	alone := time.Hour
	for range 3 { // the shortest is the one that nothing else held up
		begin := time.Now()
		out, err := k.detect(ctx, p, CameraID, k.picture(0))
		if err != nil {
			return "", err
		}
		if out.GetBusy() {
			return "", errors.New("a Detect after the end of another was answered with busy")
		}
		alone = min(alone, time.Since(begin))
	}
	busy, err := k.overlap(ctx, p)
	switch {
	case err != nil:
		return "", err
	case busy == overlaps:
		return "", errors.New("all were answered with busy")
	case busy == 0 && alone > longEnough:
		return "", fmt.Errorf("%d calls for one camera at once were all done, none was answered with busy: they pile up", overlaps)
	case busy == 0:
		return "", skipped("it is too fast for two calls to overlap")
	}
	return fmt.Sprintf("%d of %d", busy, overlaps), nil
}

// overlap calls Detect for one camera many times at once, and counts what was
// answered with busy.
func (k *kit) overlap(ctx context.Context, p *launch.Process) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, notifyTime)
	defer cancel()
	var errs [overlaps]error
	var busy atomic.Int64
	var wg sync.WaitGroup
	for n := range overlaps {
		wg.Go(func() {
			in := &pluginpb.DetectRequest{Camera: CameraID, Sequence: uint64(n), Jpeg: k.picture(0), Width: width, Height: height}
			out, err := p.Detector().Detect(ctx, in)
			if errs[n] = err; out.GetBusy() {
				busy.Add(1)
			}
		})
	}
	wg.Wait()
	return int(busy.Load()), errors.Join(errs[:]...)
}

func (k *kit) boxes(ctx context.Context) (string, error) {
	p, err := k.plugin(ctx)
	if err != nil {
		return "", err
	}
	if !k.has(pluginpb.Role_ROLE_DETECTOR) {
		return "", skipped("no detector")
	}
	found := 0
	for n := range max(4, len(k.target.Pictures)) {
		out, err := k.detect(ctx, p, CameraID, k.picture(n))
		if err != nil {
			return "", err
		}
		for _, d := range out.GetDetections() {
			found++
			if problem := judgeDetection(d, k.desc.GetDetector().GetLabels()); problem != "" {
				return "", errors.New(problem)
			}
		}
	}
	if found == 0 {
		return "", skipped("nothing was found in the test's pictures")
	}
	return fmt.Sprintf("%d things", found), nil
}

// judgeDetection allows for what computing with boxes rounds.
func judgeDetection(d *pluginpb.Detection, labels []string) string {
	const slack = 1e-6
	b := d.GetBox()
	in := func(v float64) bool { return v >= -slack && v <= 1+slack }
	known := len(labels) == 0
	for _, l := range labels {
		known = known || l == d.GetLabel()
	}
	switch {
	case d.GetLabel() == "":
		return "a thing has no label"
	case !known:
		return fmt.Sprintf("the label %q is not among those declared", d.GetLabel())
	case !in(d.GetScore()):
		return fmt.Sprintf("the score %v is not in 0 to 1", d.GetScore())
	case !in(b.GetX()) || !in(b.GetY()) || !in(b.GetX()+b.GetW()) || !in(b.GetY()+b.GetH()) || !(b.GetW() > 0) || !(b.GetH() > 0):
		return fmt.Sprintf("the box %v is not inside 0 to 1", b)
	}
	return ""
}

func (k *kit) secret(ctx context.Context) (string, error) {
	if k.desc == nil {
		return "", k.broken
	}
	if len(k.secrets) == 0 {
		return "", skipped("it has no secrets")
	}
	if err := k.provoke(ctx); err != nil {
		return "", err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, text := range k.texts {
		if name := k.told(text); name != "" {
			return "", fmt.Errorf("the value of %q is in what it wrote to stderr or answered: %.100s", name, bytes.ReplaceAll([]byte(text), []byte(k.secrets[name]), []byte("***")))
		}
	}
	return fmt.Sprintf("%d texts", len(k.texts)), nil
}

// provoke makes it speak of its secrets: everything fails, one after the other.
func (k *kit) provoke(ctx context.Context) error {
	p, err := k.plugin(ctx)
	if err != nil {
		return err
	}
	for _, answer := range []Answer{AnswerBroken, AnswerDenied} {
		k.upstream.Answer(answer)
		if k.notifies() {
			_, _ = k.notify(ctx, p, k.alert(pluginpb.Phase_PHASE_BEGIN)) // its text is heard
		}
		if k.has(pluginpb.Role_ROLE_DETECTOR) {
			_, _ = k.detect(ctx, p, CameraID, k.picture(0))
		}
		short, cancel := context.WithTimeout(ctx, checkTime)
		out, err := p.Plugin().Check(short, &pluginpb.CheckRequest{})
		cancel()
		k.hear(fmt.Sprint(out.GetMessage(), err))
	}
	bad := with(k.settings, "no_such_setting", "x")
	_, err = k.configure(ctx, p, bad, k.secrets)
	k.stop(time.Second) // now all its lines are here
	return err
}
