package motion

// maxBins bounds the bins of a tone curve.
const maxBins = 16

// meanUnit is what means of pictures are counted in: 1/16 level.
const meanUnit = 16

// toneCurve predicts the present grey level of a pixel from its background
// level: what auto-exposure, clouds, dimming and clipping do to all pixels of
// one brightness. Its values are 8.8 fixed point.
type toneCurve [256]int32

// levels rounds the curve.
func (c *toneCurve) levels() (t [256]byte) {
	for l, v := range c {
		t[l] = byte(min((v+128)>>8, 255))
	}
	return t
}

// light is how bright the picture and the background are, in 1/16 levels.
type light struct{ now, base int }

// toneFitter holds what fitting a curve needs, so that it allocates nothing.
type toneFitter struct {
	levels [256]int32           // how often each background level occurs
	bin    [256]uint8           // the bin of each background level
	middle [maxBins]int32       // the median background level of each bin
	size   [maxBins]int32       // how many samples fell into it
	joint  [maxBins][256]uint16 // present levels in each bin
}

// fit splits the background into bins of equal size, takes the median present
// level of each and joins these points by straight lines. Medians do not care
// about things that cover less than half of what has one brightness.
func (t *toneFitter) fit(curve *toneCurve, samples []int32, base, pic []byte, bins int) light {
	t.split(samples, base, int32(bins))
	t.joint = [maxBins][256]uint16{}
	pic = pic[:len(base)]
	var now, was int
	for _, i := range samples {
		v, b := pic[i], base[i]
		t.joint[t.bin[b]&(maxBins-1)][v]++
		now += int(v)
		was += int(b)
	}
	t.draw(curve)
	n := max(1, len(samples))
	return light{now * meanUnit / n, was * meanUnit / n}
}

// split finds bins of about equal size over the background levels.
func (t *toneFitter) split(samples []int32, base []byte, bins int32) {
	t.levels = [256]int32{}
	for _, i := range samples {
		t.levels[base[i]]++
	}
	t.size = [maxBins]int32{}
	total, seen := int32(max(1, len(samples))), int32(0)
	for l, n := range t.levels {
		b := min(bins-1, (seen+n/2)*bins/total)
		t.bin[l] = uint8(b)
		t.size[b] += n
		seen += n
	}
	var passed [maxBins]int32
	for l, n := range t.levels {
		b := t.bin[l]
		if n > 0 && passed[b]*2 <= t.size[b] {
			t.middle[b] = int32(l)
		}
		passed[b] += n
	}
}

// draw makes the curve from the medians.
func (t *toneFitter) draw(curve *toneCurve) {
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

// spread is how many levels lie between the darkest and the brightest 5 % of
// the background.
func (t *toneFitter) spread() int {
	total := int32(0)
	for _, n := range t.levels {
		total += n
	}
	low, high, seen := 0, 0, int32(0)
	for l, n := range t.levels {
		if seen*20 <= total {
			low = l
		}
		seen += n
		if seen*20 <= total*19 {
			high = l
		}
	}
	return max(0, high-low)
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
	k, last := 0, len(x)-1
	for l := range c {
		at := int32(l) << 8
		for k < last && at >= x[k+1] {
			k++
		}
		switch {
		case at < x[0]:
			c[l] = scale(y[0], at, x[0])
		case k == last:
			c[l] = min(y[k]+scale(y[k], at-x[k], max(x[k], 1)), 255<<8)
		default:
			c[l] = y[k] + scale(y[k+1]-y[k], at-x[k], x[k+1]-x[k])
		}
	}
}

// scale returns v*a/b without overflow.
func scale(v, a, b int32) int32 { return int32(int64(v) * int64(a) / int64(b)) }

func abs(v int) int { return max(v, -v) }
