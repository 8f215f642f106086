package sdk

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/espcam-bridge/espcam-bridge/plugins/pluginpb"
)

type keys struct {
	Key string `json:"key" sdk:"secret"`
	N   int    `json:"n"`
}

// serviceOf makes a configured service in this process, and its log.
func serviceOf(t *testing.T, p Plugin[keys]) (*service, *bytes.Buffer) {
	t.Helper()
	p.Name, p.Version = "test", "1.0.0"
	prog, err := compile(p)
	if err != nil {
		t.Fatal(err)
	}
	log, redact := &bytes.Buffer{}, &redactor{}
	s := newService(t.Context(), prog, newLog(log, &slog.LevelVar{}, redact), redact)
	configure(t, s, 1)
	return s, log
}

func configure(t *testing.T, s *service, n int) {
	t.Helper()
	out, err := s.Configure(t.Context(), &pluginpb.ConfigureRequest{
		SettingsJson: fmt.Appendf(nil, `{"n":%d}`, n), Secrets: map[string]string{"key": "hunter 22"},
	})
	if err != nil || len(out.GetProblems()) > 0 {
		t.Fatal(out, err)
	}
}

func notifier(f func(context.Context, *keys, Alert) (Receipt, error)) Plugin[keys] {
	return Plugin[keys]{Notify: f}
}

func TestOutcomes(t *testing.T) {
	broken := errors.New("broken with hunter 22")
	for name, c := range map[string]struct {
		err  error
		want *pluginpb.Receipt
	}{
		"nil":    {nil, &pluginpb.Receipt{Outcome: pluginpb.Outcome_OUTCOME_DELIVERED, Handle: "h", Message: "sent with ***"}},
		"plain":  {broken, &pluginpb.Receipt{Outcome: pluginpb.Outcome_OUTCOME_RETRY, Handle: "h", Message: "broken with ***"}},
		"retry":  {fmt.Errorf("x: %w", Retry(90*time.Second, broken)), &pluginpb.Receipt{Outcome: pluginpb.Outcome_OUTCOME_RETRY, RetryAfterMs: 90000, Handle: "h", Message: "x: broken with ***"}},
		"long":   {Retry(999*time.Hour, broken), &pluginpb.Receipt{Outcome: pluginpb.Outcome_OUTCOME_RETRY, RetryAfterMs: 3600000, Handle: "h", Message: "broken with ***"}},
		"reject": {fmt.Errorf("x: %w", Reject(broken)), &pluginpb.Receipt{Outcome: pluginpb.Outcome_OUTCOME_REJECTED, Handle: "h", Message: "x: broken with ***"}},
		"status": {status.Error(codes.Unavailable, "of something else"), &pluginpb.Receipt{Outcome: pluginpb.Outcome_OUTCOME_RETRY, Handle: "h", Message: "rpc error: code = Unavailable desc = of something else"}},
	} {
		s, _ := serviceOf(t, notifier(func(context.Context, *keys, Alert) (Receipt, error) {
			return Receipt{Handle: "h", Message: "sent with hunter 22"}, c.err
		}))
		got, err := s.Notify(t.Context(), &pluginpb.Alert{})
		if err != nil || got.String() != c.want.String() {
			t.Errorf("%s: %v %v, want %v", name, got, err, c.want)
		}
	}
}

func TestTextsAreFitForTheWire(t *testing.T) {
	s, log := serviceOf(t, notifier(func(context.Context, *keys, Alert) (Receipt, error) {
		return Receipt{Handle: strings.Repeat("h", maxHandle+1), Message: "\xff"}, nil
	}))
	got, err := s.Notify(t.Context(), &pluginpb.Alert{})
	if err != nil || got.GetHandle() != "" || got.GetMessage() != "?" || !strings.Contains(log.String(), "too long") {
		t.Error(got, err, log)
	}
}

func TestPanicIsAnErrorOfThatCall(t *testing.T) {
	s, log := serviceOf(t, notifier(func(_ context.Context, s *keys, _ Alert) (Receipt, error) { panic("over " + s.Key) }))
	_, err := s.Notify(t.Context(), &pluginpb.Alert{})
	if status.Code(err) != codes.Internal || status.Convert(err).Message() != "the plugin panicked: over ***" {
		t.Error(err)
	}
	var line struct{ Level, Msg, Err, Stack string }
	if err := json.Unmarshal(log.Bytes(), &line); err != nil {
		t.Fatal(err)
	}
	if line.Level != "error" || line.Err != "over ***" || !strings.Contains(line.Stack, "service_test.go") {
		t.Errorf("%+v", line)
	}
}

