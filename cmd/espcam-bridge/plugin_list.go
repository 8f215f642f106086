package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/espcam-bridge/espcam-bridge/bridge"
	"github.com/espcam-bridge/espcam-bridge/bridge/app"
	"github.com/espcam-bridge/espcam-bridge/bridge/config"
	"github.com/espcam-bridge/espcam-bridge/bridge/pluginhost/folder"
)

func listPluginsCommand(s *shared) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List what is installed, and the instances of the running bridge",
		Args:  cobra.NoArgs,
		RunE:  s.withConfig(listPlugins),
	}
}

func listPlugins(c *cobra.Command, cfg *config.Config, _ []string) error {
	found, err := folder.Find(cfg.Plugins.Dir)
	if err != nil {
		return err
	}
	t := tabwriter.NewWriter(c.OutOrStdout(), 0, 0, 2, ' ', 0)
	if len(found) == 0 {
		fmt.Fprintf(c.ErrOrStderr(), "No plugin is installed in %s: espcam-bridge plugin install PATH does it.\n", cfg.Plugins.Dir)
	} else {
		fmt.Fprintln(t, "PLUGIN\tVERSION\tROLES\tFILES")
	}
	for _, f := range found {
		m := f.Manifest
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", f.Type, dash(m.Version), dash(strings.Join(m.Roles, ", ")), trust(cfg.Plugins.Dir, f))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	return listInstances(c, cfg)
}

// trust says in a few words whether a plugin's files are those accepted.
func trust(dir string, f folder.Folder) string {
	if f.Err != nil {
		return f.Err.Error()
	}
	e, err := folder.Verify(dir, f)
	if err != nil {
		return err.Error()
	}
	return "as accepted on " + e.Accepted.Local().Format(time.DateOnly)
}

func listInstances(c *cobra.Command, cfg *config.Config) error {
	if len(cfg.Plugins.Instances) == 0 {
		return nil
	}
	t := tabwriter.NewWriter(c.OutOrStdout(), 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "\nINSTANCE\tTYPE\tSTATE\tSINCE\tPROBLEM")
	running, err := app.RunningPlugins(cfg)
	switch {
	case bridge.CodeOf(err) == bridge.CodeUnavailable:
		listStopped(t, cfg)
		return t.Flush()
	case err != nil:
		return err
	}
	list, err := running.List()
	if err != nil {
		return err
	}
	for _, p := range list {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", p.Instance, p.Type, p.State, p.Since.Local().Format(time.DateTime), dash(p.Problem))
	}
	return t.Flush()
}

// listStopped lists instances of a bridge that does not run, with what would keep
// them from running. What is not in the file may be set on the page.
func listStopped(w io.Writer, cfg *config.Config) {
	found, err := folder.Find(cfg.Plugins.Dir)
	for _, i := range cfg.Plugins.Instances {
		mistakes := []error{err}
		if i.Enabled && err == nil {
			mistakes, _ = judgeInstance(cfg.Plugins.Dir, found, i)
		}
		problem := "-"
		if e := errors.Join(mistakes...); e != nil {
			problem = strings.ReplaceAll(e.Error(), "\n", "; ")
		}
		fmt.Fprintf(w, "%s\t%s\tthe bridge is not running\t-\t%s\n", i.Name, i.Type, problem)
	}
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func switchPluginCommand(s *shared, verb, short string) *cobra.Command {
	return &cobra.Command{
		Use:   verb + " INSTANCE",
		Short: short,
		Args:  cobra.ExactArgs(1),
		RunE: s.withConfig(func(c *cobra.Command, cfg *config.Config, args []string) error {
			plugins, err := app.RunningPlugins(cfg)
			if err != nil {
				return err
			}
			if err := plugins.Enable(args[0], verb == "enable"); err != nil {
				return err
			}
			fmt.Fprintf(c.ErrOrStderr(), "%s is %sd, and stays so over restarts of the bridge.\n", args[0], verb)
			return nil
		}),
	}
}

func testPluginCommand(s *shared) *cobra.Command {
	return &cobra.Command{
		Use:   "test INSTANCE",
		Short: "Really send an alert through an instance of the running bridge",
		Args:  cobra.ExactArgs(1),
		RunE: s.withConfig(func(c *cobra.Command, cfg *config.Config, args []string) error {
			plugins, err := app.RunningPlugins(cfg)
			if err != nil {
				return err
			}
			r, err := plugins.Test(args[0])
			if err != nil {
				return fmt.Errorf("it was not sent: %w", err)
			}
			said := ""
			if r.Message != "" {
				said = ": " + r.Message
			}
			fmt.Fprintf(c.OutOrStdout(), "%s sent it%s\n", args[0], said)
			return nil
		}),
	}
}

func removePluginCommand(s *shared) *cobra.Command {
	return &cobra.Command{
		Use:   "remove PLUGIN",
		Short: "Delete an installed plugin that the configuration does not use",
		Args:  cobra.ExactArgs(1),
		RunE:  s.withConfig(removePlugin),
	}
}

func removePlugin(c *cobra.Command, cfg *config.Config, args []string) error {
	name := args[0]
	if err := folder.CheckType(name); err != nil {
		return usage{err}
	}
	for _, i := range cfg.Plugins.Instances {
		if i.Type == name {
			return bridge.Errorf(bridge.CodeConflict, "%s is used by the instance %q (%s): take that out of the file first", name, i.Name, i.Source)
		}
	}
	path := filepath.Join(cfg.Plugins.Dir, name)
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		return bridge.Errorf(bridge.CodeNotFound, "there is no plugin %q in %s: `espcam-bridge plugin list` shows them", name, cfg.Plugins.Dir)
	}
	if err := mine(cfg.Plugins.Dir, name); err != nil {
		return err
	}
	if err := errors.Join(folder.Forget(cfg.Plugins.Dir, name), os.RemoveAll(path)); err != nil {
		return err
	}
	fmt.Fprintf(c.ErrOrStderr(), "%s is gone. What its instances kept is still in %s.\n", name, filepath.Join(cfg.Data, "plugins"))
	return nil
}
