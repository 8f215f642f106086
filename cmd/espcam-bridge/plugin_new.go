package main

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"text/template"

	"github.com/spf13/cobra"

	"github.com/espcam-bridge/espcam-bridge/bridge/pluginhost/folder"
	"github.com/espcam-bridge/espcam-bridge/plugins/python"
)

// scaffold holds what a new plugin begins with: all/ for each language, and the
// language's own. Its marks are <% %>, because the files have {{ }} of their own.
//
//go:embed all:scaffold
var scaffold embed.FS

var languages = []string{"go", "python", "sh"}

// newPlugin is one run of "plugin new", and what its templates may use.
type newPlugin struct {
	Name   string
	Lang   string
	Dir    string // where it is made
	SDK    string // a checkout of the bridge, for Go; "" if none is near
	Bridge string // how to call this program
	Script string // the executable of the plugin "script", for sh
}

func newPluginCommand() *cobra.Command {
	var n newPlugin
	c := &cobra.Command{
		Use:   "new --lang go|python|sh NAME",
		Short: "Begin a plugin: a folder with program, tests, README, Makefile, and what to do next",
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			n.Name = args[0]
			return n.run(c)
		},
	}
	c.Flags().StringVar(&n.Lang, "lang", "go", "go, python, or sh for a shell script")
	c.Flags().StringVar(&n.SDK, "sdk", "", "directory with the bridge's source, for Go (default: the one around this directory or this program)")
	c.Flags().StringVar(&n.Script, "script", "", "the executable espcam-plugin-script, for sh (default: the one that came with this program)")
	c.Flags().StringVar(&n.Dir, "dir", "", "where to make the folder (default: NAME, here)")
	return c
}

func (n *newPlugin) run(c *cobra.Command) error {
	if err := folder.CheckType(n.Name); err != nil {
		return usage{err}
	}
	if !slices.Contains(languages, n.Lang) {
		return usage{fmt.Errorf("--lang is %q: use one of %s", n.Lang, strings.Join(languages, ", "))}
	}
	if n.Dir == "" {
		n.Dir = n.Name
	}
	if err := n.surroundings(); err != nil {
		return err
	}
	if err := os.Mkdir(n.Dir, 0o755); err != nil {
		return fmt.Errorf("the folder cannot be made: %w", err)
	}
	if err := n.write(); err != nil {
		return err
	}
	return n.next(c)
}

// surroundings finds what the new plugin needs of this machine.
func (n *newPlugin) surroundings() (err error) {
	if n.Bridge, err = ownName(); err != nil {
		return err
	}
	switch n.Lang {
	case "go":
		if n.SDK == "" {
			n.SDK = findSource()
		} else if !isSource(n.SDK) {
			return usage{fmt.Errorf("--sdk is %q, which does not hold the bridge's source", n.SDK)}
		}
		if n.SDK != "" {
			n.SDK, err = filepath.Abs(n.SDK)
		}
	case "sh":
		if n.Script == "" {
			n.Script = findScript()
		}
		if _, err := os.Stat(n.Script); err != nil {
			return usage{errors.New("the program espcam-plugin-script, which runs shell scripts for the bridge, was not found: name it with --script; `make build` puts it into bin/plugins/script")}
		}
	}
	return err
}

// ownName is how a person calls this program.
func ownName() (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	if found, err := exec.LookPath("espcam-bridge"); err == nil && same(filepath.Dir(found), filepath.Dir(self)) {
		return "espcam-bridge", nil
	}
	return self, nil
}

// findSource returns the bridge's source around the working directory or this
// program, or "".
func findSource() string {
	var starts []string
	if dir, err := os.Getwd(); err == nil {
		starts = append(starts, dir)
	}
	if self, err := os.Executable(); err == nil {
		starts = append(starts, filepath.Dir(self))
	}
	for _, dir := range starts {
		for ; ; dir = filepath.Dir(dir) {
			if isSource(dir) {
				return dir
			}
			if dir == filepath.Dir(dir) {
				break
			}
		}
	}
	return ""
}

