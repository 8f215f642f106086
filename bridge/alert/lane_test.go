package alert

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge"
)

// times lists how long after begin each call came.
func (p *post) times(begin time.Time) []time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	var out []time.Duration
	for _, c := range p.calls {
		out = append(out, c.at.Sub(begin))
	}
	return out
}

// always answers every call with err.
func always(err error) func(context.Context, string, bridge.Alert) (bridge.Receipt, error) {
	return func(context.Context, string, bridge.Alert) (bridge.Receipt, error) { return bridge.Receipt{}, err }
}

func TestRetries(t *testing.T) {
	denied := bridge.Errorf(bridge.CodeDenied, "the token is wrong")
	gone := bridge.Errorf(bridge.CodeUnavailable, "the plugin stopped")
	for _, tt := range []struct {
		name   string
		err    error
		at     []time.Duration
		reason string
		tries  int
	}{
		{"later", errLater, []time.Duration{0, time.Second, 11 * time.Second, 71 * time.Second}, "4 attempts failed, the last one so: the service is overloaded", 4},
		{"unknown", errors.New("no\nidea"), []time.Duration{0, time.Second, 11 * time.Second, 71 * time.Second}, "4 attempts failed, the last one so: no idea", 4},
		{"asks for time", &bridge.RetryError{After: 30 * time.Second, Err: errors.New("429")}, []time.Duration{0, 30 * time.Second, 60 * time.Second, 120 * time.Second}, "4 attempts failed, the last one so: 429", 4},
		{"asks for too much", &bridge.RetryError{After: time.Hour, Err: errors.New("429")}, []time.Duration{0}, "429, and it may be tried again only in 1h0m0s, when it is too old", 1},
		{"rejected", denied, []time.Duration{0}, "the token is wrong", 1},
		{"rejected, says a wrapper", fmt.Errorf("phone: %w", denied), []time.Duration{0}, "phone: the token is wrong", 1},
		{"rejected, but only for now", &bridge.RetryError{Err: denied}, []time.Duration{0, time.Second, 11 * time.Second, 71 * time.Second}, "4 attempts failed, the last one so: the token is wrong", 4},
		{"crashes", gone, []time.Duration{0, time.Second, 11 * time.Second}, "phone stopped 3 times while it was being sent: the plugin stopped", 3},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := begin(t, "", phones(Route{}))
				r.post.answers(always(tt.err))
				e := happens("porch")
				r.hear(e)
				time.Sleep(20 * time.Minute)
				if got := r.post.times(e.Begin); !slices.Equal(got, tt.at) {
					t.Errorf("tried at %v, want %v", got, tt.at)
				}
				list := r.wantFailed(tt.reason)
				if f := list[0]; f.Attempts != tt.tries || f.Instance != "phone" || f.Route != "r" || f.Event != e.ID || f.Camera != "porch" || f.Phase != "begin" || f.Title == "" || f.At.IsZero() {
					t.Errorf("listed as %+v", f)
				}
				if got := r.post.last(t).Attempt; got != tt.tries {
					t.Errorf("the last attempt has the number %d", got)
				}
				s := r.alerts.Stats().Instances[1]
				if s.Instance != "phone" || s.Failed != 1 || s.Sent != 0 || s.Queued != 0 || r.alerts.Stats().Dead != 1 {
					t.Errorf("figures are %+v", s)
				}
			})
		})
	}
}

// TestSucceedsLater: words and picture are those of the first attempt.
func TestSucceedsLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := begin(t, "", phones(Route{Picture: true}))
		r.post.answers(always(errLater))
		e := happens("porch")
		r.hear(e)
		r.post.answers(nil)
		time.Sleep(time.Second)
		r.wantTold("phone begin porch", "phone begin porch")
		first, second := r.post.all()[0], r.post.all()[1]
		if second.Attempt != 2 || second.Text != first.Text || string(second.Event.Picture.JPEG()) != string(e.Picture.JPEG()) {
			t.Errorf("the second attempt is %+v", second)
		}
		r.wantFailed()
		if s := r.alerts.Stats().Instances[1]; s.Sent != 1 || s.Retried != 1 || s.Failed != 0 {
			t.Errorf("figures are %+v", s)
		}
	})
}

