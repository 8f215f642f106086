package main

import (
	"bufio"
	"context"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/espcam-bridge/espcam-bridge/plugins/sdk"
)

// This file is the program under another name: a copy called espcam-plugin-NAME
// beside a notify.sh is the plugin NAME, which is that script and no other. So a
// shell script is a plugin like any other, its text among the files that were
// accepted. `espcam-bridge plugin new --lang sh` makes such a folder.

// boundName is the script beside the program.
const boundName = "notify.sh"

// bound are the settings of such a plugin, the same for every script.
type bound struct {
	URL     string            `json:"url" help:"Where alerts go." example:"http://127.0.0.1:8000/alerts"`
	Token   string            `json:"token" sdk:"secret" help:"For that address."`
	Options map[string]string `json:"options" help:"Further values for the script." example:"{\"sound\": \"bell\"}"`
	Timeout time.Duration     `json:"timeout" default:"10s" min:"100ms" max:"14s" help:"For one run; then it is killed."`
}

// beside returns the name and script of a bound plugin, "" if this program is none.
func beside(program string) (name, script string) {
	name, found := strings.CutPrefix(strings.TrimSuffix(filepath.Base(program), ".exe"), "espcam-plugin-")
	script = filepath.Join(filepath.Dir(program), boundName)
	if _, err := os.Stat(script); err != nil || !found || name == "script" {
		return "", ""
	}
	return name, script
}

var headPattern = regexp.MustCompile(`^#\s*(Version|Summary):\s*(\S.*?)\s*$`)

// head reads what the comments at the beginning of the script say of it.
func head(script string) (version, summary string, err error) {
	f, err := os.Open(script)
	if err != nil {
		return "", "", err
	}
	defer func() { _ = f.Close() }() // it was only read
	version, summary = "0.0.0", "Runs "+boundName+"."
	for lines := bufio.NewScanner(f); lines.Scan() && strings.HasPrefix(lines.Text(), "#"); {
		m := headPattern.FindStringSubmatch(lines.Text())
		switch {
		case m == nil:
		case m[1] == "Version":
			version = m[2]
		default:
			summary = m[2]
		}
	}
	return version, summary, nil
}

// serveBound is main for such a plugin.
func serveBound(name, script string) error {
	version, summary, err := head(script)
	if err != nil {
		return err
	}
	sdk.Main(sdk.Plugin[bound]{
		Name: name, Version: version, Summary: summary, Notifier: sdk.NotifierTraits{CanEdit: true},
		Notify: func(ctx context.Context, b *bound, a sdk.Alert) (sdk.Receipt, error) {
			return notify(ctx, b.settings(script), a)
		},
		Validate: func(_ context.Context, b *bound) error { return b.validate() },
	})
	return nil
}

// settings are those of the plugin script that run this one.
func (b *bound) settings(script string) *settings {
	environment := map[string]string{"ESPCAM_SETTING_URL": b.URL}
	for name, value := range b.Options {
		environment[variable(name)] = value
	}
	return &settings{Command: []string{script}, Mode: "event", For: []string{"notify"}, Timeout: b.Timeout, Environment: environment, Secret: b.Token}
}

// variable is the name under which the script finds an option.
func variable(option string) string {
	return "ESPCAM_SETTING_" + strings.ToUpper(strings.ReplaceAll(option, "-", "_"))
}

var optionPattern = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

func (b *bound) validate() error {
	var problems []error
	for name, value := range b.Options {
		switch {
		case !optionPattern.MatchString(name) || variable(name) == "ESPCAM_SETTING_URL":
			problems = append(problems, sdk.Problem("options", "has %q: a name has up to 64 letters, digits, _ and -, and is not url", name))
		case strings.ContainsRune(value, 0):
			problems = append(problems, sdk.Problem("options", "has a value of %s that is no text", name))
		}
	}
	return errors.Join(problems...)
}
