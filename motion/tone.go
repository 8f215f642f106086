package motion

// maxBins bounds the bins of a tone curve.
const maxBins = 16

// toneCurve predicts the present grey level of a pixel from its background
// level: what auto-exposure, clouds, dimming and clipping do to all pixels of
// one brightness. Levels are 8.8 fixed point.
type toneCurve [256]int32

// toneFitter holds what fitting a curve needs, so that it allocates nothing.
type toneFitter struct {
	levels [256]int32           // how often each background level occurs
	bin    [256]uint8           // the bin of each background level
	middle [maxBins]int32       // the median background level of each bin
	size   [maxBins]int32       // how many samples fell into it
	joint  [maxBins][256]uint16 // present levels in each bin
}

// fit splits the background into bins of equal size, takes the median present
// level of each and joins these points by straight lines.
func (t *toneFitter) fit(curve *toneCurve, samples []int32, bg []uint16, pic []byte, bins int) (mean, bgMean int) {
	t.split(samples, bg, bins)
	t.joint = [maxBins][256]uint16{}
	for _, i := range samples {
		mean += int(pic[i])
		bgMean += int(level(bg[i]))
		t.joint[t.bin[level(bg[i])]&(maxBins-1)][pic[i]]++
	}
	var x, y [maxBins]int32
	n := 0
	for b := range bins {
		if t.size[b] == 0 {
			continue
		}
		x[n], y[n] = t.middle[b]<<8, median(&t.joint[b], t.size[b])<<8
		if n > 0 && y[n] < y[n-1] {
			y[n] = y[n-1] // more light never made a pixel darker
		}
		n++
	}
	curve.through(x[:n], y[:n])
	total := max(1, len(samples))
	return mean * 16 / total, bgMean * 16 / total
}

// level rounds an 8.8 value to a grey level.
func level(v uint16) uint8 { return uint8(min((uint32(v)+128)>>8, 255)) }

// split finds bins of about equal size over the background levels.
func (t *toneFitter) split(samples []int32, bg []uint16, bins int) {
	t.levels = [256]int32{}
	for _, i := range samples {
		t.levels[level(bg[i])]++
	}
	t.size = [maxBins]int32{}
	total, seen := int32(len(samples)), int32(0)
	for l, n := range t.levels {
		b := min(int32(bins)-1, (seen+n/2)*int32(bins)/max(total, 1))
		t.bin[l] = uint8(b)
		t.size[b] += n
		seen += n
	}
	var passed [maxBins]int32
	for l, n := range t.levels {
		b := t.bin[l]
		if passed[b]*2 <= t.size[b] && n > 0 {
			t.middle[b] = int32(l)
		}
		passed[b] += n
	}
}

func median(hist *[256]uint16, n int32) int32 {
	seen := int32(0)
	for l, c := range hist {
		seen += int32(c)
		if 2*seen >= n {
			return int32(l)
		}
	}
	return 255
}

// through draws the curve through the points; outside of them the ratio of the
// outermost point holds.
func (c *toneCurve) through(x, y []int32) {
	if len(x) == 0 {
		for l := range c {
			c[l] = int32(l) << 8
		}
		return
	}
	k := 0
	for l := range c {
		at := int32(l) << 8
		for k < len(x)-1 && at >= x[k+1] {
			k++
		}
		switch {
		case at < x[0]:
			c[l] = scale(y[0], at, x[0])
		case k == len(x)-1:
			c[l] = min(y[k]+scale(y[k], at-x[k], max(x[k], 1)), 255<<8)
		default:
			c[l] = y[k] + scale(y[k+1]-y[k], at-x[k], x[k+1]-x[k])
		}
	}
}

// scale returns v*a/b without overflow.
func scale(v, a, b int32) int32 { return int32(int64(v) * int64(a) / int64(b)) }
