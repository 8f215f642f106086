package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/espcam-bridge/espcam-bridge/bridge"
	"github.com/espcam-bridge/espcam-bridge/bridge/config"
	"github.com/espcam-bridge/espcam-bridge/bridge/pluginhost/folder"
	"github.com/espcam-bridge/espcam-bridge/plugins/launch"
	"github.com/espcam-bridge/espcam-bridge/plugins/pluginpb"
)

func installPluginCommand(s *shared) *cobra.Command {
	var yes bool
	c := &cobra.Command{
		Use:   "install PATH",
		Short: "Accept a plugin's folder as it is now: copy it, ask it what it is, write the lock file",
		Long: `Accept a plugin's folder as it is now.

The folder is copied into plugins.dir (unless it is there already). Packages that a Python plugin names in requirements.txt go
into a .venv of its own. The plugin is then started once, to say what it is and what it wants to be allowed, and when you
agree its files are written into the lock file. From then on it starts only with exactly these files.`,
		Args: cobra.ExactArgs(1),
		RunE: s.withConfig(func(c *cobra.Command, cfg *config.Config, args []string) error {
			i := install{Command: c, cfg: cfg, yes: yes}
			return i.run(args[0])
		}),
	}
	c.Flags().BoolVar(&yes, "yes", false, "agree to everything without being asked")
	return c
}

// install is one run of "plugin install".
type install struct {
	*cobra.Command
	cfg *config.Config
	yes bool
	in  *bufio.Reader
}

func (i *install) run(path string) (err error) {
	src := folder.Open(path)
	if src.Err != nil {
		return src.Err
	}
	dir, err := filepath.Abs(i.cfg.Plugins.Dir)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	place := filepath.Join(dir, src.Type)
	work, inPlace := src.Path, same(src.Path, place)
	if !inPlace {
		if err := mine(dir, src.Type); err != nil {
			return err
		}
		tmp, err := os.MkdirTemp(dir, ".install-")
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(tmp)) }()
		work = filepath.Join(tmp, src.Type)
		if err := copyFolder(work, src.Path); err != nil {
			return err
		}
	}
	f, d, err := i.prepare(work)
	if err != nil {
		return err
	}
	if err := i.agree(dir, f, d); err != nil {
		return err
	}
	return i.accept(dir, f, d)
}

// mine refuses to touch a folder in dir that "plugin install" did not put there:
// it may be somebody's work.
func mine(dir, name string) error {
	place := filepath.Join(dir, name)
	if _, err := os.Lstat(place); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	lock, err := folder.ReadLock(dir)
	if err != nil {
		return err
	}
	if _, accepted := lock[name]; !accepted {
		return bridge.Errorf(bridge.CodeConflict, "%s is there and was never installed: move it away, accept it where it is with `espcam-bridge plugin install %s`, or name another plugins.dir", place, place)
	}
	return nil
}

// same reports whether both paths are one directory.
func same(a, b string) bool {
	ia, errA := os.Stat(a)
	ib, errB := os.Stat(b)
	return errA == nil && errB == nil && os.SameFile(ia, ib)
}

// prepare makes the folder ready to be started, and asks the plugin what it is.
func (i *install) prepare(path string) (folder.Folder, *pluginpb.Description, error) {
	if err := i.packages(path); err != nil {
		return folder.Folder{}, nil, err
	}
	f := folder.Open(path) // again: with .venv, python3 is another program
	if f.Err != nil {
		return f, nil, f.Err
	}
	if _, err := folder.Hash(path); err != nil {
		return f, nil, err // before anything of it runs
	}
	d, err := describe(i.Context(), f)
	return f, d, err
}

