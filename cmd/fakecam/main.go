// Command fakecam plays ESP32 cameras against a bridge: one or hundreds, in every
// dialect that bridge/fakecam speaks, with a moving picture or a folder of JPEGs,
// obedient or faulty. It prints a line per change of state, a summary every few
// seconds and one at the end.
//
// It exits with 0 when it was stopped or its --duration is over, with 1 when no
// camera was ever admitted, and with 2 for wrong flags.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/espcam-bridge/espcam-bridge/bridge/fakecam"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// errNobody ends the program with 1: the flags were fine.
var errNobody = errors.New("no camera was admitted: see the lines above for what the server said")

// run is the program: it returns the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	cmd := command(ctx, stdout)
	cmd.SetArgs(args)
	cmd.SetOut(stdout)
	cmd.SetErr(stderr)
	err := cmd.Execute()
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errNobody):
		fmt.Fprintln(stderr, "fakecam:", err)
		return 1
	}
	fmt.Fprintf(stderr, "fakecam: %v\nTry 'fakecam --help'.\n", err)
	return 2
}

// flags are the command line beside what goes into a Config at once.
type flags struct {
	cfg      fakecam.Config
	count    int
	size     string
	faults   []string
	keysFile string
	film     int
	duration time.Duration
	every    time.Duration
	quiet    bool
}

const examples = `  fakecam --url ws://localhost:8080 --key wsk_abc123_... --name "Front porch"
  fakecam --url ws://localhost:8080 --dialect streamhub --keys-file keys.txt --count 4 --name "Camera {n}"
  fakecam --url ws://localhost:8080 --key wsk_... --fault truncated:0.05,stall:0.001 --seed 7 --duration 1m`

func command(ctx context.Context, stdout io.Writer) *cobra.Command {
	var f flags
	cmd := &cobra.Command{
		Use:           "fakecam --url URL [flags]",
		Short:         "Play ESP32 cameras against a bridge",
		Example:       examples,
		Args:          cobra.NoArgs,
		SilenceErrors: true,
		SilenceUsage:  true,
		RunE: func(c *cobra.Command, _ []string) error {
			if f.cfg.Clip != "" && !c.Flags().Changed("fps") {
				f.cfg.FPS = 0 // the clip's own
			}
			return f.play(ctx, stdout)
		},
	}
	f.cameras(cmd)
	f.behaviour(cmd)
	return cmd
}

// cameras adds the flags that say who dials.
func (f *flags) cameras(cmd *cobra.Command) {
	fs := cmd.Flags()
	fs.SortFlags = false
	fs.StringVar(&f.cfg.URL, "url", "", "the bridge, such as ws://192.168.1.2:8080 (required)")
	fs.StringVar(&f.cfg.Key, "key", "", "camera key wsk_...; {n} is the camera's number")
	fs.StringVar(&f.keysFile, "keys-file", "", "file with one key per line, for --count")
	fs.BoolVar(&f.cfg.KeyInQuery, "key-in-query", false, "send the key as ?key= instead of a Bearer header")
	fs.StringVar(&f.cfg.App, "app", "", "StreamHub application of the URL; {n} as above")
	fs.StringVar(&f.cfg.Room, "room", "", "StreamHub room of the URL; {n} as above")
	fs.BoolVar(&f.cfg.Insecure, "insecure", false, "do not look at the certificate of wss://")
	fs.StringVar(&f.cfg.Dialect, "dialect", "native", "what the cameras speak: "+strings.Join(fakecam.Dialects(), ", "))
	fs.BoolVar(&f.cfg.Full, "full", false, "native: have every setting there is, and take firmware updates")
	fs.IntVar(&f.count, "count", 1, "number of cameras")
	fs.StringVar(&f.cfg.Name, "name", "Camera {n}", "name burnt into the picture; {n} as above")
}

