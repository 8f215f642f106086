//go:build linux

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

const adminToken = "esb_benchmark-admin-0123456789"

// evils are plugin instances of chaos, each bad in its own way, and set off again
// and again while pictures are relayed.
var evils = map[string]string{
	"freezes":   "behaviour: freeze",
	"crashes":   "behaviour: crash",
	"floods":    "behaviour: flood",
	"allocates": "behaviour: allocate, megabytes: 40",
}

// besidePlugins: fifty viewers of one camera while plugins freeze, crash-loop,
// flood and allocate, in turns with the same without plugins.
func besidePlugins(ctx context.Context, r *rig) result {
	dir, err := buildPlugins(ctx, "chaos")
	if err != nil {
		return failed(err)
	}
	defer os.RemoveAll(dir)
	var with, without, ratios []float64
	res := result{}
	for round := range r.Rounds {
		on, off, err := r.evilRound(ctx, round, dir)
		if err != nil {
			return failed(err)
		}
		with, without = append(with, on.Latency.P99), append(without, off.Latency.P99)
		ratios = append(ratios, on.Latency.P99/off.Latency.P99)
		res.Notes = append(res.Notes, fmt.Sprintf("round %d: p99 %.2f and %.2f ms, p50 %.2f and %.2f ms", round+1, on.Latency.P99, off.Latency.P99, on.Latency.P50, off.Latency.P50))
		fmt.Fprintf(r.log, "  %s\n", res.Notes[round])
	}
	res.OK = median(ratios) <= 1.1
	res.Ours, res.Floor = fmt.Sprintf("p99 %.2f ms", median(with)), fmt.Sprintf("%.2f ms without", median(without))
	res.Ratio = fmt.Sprintf("%.2f", median(ratios))
	return res
}

// evilRound does the load with plugins and without; who is first changes with
// every round.
func (r *rig) evilRound(ctx context.Context, round int, dir string) (on, off report, err error) {
	for i := range 2 {
		j := job{Cameras: 1, Viewers: 50, Warmup: 3 * time.Second, Window: max(12*time.Second, r.Window)}
		if (i+round)%2 == 1 {
			if off, err = r.bridge(ctx, j); err != nil {
				return on, off, err
			}
			continue
		}
		j.Plugins, j.Evil = dir, true
		on, err = r.measure(ctx, j, func() (*server, error) {
			s, err := r.startBridge(ctx, j)
			if err == nil {
				s.provoke(ctx)
			}
			return s, err
		})
		if err != nil {
			return on, off, err
		}
	}
	return on, off, nil
}

// provoke sets every evil off four times a second until the server stops.
func (s *server) provoke(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	s.beside = append(s.beside, cancel)
	for name := range evils {
		ended := make(chan struct{})
		s.beside = append(s.beside, func() { <-ended })
		go func() {
			defer close(ended)
			for ctx.Err() == nil {
				_ = s.test(ctx, name) // it fails: that is what it is for
				wait(ctx, 250*time.Millisecond)
			}
		}()
	}
}

// test presses the button of a plugin instance.
func (s *server) test(ctx context.Context, instance string) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+s.address+"/api/v1/plugins/"+instance+"/test", nil)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+adminToken)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, resp.Body)
	return errors.Join(err, resp.Body.Close())
}

// pluginConfig is a part of the configuration: evil instances, or idle ones.
func pluginConfig(j job) string {
	if j.Plugins == "" {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, "plugins:\n  dir: %q\n  instances:\n", j.Plugins)
	for n := range j.Idle {
		fmt.Fprintf(&b, "    idle-%d: {type: chaos, dev: true}\n", n)
	}
	if j.Evil {
		writeEvils(&b)
	}
	return b.String()
}

func writeEvils(b *strings.Builder) {
	for name, settings := range evils {
		fmt.Fprintf(b, "    %s: {type: chaos, dev: true, memory: 128MiB, settings: {%s}}\n", name, settings)
	}
}

// buildPlugins builds plugins of the source tree into a new directory, as `make
// build` does.
func buildPlugins(ctx context.Context, kinds ...string) (dir string, err error) {
	if _, err := os.Stat("go.mod"); err != nil {
		return "", cannot("it needs the source tree")
	}
	if dir, err = os.MkdirTemp("", "espcam-bench-"); err != nil {
		return "", err
	}
	for _, kind := range kinds {
		cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", filepath.Join(dir, kind, "espcam-plugin-"+kind), "./plugins/"+kind)
		if out, err := cmd.CombinedOutput(); err != nil {
			return "", errors.Join(fmt.Errorf("%s: %w: %s", cmd, err, out), os.RemoveAll(dir))
		}
	}
	return dir, nil
}

// idlePlugins: what ten instances that do nothing cost the bridge itself.
func idlePlugins(ctx context.Context, r *rig) result {
	dir, err := buildPlugins(ctx, "chaos")
	if err != nil {
		return failed(err)
	}
	defer os.RemoveAll(dir)
	var grown []float64
	for range r.Rounds {
		var sizes [2]int64
		for i, idle := range []int{0, 10} {
			s, err := r.startBridge(ctx, job{Cameras: 1, Plugins: dir, Idle: idle})
			if err != nil {
				return failed(err)
			}
			if err = s.running(ctx, idle); err == nil {
				sizes[i], _, err = s.idle(ctx)
			}
			s.stop()
			if err != nil {
				return failed(err)
			}
		}
		grown = append(grown, float64(sizes[1]-sizes[0])/1e6)
	}
	return result{
		Ours:  fmt.Sprintf("%+.1f MB", median(grown)),
		OK:    median(grown) <= 20,
		Notes: []string{fmt.Sprintf("resident memory of the bridge alone, with ten idle plugins and without: %.1f MB", grown)},
	}
}

// running waits until so many plugins take work.
func (s *server) running(ctx context.Context, n int) error {
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end) && ctx.Err() == nil; wait(ctx, 50*time.Millisecond) {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.address+"/api/v1/plugins", nil)
		if err != nil {
			return err
		}
		req.Header.Set("Authorization", "Bearer "+adminToken)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return err
		}
		var list struct{ Items []struct{ State string } }
		err = errors.Join(json.NewDecoder(resp.Body).Decode(&list), resp.Body.Close())
		ready := 0
		for _, p := range list.Items {
			if p.State == "ready" {
				ready++
			}
		}
		if err != nil || ready >= n {
			return err
		}
	}
	return fmt.Errorf("%d plugins do not start%s", n, s.lastWords())
}