func isSource(dir string) bool {
	text, err := os.ReadFile(filepath.Join(dir, "go.mod"))
	return err == nil && bytes.HasPrefix(text, []byte("module github.com/espcam-bridge/espcam-bridge\n"))
}

// findScript returns the executable of the plugin "script" that lies beside this
// program, or "".
func findScript() string {
	self, err := os.Executable()
	if err != nil {
		return ""
	}
	return filepath.Join(filepath.Dir(self), "plugins", "script", folder.Prefix+"script")
}

// write makes the files.
func (n *newPlugin) write() error {
	for _, part := range []string{"all", n.Lang} {
		root := "scaffold/" + part
		err := fs.WalkDir(scaffold, root, func(name string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			return n.file(name, strings.TrimSuffix(strings.TrimPrefix(name, root+"/"), ".tmpl"))
		})
		if err != nil {
			return err
		}
	}
	switch n.Lang {
	case "go":
		return n.sums()
	case "python":
		return os.WriteFile(filepath.Join(n.Dir, "espcam_plugin.py"), python.Source(), 0o644)
	case "sh":
		_, err := copyFile(filepath.Join(n.Dir, folder.Prefix+n.Name), n.Script, maxCopied)
		return err
	}
	return nil
}

// sums copies the checksums of what the SDK stands on, so that nothing needs to
// be asked of the network that the bridge's own build did not ask.
func (n *newPlugin) sums() error {
	if n.SDK == "" {
		return nil
	}
	text, err := os.ReadFile(filepath.Join(n.SDK, "go.sum"))
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(n.Dir, "go.sum"), text, 0o644)
}

// file writes one; what begins as a script is executable.
func (n *newPlugin) file(template, name string) error {
	text, err := scaffold.ReadFile(template)
	if err != nil {
		return err
	}
	out, err := n.fill(string(text))
	if err != nil {
		return err
	}
	path := filepath.Join(n.Dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	mode := fs.FileMode(0o644)
	if strings.HasPrefix(out, "#!") {
		mode = 0o755
	}
	return os.WriteFile(path, []byte(out), mode)
}

func (n *newPlugin) fill(text string) (string, error) {
	t, err := template.New("").Delims("<%", "%>").Option("missingkey=error").Parse(text)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	err = t.Execute(&b, n)
	return b.String(), err
}

// steps is what a person does after "plugin new". Lines that begin with a dollar
// sign are typed as they are.
const steps = `<%.Dir%> holds the plugin "<%.Name%>": it sends alerts as JSON to a web address. README.md lists its settings.
<%- if and (eq .Lang "go") (not .SDK)%>
There is no source of the bridge around here: make fetches it. If it cannot, begin again with --sdk DIR.
<%- end%>

Build it, and try it the way the bridge will use it:

$ cd <%.Dir%>
$ make
$ make test
$ make check

See it work: t sends an alert, q quits, and it reloads when you save a file.

$ make dev

Let the bridge use it. Do this where your bridge.yaml is; an empty folder will do, too. Put the address there that your alerts
shall go to. (If the file has "plugins:" or "alerts:" already, add the lines below them.)

$ cd -
$ <%.Bridge%> plugin install <%.Dir%>
$ cat >>bridge.yaml <<'END'
plugins:
  instances:
    <%.Name%>: {type: <%.Name%>, settings: {url: "http://127.0.0.1:8000/alerts"}}
alerts:
  - {to: <%.Name%>, on: [motion]}
END
$ <%.Bridge%> serve &
$ <%.Bridge%> plugin test <%.Name%>

Then make it yours: <%if eq .Lang "go"%>main.go<%else if eq .Lang "python"%>main.py<%else%>notify.sh<%end%> is all there is. After a change: make check, and install it again.
`

func (n *newPlugin) next(c *cobra.Command) error {
	text, err := n.fill(steps)
	fmt.Fprint(c.OutOrStdout(), text)
	return err
}