// TestServiceWantsSilence: what a service asks for holds for all its alerts, and
// for no other instance.
func TestServiceWantsSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := begin(t, "", Config{Routes: []Route{{Name: "r", To: []string{"phone", "mail"}}}})
		r.post.answers(func(_ context.Context, instance string, a bridge.Alert) (bridge.Receipt, error) {
			if instance == "phone" && a.Attempt == 1 && a.Event.Camera == "porch" {
				return bridge.Receipt{}, &bridge.RetryError{After: 20 * time.Second, Err: errors.New("429")}
			}
			return bridge.Receipt{}, nil
		})
		start := time.Now()
		r.hear(happens("porch"))
		time.Sleep(time.Second)
		r.hear(happens("yard"))
		time.Sleep(time.Minute)
		for _, c := range r.post.all()[1:] {
			at, want := c.at.Sub(start), 20*time.Second
			if c.instance == "mail" {
				want = 0
				if c.Event.Camera == "yard" {
					want = time.Second
				}
			}
			if c.instance == "phone" && c.Attempt == 1 && c.Event.Camera == "porch" {
				want = 0
			}
			if at != want {
				t.Errorf("%s was told of %s at %v, want %v", c.instance, c.Event.Camera, at, want)
			}
		}
	})
}

// TestOvertakes: an alert that has to wait delays no other event, but the later
// phases of its own.
func TestOvertakes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := begin(t, "", phones(Route{Phases: allPhases}))
		r.post.answers(func(_ context.Context, _ string, a bridge.Alert) (bridge.Receipt, error) {
			if a.Event.Camera == "porch" && a.Phase == bridge.PhaseBegin && a.Attempt == 1 {
				return bridge.Receipt{}, &bridge.RetryError{Err: errors.New("not this one")}
			}
			return bridge.Receipt{}, nil
		})
		e := happens("porch")
		r.hear(e, happens("yard"))
		r.hear(over(e))
		time.Sleep(time.Second)
		r.wantTold("phone begin porch", "phone begin yard", "phone begin porch", "phone end porch")
	})
}

// TestOneAtATime: a slow call keeps its own instance busy, and no other.
func TestOneAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := begin(t, "", Config{Routes: []Route{{Name: "r", To: []string{"phone", "mail"}}}})
		going := 0
		r.post.answers(func(_ context.Context, instance string, _ bridge.Alert) (bridge.Receipt, error) {
			if instance == "phone" {
				if going++; going > 1 {
					t.Error("two calls at once")
				}
				time.Sleep(10 * time.Second)
				going--
			}
			return bridge.Receipt{}, nil
		})
		start := time.Now()
		r.hear(happens("a"), happens("bb"), happens("ccc"))
		time.Sleep(time.Minute)
		var mail, phone []time.Duration
		for _, c := range r.post.all() {
			if c.instance == "mail" {
				mail = append(mail, c.at.Sub(start))
			} else {
				phone = append(phone, c.at.Sub(start))
			}
		}
		if !slices.Equal(mail, []time.Duration{0, 0, 0}) || !slices.Equal(phone, []time.Duration{0, 10 * time.Second, 20 * time.Second}) {
			t.Errorf("mail at %v, phone at %v", mail, phone)
		}
	})
}

// TestRestartOfPlugin: what comes while a plugin starts again is sent when it
// takes work, in order, with no attempt lost.
func TestRestartOfPlugin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := begin(t, "", phones(Route{Phases: allPhases, Picture: true}))
		start := r.post.stop("phone")
		e := happens("porch")
		r.hear(e)
		for n := range 3 {
			time.Sleep(time.Minute)
			e.Picture = picture("porch", uint64(n+2))
			r.hear(e)
		}
		r.wantTold()
		r.hear(happens("yard"))
		start()
		r.wantTold("phone begin porch", "phone update porch", "phone begin yard")
		for _, c := range r.post.all() {
			if c.Attempt != 1 || c.Phase == bridge.PhaseUpdate && c.Event.Picture.Seq != 4 {
				t.Errorf("sent %+v", c)
			}
		}
		if s := r.alerts.Stats().Instances[1]; s.Replaced != 2 || s.Sent != 3 {
			t.Errorf("figures are %+v", s)
		}
	})
}

// TestEndTakesPlaceOfUpdate: begin and end stay, in order; the update between is
// no news any more.
func TestEndTakesPlaceOfUpdate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := begin(t, "", phones(Route{Phases: allPhases}))
		start := r.post.stop("phone")
		e := happens("porch")
		r.hear(e)
		e.Zones = []string{"door"}
		r.hear(e, over(e))
		start()
		r.wantTold("phone begin porch", "phone end porch")
	})
}

