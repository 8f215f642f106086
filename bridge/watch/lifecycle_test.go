package watch

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge"
	"github.com/espcam-bridge/espcam-bridge/motion"
)

func TestAnEventBeginsIsUpdatedAndEnds(t *testing.T) {
	bubble(t, Config{}, plain, func(r *rig) {
		if s := r.State("porch"); s.Active || !s.Since.IsZero() || !s.Learning {
			t.Errorf("at the start the state is %+v", s)
		}
		r.show("porch", still)
		r.quiet("nothing moves")
		r.after(time.Second)

		j := moves(0.30)
		j.Zones = []string{"door"}
		first := r.show("porch", j)
		begin := r.told()
		if at, ok := bridge.EventTime(begin.ID); !ok || at.UnixMilli() != first.Received.UnixMilli() || !begin.Begin.Equal(first.Received) || begin.Over() {
			t.Fatalf("the event begins as %+v", begin)
		}
		if s := r.State("porch"); !s.Active || s.Event != begin.ID || !s.Since.Equal(begin.Begin) || s.Score != 0.30 || len(s.Boxes) != 1 || !slices.Equal(s.Zones, j.Zones) || s.Learning {
			t.Errorf("the state is %+v", s)
		}

		r.after(time.Second)
		j = moves(0.60)
		j.Zones = []string{"bed", "path"}
		best := r.show("porch", j)
		update := r.told()
		if update.ID != begin.ID || update.Over() || update.Score != 0.60 || update.Now[0].W != 0.60 || fmt.Sprint(update.Zones) != "[bed door path]" {
			t.Errorf("the update is %+v", update)
		}
		r.after(time.Second).show("porch", moves(0.10))
		if e := r.told(); e.Score != 0.60 || e.Boxes[0].W != 0.60 || e.Now[0].W != 0.10 {
			t.Errorf("a smaller motion makes it %+v", e)
		}
		last := time.Now()
		r.after(time.Second).show("porch", still)
		r.quiet("a picture without motion is no update")
		if e := r.Active(); len(e) != 1 || e[0].Now != nil {
			t.Errorf("now something still moves in %+v", e)
		}

		r.after(8 * time.Second).quiet("the off delay is not over")
		r.after(time.Second)
		end := r.ended(bridge.EndQuiet)
		if end.ID != begin.ID || !end.Last.Equal(last) || end.End.Sub(last) != 10*time.Second || end.Picture.Seq != best.Seq || fmt.Sprint(end.Sources) != "[pixels]" {
			t.Errorf("the end is %+v", end)
		}
		if len(begin.Zones) != 1 || begin.Boxes[0].W != 0.30 {
			t.Errorf("the snapshot of the begin was changed: %+v", begin)
		}
		if n := r.Stats().Events; n != 1 {
			t.Errorf("%d events are counted", n)
		}
	})
}

func TestTheBestPictureScoresHighestThenIsSharpest(t *testing.T) {
	bubble(t, Config{}, plain, func(r *rig) {
		var want uint64
		for i, p := range []struct {
			score, sharp float64
			best         bool
		}{{0.2, 9, true}, {0.5, 1, true}, {0.499, 3, true}, {0.501, 2, false}, {0.4, 90, false}, {0.497, 4, true}} {
			j := moves(p.score)
			j.Sharpness = p.sharp
			f := r.after(200*time.Millisecond).show("porch", j)
			if p.best {
				want = f.Seq
			}
			if e := r.told(); e.Picture.Seq != want {
				t.Errorf("after picture %d the best is %d, want %d", i+1, e.Picture.Seq, want)
			}
		}
	})
}

func TestMotionWithinTheOffDelayIsTheSameEvent(t *testing.T) {
	bubble(t, Config{}, plain, func(r *rig) {
		r.show("porch", moves(0.2))
		id := r.told().ID
		for range 5 {
			r.after(9900*time.Millisecond).show("porch", moves(0.2))
			if e := r.told(); e.ID != id || e.Over() {
				t.Fatalf("9.9 s later: %+v, want an update of %s", e, id)
			}
		}
		r.after(10 * time.Second)
		r.ended(bridge.EndQuiet)
		r.show("porch", moves(0.2))
		if e := r.told(); e.ID <= id || e.Over() {
			t.Errorf("after the end: %+v, want an event with a greater id than %s", e, id)
		}
	})
}

func TestAnotherOffDelayHoldsAtOnce(t *testing.T) {
	bubble(t, Config{}, plain, func(r *rig) {
		r.settings(map[string]any{"off_delay": "5m"})
		r.show("porch", moves(0.2))
		r.told()
		r.after(20 * time.Second).quiet("the off delay is 5 min")
		r.settings(map[string]any{"off_delay": "15s"})
		r.ended(bridge.EndQuiet)
	})
}

