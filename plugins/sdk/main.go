package sdk

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
)

// What the bridge and its plugins agree on beside the protocol itself.
const (
	cookieKey       = "ESPCAM_PLUGIN"
	cookieValue     = "bridge.plugin.v1"
	protocolVersion = 1 // the major one; what is added within it needs no number
)

const (
	exitOK    = 0
	exitFail  = 1
	exitUsage = 2
)

// Main runs the plugin; it is all that a plugin's main function does, and it does
// not return. Started by hand the program says what it is; with --describe it
// prints what the bridge would be told, as JSON.
func Main[S any](p Plugin[S]) {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	prog, err := compile(p)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(exitUsage)
	}
	os.Exit(prog.main(ctx, os.Args[1:]))
}

func (p program) main(ctx context.Context, args []string) int {
	switch {
	case len(args) == 1 && args[0] == "--describe":
		return p.printDescription(os.Stdout)
	case len(args) > 0 || os.Getenv(cookieKey) != cookieValue:
		p.printUsage(os.Stderr)
		return exitUsage
	}
	signal.Ignore(os.Interrupt) // Ctrl-C in the bridge's terminal reaches us, too; the bridge says when to end
	redact := &redactor{}
	level := &slog.LevelVar{}
	log := newLog(os.Stderr, level, redact)
	slog.SetDefault(log)
	if err := serve(ctx, p, log, level, redact); err != nil {
		log.Error("the plugin could not start", "err", err)
		return exitFail
	}
	return exitOK
}

func (p program) printDescription(w io.Writer) int {
	text, err := protojson.MarshalOptions{Multiline: true, UseProtoNames: true}.Marshal(p.description)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return exitFail
	}
	if _, err := fmt.Fprintf(w, "%s\n", text); err != nil {
		return exitFail
	}
	return exitOK
}

func (p program) printUsage(w io.Writer) {
	d := p.description
	fmt.Fprintf(w, "This is the plugin %q %s for espcam-bridge (%s), which starts it by itself.\n", d.GetName(), d.GetVersion(), d.GetSummary())
	fmt.Fprintf(w, "Install it with `espcam-bridge plugin install FOLDER`, where FOLDER is the one that holds this program; --describe shows its settings.\n")
}

// newLog makes the plugin's log: a JSON object per line, as the bridge reads it.
func newLog(w io.Writer, level *slog.LevelVar, redact *redactor) *slog.Logger {
	return slog.New(slog.NewJSONHandler(redactingWriter{w, redact}, &slog.HandlerOptions{
		Level: level,
		ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
			if len(groups) > 0 {
				return a
			}
			switch a.Key {
			case slog.TimeKey:
				return slog.String(slog.TimeKey, a.Value.Time().UTC().Format(time.RFC3339Nano))
			case slog.LevelKey:
				if l, ok := a.Value.Any().(slog.Level); ok {
					return slog.String(slog.LevelKey, levelName(l))
				}
			}
			return a
		},
	}))
}

func levelName(l slog.Level) string {
	switch {
	case l < slog.LevelInfo:
		return "debug"
	case l < slog.LevelWarn:
		return "info"
	case l < slog.LevelError:
		return "warn"
	}
	return "error"
}