func TestCancelledCallOfADeafFunction(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		let := make(chan struct{})
		s, _ := serviceOf(t, notifier(func(context.Context, *keys, Alert) (Receipt, error) {
			<-let
			return Receipt{}, nil
		}))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		begin := time.Now()
		_, err := s.Notify(ctx, &pluginpb.Alert{})
		if status.Code(err) != codes.DeadlineExceeded || time.Since(begin) != time.Second {
			t.Error(err, time.Since(begin))
		}
		close(let)
		<-s.calls.stop()
	})
}

func TestNeverMoreThanMaxCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		let := make(chan struct{})
		s, _ := serviceOf(t, notifier(func(context.Context, *keys, Alert) (Receipt, error) {
			<-let
			return Receipt{}, nil
		}))
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		for range maxCalls { // all of these go on although nobody waits
			if _, err := s.Notify(ctx, &pluginpb.Alert{}); status.Code(err) != codes.Canceled {
				t.Fatal(err)
			}
		}
		if _, err := s.Notify(t.Context(), &pluginpb.Alert{}); status.Code(err) != codes.ResourceExhausted {
			t.Error(err)
		}
		close(let)
		synctest.Wait()
		if _, err := s.Notify(t.Context(), &pluginpb.Alert{}); err != nil {
			t.Error(err)
		}
	})
}

func TestNotConfigured(t *testing.T) {
	s, _ := serviceOf(t, notifier(nil2))
	s.current.Store(nil)
	if _, err := s.Notify(t.Context(), &pluginpb.Alert{}); status.Code(err) != codes.FailedPrecondition {
		t.Error(err)
	}
	if out, err := s.Check(t.Context(), &pluginpb.CheckRequest{}); err != nil || !out.GetDegraded() {
		t.Error(out, err)
	}
}

func nil2(context.Context, *keys, Alert) (Receipt, error) { return Receipt{}, nil }

// TestSettingsOfACallStay: a call under way keeps its settings; run with -race.
func TestSettingsOfACallStay(t *testing.T) {
	s, _ := serviceOf(t, notifier(func(_ context.Context, s *keys, _ Alert) (Receipt, error) {
		before := s.N
		for range 100 {
			if s.N != before {
				return Receipt{}, Reject(errors.New("they changed"))
			}
		}
		return Receipt{}, nil
	}))
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				if out, err := s.Notify(t.Context(), &pluginpb.Alert{}); err != nil || out.GetOutcome() != pluginpb.Outcome_OUTCOME_DELIVERED {
					t.Error(out, err)
				}
			}
		})
	}
	for n := range 50 {
		configure(t, s, n)
	}
	wg.Wait()
}

func TestBadSettingsKeepTheOldOnes(t *testing.T) {
	s, _ := serviceOf(t, notifier(func(_ context.Context, s *keys, _ Alert) (Receipt, error) {
		return Receipt{Message: fmt.Sprint(s.N)}, nil
	}))
	out, err := s.Configure(t.Context(), &pluginpb.ConfigureRequest{SettingsJson: []byte(`{"n":"x"}`)})
	if err != nil || len(out.GetProblems()) != 1 {
		t.Fatal(out, err)
	}
	if r, err := s.Notify(t.Context(), &pluginpb.Alert{}); err != nil || r.GetMessage() != "1" {
		t.Error(r, err)
	}
}

func TestValidate(t *testing.T) {
	for name, c := range map[string]struct {
		err  error
		want []string
	}{
		"problem": {Problem("n", "must be odd, not %d", 4), []string{"n must be odd, not 4"}},
		"plain":   {errors.New("bad hunter 22"), []string{" bad ***"}},
		"several": {errors.Join(Problem("n", "a"), fmt.Errorf("x: %w", Problem("key", "b"))), []string{"n a", "key b"}},
	} {
		p := notifier(nil2)
		s, _ := serviceOf(t, p)
		s.program.validate = func(context.Context, any) error { return c.err }
		out, err := s.Configure(t.Context(), &pluginpb.ConfigureRequest{})
		var got []string
		for _, p := range out.GetProblems() {
			got = append(got, p.GetField()+" "+p.GetMessage())
		}
		if err != nil || fmt.Sprint(got) != fmt.Sprint(c.want) {
			t.Errorf("%s: %q %v", name, got, err)
		}
	}
}

