package main

import (
	"errors"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/espcam-bridge/espcam-bridge/bridge"
	"github.com/espcam-bridge/espcam-bridge/bridge/app"
	"github.com/espcam-bridge/espcam-bridge/bridge/config"
)

func keysCommand(s *shared) *cobra.Command {
	keys := &cobra.Command{
		Use:   "keys",
		Short: "Add, list and remove camera keys",
		Long:  "Add, list and remove camera keys. A key lets one camera in. These commands work\nwhile the bridge runs and while it does not.",
		Args:  cobra.NoArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	keys.AddCommand(
		&cobra.Command{
			Use:   "add CAMERA",
			Short: "Make a key for a camera, and the camera if it is new; prints the key once",
			Args:  cobra.ExactArgs(1),
			RunE:  s.withKeys(addKey),
		},
		&cobra.Command{
			Use:   "list",
			Short: "List all keys, never in full",
			Args:  cobra.NoArgs,
			RunE:  s.withKeys(listKeys),
		},
		&cobra.Command{
			Use:   "remove KEY-ID",
			Short: "End a key; a camera that uses it is disconnected",
			Args:  cobra.ExactArgs(1),
			RunE:  s.withKeys(removeKey),
		},
	)
	return keys
}

type keysFunc func(c *cobra.Command, cfg *config.Config, keys app.Keys, args []string) error

func (s *shared) withKeys(do keysFunc) func(*cobra.Command, []string) error {
	return func(c *cobra.Command, args []string) error {
		cfg, err := s.quietly(c)
		if err != nil {
			return err
		}
		keys, done, err := app.OpenKeys(c.Context(), cfg)
		if err != nil {
			return err
		}
		return errors.Join(do(c, cfg, keys, args), done())
	}
}

func addKey(c *cobra.Command, cfg *config.Config, keys app.Keys, args []string) error {
	if err := bridge.CheckID(args[0]); err != nil {
		return usage{err}
	}
	secret, k, err := keys.AddKey(args[0])
	if err != nil {
		return err
	}
	_, port := app.Port(cfg.HTTP.Listen)
	fmt.Fprintf(c.OutOrStdout(), "%s\n", secret)
	fmt.Fprintf(c.ErrOrStderr(), `
This is the key of camera %q (key id %s). It is shown only now.
In the camera's sketch: host = this machine's address, port %s,
path /ingest/ws?app=%s&room=%s, header "Authorization: Bearer <the key>".
`, k.Camera, k.ID, port, cfg.HTTP.App, k.Camera)
	return nil
}

func listKeys(c *cobra.Command, _ *config.Config, keys app.Keys, _ []string) error {
	list, err := keys.ListKeys()
	if err != nil {
		return err
	}
	if len(list) == 0 {
		fmt.Fprintln(c.ErrOrStderr(), "There are no keys yet: espcam-bridge keys add CAMERA makes one.")
		return nil
	}
	t := tabwriter.NewWriter(c.OutOrStdout(), 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "ID\tCAMERA\tKEY\tMADE")
	for _, k := range list {
		made := k.Source
		if made == "" {
			made = k.Created.Local().Format(time.DateTime)
		}
		fmt.Fprintf(t, "%s\t%s\t%s…\t%s\n", k.ID, k.Camera, k.Prefix, made)
	}
	return t.Flush()
}

func removeKey(c *cobra.Command, _ *config.Config, keys app.Keys, args []string) error {
	if err := keys.RemoveKey(args[0]); err != nil {
		return err
	}
	fmt.Fprintf(c.ErrOrStderr(), "Key %s is gone.\n", args[0])
	return nil
}
