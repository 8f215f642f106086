//go:build linux

package main

import (
	"context"
	"fmt"
	"time"
)

// row is one line of the table: some work, what it may cost, how to find out.
type row struct {
	name     string
	must     string
	isolated bool // in a network namespace whose loopback has a real link's MTU
	measure  func(context.Context, *rig) result
}

// rows is the whole benchmark. All pictures are decodable JPEGs of 640x480 in
// 20,000 bytes, at 15 frames a second where nothing else is said. The rows above
// "100 with motion" measure the relay and have motion switched off, as the floors
// have none; that row says what it does to the relay.
var rows = []row{
	{name: "1 x 50", must: "<= 1.25 x raw", measure: func(ctx context.Context, r *rig) result {
		return r.compare(ctx, "raw", 1.25, job{Cameras: 1, Viewers: 50}, perDelivered)
	}},
	{name: "1 x 300", must: "<= 1.3 x raw", measure: func(ctx context.Context, r *rig) result {
		return r.compare(ctx, "raw", 1.3, job{Cameras: 1, Viewers: 300}, perDelivered)
	}},
	{name: "50 x 4", must: "<= 1.3 x hybrid", measure: func(ctx context.Context, r *rig) result {
		return r.compare(ctx, "hybrid", 1.3, job{Cameras: 50, Viewers: 4}, perDelivered)
	}},
	{name: "100 x 0 intake", must: "<= 1.3 x hybrid", measure: func(ctx context.Context, r *rig) result {
		return r.compare(ctx, "hybrid", 1.3, job{Cameras: 100}, perSent)
	}},
	{name: "slow viewers", must: "age <= 0.6 s, others lose 0", isolated: true, measure: slowViewers},
	{name: "stuck viewers", must: "0 left, memory back", measure: stuckViewers},
	{name: "browser form", must: "< 2 ms", measure: browserForm},
	{name: "start", must: "< 0.5 s, <= 30 MB (OpenCV 90)", measure: start},
	{name: "allocations", must: "0 copies, 1 allocation", measure: allocations},
	{name: "100 with motion", must: "p99 <= 1.2 x without", measure: withMotion},
	{name: "beside plugins", must: "p99 <= 1.1 x without", measure: besidePlugins},
	{name: "idle plugins", must: "<= 20 MB for ten", measure: idlePlugins},
	{name: "motion score", must: "F1 >= 0.97, half 0.95", measure: motionScore},
	{name: "motion, 160 wide", must: "<= 1.5 x decoding", measure: perDecode("BenchmarkJudge160", 1.5)},
	{name: "motion, 80 wide", must: "<= 1.1 x decoding", measure: perDecode("BenchmarkJudge80", 1.1)},
	{name: "motion, integers", must: "<= 0.45 x decoding", measure: perDecode("BenchmarkIntegerPart160", 0.45)},
	{name: "forged header", must: "< 1 ms", measure: forgedHeader},
	{name: "60,000 pictures", must: "memory flat, no Mat open", measure: manyPictures},
	{name: "announcing 600", must: "<= 5 s, <= 64 MB, none lost", measure: announce},
	{name: "motion to ON", must: "<= 350 ms", measure: motionToON},
}

// perDelivered is the CPU of the server in µs for each frame that a viewer got.
func perDelivered(rep report) float64 {
	return rep.CPU.Seconds() * 1e6 / float64(max(rep.Delivered, 1))
}

// perSent is the CPU of the server in µs for each frame that a camera sent.
func perSent(rep report) float64 { return rep.CPU.Seconds() * 1e6 / float64(max(rep.Sent, 1)) }

