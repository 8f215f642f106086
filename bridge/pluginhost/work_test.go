//go:build linux

package pluginhost

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge"
)

// asks has the plugin call its host and returns what came of it.
func (r *rig) asks(what string) string {
	r.t.Helper()
	got, err := r.tell("host " + what)
	if err != nil {
		r.t.Fatalf("%s: %v", what, err)
	}
	return got.Message
}

func TestWhatAPluginMayAsk(t *testing.T) {
	r := newRig(t)
	r.install("roles=notifier")
	r.add(Instance{Name: "phone", Cameras: []string{"porch"}, Settings: map[string]any{"token": "s3cret-token"}})
	r.start()
	r.reaches(bridge.PluginReady)
	if got := r.asks("snapshot"); !strings.Contains(got, "camera porch has no picture") {
		t.Errorf("without a picture: %s", got)
	}
	f := picture(320, 240)
	r.hub.Feed("porch").Publish(f)
	tests := []struct{ ask, want string }{
		{"cameras", `id:"porch"`},
		{"snapshot", fmt.Sprint(len(f.JPEG()), " 1")},
		{"old", "the newest picture of camera porch is"},
		{"other", `there is no camera "yard"`},
		{"command", "ok:true"},
		{"action", "more than 1 command a second"},
		{"ota", "ota is not for plugins"},
		{"publish", "nil"},
		{"state", "nil"},
		{"badname", "a state takes a name of"},
		{"publish", "there is no broker"},
	}
	for _, tt := range tests {
		if got := r.asks(tt.ask); !strings.Contains(got, tt.want) {
			t.Errorf("%s: %s, want %s", tt.ask, got, tt.want)
		}
	}
	if strings.Contains(r.asks("cameras"), "Yard") {
		t.Error("it hears of a camera that is not its own")
	}
	want := []string{"event phone news hello [redacted]", "state phone mood good", "event phone news hello [redacted]"}
	if !slices.Equal(r.board.said, want) {
		t.Errorf("published: %q", r.board.said)
	}
	if !slices.Equal(r.town.did, []string{"porch map[quality:12]"}) || !strings.Contains(r.log.String(), `msg="plugin commands a camera" plugin=phone camera=porch name=quality`) {
		t.Errorf("done: %q", r.town.did)
	}
	r.until("the next command is allowed", func() bool { return strings.Contains(r.asks("action"), "this camera cannot pan") })
}

func TestWhatWasNotGrantedIsRefused(t *testing.T) {
	r := newRig(t)
	r.write("roles=notifier", "permissions=")
	r.add(Instance{Name: "phone", Dev: true})
	r.start()
	r.reaches(bridge.PluginReady)
	for ask, permission := range map[string]string{"snapshot": "snapshot", "latest": "frames", "command": "command", "publish": "publish", "state": "publish"} {
		if got := r.asks(ask); !strings.Contains(got, fmt.Sprintf("the permission %q was not granted", permission)) {
			t.Errorf("%s: %s", ask, got)
		}
	}
	if r.Stats()[0].Refused != 5 {
		t.Errorf("%d refusals are counted", r.Stats()[0].Refused)
	}
}

// TestFrames has a reader that sleeps while 400 frames of 20 KB come.
func TestFrames(t *testing.T) {
	for _, kind := range []string{"latest", "every"} {
		t.Run(kind, func(t *testing.T) {
			r := newRig(t)
			r.install("roles=notifier")
			r.start()
			r.reaches(bridge.PluginReady)
			r.hub.Feed("porch").Publish(picture(320, 240))
			said := make(chan string, 1)
			go func() {
				got, err := r.tell("host " + kind)
				said <- fmt.Sprint(got.Message, err)
			}()
			r.until("it watches", func() bool { _, err := os.Stat(r.data + "/plugins/phone/watching"); return err == nil })
			f := picture(320, 240)
			for range 399 {
				r.hub.Feed("porch").Publish(f)
			}
			r.put("published")
			text := <-said
			var seen, dropped int
			if _, err := fmt.Sscanf(text, "%d %d", &seen, &dropped); err != nil || seen+dropped != 399 {
				t.Fatalf("it saw and lost %s (%v), want together 399", text, err)
			}
			waits := maxWaitingBytes / len(f.JPEG())
			if kind == "latest" && seen > 100 || kind == "every" && seen < min(waits, maxWaiting) {
				t.Errorf("it saw %d frames of %d bytes", seen, len(f.JPEG()))
			}
		})
	}
}

