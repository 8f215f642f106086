package bridge

import (
	"fmt"
	"math"
)

// Polygon is an area of a picture: 3 to 32 points (x, y), each from 0 to 1 of
// its width and height, x to the right and y down. Its edges do not cross.
type Polygon [][2]float64

// Box is a part of a picture, in shares of its width and height.
type Box struct {
	X float64 `json:"x"` // left edge
	Y float64 `json:"y"` // upper edge
	W float64 `json:"w"`
	H float64 `json:"h"`
}

const (
	minPoints, maxPoints = 3, 32
	minArea              = 0.0001 // share of the picture: less is a line that somebody drew by mistake
)

// checkPolygon reads a polygon out of what JSON or YAML gave, or says what is
// wrong with it.
func checkPolygon(v any) (Polygon, error) {
	p, err := points(v)
	if err != nil {
		return nil, err
	}
	if n := len(p); n < minPoints || n > maxPoints {
		return nil, fmt.Errorf("has %d points: it needs %d to %d", n, minPoints, maxPoints)
	}
	for i, at := range p {
		for _, c := range at {
			if !(c >= 0 && c <= 1) {
				return nil, fmt.Errorf("has point %d at (%g, %g): x and y are shares of the picture, from 0 to 1", i+1, at[0], at[1])
			}
		}
	}
	if i, j, crossed := p.crossing(); crossed {
		return nil, fmt.Errorf("crosses itself: the edges after points %d and %d meet", i+1, j+1)
	}
	if a := p.area(); a < minArea {
		return nil, fmt.Errorf("covers %g of the picture: it must cover at least %g", a, minArea)
	}
	return p, nil
}

func points(v any) (Polygon, error) {
	if p, ok := v.(Polygon); ok {
		return p, nil
	}
	list, ok := v.([]any)
	if !ok {
		return nil, fmt.Errorf("must be a list of points [x, y], not %s", shown(v))
	}
	p := make(Polygon, 0, min(len(list), maxPoints+1))
	for i, item := range list {
		pair, _ := item.([]any)
		if len(pair) != 2 {
			return nil, fmt.Errorf("has point %d as %s: a point is [x, y]", i+1, shown(item))
		}
		x, okX := asFloat(pair[0])
		y, okY := asFloat(pair[1])
		if !okX || !okY {
			return nil, fmt.Errorf("has point %d as %s: a point is two numbers [x, y]", i+1, shown(item))
		}
		p = append(p, [2]float64{x, y})
		if len(p) > maxPoints {
			return nil, fmt.Errorf("has %d points: it needs %d to %d", len(list), minPoints, maxPoints)
		}
	}
	return p, nil
}

// area is the share of the picture within p (shoelace formula).
func (p Polygon) area() float64 {
	sum := 0.0
	for i, a := range p {
		b := p[(i+1)%len(p)]
		sum += a[0]*b[1] - b[0]*a[1]
	}
	return math.Abs(sum) / 2
}

// crossing finds two edges that meet elsewhere than at a common corner.
func (p Polygon) crossing() (i, j int, found bool) {
	n := len(p)
	for i := range n {
		for j := i + 1; j < n; j++ {
			neighbours := j == i+1 || i == 0 && j == n-1
			if neighbours {
				if n > minPoints && p.folds(i, j) {
					return i, j, true
				}
				continue
			}
			if meet(p[i], p[(i+1)%n], p[j], p[(j+1)%n]) {
				return i, j, true
			}
		}
	}
	return 0, 0, false
}

// folds reports whether neighbouring edges i and j lie on each other.
func (p Polygon) folds(i, j int) bool {
	n := len(p)
	a, b, c := p[i], p[j], p[(j+1)%n]
	if j != i+1 { // the last and the first edge: their corner is p[0]
		a, b, c = p[j], p[0], p[1]
	}
	dot := (a[0]-b[0])*(c[0]-b[0]) + (a[1]-b[1])*(c[1]-b[1])
	return side(a, b, c) == 0 && dot > 0
}

// meet reports whether the closed segments ab and cd have a point in common.
func meet(a, b, c, d [2]float64) bool {
	d1, d2, d3, d4 := side(a, b, c), side(a, b, d), side(c, d, a), side(c, d, b)
	if d1*d2 < 0 && d3*d4 < 0 {
		return true
	}
	return d1 == 0 && within(a, b, c) || d2 == 0 && within(a, b, d) ||
		d3 == 0 && within(c, d, a) || d4 == 0 && within(c, d, b)
}

// side says on which side of the line ab the point c lies; 0: on it.
func side(a, b, c [2]float64) float64 {
	v := (b[0]-a[0])*(c[1]-a[1]) - (b[1]-a[1])*(c[0]-a[0])
	if math.Abs(v) < 1e-12 {
		return 0
	}
	return v
}

// within reports whether c, which lies on the line ab, lies between a and b.
func within(a, b, c [2]float64) bool {
	return min(a[0], b[0]) <= c[0] && c[0] <= max(a[0], b[0]) && min(a[1], b[1]) <= c[1] && c[1] <= max(a[1], b[1])
}