// slowViewers: five viewers read at half the bandwidth they need, beside ten
// that read as fast as they can. The window begins when queues would be long.
func slowViewers(ctx context.Context, r *rig) result {
	j := job{Cameras: 1, Viewers: 10, Slow: 5, SlowRate: 150_000, Warmup: 8 * time.Second, Window: 12 * time.Second}
	rep, err := r.bridge(ctx, j)
	if err != nil {
		return failed(err)
	}
	age := rep.SlowAge.P50
	return result{
		Ours: fmt.Sprintf("%.2f s old (p99 %.2f)", age/1000, rep.SlowAge.P99/1000),
		OK:   age <= 600 && rep.SlowDelivered > 0 && rep.Missing == 0,
		Notes: []string{fmt.Sprintf("normal viewers missed %d of %d frames, p99 %.1f ms; a slow one got %.1f fps",
			rep.Missing, rep.Delivered, rep.Latency.P99, float64(rep.SlowDelivered)/float64(j.Slow)/rep.Seconds)},
	}
}

// stuckViewers: ten viewers ask and never read, beside twenty that do.
func stuckViewers(ctx context.Context, r *rig) result {
	rep, err := r.bridge(ctx, job{Cameras: 1, Viewers: 20, Stuck: 10, Window: 25 * time.Second})
	if err != nil {
		return failed(err)
	}
	const back = 4 << 20 // what the collector may leave
	grown := rep.RSSAfter - rep.RSSBefore
	return result{
		Ours: fmt.Sprintf("%d left, %+.1f MiB", rep.StuckHeld, float64(grown)/(1<<20)),
		OK:   rep.StuckHeld == 0 && grown <= back && rep.Missing == 0,
		Notes: []string{fmt.Sprintf("normal viewers missed %d of %d frames, p99 %.1f ms; at most %+.1f MiB meanwhile; gone after %.0f s",
			rep.Missing, rep.Delivered, rep.Latency.P99, float64(rep.RSSMax-rep.RSSBefore)/(1<<20), rep.StuckGone.Seconds())},
	}
}

// browserForm: Chromium and WebKit show a picture when the next part's headers
// are complete.
func browserForm(ctx context.Context, r *rig) result {
	rep, err := r.bridge(ctx, job{Cameras: 1, Viewers: 10, Browser: true})
	if err != nil {
		return failed(err)
	}
	return result{
		Ours:  fmt.Sprintf("p50 %.3f, p99 %.3f ms", rep.Headers.P50, rep.Headers.P99),
		OK:    rep.Delivered > 0 && rep.Headers.P99 < 2,
		Notes: []string{fmt.Sprintf("from the picture's last byte to the next part's headers, %d frames", rep.Delivered)},
	}
}

// start: from the start of the process to its ready line, and what it holds
// when nobody is there. OpenCV is some 140 shared libraries, which a build with it
// holds on top.
func start(ctx context.Context, r *rig) result {
	const starts = 5
	var times, sizes []float64
	var libs libraries
	for range starts {
		s, err := r.startBridge(ctx, job{Cameras: 1})
		if err != nil {
			return failed(err)
		}
		times = append(times, s.readyAfter.Seconds())
		rss, l, err := s.idle(ctx)
		s.stop()
		if err != nil {
			return failed(err)
		}
		sizes, libs = append(sizes, float64(rss)/1e6), l
	}
	took, size, most := median(times), median(sizes), 30.0
	res := result{Ours: fmt.Sprintf("%.2f s, %.1f MB", took, size)}
	if libs.opencv {
		most = 90
		res.Notes = []string{fmt.Sprintf("%.1f MB of it are shared libraries, for OpenCV; a build with OPENCV=no may hold 30 MB", float64(libs.resident)/1e6)}
	}
	res.OK = took < 0.5 && size <= most
	return res
}

// idle lets the server settle and says what it holds then.
func (s *server) idle(ctx context.Context) (rss int64, libs libraries, err error) {
	const settle = 3 * time.Second
	wait(ctx, settle)
	if rss, err = residentBytes(s.pid()); err != nil {
		return 0, libs, err
	}
	libs, err = librariesOf(s.pid())
	return rss, libs, err
}
