package main

import (
	"github.com/spf13/cobra"

	"github.com/espcam-bridge/espcam-bridge/bridge/config"
)

// pluginCommand is everything about plugins. What names a program here is what
// somebody types at this computer, and nothing else does.
func pluginCommand(s *shared) *cobra.Command {
	c := &cobra.Command{
		Use:   "plugin",
		Short: "Write, check, install and test plugins: notifiers, detectors, sinks",
		Long: `Write, check, install and test plugins: notifiers, detectors, sinks.

plugins/README.md tells how to write one. A plugin is a program that runs as the user of the bridge; none runs before
its files were accepted with "plugin install".`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(
		newPluginCommand(),
		devPluginCommand(),
		checkPluginCommand(),
		installPluginCommand(s),
		listPluginsCommand(s),
		switchPluginCommand(s, "enable", "Switch an instance on; it stays so"),
		switchPluginCommand(s, "disable", "Switch an instance off; it stays so"),
		testPluginCommand(s),
		removePluginCommand(s),
	)
	return c
}

type configFunc func(c *cobra.Command, cfg *config.Config, args []string) error

// withConfig reads the configuration first.
func (s *shared) withConfig(do configFunc) func(*cobra.Command, []string) error {
	return func(c *cobra.Command, args []string) error {
		cfg, err := s.load(c)
		if err != nil {
			return err
		}
		return do(c, cfg, args)
	}
}
