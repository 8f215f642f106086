package fakecam

import (
	"image"
	"math"
)

// tint is what the sensor's settings and the flash do to the colours. The zero
// tint changes nothing.
type tint struct {
	led                              int // 0-255
	brightness, contrast, saturation int // -2..2
	effect, balance                  string
	hue                              float64 // radians; tells cameras with the same scene apart
}

// effects and balances are the names that the camera offers, in the sensor's
// order.
func effects() []string {
	return []string{"Normal", "Negative", "Grayscale", "Red tint", "Green tint", "Blue tint", "Sepia"}
}

func balances() []string { return []string{"Auto", "Sunny", "Cloudy", "Office", "Home"} }

type colour [3]float64 // red, green, blue; 0 to 1

// apply changes a picture in place. See-through pixels are premultiplied.
func (t tint) apply(img *image.RGBA) {
	if t == (tint{}) {
		return
	}
	w, h := img.Rect.Dx(), img.Rect.Dy()
	for y := range h {
		for x := range w {
			p := img.Pix[y*img.Stride+4*x:][:4]
			a := float64(p[3])
			if a == 0 {
				continue
			}
			c := t.of(colour{float64(p[0]) / a, float64(p[1]) / a, float64(p[2]) / a}, float64(x)/float64(w), float64(y)/float64(h))
			for k, v := range c {
				p[k] = byte(min(max(v, 0), 1)*a + 0.5)
			}
		}
	}
}

// of changes one pixel at (x, y), each 0 to 1.
func (t tint) of(c colour, x, y float64) colour {
	c = t.turned(c)
	grey := c.grey()
	for k := range c {
		c[k] = grey + (c[k]-grey)*(1+0.3*float64(t.saturation))
		c[k] = 0.5 + (c[k]-0.5)*(1+0.18*float64(t.contrast)) + 0.09*float64(t.brightness)
	}
	if t.led > 0 {
		d := math.Hypot(x-0.5, y-0.55)
		k := 0.62 * float64(t.led) / 255 * max(0, 1-1.25*d*d)
		for i, warm := range (colour{1, 0.97, 0.86}) {
			c[i] += (warm - c[i]) * k
		}
	}
	return t.filtered(c)
}

func (c colour) grey() float64 { return 0.299*c[0] + 0.587*c[1] + 0.114*c[2] }

// filtered is white balance, then the special effect.
func (t tint) filtered(c colour) colour {
	for k, g := range t.gain() {
		c[k] *= g
	}
	grey := c.grey()
	switch t.effect {
	case "Negative":
		return colour{1 - c[0], 1 - c[1], 1 - c[2]}
	case "Grayscale":
		return colour{grey, grey, grey}
	case "Red tint":
		return colour{grey * 1.2, grey * 0.6, grey * 0.6}
	case "Green tint":
		return colour{grey * 0.6, grey * 1.15, grey * 0.6}
	case "Blue tint":
		return colour{grey * 0.6, grey * 0.7, grey * 1.25}
	case "Sepia":
		return colour{grey * 1.10, grey * 0.92, grey * 0.68}
	}
	return c
}

// gain is what the white balance does to each colour.
func (t tint) gain() colour {
	switch t.balance {
	case "Sunny":
		return colour{1.06, 1, 0.92}
	case "Cloudy":
		return colour{1.12, 1.02, 0.86}
	case "Office":
		return colour{0.90, 1, 1.10}
	case "Home":
		return colour{0.84, 0.98, 1.18}
	}
	return colour{1, 1, 1}
}

// turned rotates the hue around the grey axis.
func (t tint) turned(c colour) colour {
	if t.hue == 0 {
		return c
	}
	s, co := math.Sincos(t.hue)
	k, root := (1-co)/3, s/math.Sqrt(3)
	return colour{
		c[0]*(co+k) + c[1]*(k-root) + c[2]*(k+root),
		c[0]*(k+root) + c[1]*(co+k) + c[2]*(k-root),
		c[0]*(k-root) + c[1]*(k+root) + c[2]*(co+k),
	}
}
