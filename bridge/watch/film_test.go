package watch

import (
	"fmt"
	"testing"
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge"
	"github.com/espcam-bridge/espcam-bridge/motion"
)

// play shows a picture of so many bytes every gap for d.
func (r *rig) play(camera string, j motion.Judgement, size int, gap, d time.Duration) {
	for end := time.Now().Add(d); time.Now().Before(end); {
		r.hub.Feed(camera).Publish(picture(camera, j, size))
		r.after(gap)
	}
}

// spread returns the time from the first to the last picture, and fails if they
// are out of order or closer than gap.
func spread(t *testing.T, frames []bridge.Frame, gap time.Duration) time.Duration {
	t.Helper()
	for i := 1; i < len(frames); i++ {
		if d := frames[i].Received.Sub(frames[i-1].Received); d < gap {
			t.Fatalf("picture %d follows after %v", i, d)
		}
	}
	if len(frames) == 0 {
		return 0
	}
	return frames[len(frames)-1].Received.Sub(frames[0].Received)
}

func TestTheClipHasWhatWasBeforeAndWhatFollowed(t *testing.T) {
	bubble(t, Config{}, plain, func(r *rig) {
		r.play("porch", still, 0, 100*time.Millisecond, 5*time.Second)
		shared := r.hub.Latest("porch")
		f := r.show("porch", moves(0.3))
		id := r.told().ID
		before := r.tape.of(id)
		if first := f.Received.Sub(before[0].Received); first < 1700*time.Millisecond || first > 2*time.Second {
			t.Errorf("the clip begins %v before the event", first)
		}
		if n := len(before); n < 9 || n > 11 {
			t.Errorf("the pre-roll has %d pictures, want 2 s at 5 fps", n)
		}
		spread(t, before, 200*time.Millisecond)
		r.after(100 * time.Millisecond)
		r.play("porch", moves(0.3), 0, 100*time.Millisecond, 60*time.Second)
		all := r.tape.of(id)
		if d := spread(t, all, 200*time.Millisecond); d < 29500*time.Millisecond || d > 30*time.Second {
			t.Errorf("the clip is %v long, want 30 s", d)
		}
		if n := len(all); n < 148 || n > 151 {
			t.Errorf("the clip has %d pictures, want 5 a second", n)
		}
		for _, f := range all {
			if f.Seq == shared.Seq && &f.JPEG()[0] != &shared.JPEG()[0] {
				t.Error("the recorder has a copy of the picture")
			}
		}

		r.after(20 * time.Second)
		r.ended(bridge.EndQuiet)
		r.show("porch", moves(0.3))
		if n := len(r.tape.of(r.told().ID)); n > 1 {
			t.Errorf("after 20 s without pictures the pre-roll has %d", n)
		}
	})
}

func TestACutEventIsFollowedByOneWithAPreRoll(t *testing.T) {
	bubble(t, Config{MaxLength: time.Minute}, plain, func(r *rig) {
		r.play("porch", moves(0.3), 0, 100*time.Millisecond, 65*time.Second)
		list, _ := r.events.Take()
		if len(list) != 2 {
			t.Fatalf("told %d events", len(list))
		}
		frames := r.tape.of(list[1].ID)
		if d := list[1].Begin.Sub(frames[0].Received); d < 1700*time.Millisecond {
			t.Errorf("the second event's clip begins %v before it", d)
		}
	})
}

func TestAnEndedEventIsNotRecordedFurther(t *testing.T) {
	bubble(t, Config{}, plain, func(r *rig) {
		r.show("porch", moves(0.3))
		id := r.told().ID
		r.after(100 * time.Millisecond)
		r.play("porch", still, 0, 100*time.Millisecond, 20*time.Second)
		r.ended(bridge.EndQuiet)
		if d := spread(t, r.tape.of(id), 200*time.Millisecond); d < 9500*time.Millisecond || d > 10*time.Second {
			t.Errorf("the clip is %v long, want to the end of the event", d)
		}
		if len(r.tape.frames) != 1 {
			t.Errorf("pictures of %d events are recorded", len(r.tape.frames))
		}
	})
}

