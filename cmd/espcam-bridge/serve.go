package main

import (
	"fmt"
	"io"
	"runtime"
	"strings"

	"github.com/spf13/cobra"

	"github.com/espcam-bridge/espcam-bridge/bridge"
	"github.com/espcam-bridge/espcam-bridge/bridge/app"
)

func serveCommand(s *shared) *cobra.Command {
	return &cobra.Command{
		Use:   "serve",
		Short: "Run the bridge until Ctrl-C or SIGTERM",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := s.load(c)
			if err != nil {
				return err
			}
			log, level := logger(cfg.Log, c.ErrOrStderr())
			a, err := app.New(c.Context(), cfg, app.Options{
				Version: version, Log: log, Level: level, Supervised: here().supervised(), Workers: judges(),
			})
			if err != nil {
				return err
			}
			if secret := a.FirstToken(); secret != "" {
				firstToken(c.OutOrStdout(), secret, a.PageURL())
			}
			fmt.Fprintln(c.OutOrStdout(), a.ReadyLine())
			return a.Run(c.Context())
		},
	}
}

// judges is how many pictures are judged for motion at once: one core stays free
// for the relay. Go gets as many processors more, and one for the journal,
// because a thread that stands back keeps the one that it has while it waits for a
// core.
func judges() int {
	cores := runtime.GOMAXPROCS(0)
	workers := max(1, cores-1)
	runtime.GOMAXPROCS(cores + workers + 1)
	return workers
}

func firstToken(w io.Writer, secret, url string) {
	fmt.Fprintf(w, `No token is configured, so one was made for you. It is shown only this once:

    %s

Open %s and enter it, or put tokens of your own under http.tokens.

`, secret, url)
}

func demoCommand() *cobra.Command {
	var d app.Demo
	c := &cobra.Command{
		Use:   "demo",
		Short: "Run the bridge with four simulated cameras; nothing is kept, nothing leaves this machine",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			d.Version, d.Workers = version, judges()
			d.Log, d.Level = logger(d.LogConfig(), c.ErrOrStderr())
			err := d.Run(c.Context(), func(a *app.App) { welcome(c.OutOrStdout(), a) })
			if bridge.CodeOf(err) == bridge.CodeInvalid {
				return usage{err}
			}
			return err
		},
	}
	c.Flags().StringVar(&d.HTTP, "http", "", "listen here for the page (host:port of this machine; default 127.0.0.1:8080, or a free port)")
	c.Flags().StringVar(&d.MQTT, "mqtt", "", "listen here for MQTT (host:port of this machine; default 127.0.0.1:1883, or a free port)")
	return c
}

// welcome says what to try in the demo.
func welcome(w io.Writer, a *app.App) {
	url, mqtt := a.PageURL(), a.MQTTAddress()
	_, port := app.Port(mqtt)
	fmt.Fprintln(w, a.ReadyLine())
	fmt.Fprintf(w, `
Four simulated cameras are streaming.

  page        %[1]s
  MJPEG       %[1]slive/live/porch/mjpeg        (VLC: Media > Open Network Stream)
  snapshot    %[1]slive/live/porch/frame.jpg
  MQTT        %[2]s                      (MQTT 3.1.1 and 5, no password)

Try next:

  mosquitto_sub -p %[3]s -v -t 'espcam/#' -T 'espcam/+/image'
  mosquitto_pub -p %[3]s -t espcam/porch/jpeg_quality/set -m 30
  curl -s %[1]sapi/v1/cameras
  Home Assistant: add the MQTT integration with this broker; the cameras appear by themselves.

Ctrl-C ends it. Nothing is kept.
`, strings.TrimSuffix(url, "/")+"/", mqtt, port)
}
