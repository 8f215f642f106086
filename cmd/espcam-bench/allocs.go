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

// The benchmark that carries one frame from a camera's socket to many viewers.
const (
	allocBenchmark = "BenchmarkFrameToViewers"
	allocPackage   = "./bridge/httpapi"
)

// allocations runs the Go benchmark of the hot path, where the source and the go
// command are at hand.
func allocations(ctx context.Context, _ *rig) result {
	if _, err := os.Stat("go.mod"); err != nil {
		return skippedBecause("run it in the source tree: it is " + allocBenchmark + " in " + allocPackage)
	}
	cmd := exec.CommandContext(ctx, "go", "test", "-run", "^$", "-bench", "^"+allocBenchmark+"$", "-benchmem", allocPackage)
	out, err := cmd.CombinedOutput()
	if errors.Is(err, exec.ErrNotFound) {
		return skippedBecause("there is no go command here")
	}
	if err != nil {
		return failed(fmt.Errorf("%s: %w: %s", cmd, err, out))
	}
	most, lines, err := allocsPerFrame(string(out))
	if err != nil {
		return failed(err)
	}
	return result{Ours: fmt.Sprintf("%d per frame", most), OK: most <= 1, Notes: lines}
}

var allocLine = regexp.MustCompile(`(?m)^` + allocBenchmark + `\S*\s.*\s(\d+) allocs/op.*$`)

// allocsPerFrame reads go test's lines and returns the most allocations of any.
func allocsPerFrame(out string) (most int, lines []string, err error) {
	for _, m := range allocLine.FindAllStringSubmatch(out, -1) {
		n, err := strconv.Atoi(m[1])
		if err != nil {
			return 0, nil, err
		}
		most = max(most, n)
		lines = append(lines, strings.Join(strings.Fields(m[0]), " "))
	}
	if len(lines) == 0 {
		return 0, nil, fmt.Errorf("%s did not run", allocBenchmark)
	}
	return most, lines, nil
}
