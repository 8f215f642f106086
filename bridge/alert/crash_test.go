package alert

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge"
	"github.com/espcam-bridge/espcam-bridge/bridge/store"
)

// after starts Alerts over what a kill at this moment would leave.
func (r *rig) after(cfg Config) *rig {
	r.t.Helper()
	synctest.Wait()
	n := &rig{t: r.t, dir: r.photograph(), post: &post{}, shelf: r.shelf, log: r.log}
	return n.start(cfg)
}

// TestKill stops the bridge in each state of an alert.
func TestKill(t *testing.T) {
	cfg := phones(Route{Picture: true})
	synctest.Test(t, func(t *testing.T) {
		r := begin(t, "", cfg)
		up := r.post.stop("phone")
		e := happens("porch")
		r.shelf.pictures[e.ID] = e.Picture.JPEG()
		r.hear(e)
		time.Sleep(lull)

		// It waits for the plugin: it goes out, with its words and its picture.
		n := r.after(cfg)
		n.wantTold("phone begin porch")
		if last := n.post.last(t); last.Title != "Motion at Camera porch" || string(last.Event.Picture.JPEG()) != string(e.Picture.JPEG()) || !last.Event.Begin.Equal(e.Begin) {
			t.Errorf("sent %+v", last)
		}
		n.wantFailed()

		// It is being sent: it may have arrived, and is listed.
		reply := make(chan error)
		r.post.answers(func(ctx context.Context, _ string, _ bridge.Alert) (bridge.Receipt, error) {
			select {
			case err := <-reply:
				return bridge.Receipt{}, err
			case <-ctx.Done():
				return bridge.Receipt{}, ctx.Err()
			}
		})
		up()
		r.wantTold("phone begin porch")
		n = r.after(cfg)
		n.wantTold()
		list := n.wantFailed("the bridge stopped while it was being sent, so it may have arrived")
		if list[0].Attempts != 1 {
			t.Errorf("listed as %+v", list[0])
		}
		n = n.after(cfg)
		n.wantTold()
		n.wantFailed("the bridge stopped while it was being sent, so it may have arrived")

		// It waits to be sent again.
		reply <- errLater
		synctest.Wait()
		time.Sleep(lull)
		n = r.after(cfg)
		n.wantTold()
		time.Sleep(time.Second)
		n.wantTold("phone begin porch")
		if last := n.post.last(t); last.Attempt != 2 {
			t.Errorf("sent %+v", last)
		}

		// It was sent.
		close(reply)
		time.Sleep(time.Second)
		synctest.Wait()
		time.Sleep(lull)
		n = r.after(cfg)
		time.Sleep(time.Minute)
		n.wantTold()
		n.wantFailed()
	})
}

// TestGoneForLong: what is too old after a restart is listed, not sent.
func TestGoneForLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := begin(t, "", phones(Route{}))
		r.post.stop("phone")
		r.hear(happens("porch"))
		r.end()
		time.Sleep(10 * time.Minute)
		r = begin(t, r.dir, phones(Route{}))
		r.wantTold()
		r.wantFailed("it could not be sent within 10m, because the bridge was not running")
	})
}

func TestInstanceIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := begin(t, "", phones(Route{Phases: allPhases}))
		r.hear(happens("yard"))
		r.post.stop("phone")
		r.hear(happens("porch"))
		r.end()
		r = begin(t, r.dir, Config{Instances: []string{"mail"}})
		r.wantTold()
		r.wantFailed(`there is no plugin instance "phone" any more`)
	})
}

// TestEndAfterRestart: the journal knows how an event ended that people heard of,
// and what its message was called is not forgotten.
func TestEndAfterRestart(t *testing.T) {
	cfg := phones(Route{Phases: allPhases})
	synctest.Test(t, func(t *testing.T) {
		r := begin(t, "", cfg)
		r.post.answers(func(context.Context, string, bridge.Alert) (bridge.Receipt, error) {
			return bridge.Receipt{Handle: "message 7"}, nil
		})
		ended, forgotten, old, waiting := happens("ended"), happens("forgotten"), happens("old"), happens("waiting")
		r.hear(ended, forgotten, old)
		r.post.stop("phone")
		r.hear(waiting)
		r.shelf.events[old.ID] = over(old)
		time.Sleep(9*time.Minute + 59*time.Second)
		r.shelf.events[ended.ID] = over(ended)
		r.shelf.events[waiting.ID] = over(waiting)
		n := r.after(cfg)
		time.Sleep(500 * time.Millisecond)
		synctest.Wait()
		if got, want := n.post.told(), []string{"phone end ended", "phone end old", "phone begin waiting", "phone end waiting"}; !sameSet(got, want) {
			t.Errorf("told %q, want %q", got, want)
		}
		for _, c := range n.post.all() {
			if (c.Handle == "message 7") != (c.Event.Camera == "ended" || c.Event.Camera == "old") {
				t.Errorf("the message of %s carries %q", c.Event.Camera, c.Handle)
			}
		}
		time.Sleep(time.Second)
		n = n.after(cfg)
		time.Sleep(time.Minute)
		n.wantTold() // all is settled
	})
}

