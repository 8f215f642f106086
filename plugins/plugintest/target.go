// Package plugintest tries plugins from outside: it starts them as the bridge
// does and checks 22 points of their behaviour, whatever they are written in.
// Authors call Run in a Go test; `espcam-bridge plugin check` calls Check. For
// unit tests and `plugin dev` there is a fake host with a camera that makes
// pictures, and an HTTP server that keeps what it is sent and answers as told.
//
// Nothing leaves the machine: the settings that are addresses are set to the
// server here. Every process that is started has ended when Check returns, and
// no call waits longer than the protocol allows.
package plugintest

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Target is a plugin to try, and what it needs to work.
type Target struct {
	Dir     string   // its folder, which holds one executable espcam-plugin-*; or
	Command []string // program and arguments

	// Settings and Secrets are those that it works with. What is required and not
	// given is taken from the field's example, its choices or its type; a secret
	// that is not given gets a random value.
	Settings map[string]any
	Secrets  map[string]string

	// Bad are settings, by field, that it must refuse: each alone, with the rest
	// as it should be.
	Bad map[string]any

	// URLs are the settings that lead to the server, with what goes in: {url} is
	// its address, {host} is that without http://; "" means {url}. Nil: those that
	// have url in their name or an http address as example or default.
	URLs map[string]string
	// Reply makes the server's good answers; nil: 200 and {}.
	Reply Reply
	// Upstream replaces the HTTP server for plugins that speak something else.
	Upstream Upstream

	Pictures [][]byte       // JPEGs in which a detector finds something; nil: the synthetic camera's
	Within   time.Duration  // for the handshake; 0: 5 s, for interpreters 20 s
	Env      []string       // added to its environment, NAME=value
	Skip     map[int]string // points that cannot be tried, with the reason

	restarts, events int // how many in points 19 and 20; 0: 20 and 1000
}

// command returns what to start.
func (t Target) command() ([]string, error) {
	if len(t.Command) > 0 {
		return t.Command, nil
	}
	found, err := filepath.Glob(filepath.Join(t.Dir, "espcam-plugin-*"))
	if err != nil {
		return nil, err
	}
	if len(found) != 1 {
		return nil, fmt.Errorf("%s holds %d executables espcam-plugin-*, not one", t.Dir, len(found))
	}
	path, err := filepath.Abs(found[0])
	return []string{path}, err
}

// within is the time for the handshake.
func (t Target) within(command []string) time.Duration {
	switch {
	case t.Within > 0:
		return t.Within
	case interpreted(command):
		return 20 * time.Second
	}
	return 5 * time.Second
}

// interpreted reports whether the command starts an interpreter.
func interpreted(command []string) bool {
	name := filepath.Base(command[0])
	if slices.ContainsFunc([]string{"python", "sh", "bash", "node", "ruby", "perl", "java"}, func(i string) bool { return strings.HasPrefix(name, i) }) {
		return true
	}
	f, err := os.Open(command[0])
	if err != nil {
		return false // it is found in PATH, or the start will say why not
	}
	defer f.Close()
	var mark [2]byte
	n, err := f.Read(mark[:])
	return err == nil && n == 2 && string(mark[:]) == "#!"
}
