//go:build linux

package main

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
)

// allocLimits names the Go benchmarks of a frame's way, and what a frame may
// allocate there. Tests beside them hold the same limits.
var allocLimits = []struct {
	name, pkg string
	most      int
	what      string
}{
	{"BenchmarkRelay50Viewers", "./bridge/hub", 1, "from the reader to 50 viewers"},
	{"BenchmarkIntake20KB", "./bridge/ingest", 2, "the same and the WebSocket library's 8-byte reader, through a socket"},
	{"BenchmarkPublish", "./bridge/httpapi", 0, "from the hub into 50 viewers' sockets"},
}

// allocations runs those benchmarks.
func allocations(ctx context.Context, _ *rig) result {
	res := result{OK: true}
	for i, a := range allocLimits {
		out, err := goBenchmark(ctx, a.pkg, a.name, "-benchmem")
		if err != nil {
			return failed(err)
		}
		n, size, err := allocsPerFrame(out, a.name)
		if err != nil {
			return failed(err)
		}
		if i == 0 {
			res.Ours = fmt.Sprintf("%d, %d bytes", n, size)
		}
		res.OK = res.OK && n <= a.most
		res.Notes = append(res.Notes, fmt.Sprintf("%s %s: %d of %d bytes in all for a frame of 20,000 (%s)", a.pkg, a.name, n, size, a.what))
	}
	return res
}

var allocLine = regexp.MustCompile(`(?m)^(Benchmark\w+)\S*\s.*\s(\d+) B/op\s+(\d+) allocs/op`)

// allocsPerFrame reads what go test -benchmem says of one benchmark.
func allocsPerFrame(out, name string) (count, size int, err error) {
	for _, m := range allocLine.FindAllStringSubmatch(out, -1) {
		if m[1] == name {
			size, err = strconv.Atoi(m[2])
			if err == nil {
				count, err = strconv.Atoi(m[3])
			}
			return count, size, err
		}
	}
	return 0, 0, fmt.Errorf("%s did not run", name)
}
