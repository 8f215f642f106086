//go:build linux

package main

import (
	"context"
	"fmt"
	"time"
)

// crowd is the load of withMotion. Everything moves all the time, so in the window
// all events begin and all their clips are recorded at once.
var crowd = job{Cameras: 100, FPS: 10, Viewers: 1, Warmup: 3 * time.Second, Window: 12 * time.Second}

const crowdJudged = 5 // pictures of each camera per second

// withMotion: a hundred cameras, one viewer each, with motion in every picture;
// in turns with it the same with motion switched off. Relaying must not wait for
// judging, and no camera may be judged less than another.
func withMotion(ctx context.Context, r *rig) result {
	var with, without, ratios, cpu []float64
	res := result{OK: true}
	for round := range r.Rounds {
		on, off, err := r.crowdRound(ctx, round)
		if err != nil {
			return failed(err)
		}
		with, without = append(with, on.Latency.P99), append(without, off.Latency.P99)
		ratios = append(ratios, on.Latency.P99/off.Latency.P99)
		cpu = append(cpu, on.CPU.Seconds()/on.Seconds-off.CPU.Seconds()/off.Seconds)
		res.OK = res.OK && on.Judged.alike(0.1)
		res.Notes = append(res.Notes, fmt.Sprintf("round %d: p99 %.2f and %.2f ms, p50 %.2f and %.2f ms; each camera judged %.2f times a second, %.2f to %.2f",
			round+1, on.Latency.P99, off.Latency.P99, on.Latency.P50, off.Latency.P50, on.Judged.Median, on.Judged.Least, on.Judged.Most))
		fmt.Fprintf(r.log, "  %s\n", res.Notes[round])
	}
	res.OK = res.OK && median(ratios) <= 1.2
	res.Ours, res.Floor = fmt.Sprintf("p99 %.1f ms", median(with)), fmt.Sprintf("%.1f ms without", median(without))
	res.Ratio = fmt.Sprintf("%.2f", median(ratios))
	res.Notes = append(res.Notes, fmt.Sprintf("motion takes %.2f of a core; every camera's rate must be within 10 %% of the median", median(cpu)))
	return res
}

// crowdRound does the load with motion and without; who is first changes with
// every round.
func (r *rig) crowdRound(ctx context.Context, round int) (on, off report, err error) {
	for i := range 2 {
		j := crowd
		j.Window = max(j.Window, r.Window)
		if (i+round)%2 == 0 {
			j.Motion = crowdJudged
			on, err = r.bridge(ctx, j)
		} else {
			off, err = r.bridge(ctx, j)
		}
		if err != nil {
			return on, off, err
		}
	}
	return on, off, nil
}
