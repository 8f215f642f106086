package plugintest

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/espcam-bridge/espcam-bridge/plugins/launch"
	"github.com/espcam-bridge/espcam-bridge/plugins/pluginpb"
)

const exitedWell = "exit status 0"

func (k *kit) refused(ctx context.Context) (string, error) {
	k.stop(0)
	k.host.Granted = []string{}
	defer func() {
		k.stop(0)
		k.host.Granted = nil
	}()
	p, err := k.plugin(ctx)
	if err != nil {
		return "", err
	}
	if err := k.takes(ctx, p, k.picture(0)); err != nil {
		return "", err
	}
	short, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	out, err := p.Plugin().Check(short, &pluginpb.CheckRequest{})
	if err == nil {
		err = k.lost()
	}
	if err != nil {
		return "", errors.New(k.explain(err)) // before it is stopped
	}
	k.hear(out.GetMessage())
	if len(k.desc.GetPermissions()) == 0 {
		return "it wants none", nil
	}
	return "", nil
}

func (k *kit) hostKilled(ctx context.Context) (string, error) {
	p, err := k.plugin(ctx)
	if err != nil {
		return "", err
	}
	defer k.stop(0)
	begin := time.Now()
	p.Abandon()
	select {
	case <-p.Done():
		return fmt.Sprintf("after %d ms", time.Since(begin).Milliseconds()), nil
	case <-time.After(endTime):
		return "", fmt.Errorf("it still runs %s after its host was killed", endTime)
	}
}

func (k *kit) ends(ctx context.Context) (string, error) {
	p, err := k.plugin(ctx)
	if err != nil {
		return "", err
	}
	defer k.stop(0)
	begin := time.Now()
	if err := signalTo(p.PID(), syscall.SIGTERM); err != nil {
		return "", err
	}
	select {
	case <-p.Done():
	case <-time.After(endTime):
		return "", fmt.Errorf("it still runs %s after SIGTERM", endTime)
	}
	if p.Exit() != exitedWell {
		return "", fmt.Errorf("after SIGTERM: %s", p.Exit())
	}
	took := time.Since(begin)
	k.stop(0)
	return fmt.Sprintf("after %d ms", took.Milliseconds()), k.drains(ctx)
}

// drains: what is under way is finished, then the process can be ended.
func (k *kit) drains(ctx context.Context) error {
	p, err := k.plugin(ctx)
	if err != nil {
		return err
	}
	sent := make(chan error, 1)
	if k.notifies() && k.reaches() {
		k.upstream.Answer(AnswerSlow)
		before := len(k.upstream.Messages())
		a := k.alert(pluginpb.Phase_PHASE_BEGIN)
		go func() { _, err := k.delivered(ctx, p, a); sent <- err }()
		at, cancel := context.WithTimeout(ctx, arriveTime)
		defer cancel()
		if err := arrivedSince(at, k.upstream, before, nil); err != nil {
			return err
		}
		time.AfterFunc(200*time.Millisecond, func() { k.upstream.Answer(AnswerOK) })
	} else {
		sent <- nil
	}
	short, cancel := context.WithTimeout(ctx, endTime)
	defer cancel()
	if _, err := p.Plugin().Drain(short, &pluginpb.DrainRequest{WithinMs: uint32(endTime.Milliseconds() - 1000)}); err != nil {
		return fmt.Errorf("calling Drain: %w", err)
	}
	if err := <-sent; err != nil {
		return fmt.Errorf("what was under way during Drain: %w", err)
	}
	p.Stop(0)
	if p.Exit() != exitedWell {
		return fmt.Errorf("after Drain and Shutdown: %s", p.Exit())
	}
	return nil
}

func (k *kit) restarts(ctx context.Context) (string, error) {
	k.stop(time.Second)
	for n := range k.target.restarts {
		p, err := k.plugin(ctx)
		if err != nil {
			return "", fmt.Errorf("start %d: %w", n+1, err)
		}
		if k.notifies() {
			if _, err := k.notify(ctx, p, k.alert(pluginpb.Phase_PHASE_TEST)); err != nil {
				return "", err
			}
		}
		k.stop(time.Second)
	}
	if left := sockets(k.dir); len(left) > 0 {
		return "", fmt.Errorf("sockets are left: %s", strings.Join(left, ", "))
	}
	return k.children(ctx)
}

// children waits a moment for the last of them to be gone.
func (k *kit) children(ctx context.Context) (string, error) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	end := time.After(2 * time.Second)
	for {
		left, known := marked(k.marker)
		switch {
		case !known:
			return "children are not looked for on this system", nil
		case len(left) == 0:
			return "", nil
		}
		select {
		case <-tick.C:
		case <-end:
			k.sweep()
			return "", fmt.Errorf("%d processes are left", len(left))
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
}

// sweep ends what is left: only processes that carry the mark of this run.
func (k *kit) sweep() {
	left, _ := marked(k.marker)
	for _, pid := range left {
		_ = signalTo(pid, syscall.SIGKILL) // it may have ended by itself
	}
}

func signalTo(pid int, s syscall.Signal) error {
	p, err := os.FindProcess(pid)
	if err != nil {
		return err
	}
	return p.Signal(s)
}

// sockets are the files of that kind below dir.
func sockets(dir string) []string {
	var out []string
	_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error { // what cannot be read is none of ours
		if err == nil && d.Type()&os.ModeSocket != 0 {
			out = append(out, filepath.Base(path))
		}
		return nil
	})
	return out
}

const (
	warmUp    = 10               // of so many events one comes before memory is looked at
	mostBytes = 20 << 20         // that it may grow
	mostTime  = 20 * time.Second // for detectors that take long for one picture
)

func (k *kit) memory(ctx context.Context) (string, error) {
	p, err := k.plugin(ctx)
	if err != nil {
		return "", err
	}
	if _, known := resident(p.PID()); !known {
		return "", skipped("memory is not looked at on this system")
	}
	if done, err := k.feed(ctx, p, k.target.events/warmUp); err != nil {
		return "", fmt.Errorf("event %d: %w", done, err)
	}
	before, _ := resident(p.PID())
	done, err := k.feed(ctx, p, k.target.events)
	if err != nil {
		return "", fmt.Errorf("event %d: %w", k.target.events/warmUp+done, err)
	}
	after, known := resident(p.PID())
	if !known {
		return "", errors.New("the plugin ended")
	}
	if after-before > mostBytes {
		return "", fmt.Errorf("%d events made it grow from %d to %d MB", done, before>>20, after>>20)
	}
	return fmt.Sprintf("%d events, %+.1f MB, %d MB in all", done, float64(after-before)/(1<<20), after>>20), nil
}

// feed gives up to n events to each role, as fast as it takes them.
func (k *kit) feed(ctx context.Context, p *launch.Process, n int) (int, error) {
	end := time.Now().Add(mostTime)
	picture := Padded(Picture(1, width, height), 20<<10)
	for i := range n {
		if time.Now().After(end) {
			return i, nil
		}
		if err := k.takes(ctx, p, picture); err != nil {
			return i, err
		}
	}
	return n, nil
}
