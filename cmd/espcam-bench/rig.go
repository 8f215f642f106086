//go:build linux

package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// rig starts what is measured and what loads it, each as a process of its own.
type rig struct {
	options
	log io.Writer
}

// compare loads the bridge and a floor in turns and judges the median of the
// ratios, each taken within one round.
func (r *rig) compare(ctx context.Context, mode string, limit float64, j job, cost func(report) float64) result {
	var ours, floors, ratios, p99s []float64
	for round := range r.Rounds {
		measure := []func() (report, error){
			func() (report, error) { return r.bridge(ctx, j) },
			func() (report, error) { return r.floor(ctx, mode, j) },
		}
		var costs [2]float64
		for i := range measure {
			who := (i + round) % 2 // who is first changes with every round
			rep, err := measure[who]()
			if err != nil {
				return failed(err)
			}
			costs[who] = cost(rep)
			if who == 0 {
				p99s = append(p99s, rep.Latency.P99)
			}
		}
		ours, floors = append(ours, costs[0]), append(floors, costs[1])
		ratios = append(ratios, costs[0]/costs[1])
		fmt.Fprintf(r.log, "  round %d: ours %.1f µs, %s %.1f µs, ratio %.2f\n", round+1, costs[0], mode, costs[1], costs[0]/costs[1])
	}
	res := result{
		Ours: fmt.Sprintf("%.1f µs", median(ours)), Floor: fmt.Sprintf("%.1f µs %s", median(floors), mode),
		Ratio: fmt.Sprintf("%.2f", median(ratios)), OK: median(ratios) <= limit,
	}
	if j.Viewers > 0 {
		res.Notes = []string{fmt.Sprintf("CPU of the server per delivered frame; p99 from camera to viewer %.1f ms", median(p99s))}
	} else {
		res.Notes = []string{"CPU of the server per frame taken in"}
	}
	return res
}

// bridge measures the bridge under one load.
func (r *rig) bridge(ctx context.Context, j job) (report, error) {
	return r.measure(ctx, j, func() (*server, error) { return r.startBridge(ctx, j) })
}

// floor measures a floor under the same load.
func (r *rig) floor(ctx context.Context, mode string, j job) (report, error) {
	self, err := os.Executable()
	if err != nil {
		return report{}, err
	}
	return r.measure(ctx, j, func() (*server, error) { return startServer(ctx, "", self, "floor", mode) })
}

// measure loads a fresh server. A run in which the load itself was late (the
// machine had something else to do) says nothing, and is done again.
func (r *rig) measure(ctx context.Context, j job, start func() (*server, error)) (rep report, err error) {
	for range 3 {
		var s *server
		if s, err = start(); err != nil {
			return rep, err
		}
		rep, err = r.load(ctx, s, j)
		s.stop()
		if rep.Late <= rep.Sent/50 || ctx.Err() != nil {
			return rep, err
		}
		fmt.Fprintf(r.log, "  %d of %d frames were sent late: once more\n", rep.Late, rep.Sent)
	}
	return rep, err
}

// load runs the cameras and viewers against s in a third process.
func (r *rig) load(ctx context.Context, s *server, j job) (report, error) {
	j.Server, j.PID, j.Size = s.address, s.pid(), 20_000
	if j.FPS == 0 {
		j.FPS = 15
	}
	if j.Window == 0 {
		j.Window = r.Window
	}
	if j.Warmup == 0 {
		j.Warmup = time.Second
	}
	in, err := json.Marshal(j)
	if err != nil {
		return report{}, err
	}
	self, err := os.Executable()
	if err != nil {
		return report{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, j.Warmup+j.Window+2*time.Minute)
	defer cancel()
	var rep report
	var out, errs bytes.Buffer
	cmd := child(ctx, self, "load")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(in), &out, &errs
	if err := cmd.Run(); err != nil {
		return rep, fmt.Errorf("load: %w: %s%s", err, strings.TrimSpace(errs.String()), s.lastWords())
	}
	if err := json.Unmarshal(out.Bytes(), &rep); err != nil {
		return rep, fmt.Errorf("load: %w", err)
	}
	return rep, rep.check(j)
}

// isolate runs one row in a child that stands in a new network namespace. The
// namespace ends with its processes; nothing is left to clean up.
func (r *rig) isolate(ctx context.Context, name string) result {
	self, err := os.Executable()
	if err != nil {
		return failed(err)
	}
	o, err := json.Marshal(r.options)
	if err != nil {
		return failed(err)
	}
	cmd := child(ctx, self, "isolated", name, string(o))
	cmd.Stderr = r.log
	cmd.SysProcAttr.Cloneflags = syscall.CLONE_NEWNET
	if os.Geteuid() != 0 { // as root of a user namespace of its own
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Geteuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getegid(), Size: 1}}
	}
	var out bytes.Buffer
	cmd.Stdout = &out
	if err := cmd.Start(); err != nil {
		return skippedBecause(fmt.Sprintf("this machine does not let us make a network namespace (%v)", err))
	}
	if err := cmd.Wait(); err != nil {
		return failed(fmt.Errorf("in its namespace: %w", err))
	}
	var res result
	if err := json.Unmarshal(out.Bytes(), &res); err != nil {
		return failed(err)
	}
	return res
}