// behaviour adds the flags that say what the cameras do.
func (f *flags) behaviour(cmd *cobra.Command) {
	fs := cmd.Flags()
	fs.IntVar(&f.cfg.FPS, "fps", 10, "pictures per second, 1 to 30; a labelled clip has its own")
	fs.StringVar(&f.size, "size", "640x480", "size of the picture, such as 640x480 or VGA")
	fs.IntVar(&f.cfg.Scene, "scene", 0, "what the first camera looks at: 0 meadow, 1 harbour, 2 street, 3 mountains")
	fs.StringVar(&f.cfg.Plan, "plan", fakecam.Home, "what happens there: "+strings.Join(fakecam.Plans(), ", "))
	fs.StringVar(&f.cfg.Clip, "clip", "", "folder of JPEGs, or a labelled clip, to send again and again instead of the drawn picture")
	fs.BoolVar(&f.cfg.ClipOnce, "clip-once", false, "send the clip once, then stay connected without pictures")
	fs.IntVar(&f.film, "film", 0, "draw that many seconds once and let all cameras send them: cheap, for load")
	fs.StringSliceVar(&f.faults, "fault", nil, "what goes wrong, as name or name:rate: "+strings.Join(fakecam.FaultNames(), ", "))
	fs.Uint64Var(&f.cfg.Seed, "seed", 1, "of everything random; the same seed does the same again")
	fs.DurationVar(&f.cfg.Retry, "retry", 0, "first pause before dialling again (default 0.5s native, 3s streamhub)")
	fs.DurationVar(&f.cfg.Stats, "stats", 0, "time between the camera's stats (default 30s)")
	fs.BoolVar(&f.cfg.OldStats, "old-stats", false, "StreamHub stats without \"frames\", as early sketches sent them")
	fs.DurationVar(&f.duration, "duration", 0, "stop after that time (default: when interrupted)")
	fs.DurationVar(&f.every, "every", 10*time.Second, "time between summaries; 0 for none but the last")
	fs.BoolVar(&f.quiet, "quiet", false, "only summaries, no lines of single cameras")
}

// play checks the flags, then plays until the time is over or ctx ends.
func (f *flags) play(ctx context.Context, stdout io.Writer) error {
	log := slog.New(slog.NewTextHandler(stdout, nil))
	cams, err := f.fleet(log)
	if err != nil {
		return err
	}
	if f.duration > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, f.duration)
		defer cancel()
	}
	summarised := make(chan struct{})
	go func() {
		defer close(summarised)
		f.summaries(ctx, log, cams)
	}()
	fakecam.RunAll(ctx, cams)
	<-summarised
	total, _ := fakecam.Sum(cams)
	log.Info("done", summary(cams)...)
	if total.Connections == 0 {
		return errNobody
	}
	return nil
}

func (f *flags) fleet(log *slog.Logger) ([]*fakecam.Camera, error) {
	var err error
	if f.cfg.URL == "" {
		return nil, errors.New("--url is missing: where is the bridge?")
	}
	if f.duration < 0 || f.every < 0 {
		return nil, errors.New("--duration and --every are times: they cannot be negative")
	}
	if f.film < 0 || f.film > 60 {
		return nil, fmt.Errorf("--film is %d: use 1 to 60 seconds", f.film)
	}
	if f.cfg.Width, f.cfg.Height, err = fakecam.ParseSize(f.size); err != nil {
		return nil, err
	}
	if f.cfg.Faults, err = fakecam.ParseFaults(strings.Join(f.faults, ",")); err != nil {
		return nil, err
	}
	var keys []string
	if f.keysFile != "" {
		if keys, err = readKeys(f.keysFile); err != nil {
			return nil, err
		}
	}
	if !f.quiet {
		f.cfg.Log = log
	}
	if f.film > 0 {
		shared := f.cfg
		shared.Name = strings.ReplaceAll(shared.Name, "{n}", fmt.Sprintf("1-%d", f.count))
		if f.cfg.Loop, err = fakecam.RenderLoop(shared, f.film); err != nil {
			return nil, err
		}
	}
	return fakecam.Fleet(f.cfg, f.count, keys)
}

// readKeys reads one key per line; empty lines and those that begin with # are
// left out.
func readKeys(path string) ([]string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("keys: %w", err)
	}
	var keys []string
	for i, line := range strings.Split(string(text), "\n") {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		if !strings.HasPrefix(line, "wsk_") || strings.ContainsAny(line, " \t") {
			return nil, fmt.Errorf("keys: %s:%d is not a camera key: each line holds one, beginning with wsk_", path, i+1)
		}
		keys = append(keys, line)
	}
	if len(keys) == 0 {
		return nil, fmt.Errorf("keys: %s has no key in it", path)
	}
	return keys, nil
}

func (f *flags) summaries(ctx context.Context, log *slog.Logger, cams []*fakecam.Camera) {
	if f.every == 0 {
		return
	}
	tick := time.NewTicker(f.every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			log.Info("so far", summary(cams)...)
		}
	}
}

func summary(cams []*fakecam.Camera) []any {
	r, connected := fakecam.Sum(cams)
	out := []any{
		"cameras", len(cams), "connected", connected, "connections", r.Connections, "dials", r.Dials,
		"frames", r.Frames, "bytes", r.Bytes, "skipped", r.Skipped, "commands", r.Obeyed,
	}
	for _, name := range fakecam.FaultNames() {
		if n := r.Faults[name]; n > 0 {
			out = append(out, name, n)
		}
	}
	return out
}