// TestNewerUpdateWhileOneFails: the old one is not tried again, and the new one
// not sooner than the old one would have been.
func TestNewerUpdateWhileOneFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := begin(t, "", phones(Route{Phases: allPhases}))
		r.post.answers(func(_ context.Context, _ string, a bridge.Alert) (bridge.Receipt, error) {
			if len(a.Event.Zones) == 1 {
				time.Sleep(3 * time.Second)
				return bridge.Receipt{}, errLater
			}
			return bridge.Receipt{}, nil
		})
		e := happens("porch")
		r.hear(e)
		e.Zones = []string{"a"}
		r.hear(e)
		time.Sleep(time.Second)
		e.Zones = []string{"a", "b"}
		r.hear(e)
		e.Zones = []string{"a", "b", "c"}
		r.hear(e)
		time.Sleep(time.Minute)
		r.wantTold("phone begin porch", "phone update porch", "phone update porch")
		if last := r.post.last(t); len(last.Event.Zones) != 3 || last.Attempt != 1 || last.at.Sub(e.Begin) != 4*time.Second {
			t.Errorf("the last is %+v", last)
		}
	})
}

func TestExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := begin(t, "", phones(Route{}))
		start := r.post.stop("phone")
		r.hear(happens("porch"))
		time.Sleep(10*time.Minute - time.Second)
		r.hear(happens("yard"))
		r.wantFailed()
		time.Sleep(time.Second)
		r.wantFailed("it could not be sent within 10m: phone is starting again")
		start()
		r.wantTold("phone begin yard")
	})
}

// TestAwaitFailsAtOnce: a notifier that does not even wait is not asked all the
// time.
func TestAwaitFailsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		r := begin(t, "", phones(Route{}))
		r.end()
		r.alerts.deps.Notifier = nobody{&asked}
		l := r.alerts.lanes["phone"]
		ctx, cancel := context.WithTimeout(t.Context(), 11*time.Minute)
		defer cancel()
		l.put(&letter{ID: "1", Instance: "phone", Expires: time.Now().Add(10 * time.Minute)})
		l.run(ctx)
		if asked < 500 || asked > 601 {
			t.Errorf("asked %d times in 10 minutes", asked)
		}
		r.wantFailed("it could not be sent within 10m: there is no such instance")
	})
}

type nobody struct{ asked *int }

func (n nobody) Await(context.Context, string) error {
	*n.asked++
	return bridge.Errorf(bridge.CodeNotFound, "there is no such instance")
}

func (n nobody) Notify(context.Context, string, bridge.Alert) (bridge.Receipt, error) {
	return bridge.Receipt{}, nil
}

func TestQueueIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := phones(Route{Phases: allPhases})
		cfg.Queue = 4
		r := begin(t, "", cfg)
		start := r.post.stop("phone")
		e := happens("porch")
		r.hear(e)
		e.Zones = []string{"door"}
		r.hear(e, happens("b2"), happens("c33")) // 4 wait
		r.wantFailed()
		r.hear(happens("d444"))  // the update goes
		r.hear(happens("e5555")) // the oldest goes
		list := r.wantFailed("4 newer alerts waited for phone", "4 newer alerts waited for phone")
		if list[0].Phase != "begin" || list[0].Camera != "porch" || list[1].Phase != "update" {
			t.Errorf("given up: %+v", list)
		}
		start()
		r.wantTold("phone begin b2", "phone begin c33", "phone begin d444", "phone begin e5555")
		if s := r.alerts.Stats().Instances[1]; s.Dropped != 2 || s.Sent != 4 {
			t.Errorf("figures are %+v", s)
		}
	})
}

// TestHandles: later messages of an event carry what the notifier called the
// first one.
func TestHandles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := begin(t, "", phones(Route{Phases: allPhases}))
		r.post.answers(func(_ context.Context, _ string, a bridge.Alert) (bridge.Receipt, error) {
			if a.Phase == bridge.PhaseUpdate {
				return bridge.Receipt{}, nil // names nothing: the old handle holds
			}
			return bridge.Receipt{Handle: "message of " + a.Event.Camera}, nil
		})
		e, other := happens("porch"), happens("yard")
		r.hear(e, other)
		e.Zones = []string{"door"}
		r.hear(e, over(e))
		got := []string{}
		for _, c := range r.post.all() {
			got = append(got, c.Handle)
		}
		if want := []string{"", "", "message of porch", "message of porch"}; !slices.Equal(got, want) {
			t.Errorf("handles %q, want %q", got, want)
		}
		l := r.alerts.lanes["phone"]
		l.mu.Lock()
		defer l.mu.Unlock()
		if len(l.receipts) != 1 {
			t.Errorf("%d receipts are kept, want that of the event that goes on", len(l.receipts))
		}
	})
}

func TestReceiptsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := begin(t, "", phones(Route{Phases: []bridge.Phase{"begin", "update"}}))
		for range maxReceipts + 20 {
			r.hear(over(happens("porch")))
			time.Sleep(time.Second)
		}
		l := r.alerts.lanes["phone"]
		l.mu.Lock()
		n := len(l.receipts)
		l.mu.Unlock()
		if n != maxReceipts {
			t.Errorf("%d receipts are kept", n)
		}
		all, err := r.alerts.ledger.table.All()
		if err != nil || len(all) != maxReceipts {
			t.Errorf("%d records in the store, %v", len(all), err)
		}
	})
}

func TestDeadLetters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := phones(Route{Picture: true})
		cfg.Dead = 3
		r := begin(t, "", cfg)
		r.post.answers(always(bridge.Errorf(bridge.CodeDenied, "no\x00%s", strings.Repeat("x", 1000))))
		var events []bridge.Event
		for _, c := range []string{"a", "bb", "ccc", "dddd"} {
			e := happens(c)
			r.shelf.pictures[e.ID] = e.Picture.JPEG()
			events = append(events, e)
			r.hear(e)
		}
		list := r.alerts.Failed()
		if len(list) != 3 || list[0].Camera != "dddd" || list[2].Camera != "bb" || len([]rune(list[0].Reason)) != 300 || strings.ContainsRune(list[0].Reason, 0) {
			t.Fatalf("listed %+v", list)
		}

		// They survive a restart, and so does what people did with them.
		r.end()
		r = begin(t, r.dir, cfg)
		r.shelf.pictures[events[2].ID] = events[2].Picture.JPEG()
		if got := r.alerts.Failed(); !slices.Equal(got, list) {
			t.Errorf("after a restart\n%+v\nwant\n%+v", got, list)
		}
		if err := r.alerts.Dismiss(list[0].ID); err != nil {
			t.Error(err)
		}
		if err := r.alerts.Retry(list[1].ID); err != nil {
			t.Error(err)
		}
		r.wantTold("phone begin ccc")
		if last := r.post.last(t); last.Attempt != 1 || last.Title != list[1].Title || string(last.Event.Picture.JPEG()) != string(events[2].Picture.JPEG()) || last.Event.Picture.Width != 16 {
			t.Errorf("sent again as %+v", last)
		}
		for _, do := range []func(string) error{r.alerts.Retry, r.alerts.Dismiss} {
			if err := do(list[0].ID); bridge.CodeOf(err) != bridge.CodeNotFound {
				t.Errorf("got %v", err)
			}
		}
		r.end()
		cfg.Instances = []string{"mail"}
		r = begin(t, r.dir, cfg)
		if got := r.alerts.Failed(); !slices.Equal(got, list[2:]) {
			t.Errorf("left are %+v", got)
		}
		if err := r.alerts.Retry(list[2].ID); bridge.CodeOf(err) != bridge.CodeNotFound || len(r.alerts.Failed()) != 1 {
			t.Errorf("an instance that is gone: %v", err)
		}
	})
}

// TestDiskFails: people are told all the same, and the log says it once.
func TestDiskFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := begin(t, "", phones(Route{}))
		synctest.Wait()
		if err := r.store.Close(); err != nil {
			t.Fatal(err)
		}
		r.hear(happens("porch"), happens("yard"))
		time.Sleep(time.Minute)
		r.wantTold("phone begin porch", "phone begin yard")
		r.end()
		if n := strings.Count(r.log.String(), "alerts cannot be saved"); n != 1 {
			t.Errorf("said %d times that nothing can be saved:\n%s", n, r.log)
		}
	})
}

// TestStopWaits: a call that is under way may finish, within bounds.
func TestStopWaits(t *testing.T) {
	for took, told := range map[time.Duration]bool{4 * time.Second: true, time.Hour: false} {
		synctest.Test(t, func(t *testing.T) {
			r := begin(t, "", phones(Route{}))
			r.post.answers(func(ctx context.Context, _ string, _ bridge.Alert) (bridge.Receipt, error) {
				select {
				case <-time.After(took):
					return bridge.Receipt{}, nil
				case <-ctx.Done():
					return bridge.Receipt{}, bridge.Errorf(bridge.CodeUnavailable, "cut off")
				}
			})
			r.hear(happens("porch"))
			start := time.Now()
			r.end()
			if d := time.Since(start); d > 5*time.Second {
				t.Errorf("stopped after %v", d)
			}
			r = begin(t, r.dir, phones(Route{}))
			if told {
				r.wantFailed()
			} else {
				r.wantFailed("the bridge stopped while it was being sent, so it may have arrived")
			}
			r.wantTold()
		})
	}
}