// server is a running bridge or floor.
type server struct {
	address    string // host:port
	readyAfter time.Duration

	cmd   *exec.Cmd
	stdin io.Closer
	dir   string        // removed at the end; may be empty
	said  *tail         // its last lines
	read  chan struct{} // closed when its output has ended

	beside []func() // what goes on beside; called in order by stop
}

// startBridge runs the bridge with a configuration of its own, in which the
// cameras have keys, and waits for its ready line.
func (r *rig) startBridge(ctx context.Context, j job) (*server, error) {
	dir, err := os.MkdirTemp("", "espcam-bench-")
	if err != nil {
		return nil, err
	}
	path := filepath.Join(dir, "bridge.yaml")
	program, err := filepath.Abs(r.Bridge)
	if err == nil {
		err = os.WriteFile(path, bridgeConfig(dir, j), 0o600)
	}
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return startServer(ctx, dir, program, "serve", "--config", path)
}

// bridgeConfig is for a home with everything on: tokens, keys, the embedded
// broker; but motion is judged only if the job says so, because no floor does
// it. The frame rate limit is above what the cameras send.
func bridgeConfig(dir string, j job) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, `name: bench
data: %q
http:
  listen: "127.0.0.1:0"
  tokens:
    - {name: bench, token: %q, role: viewer}
    - {name: provoke, token: %q, role: admin}
mqtt:
  embedded: {listen: "127.0.0.1:0"}
ingest:
  max_fps: 30
motion: {enabled: %t, fps: %d}
log: {level: %s}
%scameras:
`, filepath.Join(dir, "data"), viewerToken, adminToken, j.Motion > 0, max(j.Motion, 1), j.level(), pluginConfig(j))
	for n := range j.Cameras {
		fmt.Fprintf(&b, "  %s: {key: %q}\n", cameraName(n), cameraKey(n))
	}
	return b.Bytes()
}

// level of the log: what plugins do wrong is no news here.
func (j job) level() string {
	if j.Evil {
		return "error"
	}
	return "warn"
}

// startServer starts a program that says "ready http=ADDRESS" and waits for it.
func startServer(ctx context.Context, dir, program string, args ...string) (*server, error) {
	began := time.Now()
	s := &server{cmd: child(ctx, program, args...), dir: dir, said: &tail{}, read: make(chan struct{})}
	s.cmd.Dir = dir
	out, w := io.Pipe()
	s.cmd.Stdout, s.cmd.Stderr = w, w
	var err error
	if s.stdin, err = s.cmd.StdinPipe(); err == nil {
		err = s.cmd.Start()
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", program, err), os.RemoveAll(dir))
	}
	ready := make(chan string, 1)
	go func() {
		defer close(s.read)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			s.said.add(lines.Text())
			if a := readyAddress(lines.Text()); a != "" {
				select {
				case ready <- a:
				default:
				}
			}
		}
		_, _ = io.Copy(io.Discard, out) // after a line that is too long
	}()
	exited := make(chan struct{})
	go func() {
		_ = s.cmd.Wait() // how it ended does not matter: stop asked for it, or lastWords tell
		_ = w.Close()
		close(exited)
	}()
	select {
	case s.address = <-ready:
		s.readyAfter = time.Since(began)
		return s, nil
	case <-exited:
		<-s.read
		err = fmt.Errorf("%s %s ended before it was ready%s", filepath.Base(program), args[0], s.lastWords())
	case <-time.After(15 * time.Second):
		err = fmt.Errorf("%s %s is not ready after 15 s%s", filepath.Base(program), args[0], s.lastWords())
	case <-ctx.Done():
		err = ctx.Err()
	}
	s.stop()
	return nil, err
}

// readyAddress takes host:port from a line such as "ready http=127.0.0.1:8080".
func readyAddress(line string) string {
	rest, ok := strings.CutPrefix(line, "ready ")
	if !ok {
		return ""
	}
	for _, f := range strings.Fields(rest) {
		if a, ok := strings.CutPrefix(f, "http="); ok {
			return strings.TrimSuffix(strings.TrimPrefix(a, "http://"), "/")
		}
	}
	return ""
}

func (s *server) pid() int { return s.cmd.Process.Pid }

// stop ends the process, waits until it is gone and removes its files.
func (s *server) stop() {
	for _, end := range s.beside {
		end()
	}
	_ = s.stdin.Close()
	_ = s.cmd.Process.Signal(syscall.SIGTERM) // it may be gone already
	select {
	case <-s.read:
	case <-time.After(10 * time.Second):
		_ = s.cmd.Process.Kill()
		<-s.read
	}
	if s.dir != "" {
		_ = os.RemoveAll(s.dir) // in the temporary directory
	}
}

func (s *server) lastWords() string { return s.said.String() }

// child prepares a process that does not outlive this one.
func child(ctx context.Context, program string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second
	return cmd
}

// wait lets d pass, or less if ctx ends.
func wait(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
