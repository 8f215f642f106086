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

// goBenchmark runs Go benchmarks of one package, where the source and the go
// command are at hand, and returns what they said. names is a pattern.
func goBenchmark(ctx context.Context, pkg, names string, flags ...string) (string, error) {
	args := append([]string{"test", "-run", "^$", "-bench", "^(" + names + ")$"}, flags...)
	cmd := exec.CommandContext(ctx, "go", append(args, pkg)...)
	if _, err := os.Stat("go.mod"); err != nil {
		return "", cannot("it needs the source tree: " + strings.Join(cmd.Args, " "))
	}
	out, err := cmd.CombinedOutput()
	if errors.Is(err, exec.ErrNotFound) {
		return "", cannot("there is no go command here")
	}
	if err != nil {
		return "", fmt.Errorf("%s: %w: %s", cmd, err, out)
	}
	return string(out), nil
}

var timeLine = regexp.MustCompile(`(?m)^(Benchmark\w+?)(?:-\d+)?\s+\d+\s+([0-9.]+) ns/op`)

// microseconds reads what one run of a benchmark took, as go test says it.
func microseconds(out, name string) (float64, error) {
	for _, m := range timeLine.FindAllStringSubmatch(out, -1) {
		if m[1] == name {
			ns, err := strconv.ParseFloat(m[2], 64)
			return ns / 1000, err
		}
	}
	return 0, fmt.Errorf("%s did not run", name)
}

// metric reads a figure that a benchmark reports beside its time, such as
// "ms-median/ON".
func metric(out, name, unit string) (float64, error) {
	line := regexp.MustCompile(`(?m)^` + name + `(?:-\d+)?\s.*?([0-9.]+) ` + regexp.QuoteMeta(unit))
	m := line.FindStringSubmatch(out)
	if m == nil {
		return 0, fmt.Errorf("%s did not say its %s", name, unit)
	}
	return strconv.ParseFloat(m[1], 64)
}