// packages makes the .venv of a Python plugin that has a requirements.txt.
func (i *install) packages(path string) error {
	wanted, err := os.ReadFile(filepath.Join(path, "requirements.txt"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	env := filepath.Join(path, ".venv")
	if _, err := os.Stat(env); err == nil {
		return nil // made by an earlier installation, in place
	}
	question := fmt.Sprintf("It needs these Python packages:\n\n%s\nFetch them (with pip) into a .venv of its own?", indent(string(wanted)))
	if err := i.ask(question); err != nil {
		return err
	}
	i.print("Fetching what requirements.txt names: half a minute, more on a slow line.\n")
	if err := i.tool(path, "python3", "-m", "venv", ".venv"); err != nil {
		return fmt.Errorf("the .venv cannot be made: %w; Debian and Ubuntu have it in the package python3-venv", err)
	}
	return i.tool(path, filepath.Join(env, "bin", "python3"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", "requirements.txt")
}

func (i *install) tool(dir string, words ...string) error {
	cmd := exec.CommandContext(i.Context(), words[0], words[1:]...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, i.ErrOrStderr(), i.ErrOrStderr()
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w", strings.Join(words, " "), err)
	}
	return nil
}

// agree shows what is to be accepted and asks.
func (i *install) agree(dir string, f folder.Folder, d *pluginpb.Description) error {
	lock, err := folder.ReadLock(dir)
	if err != nil {
		return err
	}
	i.print("%s %s: %s\n", d.Name, d.Version, d.Summary)
	if old, ok := lock[f.Type]; ok {
		i.print("  in the place of %s, accepted on %s\n", old.Version, old.Accepted.Local().Format(time.DateOnly))
	}
	roles, err := folder.Roles(d)
	if err != nil {
		return err
	}
	i.print("  it is a %s, started with: %s\n", strings.Join(roles, " and "), started(f))
	i.print("  it runs as you: what you may read, write and reach, it may too\n")
	for _, p := range d.Permissions {
		i.print("  of the bridge it wants to: %s (%s)\n", folder.Permissions()[p], p)
	}
	return i.ask("Accept it?")
}

// started is the command as it stands in the folder.
func started(f folder.Folder) string {
	return strings.ReplaceAll(strings.Join(f.Command, " "), f.Path+string(filepath.Separator), "")
}

// accept puts the folder in its place and writes the lock file.
func (i *install) accept(dir string, f folder.Folder, d *pluginpb.Description) error {
	roles, err := folder.Roles(d)
	if err != nil {
		return err
	}
	fields, err := folder.Fields(d)
	if err != nil {
		return err
	}
	m := folder.Manifest{Name: d.Name, Version: d.Version, API: folder.API, Summary: d.Summary, Command: f.Manifest.Command, Roles: roles, Permissions: d.Permissions, Fields: fields}
	if err := m.Write(f.Path); err != nil {
		return err
	}
	place := filepath.Join(dir, f.Type)
	if err := replaceFolder(place, f.Path); err != nil {
		return err
	}
	e, err := folder.Accept(dir, folder.Open(place), d.Version, d.Permissions, time.Now())
	if err != nil {
		return err
	}
	fmt.Fprintf(i.OutOrStdout(), "%s %s is installed in %s (%d files are in %s, SHA-256 %s).\n", f.Type, d.Version, place, len(e.Files), folder.LockName, e.SHA256)
	i.next(m)
	return nil
}

// next says what to do now.
func (i *install) next(m folder.Manifest) {
	at := slices.IndexFunc(i.cfg.Plugins.Instances, func(p config.Instance) bool { return p.Type == m.Name })
	if at >= 0 {
		used := i.cfg.Plugins.Instances[at]
		i.print("It is used as %q (%s): a running bridge takes the new files when you restart that instance, on the page or with\n  espcam-bridge plugin disable %s && espcam-bridge plugin enable %s\n", used.Name, used.Source, used.Name, used.Name)
		return
	}
	block, there := instanceBlock(m.Name, m.Fields), ""
	if slices.Contains(m.Roles, "notifier") {
		block += fmt.Sprintf("alerts:\n  - {to: %s, on: [motion]}\n", m.Name)
	}
	if len(i.cfg.Plugins.Instances) > 0 || len(i.cfg.Alerts) > 0 {
		there = "; what it has of plugins:, instances: and alerts: already is not repeated"
	}
	i.print("\nNext: 1. Put this into %s (what is after # is optional%s):\n\n%s\n", i.Flag("config").Value, there, indent(block))
	i.print("      2. Start the bridge; if it runs already, end it and start it again\n      3. espcam-bridge plugin test %s\n", m.Name)
}

// print is for the person: programs read what goes to standard output.
func (i *install) print(format string, args ...any) { fmt.Fprintf(i.ErrOrStderr(), format, args...) }

// ask returns an error unless the answer is yes.
func (i *install) ask(question string) error {
	if i.yes {
		return nil
	}
	i.print("%s [y/N] ", question)
	if i.in == nil {
		i.in = bufio.NewReader(i.InOrStdin())
	}
	line, err := i.in.ReadString('\n')
	if err != nil && line == "" {
		i.print("\n")
		if errors.Is(err, io.EOF) {
			return usage{errors.New("nobody is there to answer: nothing was installed; --yes agrees without asking")}
		}
		return err
	}
	if answer := strings.ToLower(strings.TrimSpace(line)); answer != "y" && answer != "yes" {
		return errors.New("nothing was installed")
	}
	return nil
}

// instanceBlock is a plugin's part of the configuration, to be filled in.
func instanceBlock(name string, fields []bridge.PluginField) string {
	var b strings.Builder
	fmt.Fprintf(&b, "plugins:\n  instances:\n    %s:\n      type: %s\n", name, name)
	head := "      settings:\n"
	if !slices.ContainsFunc(fields, func(f bridge.PluginField) bool { return f.Required }) {
		head = "      # settings:\n"
	}
	if len(fields) > 0 {
		b.WriteString(head)
	}
	for _, f := range fields {
		mark := "# "
		if f.Required {
			mark = ""
		}
		fmt.Fprintf(&b, "        %s%s: %s\n", mark, f.Name, exampleOf(f))
	}
	return b.String()
}

// exampleOf is a value of the field as YAML, and what it is for.
func exampleOf(f bridge.PluginField) string {
	value := string(f.Default)
	switch {
	case f.Secret:
		value = "env:NAME_OF_A_VARIABLE"
	case f.Example != "" && (f.Type == "string" || f.Type == "duration"):
		value = fmt.Sprintf("%q", f.Example)
	case f.Example != "":
		value = f.Example
	case value == "":
		value = map[string]string{"integer": "0", "number": "0", "boolean": "false", "strings": "[]", "map": "{}", "duration": "30s"}[f.Type]
	}
	if value == "" {
		value = `""`
	}
	if f.Help != "" {
		value += "  # " + f.Help
	}
	return value
}

func indent(text string) string {
	return "    " + strings.ReplaceAll(strings.TrimRight(text, "\n"), "\n", "\n    ") + "\n"
}

// startTime is how long a plugin may take from its start to the handshake.
func startTime(f folder.Folder) time.Duration {
	if f.Interpreted {
		return 20 * time.Second
	}
	return 5 * time.Second
}

// describe starts a plugin, asks it what it is and ends it.
func describe(ctx context.Context, f folder.Folder) (d *pluginpb.Description, err error) {
	home, err := os.MkdirTemp("", "plugin")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(home)) }()
	p, err := launch.Start(ctx, launch.Spec{Name: f.Type, Command: f.Command, Dir: home, Within: startTime(f)})
	if err != nil {
		return nil, err
	}
	defer p.Stop(time.Second)
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	d, err = p.Plugin().Describe(ctx, &pluginpb.DescribeRequest{})
	if err != nil {
		return nil, fmt.Errorf("the plugin does not say what it is: %w%s", err, lastLines(p.Lines()))
	}
	return d, folder.CheckDescription(f.Type, d)
}

// lastLines is what a plugin said before it failed.
func lastLines(lines []string) string {
	if len(lines) == 0 {
		return ""
	}
	return "; its last lines:\n" + indent(strings.Join(lines, "\n"))
}
