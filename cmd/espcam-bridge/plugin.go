package main

import (
	"fmt"
	"slices"

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

// withConfig reads the configuration first, as far as it can be: what it needs of
// the environment is that of the bridge, not of this command. What is wrong with
// it is told if the command fails, too.
func (s *shared) withConfig(do configFunc) func(*cobra.Command, []string) error {
	return func(c *cobra.Command, args []string) error {
		cfg, mistakes := config.Look(s.input(c))
		if cfg == nil || slices.ContainsFunc(mistakes, where) {
			return unusable(mistakes)
		}
		err := do(c, cfg, args)
		if err != nil && len(mistakes) > 0 {
			fmt.Fprintf(c.ErrOrStderr(), "The configuration, as it is seen from here:\n%s\n", indent(mistakes.Error()))
		}
		return err
	}
}

// where reports whether a mistake is about a place that these commands use.
func where(p config.Problem) bool {
	return slices.Contains([]string{"data", "plugins", "plugins.dir"}, p.Key)
}
