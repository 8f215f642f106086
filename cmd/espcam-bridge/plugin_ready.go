package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge/pluginhost/folder"
	"github.com/espcam-bridge/espcam-bridge/plugins/launch"
	"github.com/espcam-bridge/espcam-bridge/plugins/pluginpb"
	"github.com/espcam-bridge/espcam-bridge/plugins/plugintest"
)

// ready is what a plugin said until it was ready to work.
type ready struct{ description *pluginpb.Description }

// getReady asks a new process what it is and configures it: with what the target
// names, and for the rest with examples and the address of the recording server.
func getReady(ctx context.Context, p *launch.Process, f folder.Folder, t plugintest.Target, url, data string) (ready, error) {
	ctx, cancel := context.WithTimeout(ctx, 13*time.Second) // the bridge gives 3 and 10 s
	defer cancel()
	d, err := p.Plugin().Describe(ctx, &pluginpb.DescribeRequest{})
	if err != nil {
		return ready{}, fmt.Errorf("it does not say what it is: %w%s", err, lastLines(p.Lines()))
	}
	if err := folder.CheckDescription(f.Type, d); err != nil {
		return ready{}, err
	}
	settings, secrets := plugintest.Settings(d, t, url)
	text, err := json.Marshal(settings)
	if err != nil {
		return ready{}, err
	}
	out, err := p.Plugin().Configure(ctx, &pluginpb.ConfigureRequest{
		Instance: f.Type, SettingsJson: text, Secrets: secrets, Cameras: []*pluginpb.Camera{plugintest.Camera()},
		DataDir: data, HostBrokerId: p.HostID(), Permissions: d.Permissions,
	})
	if err != nil {
		return ready{}, fmt.Errorf("it cannot be configured: %w%s", err, lastLines(p.Lines()))
	}
	if len(out.Problems) > 0 {
		var b strings.Builder
		for _, pr := range out.Problems {
			fmt.Fprintf(&b, "\n    %s %s", pr.Field, pr.Message)
		}
		return ready{}, fmt.Errorf("it refuses its settings; put good ones into %s:%s", folder.TrialName, b.String())
	}
	return ready{d}, nil
}

// snapshot is one text for the state of all files of a folder that an author
// changes: it is another one after each change.
func snapshot(dir string) string {
	var b strings.Builder
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return nil // it is being replaced: the next look finds it
		case d.IsDir() && slices.Contains(notCopied, d.Name()):
			return fs.SkipDir
		case d.IsDir(), strings.HasPrefix(d.Name(), folder.Prefix):
			return nil
		}
		if info, err := d.Info(); err == nil {
			fmt.Fprintln(&b, name, info.Size(), info.ModTime().UnixNano())
		}
		return nil
	})
	if err != nil {
		return err.Error()
	}
	return b.String()
}

// readKeys returns single keys where in is a terminal, else every byte of it. The
// channel is closed at its end. restore puts the terminal back.
func readKeys(ctx context.Context, in io.Reader) (keys <-chan byte, restore func()) {
	restore = func() {}
	if f, ok := in.(*os.File); ok {
		restore = singleKeys(f)
	}
	out := make(chan byte)
	go func() {
		defer close(out)
		var b [1]byte
		for {
			if _, err := io.ReadFull(in, b[:]); err != nil {
				return
			}
			select {
			case out <- b[0]:
			case <-ctx.Done():
				return
			}
		}
	}()
	return out, restore
}

// singleKeys makes a terminal give keys without waiting for Enter. Where that
// cannot be, it stays as it is.
func singleKeys(tty *os.File) (restore func()) {
	stty := func(args ...string) (string, error) {
		cmd := exec.Command("stty", args...)
		cmd.Stdin = tty
		out, err := cmd.Output()
		return strings.TrimSpace(string(out)), err
	}
	before, err := stty("-g")
	if err != nil {
		return func() {} // no terminal
	}
	if _, err := stty("-icanon", "-echo"); err != nil {
		return func() {}
	}
	return func() { _, _ = stty(before) } // at the end of the program: there is nobody to tell
}