func TestABeltKeepsItsRate(t *testing.T) {
	b := newBelt(true, 5)
	at := time.Now()
	f := picture(32, 24)
	for range 100 { // 10 s at 10 fps
		f.Received = at
		b.Offer(f)
		at = at.Add(100 * time.Millisecond)
	}
	if n := len(b.frames); n != 50 || b.dropped != 0 {
		t.Errorf("%d of 100 frames pass, %d are lost", n, b.dropped)
	}
	b.Offer(bridge.Frame{})
	if len(b.frames) != 0 || b.bytes != 0 {
		t.Error("pictures of a camera that was switched off wait")
	}
	b.End()
	if _, _, err := b.next(context.Background()); err == nil {
		t.Error("a camera that is gone has frames")
	}
}

func TestWatchTellsWhatChanges(t *testing.T) {
	r := newRig(t)
	r.install("roles=notifier")
	r.start()
	r.reaches(bridge.PluginReady)
	r.until("the level", func() bool { return r.file("watched") == "info false 0 false\n" })
	r.town.rename(0, "Front porch")
	r.until("the cameras", func() bool { return strings.HasSuffix(r.file("watched"), " true 2 false\n") })
	r.level.Set(-4)
	r.until("the new level", func() bool { return strings.HasSuffix(r.file("watched"), "debug false 0 false\n") })
	file := r.data + "/plugins/phone/watched"
	r.stop()
	if b, err := os.ReadFile(file); err != nil || !strings.HasSuffix(string(b), " false 0 true\n") {
		t.Errorf("at the end it heard %q, %v", b, err)
	}
}

func TestADetectorIsAsked(t *testing.T) {
	r := newRig(t)
	r.timing.detect = 20 * time.Second
	r.install("roles=detector", "stateful=1")
	r.add(Instance{Name: "phone", Cameras: []string{"porch"}, MaxFPS: 2})
	r.start()
	r.reaches(bridge.PluginReady)
	d := r.detector()
	if d == nil || d.Name() != "phone" {
		t.Fatal("it was not added")
	}
	if o := r.options[0]; !o.Always || o.MaxFPS != 2 || o.Timeout != r.timing.detect || len(o.Cameras) != 1 {
		t.Errorf("its options are %+v", o)
	}
	ask := func(within time.Duration) ([]bridge.Detection, error) {
		ctx, cancel := context.WithTimeout(t.Context(), within)
		defer cancel()
		return d.Detect(ctx, picture(320, 240), []bridge.Box{{W: 1, H: 1}})
	}
	found, err := ask(20 * time.Second)
	if want := (bridge.Detection{Label: "person", Score: 0.16, Box: bridge.Box{X: 0.1, Y: 0.1, W: 0.5, H: 0.5}}); err != nil || len(found) != 1 || found[0] != want {
		t.Errorf("it found %v, %v; want a person in a picture 160 wide", found, err)
	}
	r.put("busy")
	if _, err := ask(20 * time.Second); bridge.CodeOf(err) != bridge.CodeBusy {
		t.Errorf("busy is %v", err)
	}
	r.take("busy")
	r.put("slow")
	for range tooLate {
		if _, err := ask(10 * time.Millisecond); err == nil {
			t.Error("it answered in time")
		}
	}
	if p := r.reaches(bridge.PluginDegraded); !strings.Contains(p.Problem, "it is asked half as often") {
		t.Errorf("the problem is %s", p.Problem)
	}
	r.take("slow")
	busy := 0
	for range 2 {
		if _, err := ask(20 * time.Second); bridge.CodeOf(err) == bridge.CodeBusy {
			busy++
		}
	}
	if busy > 1 {
		t.Error("it is not asked any more")
	}
	r.reaches(bridge.PluginReady)
	if err := r.Enable("phone", false); err != nil {
		t.Fatal(err)
	}
	r.reaches(bridge.PluginDisabled)
	if r.detector() != nil {
		t.Error("it was not removed")
	}
}

func TestPicturesFitTheNotifier(t *testing.T) {
	r := newRig(t)
	r.install("roles=notifier", "maxpicture=6000")
	r.start()
	r.reaches(bridge.PluginReady)
	got, err := r.tell("hello")
	if err != nil {
		t.Fatal(err)
	}
	var bytes, width int
	if _, err := fmt.Sscanf(got.Message, "PHASE_BEGIN Porch Motion %d %d", &bytes, &width); err != nil || bytes == 0 || bytes > 6000 || width != 160 && width != 80 {
		t.Errorf("of a picture of %d bytes it got %s (%v)", len(picture(320, 240).JPEG()), got.Message, err)
	}
}

func event(n int, over bool) bridge.Event {
	e := bridge.Event{ID: fmt.Sprintf("e%04d", n), Camera: "porch", Begin: time.Now()}
	if over {
		e.End = time.Now()
	}
	return e
}

