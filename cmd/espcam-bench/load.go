//go:build linux

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// job is one run: how many cameras and viewers, for how long, against whom.
type job struct {
	Server string // host:port
	PID    int    // its process

	Cameras int
	FPS     float64 // of each camera
	Size    int     // bytes of each picture

	Viewers  int // of each camera
	Browser  bool
	Slow     int // further viewers of each camera that read SlowRate bytes per second
	SlowRate int
	Stuck    int // further viewers of each camera that ask and never read
	Motion   int // pictures of each camera that the bridge judges per second; 0: motion is off

	Plugins string // directory of the plugins that the bridge has; "": none
	Evil    bool   // they are those of evils
	Idle    int    // so many do nothing

	Warmup, Window time.Duration
}

// report is what a run came to. Counts are of the window.
type report struct {
	Seconds   float64
	Sent      int // by all cameras
	Late      int // not sent in time: the load generator itself was short of CPU
	Delivered int // to normal viewers
	Missing   int // skipped on the way to a normal viewer
	Broken    int // not whole, of another camera, older than the one before, or not ours

	CPU                         time.Duration // of the server
	RSSBefore, RSSMax, RSSAfter int64         // bytes
	Latency                     spread        // ms from a camera's send to a viewer's last byte
	Headers                     spread        // ms from the last byte to the next part's headers
	SlowDelivered               int
	SlowAge                     spread // ms
	StuckHeld                   int    // connections of stuck viewers that the server still holds
	StuckGone                   time.Duration
	Judged                      rates  // pictures of each camera judged for motion
	Fault                       string // the first thing that went wrong in a camera or viewer
}

// check returns an error for a run that was not delivered whole: it says nothing
// about what a frame costs. One frame per viewer may fall on the window's edge.
func (r report) check(j job) error {
	expected := r.Sent * j.Viewers
	edge := j.Cameras * j.Viewers
	if r.Broken == 0 && r.Missing <= expected/50 && r.Delivered >= expected-expected/50-edge && r.Sent > 0 {
		return nil
	}
	return fmt.Errorf("viewers got %d of %d frames, skipped %d, found %d broken; %d were sent late; %s",
		r.Delivered, expected, r.Missing, r.Broken, r.Late, r.Fault)
}

// runLoad reads a job, does it, and writes its report.
func runLoad(ctx context.Context, in io.Reader, out io.Writer) error {
	var j job
	if err := json.NewDecoder(in).Decode(&j); err != nil {
		return err
	}
	l, err := newLoad(j)
	if err != nil {
		return err
	}
	rep, err := l.run(ctx)
	if err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(rep)
}

// load is the fleet of one job.
type load struct {
	job
	cameras []*camera
	normal  []*viewer
	slow    []*viewer
	stuck   []*viewer

	open  atomic.Bool // the window is
	fault faults
	group sync.WaitGroup
}

func newLoad(j job) (*load, error) {
	pictures, err := drawPictures(8, j.Size, 640, 480, 1)
	if err != nil {
		return nil, err
	}
	l := &load{job: j}
	for n := range j.Cameras {
		l.cameras = append(l.cameras, &camera{load: l, n: n, pictures: pictures, ready: make(chan struct{})})
		l.normal = append(l.normal, l.viewers(j.Viewers, n, reads)...)
		l.slow = append(l.slow, l.viewers(j.Slow, n, readsSlowly)...)
		l.stuck = append(l.stuck, l.viewers(j.Stuck, n, readsNever)...)
	}
	return l, nil
}

func (l *load) viewers(count, camera int, how habit) []*viewer {
	var out []*viewer
	for range count {
		out = append(out, &viewer{load: l, camera: camera, how: how, ready: make(chan struct{})})
	}
	return out
}

// run connects everybody, lets the warm-up pass, measures for the window and
// disconnects everybody.
func (l *load) run(ctx context.Context) (report, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer l.group.Wait()
	defer cancel()
	for _, c := range l.cameras {
		l.start(ctx, c.run)
	}
	for _, c := range l.cameras {
		if err := l.await(ctx, c.ready, cameraName(c.n)); err != nil {
			return report{}, err
		}
	}
	for _, v := range append(l.normal, l.slow...) {
		l.start(ctx, v.run)
		wait(ctx, time.Millisecond)
	}
	for _, v := range append(l.normal, l.slow...) {
		if err := l.await(ctx, v.ready, "a viewer of "+cameraName(v.camera)); err != nil {
			return report{}, err
		}
	}
	wait(ctx, l.Warmup)
	return l.measure(ctx, cancel)
}