// TestTheClipHasPicturesThatAreNotJudged asks for 1 picture a second to judge.
func TestTheClipHasPicturesThatAreNotJudged(t *testing.T) {
	bubble(t, Config{}, plain, func(r *rig) {
		r.settings(map[string]any{"fps": 1})
		r.play("porch", moves(0.3), 0, 100*time.Millisecond, 5400*time.Millisecond) // the last judged is at 4.5 s
		id := r.told().ID
		r.settings(map[string]any{"enabled": false})
		frames := r.tape.of(id)
		if d := spread(t, frames, 200*time.Millisecond); d < 5100*time.Millisecond {
			t.Errorf("the clip is %v long, want to the end of the event", d)
		}
		if n := len(frames); n < 26 {
			t.Errorf("the clip has %d pictures, want 5 a second", n)
		}
	})
}

func TestAFullRecorderIsCounted(t *testing.T) {
	bubble(t, Config{}, plain, func(r *rig) {
		r.play("porch", still, 0, 100*time.Millisecond, time.Second)
		r.tape.full = true
		r.show("porch", moves(0.3))
		if n := r.Stats().Unrecorded; n < 5 {
			t.Errorf("%d pictures are counted as not recorded", n)
		}
	})
}

// TestThePreRollOfManyCameras holds the bound in bytes, and that all cameras
// have about the same and still the whole 2 s.
func TestThePreRollOfManyCameras(t *testing.T) {
	const cameras, size, limit = 200, 40_000, 20 << 20 // room for 2.6 pictures each
	bubble(t, Config{PreRollBytes: limit}, plain, func(r *rig) {
		id := func(i int) string { return fmt.Sprintf("cam%d", i) }
		for i := range cameras {
			r.add(id(i))
		}
		for range 60 {
			f := picture("cam", still, size) // one buffer for all: the test's own memory is not the point
			for i := range cameras {
				f.Camera = id(i)
				r.hub.Feed(f.Camera).Publish(f)
			}
			if b := r.after(100 * time.Millisecond).Stats().PreRollBytes; b > limit {
				t.Fatalf("%d bytes are held, at most %d", b, limit)
			}
		}
		if b := r.Stats().PreRollBytes; b < limit/2 {
			t.Errorf("only %d of %d bytes are used", b, limit)
		}
		for i := range cameras {
			m := &r.eye(id(i)).mail.film
			if n, d := len(m.frames), spread(t, m.frames, 900*time.Millisecond); n != 2 || d < 900*time.Millisecond {
				t.Fatalf("%s holds %d pictures over %v", id(i), n, d)
			}
		}
	})
}

func TestMoreCamerasMeanLessFilmForEach(t *testing.T) {
	bubble(t, Config{PreRollBytes: 100_000}, plain, func(r *rig) {
		r.play("porch", still, 9_000, 100*time.Millisecond, 3*time.Second)
		if b := r.Stats().PreRollBytes; b < 80_000 || b > 100_000 {
			t.Errorf("one camera holds %d bytes", b)
		}
		for i := range 4 {
			r.add(fmt.Sprintf("cam%d", i))
		}
		if b := r.after(time.Millisecond).Stats().PreRollBytes; b > 20_000 {
			t.Errorf("one of five cameras holds %d bytes", b)
		}
	})
}

// TestAPictureLargerThanItsShare is recorded all the same once there is an event.
func TestAPictureLargerThanItsShare(t *testing.T) {
	bubble(t, Config{PreRollBytes: 10_000}, plain, func(r *rig) {
		r.play("porch", still, 20_000, 100*time.Millisecond, 3*time.Second)
		if b := r.Stats().PreRollBytes; b != 0 {
			t.Errorf("%d bytes are held, at most 10000", b)
		}
		r.play("porch", moves(0.3), 20_000, 100*time.Millisecond, 10*time.Second)
		if n := len(r.tape.of(r.told().ID)); n < 45 {
			t.Errorf("10 s are recorded as %d pictures", n)
		}
	})
}

func TestWithoutRecorderThereIsNoFilm(t *testing.T) {
	bubble(t, Config{}, plain, func(r *rig) {
		r.stop()
		r.Watch = New(Config{}, Deps{Fleet: r.town, Hub: r.hub, Log: r.deps.Log})
		r.Watch.judge = func(motion.Config) judge { return plain() }
		r.start()
		r.play("porch", moves(0.3), 1000, 100*time.Millisecond, 3*time.Second)
		if s := r.Stats(); s.PreRollBytes != 0 || s.Events != 1 {
			t.Errorf("the figures are %+v", s)
		}
	})
}