// TestDamagedRecord: one that cannot be read is dropped, and the others are not.
func TestDamagedRecord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := begin(t, "", phones(Route{}))
		r.post.stop("phone")
		r.hear(happens("porch"))
		r.end()
		s, err := store.Open(r.dir)
		if err != nil {
			t.Fatal(err)
		}
		raw, err := store.NewTable[[]int](s, "alerts")
		if err == nil {
			err = raw.Put("0", []int{1})
		}
		if err := errors.Join(err, s.Close()); err != nil {
			t.Fatal(err)
		}
		r = begin(t, r.dir, phones(Route{}))
		r.wantTold("phone begin porch")
		time.Sleep(time.Second)
		all, err := r.alerts.ledger.table.All()
		if err != nil || len(all) != 0 {
			t.Errorf("in the store are %v, %v", all, err)
		}
	})
}

// TestEverythingIsAccountedFor lets a notifier fail, hang and restart at random,
// and kills the bridge at random moments. Every phase that should be told
// arrives once at most, and what does not arrive is on the list.
func TestEverythingIsAccountedFor(t *testing.T) {
	for seed := range uint64(24) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { account(t, rand.New(rand.NewPCG(seed, 1))) })
		})
	}
}

// wild is a service that does as chance says. What arrived stays so over kills.
type wild struct {
	mu      sync.Mutex
	rnd     *rand.Rand
	arrived map[string]int // by phase and event
	calm    bool
}

// next says what happens to a call, and counts it if that arrives.
func (w *wild) next(key string) (what int, after time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	what, after = w.rnd.IntN(10), time.Duration(w.rnd.IntN(30_000))*time.Millisecond
	if w.calm {
		what = 9
	}
	if what >= 4 {
		w.arrived[key]++
	}
	return what, after
}

func (w *wild) notify(ctx context.Context, _ string, a bridge.Alert) (bridge.Receipt, error) {
	key := string(a.Phase) + " " + a.Event.ID
	what, after := w.next(key)
	switch what {
	case 0:
		return bridge.Receipt{}, errLater
	case 1:
		return bridge.Receipt{}, &bridge.RetryError{After: after, Err: errLater.Err}
	case 2:
		return bridge.Receipt{}, bridge.Errorf(bridge.CodeDenied, "no")
	case 3:
		return bridge.Receipt{}, bridge.Errorf(bridge.CodeUnavailable, "the plugin went away")
	case 4: // it arrives, but the answer takes its time
		time.Sleep(after / 10)
		return bridge.Receipt{}, nil
	}
	return bridge.Receipt{Handle: key}, nil
}

func account(t *testing.T, rnd *rand.Rand) {
	w := &wild{rnd: rand.New(rand.NewPCG(rnd.Uint64(), 2)), arrived: map[string]int{}}
	cfg := phones(Route{Phases: []bridge.Phase{"begin", "end"}})
	r := begin(t, "", cfg)
	r.post.answers(w.notify)
	wanted := map[string]bool{}
	up := func() {}
	for range 60 {
		switch rnd.IntN(8) {
		case 0:
			up()
			up = r.post.stop("phone")
		case 1, 2:
			up()
			up = func() {}
		case 3: // kill; what happened 50 ms ago is on disk
			synctest.Wait()
			time.Sleep(2 * lull)
			synctest.Wait()
			n := &rig{t: t, dir: r.photograph(), post: &post{answer: w.notify}, shelf: r.shelf, log: r.log}
			up()
			up = func() {}
			r.post.answers(func(context.Context, string, bridge.Alert) (bridge.Receipt, error) {
				return bridge.Receipt{}, bridge.Errorf(bridge.CodeDenied, "it is dead")
			})
			r.end()
			r = n.start(cfg)
		default:
			e := happens(fmt.Sprint("camera", rnd.IntN(1000)))
			r.hear(e)
			time.Sleep(time.Millisecond)
			r.hear(over(e))
			wanted["begin "+e.ID], wanted["end "+e.ID] = true, true
		}
		time.Sleep(time.Duration(rnd.IntN(4000)) * time.Millisecond)
	}
	up()
	w.mu.Lock()
	w.calm = true
	w.mu.Unlock()
	time.Sleep(20 * time.Minute)
	synctest.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	listed := map[string]bool{}
	for _, f := range r.alerts.Failed() {
		listed[string(f.Phase)+" "+f.Event] = true
	}
	for key := range wanted {
		if n := w.arrived[key]; n > 1 || n == 0 && !listed[key] {
			t.Errorf("%s arrived %d times, listed as failed: %v", key, n, listed[key])
		}
	}
	if len(wanted) < 20 || len(w.arrived) < len(wanted)/3 {
		t.Errorf("of %d phases %d arrived: this proves nothing", len(wanted), len(w.arrived))
	}
}