func (l *load) start(ctx context.Context, run func(context.Context) error) {
	l.group.Go(func() {
		if err := run(ctx); err != nil && ctx.Err() == nil {
			l.fault.keep(err)
		}
	})
}

// await waits until a camera is admitted or a viewer has its first picture.
func (l *load) await(ctx context.Context, ready <-chan struct{}, who string) error {
	select {
	case <-ready:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(15 * time.Second):
		return fmt.Errorf("%s did not get through within 15 s: %w", who, l.fault.first())
	}
}

// measure opens the window, watches the server meanwhile, and sums up.
func (l *load) measure(ctx context.Context, cancel func()) (report, error) {
	var rep report
	var err error
	if rep.RSSBefore, err = residentBytes(l.PID); err != nil {
		return rep, err
	}
	for _, v := range l.stuck {
		l.start(ctx, v.run)
	}
	judged, err := l.judged(ctx)
	if err != nil {
		return rep, err
	}
	before, err := cpuTime(l.PID)
	if err != nil {
		return rep, err
	}
	began := time.Now()
	l.open.Store(true)
	l.watch(ctx, &rep, began)
	l.open.Store(false)
	rep.Seconds = time.Since(began).Seconds()
	after, err := cpuTime(l.PID)
	if err != nil {
		return rep, fmt.Errorf("the server is gone: %w", err)
	}
	rep.CPU = after - before
	if rep.RSSAfter, err = residentBytes(l.PID); err != nil {
		return rep, err
	}
	rep.RSSMax = max(rep.RSSMax, rep.RSSAfter)
	if rep.Judged, err = l.judgedSince(ctx, judged, began); err != nil {
		return rep, err
	}
	cancel()
	l.group.Wait()
	l.sum(&rep)
	return rep, nil
}

// watch lets the window pass and looks at the server's memory and, if there are
// stuck viewers, at their connections.
func (l *load) watch(ctx context.Context, rep *report, began time.Time) {
	for time.Since(began) < l.Window && ctx.Err() == nil {
		wait(ctx, min(250*time.Millisecond, l.Window-time.Since(began)))
		if rss, err := residentBytes(l.PID); err == nil {
			rep.RSSMax = max(rep.RSSMax, rss)
		}
		if len(l.stuck) == 0 {
			continue
		}
		held, err := l.stuckHeld()
		if err != nil {
			l.fault.keep(err)
			continue
		}
		rep.StuckHeld = held
		if held > 0 {
			rep.StuckGone = time.Since(began)
		}
	}
}

// stuckHeld counts the connections of stuck viewers that the server holds.
func (l *load) stuckHeld() (int, error) {
	server, err := netip.ParseAddrPort(l.Server)
	if err != nil {
		return 0, err
	}
	ports := map[int]bool{}
	for _, v := range l.stuck {
		ports[int(v.port.Load())] = true
	}
	return heldSockets(l.PID, int(server.Port()), ports)
}

func (l *load) sum(rep *report) {
	for _, c := range l.cameras {
		rep.Sent += c.sent
		rep.Late += c.late
	}
	var latency, headers, age []int32
	for _, v := range l.normal {
		rep.Delivered += v.frames
		rep.Missing += v.missing
		rep.Broken += v.broken
		latency = append(latency, v.ages...)
		headers = append(headers, v.headers...)
	}
	for _, v := range l.slow {
		rep.SlowDelivered += v.frames
		rep.Broken += v.broken
		age = append(age, v.ages...)
	}
	rep.Latency, rep.Headers, rep.SlowAge = spreadOf(latency), spreadOf(headers), spreadOf(age)
	if err := l.fault.first(); !errors.Is(err, errNoFault) {
		rep.Fault = err.Error()
	}
}

// faults keeps the first thing that went wrong.
type faults struct {
	mu  sync.Mutex
	err error
}

var errNoFault = errors.New("nobody said why")

func (f *faults) keep(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err == nil {
		f.err = err
	}
}

func (f *faults) first() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err == nil {
		return errNoFault
	}
	return f.err
}