// lines are those of what was delivered that are events, or batches.
func (r *rig) delivered(batches bool) []string {
	lines := strings.Split(strings.TrimSpace(r.file("delivered")), "\n")
	return slices.DeleteFunc(lines, func(l string) bool { return l == "" || strings.HasPrefix(l, "batch") != batches })
}

func TestASinkGetsEvents(t *testing.T) {
	r := newRig(t)
	r.install("roles=sink")
	r.add(Instance{Name: "phone", Cameras: []string{"porch"}})
	r.start()
	r.reaches(bridge.PluginReady)
	r.events.Tell(event(1, false))
	r.until("a begin", func() bool { return len(r.delivered(false)) == 1 })
	r.events.Tell(event(1, false))
	r.until("an update", func() bool { return len(r.delivered(false)) == 2 })
	other := event(9, false)
	other.Camera = "yard"
	r.events.Tell(other)
	r.events.Tell(event(2, true))
	r.events.Tell(event(1, true))
	r.until("ends", func() bool { return len(r.delivered(false)) == 5 })
	want := []string{"1 e0001 begin 0", "2 e0001 update 0", "3 e0002 begin 0", "4 e0002 end 0", "5 e0001 end 0"}
	if got := r.delivered(false); !slices.Equal(got, want) {
		t.Errorf("it got %q", got)
	}

	// What is not acknowledged comes again, also to a new process.
	r.put("refuse")
	for n := range 4 {
		r.events.Tell(event(10+n, false))
	}
	r.until("refusals", func() bool { return r.Stats()[0].Failures > 2 })
	if err := r.Restart("phone"); err != nil {
		t.Fatal(err)
	}
	r.until("a new process", func() bool { return r.starts() == 2 && r.plugin("phone").State == bridge.PluginReady })
	r.put("half")
	r.take("refuse")
	r.until("all, and the last one again", func() bool { return len(r.delivered(false)) == 10 })
	want = []string{"1 e0010 begin 0", "2 e0011 begin 0", "3 e0012 begin 0", "4 e0013 begin 0", "4 e0013 begin 0"}
	if got := r.delivered(false)[5:]; !slices.Equal(got, want) {
		t.Errorf("after the restart it got %q", got)
	}
}

func TestASinkThatDoesNotKeepUpLosesTheOldest(t *testing.T) {
	r := newRig(t)
	r.install("roles=sink")
	r.start()
	r.reaches(bridge.PluginReady)
	r.put("refuse")
	s := &r.byName["phone"].sink
	waiting := func() (n, bytes int) {
		s.mu.Lock()
		defer s.mu.Unlock()
		return len(s.queue), s.bytes
	}
	big := picture(800, 600)
	count := maxQueuedBytes/len(big.JPEG()) + 20
	for n := range count {
		e := event(n, false)
		e.Picture = big
		r.events.Tell(e)
	}
	r.until("they are in the queue", func() bool {
		n, _ := waiting()
		return n > 0 && r.Stats()[0].SinkDropped > 0 && n+int(r.Stats()[0].SinkDropped) == count
	})
	if n, bytes := waiting(); bytes > maxQueuedBytes || n > maxQueued {
		t.Errorf("%d events with %d bytes wait", n, bytes)
	}
	for n := range maxQueued + 10 {
		r.events.Tell(event(1000+n, false))
		if n%500 == 0 {
			r.until("the mailbox is empty", func() bool { k, _ := waiting(); return k+int(r.Stats()[0].SinkDropped) == count+n+1 })
		}
	}
	r.until("all are in the queue", func() bool {
		n, _ := waiting()
		return n == maxQueued && n+int(r.Stats()[0].SinkDropped) == count+maxQueued+10
	})
	failed := r.Stats()[0].Failures
	r.until("what was under way has failed", func() bool { return r.Stats()[0].Failures > failed+1 })
	dropped := r.Stats()[0].SinkDropped
	r.take("refuse")
	r.until("they are delivered", func() bool { n, _ := waiting(); return n == 0 })
	got := r.delivered(false)
	if want := fmt.Sprintf("e1010 begin %d", dropped); !strings.HasSuffix(got[0], want) || len(got) != maxQueued {
		t.Errorf("the first of %d is %q, want %q", len(got), got[0], want)
	}
	for _, b := range r.delivered(true) {
		var n, bytes int
		if _, err := fmt.Sscanf(b, "batch %d %d", &n, &bytes); err != nil || n > maxBatch || bytes > maxBatchBytes {
			t.Errorf("a %s", b)
		}
	}
}