func TestDetectOncePerCamera(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		let := make(chan struct{})
		s, _ := serviceOf(t, Plugin[keys]{Detect: func(context.Context, *keys, Picture) ([]Detection, error) {
			<-let
			return nil, nil
		}})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := s.Detect(ctx, &pluginpb.DetectRequest{Camera: "porch"}); status.Code(err) != codes.DeadlineExceeded {
			t.Error(err)
		}
		// The first goes on inside, so the second is not begun ...
		if out, err := s.Detect(t.Context(), &pluginpb.DetectRequest{Camera: "porch"}); err != nil || !out.GetBusy() {
			t.Error(out, err)
		}
		go func() { // ... but another camera's is,
			if out, err := s.Detect(t.Context(), &pluginpb.DetectRequest{Camera: "yard"}); err != nil || out.GetBusy() {
				t.Error(out, err)
			}
		}()
		synctest.Wait()
		close(let)
		synctest.Wait()
		if out, err := s.Detect(t.Context(), &pluginpb.DetectRequest{Camera: "porch"}); err != nil || out.GetBusy() {
			t.Error(out, err) // and it is free when the first has ended
		}
	})
}

func TestDetections(t *testing.T) {
	s, _ := serviceOf(t, Plugin[keys]{
		Detector: DetectorNeeds{Labels: []string{"person", "dog"}},
		Detect: func(context.Context, *keys, Picture) ([]Detection, error) {
			return []Detection{
				{Label: "person", Score: 1.5, Box: Box{X: -0.5, Y: 0.5, W: 1, H: 9}, Track: "7"},
				{Label: "cat", Score: 1, Box: Box{W: 1, H: 1}},
				{Label: "dog", Score: math.NaN(), Box: Box{X: 0.25, Y: 0.25, W: 0.5, H: 0.5}},
				{Label: "dog", Score: 1, Box: Box{X: 2, Y: 2, W: 1, H: 1}},
				{Label: "dog", Score: 1, Box: Box{X: math.NaN(), W: math.NaN(), H: 1}},
			}, nil
		},
	})
	out, err := s.Detect(t.Context(), &pluginpb.DetectRequest{Camera: "a"})
	want := &pluginpb.DetectResponse{Detections: []*pluginpb.Detection{
		{Label: "person", Score: 1, Box: &pluginpb.Box{X: 0, Y: 0.5, W: 0.5, H: 0.5}, TrackId: "7"},
		{Label: "dog", Score: 0, Box: &pluginpb.Box{X: 0.25, Y: 0.25, W: 0.5, H: 0.5}},
	}}
	if err != nil || out.String() != want.String() {
		t.Errorf("%v %v", out, err)
	}
}

func TestDetectErrors(t *testing.T) {
	answer := ErrBusy
	s, _ := serviceOf(t, Plugin[keys]{Detect: func(context.Context, *keys, Picture) ([]Detection, error) { return nil, answer }})
	if out, err := s.Detect(t.Context(), &pluginpb.DetectRequest{}); err != nil || !out.GetBusy() {
		t.Error(out, err)
	}
	answer = errors.New("no model for hunter 22")
	if _, err := s.Detect(t.Context(), &pluginpb.DetectRequest{}); status.Code(err) != codes.Unknown || status.Convert(err).Message() != "no model for ***" {
		t.Error(err)
	}
}

func events(from, to uint64) *pluginpb.DeliverRequest {
	in := &pluginpb.DeliverRequest{}
	for n := from; n <= to; n++ {
		in.Events = append(in.Events, &pluginpb.SinkEvent{Sequence: n, Gap: n % 2, Event: &pluginpb.Event{Id: fmt.Sprint(n)}})
	}
	return in
}

