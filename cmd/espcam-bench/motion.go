//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
)

// decodeBenchmark decodes to reduced grey with OpenCV and does nothing else: the
// floor of everything that looks at pictures.
const decodeBenchmark = "BenchmarkDecodeGrey"

// cpuUnit is CPU time: on a busy machine the time on the wall says little.
const cpuUnit = "cpu-µs/op"

// perDecode measures a benchmark of package motion, on one core, as a ratio to
// decoding the same pictures in the same run.
func perDecode(name string, limit float64) func(context.Context, *rig) result {
	return func(ctx context.Context, r *rig) result {
		tag, err := opencvTag(ctx)
		if err != nil {
			return failed(err)
		}
		var ours, floors, ratios []float64
		for range r.Rounds {
			out, err := goBenchmark(ctx, "./motion", decodeBenchmark+"|"+name, "-tags", tag, "-cpu", "1")
			if err != nil {
				return failed(err)
			}
			took, err := metric(out, name, cpuUnit)
			floor, ferr := metric(out, decodeBenchmark, cpuUnit)
			if err = errors.Join(err, ferr); err != nil {
				return failed(err)
			}
			ours, floors, ratios = append(ours, took), append(floors, floor), append(ratios, took/floor)
			fmt.Fprintf(r.log, "  %s %.0f µs, decoding alone %.0f µs, ratio %.2f\n", name, took, floor, took/floor)
		}
		return result{
			Ours: fmt.Sprintf("%.0f µs", median(ours)), Floor: fmt.Sprintf("%.0f µs decode", median(floors)),
			Ratio: fmt.Sprintf("%.2f", median(ratios)), OK: median(ratios) <= limit,
			Notes: []string{name + " of package motion, CPU per VGA picture, on one core"},
		}
	}
}

// forgedHeader: a picture that claims 65535x65535 pixels is refused before any
// decoder sees it.
func forgedHeader(ctx context.Context, _ *rig) result {
	const name = "BenchmarkForgedHeader"
	out, err := goBenchmark(ctx, "./motion", name)
	if err != nil {
		return failed(err)
	}
	took, err := metric(out, name, "ns/op")
	if err != nil {
		return failed(err)
	}
	return result{Ours: fmt.Sprintf("%.1f µs", took/1000), OK: took < 1e6, Notes: []string{name + " of package motion"}}
}

var residentLine = regexp.MustCompile(`(\d+) pictures: (\d+) KB resident after a quarter, (\d+) KB at the end`)

// manyPictures: after 60,000 pictures, damaged ones among them, a detector holds
// what it held after 15,000, and no Mat of OpenCV's is open. The test fails by
// itself if one is.
func manyPictures(ctx context.Context, _ *rig) result {
	tag, err := opencvTag(ctx)
	if err != nil {
		return failed(err)
	}
	out, err := goTest(ctx, []string{"PICTURES=60000"}, "-count=1", "-v", "-tags", tag+",matprofile", "-run", "^TestNoOpenMats$", "./motion")
	if err != nil {
		return failed(err)
	}
	m := residentLine.FindStringSubmatch(out)
	if m == nil {
		return failed(fmt.Errorf("TestNoOpenMats did not say what it holds: %s", out))
	}
	early, _ := strconv.ParseFloat(m[2], 64) // digits only
	late, _ := strconv.ParseFloat(m[3], 64)
	const flat = 4 << 10 // KB that the collector may leave
	return result{
		Ours: fmt.Sprintf("%+.1f MiB, 0 open", (late-early)/1024), OK: m[1] == "60000" && late-early <= flat,
		Notes: []string{fmt.Sprintf("%.1f MiB after a quarter of them, %.1f MiB at the end", early/1024, late/1024)},
	}
}

// motionToON is the time from the first picture with motion to ON on MQTT, in the
// whole program, with four cameras at 10 pictures a second.
func motionToON(ctx context.Context, r *rig) result {
	const name = "BenchmarkMotionToON"
	flags := []string{"-benchtime", fmt.Sprintf("%dx", 12*r.Rounds)}
	if tag, err := opencvTag(ctx); err == nil {
		flags = append(flags, "-tags", tag)
	}
	out, err := goBenchmark(ctx, "./bridge/app", name, flags...)
	if err != nil {
		return failed(err)
	}
	middle, merr := metric(out, name, "ms-median/ON")
	worst, werr := metric(out, name, "ms-p99/ON")
	if err := errors.Join(merr, werr); err != nil {
		return failed(err)
	}
	return result{Ours: fmt.Sprintf("%.0f ms", middle), OK: middle <= 350,
		Notes: []string{fmt.Sprintf("median of %d events; p99 %.0f ms; two pictures of three must show motion, which is 100 ms of it", 12*r.Rounds, worst)}}
}

// opencvTag is the build tag with which package motion decodes as make build
// builds it; the floor of its rows is OpenCV's decoder.
func opencvTag(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, ".ci/opencv").Output()
	said := strings.TrimSpace(string(out))
	var exit *exec.ExitError
	switch {
	case err == nil:
		return said, nil
	case errors.As(err, &exit) && said != "":
		return "", cannot("the floor is OpenCV's decoder: " + said)
	case errors.Is(err, os.ErrNotExist):
		return "", cannot("it needs the source tree, and OpenCV")
	}
	return "", fmt.Errorf(".ci/opencv: %w", err)
}
