package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/espcam-bridge/espcam-bridge/plugins/sdk"
)

// startFile holds, in the plugin's directory, how the next starts go wrong, how
// often in all, and how often they still do.
const startFile = "start"

// orphanKey marks the child that fork leaves: it does not end with its stdin.
const orphanKey = "CHAOS_ORPHAN"

const aMoment = time.Second // between Configure and the end that start asks for

// plan is what startFile holds.
type plan struct {
	how       string
	all, left int
}

func readPlan(path string) (p plan, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return plan{}, err
	}
	_, err = fmt.Sscan(string(text), &p.how, &p.all, &p.left)
	return p, err
}

func (p plan) write(path string) error {
	return os.WriteFile(path, fmt.Appendln(nil, p.how, p.all, p.left), 0o600)
}

// misstart does what goes wrong before the handshake, if something should: as its
// argument or its file says. It reports whether it did, and then returns when the
// bridge gives up.
func misstart(args []string) bool {
	how := ""
	if p, err := readPlan(startFile); err == nil && p.left > 0 {
		how = p.how
		p.left--
		if err := p.write(startFile); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	}
	if len(args) > 0 {
		how = args[0]
	}
	switch how {
	case "silent":
	case "garbage":
		fmt.Println("Hello! This line is no handshake.")
	case "exit":
		fmt.Fprintln(os.Stderr, "chaos was asked to end before its handshake")
		os.Exit(3)
	default:
		return false
	}
	for os.Getenv(orphanKey) != "" {
		time.Sleep(time.Hour)
	}
	_, _ = io.Copy(io.Discard, os.Stdin) // until the bridge lets go of it, however
	return true
}

// prepare writes down how the next starts should go, and lets the first of them
// come: the process ends. With the same settings it does so once.
func prepare(ctx context.Context, s *settings) error {
	path := filepath.Join(sdk.DataDir(ctx), startFile)
	old, err := readPlan(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if s.Start == "" {
		return errors.Join(os.RemoveAll(path))
	}
	if old.how == s.Start && old.all == s.Starts {
		return nil // it went wrong as often as it should, or will
	}
	if err := (plan{s.Start, s.Starts, s.Starts}).write(path); err != nil {
		return err
	}
	sdk.Log(ctx).Warn("the next starts go wrong", "how", s.Start, "starts", s.Starts)
	select {
	case <-time.After(aMoment):
		os.Exit(3)
	case <-ctx.Done():
	}
	return nil
}
