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

// goBenchmark runs Go benchmarks of one package and returns what they said.
// names is a pattern.
func goBenchmark(ctx context.Context, pkg, names string, flags ...string) (string, error) {
	args := append([]string{"-run", "^$", "-bench", "^(" + names + ")$"}, flags...)
	return goTest(ctx, nil, append(args, pkg)...)
}

// goTest runs go test, where the source and the go command are at hand, with
// further variables of the environment, and returns what it said.
func goTest(ctx context.Context, env []string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", append([]string{"test"}, args...)...)
	cmd.Env = append(os.Environ(), env...)
	if _, err := os.Stat("go.mod"); err != nil {
		return "", cannot("it needs the source tree: " + strings.Join(append(env, cmd.Args...), " "))
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

var benchmarkLine = regexp.MustCompile(`(?m)^(Benchmark\w+?)(?:-\d+)?\s+\d+\s+(.*)$`)

// metric reads one figure of a benchmark, such as "430871 ns/op", as go test
// says it.
func metric(out, name, unit string) (float64, error) {
	for _, m := range benchmarkLine.FindAllStringSubmatch(out, -1) {
		if m[1] != name {
			continue
		}
		figures := strings.Fields(m[2])
		for i := 1; i < len(figures); i += 2 {
			if figures[i] == unit {
				return strconv.ParseFloat(figures[i-1], 64)
			}
		}
		return 0, fmt.Errorf("%s did not say its %s", name, unit)
	}
	return 0, fmt.Errorf("%s did not run", name)
}
