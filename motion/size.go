package motion

// plan is the way from a picture to the working size: the decoder reduces by
// 1, 2, 4 or 8, then squares of box x box pixels are averaged.
type plan struct {
	reduce, box int
	cols, rows  int // after the decoder
	w, h        int // working size
}

// planFor takes the largest reduction that keeps at least three quarters of the
// wanted columns, and a larger one for pictures that would still be too many
// pixels, such as very tall ones.
func planFor(width, height, columns int) plan {
	least, most := columns*3/4, 2*columns*columns
	p := plan{reduce: 1, box: 1}
	for p.reduce < 8 && (ceilDiv(width, 2*p.reduce) >= least || tooMany(width, height, p.reduce, most)) {
		p.reduce *= 2
	}
	p.cols, p.rows = ceilDiv(width, p.reduce), ceilDiv(height, p.reduce)
	for p.cols/(p.box+1) >= least || tooMany(p.cols, p.rows, p.box, most) {
		p.box++
	}
	p.w, p.h = max(1, p.cols/p.box), max(1, p.rows/p.box)
	return p
}

func tooMany(width, height, by, most int) bool {
	return ceilDiv(width, by)*ceilDiv(height, by) > most
}

func ceilDiv(a, b int) int { return (a + b - 1) / b }

// frame is the layout that all planes of one working size share: rows of stride
// bytes with at least two columns of padding behind each, one row of padding
// above and below, and 8 bytes at both ends. So the eight neighbours of every
// pixel exist, and whole planes can be worked on eight pixels at a time.
type frame struct {
	w, h   int
	stride int // a multiple of 8
}

func frameFor(w, h int) frame { return frame{w: w, h: h, stride: (w + 2 + 7) &^ 7} }

func (f frame) size() int { return f.stride*(f.h+2) + 16 }

// row returns where the first pixel of row y stands; row(h) is the end.
func (f frame) row(y int) int { return (y+1)*f.stride + 8 }

// pad repeats the outermost pixels into the padding.
func (f frame) pad(p []byte) {
	for y := range f.h {
		r := f.row(y)
		last := p[r+f.w-1]
		for x := r + f.w; x < r+f.stride-1; x++ {
			p[x] = last
		}
		p[r-1] = p[r] // the last column of the row above
	}
	top, end := f.row(0), f.row(f.h)
	p[top-f.stride-1], p[end-1] = p[top], p[end-f.stride]
	copy(p[top-f.stride:top-1], p[top:])
	copy(p[end:end+f.stride], p[end-f.stride:])
}