func TestDeliver(t *testing.T) {
	var got []string
	fail := map[string]error{"3": errors.New("disk full"), "5": Reject(errors.New("nonsense"))}
	s, _ := serviceOf(t, Plugin[keys]{Deliver: func(_ context.Context, _ *keys, e Event) error {
		got = append(got, fmt.Sprint(e.ID, "/", e.Gap))
		return fail[e.ID]
	}})
	if out, err := s.Deliver(t.Context(), events(1, 4)); err != nil || out.GetAcked() != 2 {
		t.Error(out, err)
	}
	if out, err := s.Deliver(t.Context(), events(3, 4)); status.Code(err) != codes.Unknown {
		t.Error(out, err) // nothing of it was kept
	}
	delete(fail, "3")
	if out, err := s.Deliver(t.Context(), events(1, 5)); err != nil || out.GetAcked() != 5 {
		t.Error(out, err)
	}
	if want := "[1/1 2/0 3/1 3/1 3/1 4/0 5/1]"; fmt.Sprint(got) != want { // 1 and 2 came once
		t.Errorf("%v, want %s", got, want)
	}
}

func TestCheck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := notifier(nil2)
		let := make(chan struct{})
		p.Check = func(_ context.Context, s *keys) error {
			switch s.N {
			case 1:
				return errors.New("wrong " + s.Key)
			case 2:
				<-let
			}
			return nil
		}
		s, _ := serviceOf(t, p)
		for n, want := range map[int]string{0: "", 1: "wrong ***", 2: "no answer within 4s"} {
			configure(t, s, n)
			if out, err := s.Check(t.Context(), &pluginpb.CheckRequest{}); err != nil || out.GetDegraded() != (want != "") || out.GetMessage() != want {
				t.Error(n, out, err)
			}
			if out, err := s.Check(t.Context(), &pluginpb.CheckRequest{Alive: true}); err != nil || out.GetDegraded() {
				t.Error(n, out, err)
			}
		}
		close(let)
	})
}

func TestStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var story []string
		tell := func(format string, args ...any) {
			mu.Lock()
			defer mu.Unlock()
			story = append(story, fmt.Sprintf(format, args...))
		}
		p := notifier(nil2)
		p.Start = func(ctx context.Context, s *keys) error {
			tell("start %d", s.N)
			if s.N == 3 {
				return errors.New("no " + s.Key)
			}
			<-ctx.Done()
			tell("end %d", s.N)
			return ctx.Err()
		}
		s, _ := serviceOf(t, p)
		synctest.Wait()
		configure(t, s, 2)
		synctest.Wait()
		if out, err := s.Check(t.Context(), &pluginpb.CheckRequest{Alive: true}); err != nil || out.GetDegraded() {
			t.Error(out, err)
		}
		configure(t, s, 3)
		synctest.Wait()
		if out, err := s.Check(t.Context(), &pluginpb.CheckRequest{Alive: true}); err != nil || out.GetMessage() != "no ***" {
			t.Error(out, err)
		}
		configure(t, s, 4)
		synctest.Wait()
		s.drain(t.Context())
		if want := "[start 1 end 1 start 2 end 2 start 3 start 4 end 4]"; fmt.Sprint(story) != want {
			t.Errorf("%v, want %s", story, want)
		}
	})
}

func TestDrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := serviceOf(t, notifier(func(context.Context, *keys, Alert) (Receipt, error) {
			time.Sleep(time.Second)
			return Receipt{}, nil
		}))
		drained := false
		s.drained = func() { drained = true }
		go func() {
			if _, err := s.Notify(t.Context(), &pluginpb.Alert{}); err != nil {
				t.Error("it was under way:", err)
			}
		}()
		synctest.Wait()
		begin := time.Now()
		if _, err := s.Drain(t.Context(), &pluginpb.DrainRequest{WithinMs: 5000}); err != nil || time.Since(begin) != time.Second || !drained {
			t.Error(err, time.Since(begin), drained)
		}
		if _, err := s.Notify(t.Context(), &pluginpb.Alert{}); status.Code(err) != codes.Unavailable {
			t.Error(err)
		}
	})
}

func TestDrainWithin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		let := make(chan struct{})
		s, _ := serviceOf(t, notifier(func(context.Context, *keys, Alert) (Receipt, error) {
			<-let
			return Receipt{}, nil
		}))
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := s.Notify(ctx, &pluginpb.Alert{}); status.Code(err) != codes.Canceled {
			t.Error(err)
		}
		begin := time.Now()
		if _, err := s.Drain(t.Context(), &pluginpb.DrainRequest{WithinMs: 2000}); err != nil || time.Since(begin) != 2*time.Second {
			t.Error(err, time.Since(begin))
		}
		close(let)
	})
}
