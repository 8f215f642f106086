//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
)

// result is what a row came to.
type result struct {
	Row, Must   string
	Ours, Floor string
	Ratio       string
	OK          bool
	Skipped     string // why it could not be measured here
	Notes       []string
}

// failed is a row that could not be measured: skipped if err is a cannot, which
// is this machine's fault, else missed.
func failed(err error) result {
	var c cannot
	if errors.As(err, &c) {
		return skippedBecause(c.Error())
	}
	return result{Ours: "failed", Notes: []string{err.Error()}}
}

// cannot says what this machine lacks to measure something.
type cannot string

func (c cannot) Error() string { return string(c) }

func skippedBecause(why string) result { return result{Skipped: why} }

// result measures the row, where it must be in a namespace of its own.
func (row row) result(ctx context.Context, r *rig) result {
	var res result
	if row.isolated {
		res = r.isolate(ctx, row.name)
	} else {
		res = row.measure(ctx, r)
	}
	res.Row, res.Must = row.name, row.must
	return res
}

func (res result) verdict() string {
	switch {
	case res.Skipped != "":
		return "skipped"
	case res.OK:
		return "ok"
	}
	return "MISS"
}

// printTable prints the results in columns and what is to be said of them below.
func printTable(w io.Writer, results []result) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "work\tours\tfloor\tratio\tmust\t")
	for _, r := range results {
		cells := []string{r.Row, r.Ours, r.Floor, r.Ratio, r.Must, r.verdict()}
		for i := range cells {
			if cells[i] == "" {
				cells[i] = "-"
			}
		}
		fmt.Fprintln(t, strings.Join(cells, "\t"))
	}
	_ = t.Flush() // a terminal or a pipe that is gone: nobody is left to tell
	fmt.Fprintln(w)
	for _, r := range results {
		if r.Skipped != "" {
			fmt.Fprintf(w, "%s: skipped: %s\n", r.Row, r.Skipped)
		}
		for _, n := range r.Notes {
			fmt.Fprintf(w, "%s: %s\n", r.Row, n)
		}
	}
}

// median returns the middle of values, 0 if there are none.
func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	s := slices.Sorted(slices.Values(values))
	if n := len(s); n%2 == 0 {
		return (s[n/2-1] + s[n/2]) / 2
	}
	return s[len(s)/2]
}

// spread is a distribution of times in milliseconds.
type spread struct{ P50, P99, Max float64 }

// spreadOf summarises microseconds. It sorts them in place.
func spreadOf(micros []int32) spread {
	if len(micros) == 0 {
		return spread{}
	}
	slices.Sort(micros)
	at := func(q float64) float64 { return float64(micros[int(q*float64(len(micros)-1))]) / 1000 }
	return spread{P50: at(0.5), P99: at(0.99), Max: at(1)}
}
