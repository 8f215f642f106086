package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/espcam-bridge/espcam-bridge/bridge/pluginhost/folder"
	"github.com/espcam-bridge/espcam-bridge/plugins/plugintest"
)

func checkPluginCommand() *cobra.Command {
	var out, with string
	c := &cobra.Command{
		Use:   "check PATH",
		Short: "Try a plugin's folder as the bridge would: 22 points, a table, a tier",
		Long: `Try a plugin's folder as the bridge would, in whatever language it is written: 22 points, a table, a tier (bronze: points 1 to
11; silver: all). It takes up to a minute. Settings that are addresses lead to a server of this program; nothing leaves
the machine. What else the plugin needs to work it takes from check.yaml in the folder. The exit code is 1 if a point failed.`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error { return checkPlugin(c, args[0], with, out) },
	}
	c.Flags().StringVar(&out, "json", "", "write the outcome to this file, too")
	c.Flags().StringVar(&with, "with", "", "a file to take in the place of the folder's check.yaml")
	return c
}

func checkPlugin(c *cobra.Command, path, with, out string) error {
	f := folder.Open(path)
	if f.Err != nil {
		return f.Err
	}
	target, err := trialOf(f, with)
	if err != nil {
		return err
	}
	show, clear := progress(c.ErrOrStderr())
	report, err := plugintest.Check(c.Context(), target, show)
	clear()
	if err != nil {
		return err
	}
	fmt.Fprint(c.OutOrStdout(), report.Table())
	if out != "" {
		text, err := json.MarshalIndent(report, "", "  ")
		if err != nil {
			return err
		}
		if err := os.WriteFile(out, append(text, '\n'), 0o644); err != nil {
			return err
		}
	}
	if report.Failed() {
		return errors.New("a point failed")
	}
	return nil
}

// progress shows on a terminal, on one line until it is cleared, how far it is;
// the table says the rest.
func progress(w io.Writer) (show func(plugintest.Result), clear func()) {
	f, ok := w.(*os.File)
	if !ok {
		return nil, func() {}
	}
	if info, err := f.Stat(); err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return nil, func() {}
	}
	const clean = "\r\x1b[K"
	return func(r plugintest.Result) {
		fmt.Fprintf(f, "%s%d %s: %s", clean, r.Point, r.Name, r.State)
	}, func() { fmt.Fprint(f, clean) }
}

// trialOf is what a plugin is tried with: what its folder says, or the file at with.
func trialOf(f folder.Folder, with string) (plugintest.Target, error) {
	if with == "" {
		with = f.Path
	}
	t, err := folder.ReadTrial(with)
	return plugintest.Target{
		Command: f.Command, Within: startTime(f),
		Settings: t.Settings, Secrets: t.Secrets, Bad: t.Bad, URLs: t.URLs, Skip: t.Skip,
	}, err
}
