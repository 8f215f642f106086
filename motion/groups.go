package motion

import (
	"encoding/binary"
	"math/bits"
	"slices"
)

// group is a set of pixels that touch, corners included.
type group struct {
	area           int
	x0, y0, x1, y1 int // both ends included
	contrast       int // sum of what its pixels differ by
	coherent       int // how many of its pixels were or touched changed ones in the picture before
	active         active
	slopes         slopes
	verdict        verdict
}

// verdict is what a group was found to be.
type verdict uint8

const (
	idle  verdict = iota // still, or not much of a thing
	small                // moves, but is too small
	lit                  // the background under another light
	loose                // moves, but was elsewhere in the picture before
	sure                 // moves and overlaps itself
)

func (v verdict) moving() bool { return v >= loose }

// run is a piece of one row. Runs of one group lead to the same root by parent.
type run struct{ y, x0, x1, parent int32 } // x1 included

// grouper finds groups of pixels in a plane; it keeps its memory.
type grouper struct {
	runs   []run
	number []int32 // the group of each root run
	groups []group
}

// find collects all groups of the plane's pixels that are not 0.
func (g *grouper) find(f frame, plane []byte) {
	g.reset()
	above := 0
	for y := range f.h {
		here := len(g.runs)
		g.scan(plane[f.row(y):][:f.stride], y)
		g.join(above, here)
		above = here
	}
	g.collect()
}

// reset forgets all groups.
func (g *grouper) reset() { g.runs, g.groups = g.runs[:0], g.groups[:0] }

// scan appends the runs of one row, which ends with padding of 0.
func (g *grouper) scan(row []byte, y int) {
	for x := 0; ; {
		if x = skip(row, x); x == len(row) {
			return
		}
		x0 := x
		for x < len(row) && row[x] != 0 {
			x++
		}
		g.runs = append(g.runs, run{int32(y), int32(x0), int32(x - 1), int32(len(g.runs))})
	}
}

// skip returns the first position from x on that is not 0.
func skip(row []byte, x int) int {
	for ; x&7 != 0; x++ {
		if row[x] != 0 {
			return x
		}
	}
	for ; x+8 <= len(row); x += 8 {
		if v := binary.LittleEndian.Uint64(row[x:]); v != 0 {
			return x + bits.TrailingZeros64(v)/8
		}
	}
	return len(row)
}

// join connects the runs from here on with those of the row above.
func (g *grouper) join(above, here int) {
	a := above
	for b := here; b < len(g.runs); b++ {
		for a < here && g.runs[a].x1 < g.runs[b].x0-1 {
			a++
		}
		for k := a; k < here && g.runs[k].x0 <= g.runs[b].x1+1; k++ {
			g.unite(int32(k), int32(b))
		}
	}
}

func (g *grouper) root(i int32) int32 {
	for g.runs[i].parent != i {
		g.runs[i].parent = g.runs[g.runs[i].parent].parent
		i = g.runs[i].parent
	}
	return i
}

func (g *grouper) unite(a, b int32) {
	a, b = g.root(a), g.root(b)
	g.runs[max(a, b)].parent = min(a, b)
}

// collect sums the runs up to groups. A root stands before its other runs.
func (g *grouper) collect() {
	g.number = slices.Grow(g.number[:0], len(g.runs))[:len(g.runs)]
	for i, r := range g.runs {
		root := g.root(int32(i))
		if root == int32(i) {
			g.number[i] = int32(len(g.groups))
			g.groups = append(g.groups, group{x0: int(r.x0), x1: int(r.x1), y0: int(r.y)})
		}
		o := &g.groups[g.number[root]]
		o.area += int(r.x1 - r.x0 + 1)
		o.x0, o.x1, o.y1 = min(o.x0, int(r.x0)), max(o.x1, int(r.x1)), int(r.y)
	}
}

// of returns the group of run i.
func (g *grouper) of(i int) *group { return &g.groups[g.number[g.root(int32(i))]] }
