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
func (t *toneFitter) fit(curve *toneCurve, samples []int32, bg []byte, pic []byte, bins, tail int) (mean, bgMean int) {
	t.split(samples, bg, bins, tail)
	t.joint = [maxBins][256]uint16{}
	for _, i := range samples {
		mean += int(pic[i])
		bgMean += int(bg[i])
		t.joint[t.bin[bg[i]]&(maxBins-1)][pic[i]]++
	}
	var x, y [maxBins]int32
	n := 0
	for b := range maxBins {
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

// split finds bins of about equal size over the background levels.
func (t *toneFitter) split(samples []int32, bg []byte, bins, tail int) {
	t.levels = [256]int32{}
	for _, i := range samples {
		t.levels[bg[i]]++
	}
	t.size = [maxBins]int32{}
	total, seen := int32(len(samples)), int32(0)
	for l, n := range t.levels {
		b := binOf((seen+n/2)*1000/max(total, 1), int32(bins), int32(tail))
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

// binOf returns the bin of a rank in 1/1000: a narrow one for each tail, which
// few but conspicuous pixels fill, and equal ones between.
func binOf(rank, bins, tail int32) int32 {
	switch {
	case tail == 0:
		return min(bins-1, rank*bins/1000)
	case rank < tail:
		return 0
	case rank >= 1000-tail:
		return bins + 1
	}
	return 1 + min(bins-1, (rank-tail)*bins/(1000-2*tail))
}

// spread is how many levels lie between the darkest and the brightest 5 % of
// the background.
func (t *toneFitter) spread(total int) int {
	low, high, seen := 0, 0, 0
	for l, n := range t.levels {
		if seen*20 <= total {
			low = l
		}
		seen += int(n)
		if seen*20 <= total*19 {
			high = l
		}
	}
	return max(0, high-low)
}
