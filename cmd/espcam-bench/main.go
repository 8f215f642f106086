//go:build linux

// Command espcam-bench measures what the relay costs and how fresh it is, what
// motion costs and finds, and says whether that is good enough.
//
// It starts the real bridge as a child process and, in turns with it, a floor:
// a relay that does nothing but one raw write(2) per viewer and frame. Both get
// the same load of simulated cameras and viewers from a third process, and the
// kernel says how much CPU each used. Figures depend on the machine and on what
// else it does; the ratio to the floor within one round hardly does.
//
// Everything is on loopback, bounded in number and time, and gone afterwards.
// Linux only: it reads the clocks and sockets of other processes.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx, os.Args[1:])
	var usage usageError
	switch {
	case err == nil || errors.Is(err, flag.ErrHelp):
	case errors.As(err, &usage):
		fmt.Fprintln(os.Stderr, "espcam-bench:", err)
		os.Exit(2)
	default:
		fmt.Fprintln(os.Stderr, "espcam-bench:", err)
		os.Exit(1)
	}
}

type usageError struct{ error }

// run is the program: the benchmark itself, or one of the parts that it starts
// as a process of its own so that their CPU is told apart.
func run(ctx context.Context, args []string) error {
	if len(args) > 0 {
		switch args[0] {
		case "floor":
			return runFloor(ctx, args[1:], os.Stdin, os.Stdout)
		case "load":
			return runLoad(ctx, os.Stdin, os.Stdout)
		case "isolated":
			return runIsolated(ctx, args[1:])
		}
	}
	o, err := parse(args)
	if err != nil {
		return err
	}
	return bench(ctx, o, os.Stdout)
}

// options are the command line.
type options struct {
	Bridge string        // the binary to measure
	Rounds int           // of each comparison; the median counts
	Window time.Duration // measured time of one run
	Only   string        // rows whose name holds this
}

func parse(args []string) (options, error) {
	var o options
	f := flag.NewFlagSet("espcam-bench", flag.ContinueOnError)
	f.StringVar(&o.Bridge, "bridge", "bin/espcam-bridge", "the program to measure")
	f.IntVar(&o.Rounds, "rounds", 5, "rounds of each comparison (1 to 20); the median counts")
	f.DurationVar(&o.Window, "duration", 8*time.Second, "measured time of one run (1s to 2m)")
	f.StringVar(&o.Only, "only", "", "run only the rows whose name holds this text")
	if err := f.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return o, err
		}
		return o, usageError{err}
	}
	switch {
	case f.NArg() > 0:
		return o, usageError{fmt.Errorf("unexpected argument %q", f.Arg(0))}
	case o.Rounds < 1 || o.Rounds > 20:
		return o, usageError{errors.New("--rounds takes 1 to 20")}
	case o.Window < time.Second || o.Window > 2*time.Minute:
		return o, usageError{errors.New("--duration takes 1s to 2m")}
	}
	return o, nil
}

// bench runs the rows and prints the table. Its error says that a row missed.
func bench(ctx context.Context, o options, w io.Writer) error {
	if _, err := os.Stat(o.Bridge); err != nil {
		return usageError{fmt.Errorf("there is no program to measure: %w (make build)", err)}
	}
	r := &rig{options: o, log: os.Stderr}
	var results []result
	for _, row := range rows {
		if !strings.Contains(row.name, o.Only) {
			continue
		}
		fmt.Fprintf(r.log, "%s ...\n", row.name)
		res := row.result(ctx, r)
		if ctx.Err() != nil {
			return errors.New("interrupted")
		}
		results = append(results, res)
	}
	if len(results) == 0 {
		return usageError{fmt.Errorf("no row's name holds %q", o.Only)}
	}
	printTable(w, results)
	for _, res := range results {
		if res.verdict() == "MISS" {
			return errors.New("some rows missed")
		}
	}
	return nil
}

// runIsolated runs one row in this process, which stands in a network namespace
// of its own, and writes its result as JSON.
func runIsolated(ctx context.Context, args []string) error {
	var o options
	if len(args) != 2 || json.Unmarshal([]byte(args[1]), &o) != nil {
		return usageError{errors.New("isolated is for the program itself")}
	}
	if err := raiseLoopback(1500); err != nil {
		return err
	}
	for _, row := range rows {
		if row.name == args[0] {
			res := row.measure(ctx, &rig{options: o, log: os.Stderr})
			return json.NewEncoder(os.Stdout).Encode(res)
		}
	}
	return usageError{fmt.Errorf("there is no row %q", args[0])}
}
