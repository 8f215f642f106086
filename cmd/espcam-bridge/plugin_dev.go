package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/espcam-bridge/espcam-bridge/bridge/pluginhost/folder"
	"github.com/espcam-bridge/espcam-bridge/plugins/launch"
	"github.com/espcam-bridge/espcam-bridge/plugins/plugintest"
)

func devPluginCommand() *cobra.Command {
	var with string
	c := &cobra.Command{
		Use:   "dev DIR",
		Short: "Run a plugin you are writing against a fake host, and reload it when a file changes",
		Long: `Run a plugin you are writing against a fake host with one synthetic camera, and reload it when a file changes.

Keys: t sends a test event, r restarts the plugin, q quits. Settings that are addresses lead to a server that shows what
arrives; with --with FILE (settings and secrets, as in check.yaml) it speaks to the real service.`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error { return runDev(c, args[0], with) },
	}
	c.Flags().StringVar(&with, "with", "", "a file to take in the place of the folder's check.yaml")
	return c
}

// dev is one run of "plugin dev". Its loop owns all but print.
type dev struct {
	path, with string
	data       string // the plugin's own directory
	upstream   *plugintest.Recorder
	host       *plugintest.FakeHost

	running *devProcess // nil: none
	sent    int         // test events

	mu  sync.Mutex
	out io.Writer
}

// devProcess is a plugin that works.
type devProcess struct {
	*launch.Process
	ready
}

// devPoll is how often the folder is looked at.
const devPoll = 300 * time.Millisecond

func runDev(c *cobra.Command, path, with string) (err error) {
	ctx, cancel := context.WithCancel(c.Context())
	defer cancel()
	d := &dev{path: path, with: with, out: c.OutOrStdout()}
	if d.data, err = os.MkdirTemp("", "plugin-dev"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(d.data)) }()
	if d.upstream, err = plugintest.NewRecorder(ctx, d.arrived); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.upstream.Close()) }()
	d.host = &plugintest.FakeHost{Log: func(call string) { d.print("bridge", call) }}
	keys, restore := readKeys(ctx, c.InOrStdin())
	defer restore()
	defer d.stop()
	d.loop(ctx, keys)
	return nil
}

// loop ends with q, the end of its input, or ctx.
func (d *dev) loop(ctx context.Context, keys <-chan byte) {
	seen := snapshot(d.path)
	d.reload(ctx)
	d.print("keys", "t sends a test event, r restarts, q quits")
	tick := time.NewTicker(devPoll)
	defer tick.Stop()
	for {
		var ended <-chan struct{}
		if d.running != nil {
			ended = d.running.Done()
		}
		select {
		case <-ctx.Done():
			return
		case key, ok := <-keys:
			if !ok || key == 'q' {
				return
			}
			d.key(ctx, key)
			seen = snapshot(d.path)
		case <-ended:
			d.died()
		case <-tick.C:
			if now := snapshot(d.path); now != seen {
				d.print("changed", "building and starting again")
				d.reload(ctx)
				seen = snapshot(d.path)
			}
		}
	}
}

func (d *dev) key(ctx context.Context, key byte) {
	switch {
	case key == 'r':
		d.reload(ctx)
	case key != 't':
	case d.running == nil:
		d.print("plugin", "it is not running: change a file, or press r")
	default:
		d.sent++
		for _, line := range plugintest.SendTest(ctx, d.running.Process, d.running.description, d.sent) {
			d.print("answer", line)
		}
	}
}

// reload builds the plugin, and puts a new process into the place of the old one
// as soon as it is ready. If it does not become ready, the old one goes on.
func (d *dev) reload(ctx context.Context) {
	begin := time.Now()
	if err := d.build(ctx); err != nil {
		d.print("build", err.Error())
		return
	}
	p, err := d.start(ctx)
	if err != nil {
		d.print("plugin", err.Error())
		return
	}
	d.stop()
	d.running = p
	d.print("plugin", fmt.Sprintf("%s %s is ready after %d ms", p.description.Name, p.description.Version, time.Since(begin).Milliseconds()))
}

// build builds what is written in Go; the rest is ready as it is.
func (d *dev) build(ctx context.Context) error {
	if _, err := os.Stat(filepath.Join(d.path, "go.mod")); err != nil {
		return nil
	}
	d.print("build", "go build; the first time it takes some seconds")
	cmd := exec.CommandContext(ctx, "go", "build", "-o", folder.Prefix+folder.Open(d.path).Type, ".")
	cmd.Dir = d.path
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%w\n%s", err, indent(string(out)))
	}
	return nil
}

func (d *dev) start(ctx context.Context) (*devProcess, error) {
	f := folder.Open(d.path)
	if f.Err != nil {
		return nil, f.Err
	}
	target, err := trialOf(f, d.with)
	if err != nil {
		return nil, err
	}
	p, err := launch.Start(ctx, launch.Spec{
		Name: f.Type, Command: f.Command, Dir: d.data, Within: startTime(f), Host: d.host,
		Line: func(l launch.Line) { d.print("log", l.String()) },
	})
	if err != nil {
		return nil, err
	}
	r, err := getReady(ctx, p, f, target, d.upstream.URL(), d.data)
	if err != nil {
		p.Stop(0)
		return nil, err
	}
	return &devProcess{p, r}, nil
}

func (d *dev) stop() {
	if d.running != nil {
		d.running.Stop(5 * time.Second)
		d.running = nil
	}
}

// died shows at once how the plugin ended.
func (d *dev) died() {
	text := "it ended: " + d.running.Exit() + lastLines(d.running.Lines())
	d.stop()
	d.print("plugin", text+"\nit starts again when a file changes, or with r")
}

// arrived shows a request to the recording server, and answers it.
func (d *dev) arrived(r *http.Request, body []byte) (status int, answer string) {
	d.print("sent", fmt.Sprintf("%s %s, %d bytes of %s\n%s", r.Method, r.URL.RequestURI(), len(body), dash(r.Header.Get("Content-Type")), indent(shown(body))))
	return http.StatusOK, "{}"
}

const maxShown = 800 // bytes of a body

var longWord = regexp.MustCompile(`[A-Za-z0-9+/=_-]{80,}`)

// shown is a body for people: without the bulk of pictures.
func shown(body []byte) string {
	text := longWord.ReplaceAllStringFunc(strings.ToValidUTF8(string(body), "·"), func(word string) string {
		return fmt.Sprintf("%s... (%d characters)", word[:12], len(word))
	})
	if len(text) > maxShown {
		text = strings.ToValidUTF8(text[:maxShown], "") + " ..."
	}
	return text
}

func (d *dev) print(who, text string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	fmt.Fprintf(d.out, "%-8s %s\n", who, strings.TrimRight(text, " \n"))
}
