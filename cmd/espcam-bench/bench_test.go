//go:build linux

package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestLoad puts a small load on each floor: everything arrives, and what a
// stuck viewer holds is seen.
func TestLoad(t *testing.T) {
	for _, mode := range []string{"raw", "hybrid"} {
		t.Run(mode, func(t *testing.T) {
			f, err := newFloor(mode)
			if err != nil {
				t.Fatal(err)
			}
			srv := httptest.NewServer(f.handler())
			defer srv.Close()
			l, err := newLoad(job{
				Server: srv.Listener.Addr().String(), PID: os.Getpid(),
				Cameras: 2, Viewers: 3, Stuck: 1, FPS: 20, Size: 20_000,
				Warmup: 50 * time.Millisecond, Window: time.Second,
			})
			if err != nil {
				t.Fatal(err)
			}
			rep, err := l.run(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if rep.Missing != 0 || rep.Broken != 0 || rep.Delivered == 0 {
				t.Errorf("report %+v", rep)
			}
			if rep.CPU <= 0 || rep.RSSBefore <= 0 || rep.RSSMax < rep.RSSAfter || rep.Latency.P50 <= 0 {
				t.Errorf("readings %+v", rep)
			}
			if rep.StuckHeld != 2 {
				t.Errorf("%d stuck viewers are held, want 2", rep.StuckHeld)
			}
		})
	}
}

func TestLoadSaysWhyNot(t *testing.T) {
	srv := httptest.NewServer(nil) // answers 404 to everything
	defer srv.Close()
	l, err := newLoad(job{Server: srv.Listener.Addr().String(), PID: os.Getpid(), Cameras: 1, FPS: 15, Size: 20_000})
	if err != nil {
		t.Fatal(err)
	}
	if err := l.cameras[0].run(t.Context()); err == nil || !strings.Contains(err.Error(), "cam000") {
		t.Errorf("a camera that was refused said %v", err)
	}
}

func TestFloorRefusesModes(t *testing.T) {
	for _, args := range [][]string{nil, {"fast"}} {
		var usage usageError
		if err := runFloor(t.Context(), args, strings.NewReader(""), io.Discard); !errors.As(err, &usage) {
			t.Errorf("floor %v: %v", args, err)
		}
	}
	// One whose stdin has ended stops by itself.
	if err := runFloor(t.Context(), []string{"raw"}, strings.NewReader(""), io.Discard); err != nil {
		t.Error(err)
	}
}

func TestCheck(t *testing.T) {
	j := job{Cameras: 1, Viewers: 10}
	tests := []struct {
		name string
		rep  report
		ok   bool
	}{
		{"whole", report{Sent: 100, Delivered: 1000}, true},
		{"at the window's edge", report{Sent: 100, Delivered: 990}, true},
		{"nothing sent", report{}, false},
		{"stalled", report{Sent: 100, Delivered: 900}, false},
		{"thinned", report{Sent: 100, Delivered: 1000, Missing: 21}, false},
		{"damaged", report{Sent: 100, Delivered: 1000, Broken: 1}, false},
	}
	for _, tt := range tests {
		if err := tt.rep.check(j); (err == nil) != tt.ok {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

func TestProc(t *testing.T) {
	if n, err := residentPages([]byte("8265 1350 1000 500 0 900 0\n")); n != 1350 || err != nil {
		t.Errorf("statm: %d, %v", n, err)
	}
	if _, err := residentPages([]byte("1")); err == nil {
		t.Error("half a statm was read")
	}
	before, err := cpuTime(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	for now := before; now <= before; { // until the clock has moved
		if now, err = cpuTime(os.Getpid()); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := cpuTime(1 << 22); err == nil {
		t.Error("a process that is not there has a clock")
	}
}

func TestLibraries(t *testing.T) {
	const smaps = `00400000-00c00000 r-xp 00000000 fd:00 1310 /usr/bin/espcam-bridge
Size:               8192 kB
Rss:                6000 kB
7f0000000000-7f0000400000 r--p 00000000 fd:00 1311 /usr/lib/libopencv_core.so.4.6.0
Rss:                1000 kB
Pss:                 500 kB
7f0000400000-7f0000500000 rw-p 00000000 00:00 0
Rss:                 300 kB
7f0000500000-7f0000600000 r-xp 00000000 fd:00 1312 /lib/libc.so.6
Rss:                 200 kB
VmFlags: rd ex mr mw me
`
	if l, err := readSmaps(smaps); l != (libraries{1200 << 10, true}) || err != nil {
		t.Errorf("libraries %+v, %v", l, err)
	}
	if l, err := librariesOf(os.Getpid()); l.opencv || err != nil {
		t.Errorf("this test: %+v, %v", l, err)
	}
}

func TestHeldIn(t *testing.T) {
	const table = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 0 100 0 0 10 0
   1: 0100007F:1F90 0100007F:9C40 01 00000000:00000000 00:00000000 00000000     0        0 4712 1 0 20 4 0 10 -1
   2: 0100007F:1F90 0100007F:9C41 04 00001000:00000000 01:00000010 00000003     0        0 0 1 0 20 4 0 10 -1
   3: 0100007F:1F91 0100007F:9C40 01 00000000:00000000 00:00000000 00000000     0        0 4714 1 0 20 4 0 10 -1
   4: 0100007F:9C40 0100007F:1F90 01 00000000:00000000 00:00000000 00000000     0        0 4713 1 0 20 4 0 10 -1
`
	if n := heldIn(table, 0x1F90, map[int]bool{0x9C40: true, 0x9C41: true}); n != 1 {
		t.Errorf("%d held, want 1: the other was closed and only the kernel has it", n)
	}
}

// TestHeldSockets follows a real connection until its server closes it.
func TestHeldSockets(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	client, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	server, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	port := ln.Addr().(*net.TCPAddr).Port
	ports := map[int]bool{client.LocalAddr().(*net.TCPAddr).Port: true}
	if n, err := heldSockets(os.Getpid(), port, ports); n != 1 || err != nil {
		t.Errorf("%d held, %v; want 1", n, err)
	}
	server.Close()
	if n, err := heldSockets(os.Getpid(), port, ports); n != 0 || err != nil {
		t.Errorf("after closing, %d held, %v; want 0", n, err)
	}
}

func TestReadyAddress(t *testing.T) {
	for line, want := range map[string]string{
		"ready http=127.0.0.1:8080":                             "127.0.0.1:8080",
		"ready http=http://127.0.0.1:8080/ mqtt=127.0.0.1:1883": "127.0.0.1:8080",
		"ready mqtt=127.0.0.1:1883":                             "",
		"level=INFO msg=\"ready http=1.2.3.4:80\"":              "",
		"already http=127.0.0.1:8080":                           "",
	} {
		if got := readyAddress(line); got != want {
			t.Errorf("%q: %q, want %q", line, got, want)
		}
	}
}

func TestTable(t *testing.T) {
	var out bytes.Buffer
	printTable(&out, []result{
		{Row: "1 x 50", Must: "<= 1.25", Ours: "14.0 µs", Floor: "12.0 µs raw", Ratio: "1.17", OK: true, Notes: []string{"p99 2 ms"}},
		{Row: "slow", Must: "<= 0.6 s", Skipped: "no namespace"},
		{Row: "start", Must: "< 0.5 s", Ours: "0.70 s"},
	})
	const want = `work    ours     floor        ratio  must      
1 x 50  14.0 µs  12.0 µs raw  1.17   <= 1.25   ok
slow    -        -            -      <= 0.6 s  skipped
start   0.70 s   -            -      < 0.5 s   MISS

1 x 50: p99 2 ms
slow: skipped: no namespace
`
	if out.String() != want {
		t.Errorf("table:\n%s\nwant:\n%s", out.String(), want)
	}
}

func TestSummaries(t *testing.T) {
	for _, tt := range []struct {
		values []float64
		want   float64
	}{{nil, 0}, {[]float64{3}, 3}, {[]float64{9, 1, 2}, 2}, {[]float64{4, 1, 2, 3}, 2.5}} {
		if got := median(tt.values); got != tt.want {
			t.Errorf("median of %v: %v, want %v", tt.values, got, tt.want)
		}
	}
	var micros []int32
	for i := range 101 {
		micros = append(micros, int32((100-i)*1000))
	}
	if s := spreadOf(micros); s != (spread{50, 99, 100}) {
		t.Errorf("spread %+v", s)
	}
	if s := spreadOf(nil); s != (spread{}) {
		t.Errorf("spread of nothing %+v", s)
	}
}

func TestAllocsPerFrame(t *testing.T) {
	const out = `goos: linux
BenchmarkRelay50Viewers-2   	  152328	      8161 ns/op	   20480 B/op	       1 allocs/op
BenchmarkIntake20KB-2   	   35323	     35556 ns/op	 562.50 MB/s	   24584 B/op	       2 allocs/op
BenchmarkPublish-2          	    1000	    700000 ns/op	       0.10 skipped/op	      12 B/op	       0 allocs/op
`
	if n, size, err := allocsPerFrame(out, "BenchmarkPublish"); n != 0 || size != 12 || err != nil {
		t.Errorf("%d allocations of %d bytes, %v", n, size, err)
	}
	if n, size, err := allocsPerFrame(out, "BenchmarkIntake20KB"); n != 2 || size != 24584 || err != nil {
		t.Errorf("%d allocations of %d bytes, %v", n, size, err)
	}
	if _, _, err := allocsPerFrame("ok\n", "BenchmarkIntake20KB"); err == nil {
		t.Error("a run without the benchmark was taken for none")
	}
}

func TestMetric(t *testing.T) {
	const out = `goos: linux
BenchmarkDecodeGrey     	    2767	    430871 ns/op	       420.5 cpu-µs/op	       0 B/op	       0 allocs/op
--- BENCH: BenchmarkDecodeGrey
    bench_test.go:33: 22.9 KB a picture
BenchmarkJudge160-2     	    1800	    640123.5 ns/op
BenchmarkForgedHeader   	31502142	        37.6 ns/op
BenchmarkMotionToON-2   	      36	         0 ns/op	       202.4 ms-median/ON	       204.0 ms-p99/ON
PASS
`
	for _, tt := range []struct {
		name, unit string
		want       float64
	}{
		{"BenchmarkDecodeGrey", "ns/op", 430871}, {"BenchmarkDecodeGrey", "cpu-µs/op", 420.5},
		{"BenchmarkJudge160", "ns/op", 640123.5}, {"BenchmarkForgedHeader", "ns/op", 37.6},
		{"BenchmarkMotionToON", "ms-p99/ON", 204},
	} {
		if got, err := metric(out, tt.name, tt.unit); got != tt.want || err != nil {
			t.Errorf("%s: %v %s, %v; want %v", tt.name, got, tt.unit, err, tt.want)
		}
	}
	if _, err := metric(out, "BenchmarkJudge", "ns/op"); err == nil {
		t.Error("a run without the benchmark was taken for one")
	}
	if _, err := metric(out, "BenchmarkJudge160", "cpu-µs/op"); err == nil {
		t.Error("a figure that is not there was read")
	}
}

func TestCannot(t *testing.T) {
	if r := failed(fmt.Errorf("before: %w", cannot("no tree"))); r.verdict() != "skipped" || r.Skipped != "no tree" {
		t.Errorf("what cannot be measured became %+v", r)
	}
	if r := failed(errors.New("broken")); r.verdict() != "MISS" {
		t.Errorf("what failed became %+v", r)
	}
	t.Chdir(t.TempDir()) // no source tree here
	for _, row := range rows {
		if row.name != "forged header" && row.name != "motion, 160 wide" && row.name != "allocations" {
			continue
		}
		if r := row.measure(t.Context(), &rig{options: options{Rounds: 1}, log: io.Discard}); r.Skipped == "" {
			t.Errorf("%s without a source tree: %+v", row.name, r)
		}
	}
}

// TestMotionScore takes the verdict from what the program says.
func TestMotionScore(t *testing.T) {
	clips := t.TempDir()
	t.Setenv("MOTION_CLIPS", clips)
	program := filepath.Join(t.TempDir(), "bridge")
	r := &rig{options: options{Bridge: program}, log: io.Discard}
	for said, want := range map[string]string{
		`{"total":{"events":15,"hit":15,"event_f1":1},"decoder":"Go"}`:                     "ok",
		`{"total":{"events":15,"hit":14,"event_f1":0.98}}`:                                 "MISS",
		`{"total":{"events":15,"hit":15,"false_events":2,"event_f1":0.94},"decoder":"Go"}`: "MISS",
		`{"total":{"events":0,"hit":0,"event_f1":1}}`:                                      "MISS", // no clips
		`nonsense`: "MISS",
	} {
		if err := os.WriteFile(program, []byte("#!/bin/sh\n[ $# = 6 ] && echo '"+said+"'\n"), 0o700); err != nil {
			t.Fatal(err)
		}
		if res := motionScore(t.Context(), r); res.verdict() != want {
			t.Errorf("%s: %+v, want %s", said, res, want)
		}
	}
	t.Setenv("MOTION_CLIPS", filepath.Join(clips, "nowhere"))
	if res := motionScore(t.Context(), r); !strings.Contains(res.Skipped, "MOTION_CLIPS") {
		t.Errorf("without clips: %+v", res)
	}
}

func TestCountsByCamera(t *testing.T) {
	const text = `# HELP espcam_frames_total Pictures.
espcam_frames_total{camera="cam000"} 400
espcam_motion_frames_analysed_total{camera="cam000"} 40
espcam_motion_frames_analysed_total{camera="cam001"} 1.2e+06
espcam_motion_frames_skipped_total{camera="cam000",reason="busy"} 2
`
	got, err := countsByCamera(strings.NewReader(text), "espcam_motion_frames_analysed_total")
	if err != nil || len(got) != 2 || got["cam000"] != 40 || got["cam001"] != 1.2e6 {
		t.Errorf("%v, %v", got, err)
	}
	if _, err := countsByCamera(strings.NewReader(text), "espcam_motion_frames_skipped_total"); err == nil {
		t.Error("a counter with more labels was read")
	}
}

func TestRates(t *testing.T) {
	for _, tt := range []struct {
		perSecond []float64
		alike     bool
	}{
		{[]float64{5, 4.6, 5.4}, true},
		{[]float64{5, 5, 4.4}, false},
		{[]float64{5, 5, 5.6}, false},
		{[]float64{0, 0}, false}, // nothing was judged
		{nil, false},
	} {
		if r := ratesOf(tt.perSecond); r.alike(0.1) != tt.alike {
			t.Errorf("%v: %+v, alike is %v", tt.perSecond, r, !tt.alike)
		}
	}
}

func TestBridgeConfig(t *testing.T) {
	for want, j := range map[string]job{"motion: {enabled: false,": {Cameras: 2}, "motion: {enabled: true, fps: 5}": {Cameras: 2, Motion: 5}} {
		c := string(bridgeConfig("/somewhere", j))
		if !strings.Contains(c, want) || !strings.Contains(c, "  cam001: {key:") {
			t.Errorf("job %+v:\n%s", j, c)
		}
	}
}

func TestParse(t *testing.T) {
	o, err := parse([]string{"--bridge", "b", "--rounds", "5", "--duration", "2s", "--only", "50"})
	if err != nil || o != (options{"b", 5, 2 * time.Second, "50"}) {
		t.Errorf("options %+v, %v", o, err)
	}
	for _, args := range [][]string{{"--rounds", "0"}, {"--duration", "1ms"}, {"extra"}, {"--nonsense"}} {
		var usage usageError
		if _, err := parse(args); !errors.As(err, &usage) {
			t.Errorf("%q: %v, want a usage error", args, err)
		}
	}
	var usage usageError
	if err := bench(t.Context(), options{Bridge: t.TempDir(), Only: "no such row"}, io.Discard); !errors.As(err, &usage) {
		t.Errorf("a row that is not there: %v", err)
	}
	if err := bench(t.Context(), options{Bridge: "nowhere"}, io.Discard); !errors.As(err, &usage) {
		t.Errorf("a program that is not there: %v", err)
	}
}
