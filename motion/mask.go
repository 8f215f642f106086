package motion

// area is a set of working pixels in the layout of a frame: 1 in it, 0 not.
type area struct {
	in    []byte
	count int
}

// whole is every pixel of the picture, without the padding.
func (f frame) whole() area {
	a := area{in: make([]byte, f.size()), count: f.w * f.h}
	for y := range f.h {
		row := a.in[f.row(y):][:f.w]
		for x := range row {
			row[x] = 1
		}
	}
	return a
}

// polygons is every pixel whose centre lies in one of the polygons.
func (f frame) polygons(ps []Polygon) area {
	a := area{in: make([]byte, f.size())}
	for _, p := range ps {
		for y := range f.h {
			row := a.in[f.row(y):][:f.w]
			cy := (float64(y) + 0.5) / float64(f.h)
			for x := range row {
				if inside(p, (float64(x)+0.5)/float64(f.w), cy) {
					row[x] = 1
				}
			}
		}
	}
	a.recount()
	return a
}

// without removes the pixels of b.
func (a *area) without(b area) {
	for i, v := range b.in {
		a.in[i] &^= v
	}
	a.recount()
}

func (a *area) recount() {
	a.count = 0
	for _, v := range a.in {
		a.count += int(v)
	}
}

// inside counts how often a ray to the right crosses the polygon's edge.
func inside(p Polygon, x, y float64) bool {
	in := false
	for i, a := range p {
		b := p[(i+len(p)-1)%len(p)]
		if (a[1] > y) != (b[1] > y) && x < (b[0]-a[0])*(y-a[1])/(b[1]-a[1])+a[0] {
			in = !in
		}
	}
	return in
}