func TestALongEventIsCut(t *testing.T) {
	bubble(t, Config{}, plain, func(r *rig) {
		start := time.Now()
		var ends []bridge.Event
		ids := map[string]bool{}
		for time.Since(start) < 11*time.Minute {
			r.show("porch", moves(0.2))
			list, _ := r.events.Take()
			for _, e := range list {
				ids[e.ID] = true
				if e.Over() {
					ends = append(ends, e)
				}
			}
			r.after(500 * time.Millisecond)
		}
		if len(ends) != 2 || len(ids) != 3 {
			t.Fatalf("11 minutes of motion make %d events of which %d ended", len(ids), len(ends))
		}
		for _, e := range ends {
			if e.Ending != bridge.EndLength || e.End.Sub(e.Begin) != 5*time.Minute {
				t.Errorf("one lasted for %v and ended with %q", e.End.Sub(e.Begin), e.Ending)
			}
		}
		if ends[1].ID <= ends[0].ID || ends[1].Begin.Sub(ends[0].End) > time.Second {
			t.Errorf("%s begins %v after %s", ends[1].ID, ends[1].Begin.Sub(ends[0].End), ends[0].ID)
		}
	})
}

func TestASensorHoldsTheEventOpen(t *testing.T) {
	bubble(t, Config{}, plain, func(r *rig) {
		f := r.show("porch", still)
		r.after(time.Second).Sensor("porch", "pir", true)
		begin := r.told()
		if fmt.Sprint(begin.Sources) != "[pir]" || begin.Picture.Seq != f.Seq || begin.Score != 0 || begin.Boxes == nil {
			t.Fatalf("the event is %+v", begin)
		}
		r.after(time.Second).show("porch", moves(0.3))
		if e := r.told(); e.ID != begin.ID || fmt.Sprint(e.Sources) != "[pir pixels]" || e.Picture.Seq != f.Seq+1 {
			t.Errorf("motion makes it %+v", e)
		}
		r.after(time.Minute).quiet("the sensor is still active")
		r.Sensor("porch", "pir", false)
		r.after(9 * time.Second).quiet("the off delay is not over")
		r.after(time.Second)
		if e := r.ended(bridge.EndQuiet); e.End.Sub(e.Last) != 10*time.Second {
			t.Errorf("it ended %v after the sensor was inactive", e.End.Sub(e.Last))
		}

		r.after(time.Minute).Sensor("porch", "pir", true)
		if e := r.told(); !e.Picture.IsZero() || len(r.tape.of(e.ID)) != 0 {
			t.Errorf("old pictures became those of event %s", e.ID)
		}
		f = r.show("porch", still)
		if e := r.told(); e.Picture.Seq != f.Seq {
			t.Errorf("the first picture of the event is not taken: %+v", e)
		}
		r.show("porch", still)
		r.quiet("it has a picture")
		r.Sensor("porch", "pir", false)
		r.after(10 * time.Second)
		r.ended(bridge.EndQuiet)

		r.show("porch", moves(0.3))
		begin = r.told()
		r.Sensor("porch", "radar", true)
		if e := r.told(); e.ID != begin.ID || fmt.Sprint(e.Sources) != "[pixels radar]" {
			t.Errorf("a sensor during an event makes it %+v", e)
		}
	})
}

func TestASensorThatStaysActiveDoesNotBeginAgain(t *testing.T) {
	bubble(t, Config{MaxLength: time.Minute}, plain, func(r *rig) {
		r.Sensor("porch", "pir", true)
		first := r.told()
		r.after(time.Minute)
		r.ended(bridge.EndLength)
		r.Sensor("porch", "pir", true)
		r.after(time.Minute).quiet("it was active all the time")

		r.show("porch", moves(0.2))
		if e := r.told(); fmt.Sprint(e.Sources) != "[pixels]" {
			t.Errorf("motion then makes %+v", e)
		}
		r.after(10 * time.Second)
		r.ended(bridge.EndQuiet)

		r.Sensor("porch", "pir", false)
		r.quiet("inactive is no motion")
		r.Sensor("porch", "pir", true)
		if e := r.told(); e.ID <= first.ID || fmt.Sprint(e.Sources) != "[pir]" {
			t.Errorf("a new rise makes %+v", e)
		}
	})
}

func TestASensorCountsOnlyWhileMotionIsOn(t *testing.T) {
	bubble(t, Config{}, plain, func(r *rig) {
		r.Sensor("nobody", "pir", true)
		r.settings(map[string]any{"enabled": false})
		r.Sensor("porch", "pir", true)
		r.quiet("motion detection is off")
		r.settings(map[string]any{"enabled": true})
		r.quiet("what was active before does not count")

		r.town.quiet = true // the sensor is faster than the news
		r.town.enable("porch", false)
		r.Sensor("porch", "pir", true)
		r.quiet("the camera is off")
		r.town.quiet = false
		r.town.enable("porch", true)
		r.after(time.Second)
		r.Sensor("porch", "pir", true)
		if e := r.told(); e.ID == "" {
			t.Error("after switching on, the sensor is not heard")
		}
	})
}

