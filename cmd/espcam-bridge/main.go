// Command espcam-bridge stands between ESP32 cameras and a home: it takes their
// WebSocket streams, shows them on a page and as MJPEG, and speaks to Home
// Assistant over MQTT.
//
//	espcam-bridge serve          run the bridge
//	espcam-bridge demo           run it with simulated cameras, nothing to set up
//	espcam-bridge check-config   show every mistake in the configuration
//	espcam-bridge keys           add, list and remove camera keys
//	espcam-bridge health         ask a running bridge whether it is well; version
//	espcam-bridge plugin         write, check, install and test plugins
//	espcam-bridge motion         measure motion detection on labelled clips
//
// It exits with 0 when it was stopped as asked, 1 when something failed while
// running (a port in use too), 2 for wrong usage or configuration and 3 when
// somebody asked over MQTT for a restart, which a supervisor then does.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/espcam-bridge/espcam-bridge/bridge/app"
	"github.com/espcam-bridge/espcam-bridge/bridge/config"
)

// version is set by the linker (see Makefile).
var version = "dev"

const (
	exitFailed = 1
	exitUsage  = 2
	exitAgain  = 3
)

func main() {
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	cancel()
	os.Exit(code)
}

// usage marks an error as the user's: wrong arguments or configuration.
type usage struct{ error }

func (u usage) Unwrap() error { return u.error }

// run is the whole program with its surroundings as arguments. It returns the
// exit code.
func run(ctx context.Context, args []string, out, errs io.Writer) int {
	started := false
	root := commands(&started)
	root.SetArgs(args)
	root.SetOut(out)
	root.SetErr(errs)
	err := root.ExecuteContext(ctx)
	switch {
	case err == nil:
		return 0
	case errors.Is(err, app.ErrRestart):
		fmt.Fprintln(errs, "espcam-bridge: ends to be started again")
		return exitAgain
	}
	fmt.Fprintln(errs, "espcam-bridge:", err)
	var u usage
	if errors.As(err, &u) || !started {
		return exitUsage // cobra's own complaints come before anything ran
	}
	return exitFailed
}

// commands builds the command tree. started becomes true when a command's own
// code begins.
func commands(started *bool) *cobra.Command {
	s := &shared{}
	root := &cobra.Command{
		Use:           "espcam-bridge",
		Short:         "Bring ESP32 cameras home: browser, MJPEG and Home Assistant",
		Version:       version,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.NoArgs,
		RunE:          func(c *cobra.Command, _ []string) error { return c.Help() },
		PersistentPreRun: func(*cobra.Command, []string) {
			*started = true
		},
	}
	root.CompletionOptions.HiddenDefaultCmd = true
	root.PersistentFlags().StringVar(&s.config, "config", "bridge.yaml", "configuration file")
	root.AddCommand(serveCommand(s), demoCommand(), checkCommand(s), keysCommand(s), healthCommand(s), motionCommand(), pluginCommand(s), versionCommand())
	return root
}

// shared is what several commands need.
type shared struct{ config string }

// load reads the configuration and says its warnings: for those who start the
// bridge or want to know. A file that was typed must exist; the default one may
// be missing.
func (s *shared) load(c *cobra.Command) (*config.Config, error) {
	cfg, warnings, err := config.Load(s.input(c))
	for _, w := range warnings {
		fmt.Fprintln(c.ErrOrStderr(), "warning:", w)
	}
	return cfg, unusable(err)
}

// quietly is load for commands that are not about the configuration.
func (s *shared) quietly(c *cobra.Command) (*config.Config, error) {
	cfg, _, err := config.Load(s.input(c))
	return cfg, unusable(err)
}

func (s *shared) input(c *cobra.Command) config.Input {
	return config.Input{Path: s.config, Required: c.Flags().Changed("config"), Environ: os.Environ()}
}

func unusable(err error) error {
	if err == nil {
		return nil
	}
	return usage{fmt.Errorf("the configuration cannot be used:\n%w", err)}
}

func checkCommand(s *shared) *cobra.Command {
	return &cobra.Command{
		Use:   "check-config",
		Short: "Show every mistake in the configuration at once",
		Long: `Show every mistake in the configuration at once.

The settings of plugins are held against what each installed plugin said of them when it was installed. None is started, so
what a plugin itself finds wrong with them shows only when it runs.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := s.load(c)
			if err != nil {
				return err
			}
			mistakes, warnings := judgeInstances(cfg)
			for _, w := range warnings {
				fmt.Fprintln(c.ErrOrStderr(), "warning:", w)
			}
			if err := errors.Join(mistakes...); err != nil {
				return usage{fmt.Errorf("the configuration is good, but not for its plugins:\n%w", err)}
			}
			fmt.Fprintln(c.OutOrStdout(), s.config, "is good.")
			return nil
		},
	}
}

func versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  cobra.NoArgs,
		Run: func(c *cobra.Command, _ []string) {
			fmt.Fprintln(c.OutOrStdout(), "espcam-bridge", version)
		},
	}
}

// logger writes to w as the configuration says, from the returned level on.
func logger(cfg config.Log, w io.Writer) (*slog.Logger, *slog.LevelVar) {
	level := &slog.LevelVar{}
	level.Set(cfg.Level)
	opts := &slog.HandlerOptions{Level: level}
	if cfg.Format == "json" {
		return slog.New(slog.NewJSONHandler(w, opts)), level
	}
	return slog.New(slog.NewTextHandler(w, opts)), level
}
