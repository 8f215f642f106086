package motion

import "github.com/espcam-bridge/espcam-bridge/bridge/jpeg"

// decoded is a small grey picture as the decoder gave it, row by row.
type decoded struct {
	pix        []byte
	cols, rows int
}

// read checks the header, decodes pic and puts it into d.raw at working size.
// It reports whether there is a picture.
func (d *Detector) read(pic []byte) bool {
	info, err := jpeg.Check(pic, jpeg.Limits{MaxPixels: d.cfg.MaxPixels})
	if err != nil {
		return false
	}
	p := planFor(info.Width, info.Height, d.cfg.Width)
	small, release, err := decodeGrey(pic[:info.Size], p.reduce)
	if err != nil {
		return false
	}
	defer release()
	if small.cols != p.cols || small.rows != p.rows {
		return false // not what its header said
	}
	d.resize(info.Width, info.Height, p)
	d.place(small, p.box)
	return true
}

// place copies the decoded picture into the raw plane, averaging boxes.
func (d *Detector) place(s decoded, box int) {
	f := d.frame
	for y := range f.h {
		out := d.raw[f.row(y):][:f.w]
		if box == 1 {
			copy(out, s.pix[y*s.cols:])
			continue
		}
		for x := range out {
			out[x] = boxMean(s, x*box, y*box, box)
		}
	}
	f.pad(d.raw)
}

// boxMean averages the part of a box that lies inside the picture.
func boxMean(s decoded, x0, y0, box int) byte {
	x1, y1 := min(x0+box, s.cols), min(y0+box, s.rows)
	sum := 0
	for y := y0; y < y1; y++ {
		for _, v := range s.pix[y*s.cols+x0 : y*s.cols+x1] {
			sum += int(v)
		}
	}
	n := (x1 - x0) * (y1 - y0)
	return byte((sum + n/2) / n)
}