func TestAReconnectOrSwitchLetsGoOfSensors(t *testing.T) {
	bubble(t, Config{}, plain, func(r *rig) {
		r.Sensor("porch", "pir", true)
		first := r.told()
		r.after(time.Minute)
		r.town.change("porch", func(c *bridge.Camera) { c.ConnectedAt = time.Now() })
		r.after(9 * time.Second).quiet("the off delay is not over")
		r.after(time.Second)
		if e := r.ended(bridge.EndQuiet); e.ID != first.ID {
			t.Errorf("ended %+v", e)
		}
		for range 2 {
			r.Sensor("porch", "pir", true)
			if e := r.told(); e.ID <= first.ID {
				t.Errorf("a sensor that rises again makes %+v", e)
			}
			r.settings(map[string]any{"enabled": false})
			r.ended(bridge.EndDisabled)
			r.settings(map[string]any{"enabled": true})
		}
	})
}

// TestTheClockAlone has the time pass without Run noticing, as after a suspend.
func TestTheClockAlone(t *testing.T) {
	late := time.Duration(0)
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Config{}, plain)
		r.deps.Now = func() time.Time { return time.Now().Add(late) }
		r.start()
		r.show("porch", moves(0.3))
		first := r.told()
		late = time.Minute
		f := picture("porch", moves(0.3), 0)
		f.Received = f.Received.Add(late)
		r.hub.Feed("porch").Publish(f)
		synctest.Wait()
		list, _ := r.events.Take()
		if len(list) != 2 || list[0].ID != first.ID || list[0].Ending != bridge.EndQuiet || list[1].Over() {
			t.Errorf("%d events were told, want the end of one and the begin of another", len(list))
		}
		late = 0
		r.stop()
	})
}

func TestACameraCannotMakeUpSensorsWithoutEnd(t *testing.T) {
	var l lifecycle
	for i := range 100 {
		l.rises(fmt.Sprint(i))
	}
	if len(l.sensors) != maxSensors {
		t.Errorf("%d sensors are kept, want %d", len(l.sensors), maxSensors)
	}
}

func TestIDsRise(t *testing.T) {
	var i ids
	at := time.UnixMilli(1_800_000_000_000)
	last := i.next(at)
	for n := range 3 * idsPerMillisecond {
		id := i.next(at.Add(-time.Duration(n%7) * time.Second))
		if id <= last {
			t.Fatalf("id %d is %s after %s", n, id, last)
		}
		last = id
	}
	if id := i.next(at.Add(time.Second)); id != bridge.NewEventID(at.Add(time.Second), 0) {
		t.Errorf("a second later the id is %s", id)
	}
}

func TestShutdownEndsEvents(t *testing.T) {
	bubble(t, Config{}, plain, func(r *rig) {
		r.add("yard")
		r.show("porch", moves(0.2))
		r.show("yard", moves(0.2))
		r.events.Take()
		if e := r.Active(); len(e) != 2 || e[0].ID >= e[1].ID {
			t.Errorf("active are %+v", e)
		}
		r.cancel()
		r.after(time.Second)
		list, _ := r.events.Take()
		if len(list) != 2 || list[0].Ending != bridge.EndStopped || list[1].Ending != bridge.EndStopped {
			t.Errorf("told %+v", list)
		}
		r.Sensor("porch", "pir", true)
		r.show("yard", moves(0.2))
		r.quiet("it has stopped")
	})
}

func TestCounters(t *testing.T) {
	bubble(t, Config{}, plain, func(r *rig) {
		for i := range 60 {
			j := still
			if i%3 == 0 {
				j.Quiet = motion.SceneChange
			}
			r.show("porch", j)
			if learning := r.State("porch").Learning; learning != (i%3 == 0) {
				t.Errorf("picture %d: learning is %v", i, learning)
			}
			r.after(100 * time.Millisecond)
		}
		s := r.Stats().Cameras["porch"]
		if s.Analysed != 60 || s.Quiet["scene_change"] != 20 || s.Quiet["masked"] != 0 || len(s.Quiet) != len(motion.Quiets()) || s.Skipped["pace"]+s.Skipped["busy"] != 0 {
			t.Errorf("the counters are %+v", s)
		}
		if s.FPS < 9.9 || s.FPS > 10.6 {
			t.Errorf("10 pictures a second are measured as %.2f", s.FPS)
		}
		if s = r.after(10 * time.Second).State("porch"); s.FPS != 0 || s.Analysed != 60 {
			t.Errorf("10 s later: %+v", s)
		}
		if s := r.State("nobody"); s.Analysed != 0 || s.Learning {
			t.Errorf("a camera that is not there has the state %+v", s)
		}
	})
}

// TestDigest has motion in every picture for three seconds, ten a second.
func TestDigest(t *testing.T) {
	bubble(t, Config{}, plain, func(r *rig) {
		digest, leave := r.Digest()
		defer leave()
		all, some := 0, 0
		for range 30 {
			r.show("porch", moves(0.4))
			if r.told().ID != "" {
				all++
			}
			if list, _ := digest.Take(); len(list) > 0 {
				some++
			}
			r.after(100 * time.Millisecond)
		}
		if all != 30 || some < 3 || some > 5 {
			t.Errorf("of 30 pictures the listener to all heard %d, want 30, that to the digest %d, want 4 or so", all, some)
		}
		r.after(time.Minute)
		if list, _ := digest.Take(); len(list) != 1 || !list[0].Over() {
			t.Errorf("of the end it heard %+v", list)
		}
	})
}
