package fakecam

import (
	"math"
	"math/rand/v2"
)

// scene is one drawn place: what stands still, and what may happen in it.
type scene struct {
	still   func(*canvas)
	mover   mover     // what moves all the time in the plan Lively
	cast    []figure  // who crosses in the other plans, one after the other
	sways   []mover   // what the wind moves wherever there is weather
	weather []weather // what else changes the picture without anybody moving
}

// allScenes are what cameras look at, one after the other.
func allScenes() []scene {
	return []scene{
		{
			still: meadow,
			mover: mover{thing{w: 0.2, h: 0.29, draw: balloon}, drift(0.2, 0.055, 0.10, 0.035, 9)},
			cast: []figure{
				{person(0x27408b, 0x33302e), 6, across(0.17, 0.545, 0)},
				{cat(0x2b2622), 5, across(0.16, 0.765, 0)},
			},
			sways:   []mover{foliage(0.10, 0.86, 0.13), foliage(0.95, 0.84, 0.16), highCloud()},
			weather: []weather{{12, cloudShadow}, {6, exposure}, {12, cloudShadow}},
		},
		{
			still: harbour,
			mover: mover{thing{w: 0.26, h: 0.34, draw: boat}, drift(0.26, 0.045, 0.335, 0.006, 5)},
			cast: []figure{
				{thing{w: 0.26, h: 0.34, draw: boat}, 8, across(0.26, 0.335, 0.006)},
				{scaled(gull(), 1.6), 5, across(0.23, 0.27, 0.03)},
			},
			weather: []weather{{8, rain}, {6, exposure}},
		},
		{
			still: street,
			mover: mover{thing{w: 0.42, h: 0.12, draw: car}, drift(0.42, 0.22, 0.70, 0, 1)},
			cast: []figure{
				{thing{w: 0.42, h: 0.12, draw: car}, 5, across(0.42, 0.70, 0)},
				{scaled(person(0xc9b79a, 0x6c6f86), 0.7), 7, across(0.12, 0.54, 0)},
			},
			weather: []weather{{8, noise}, {7, flicker}},
		},
		{
			still: peaks,
			mover: mover{thing{w: 0.11, h: 0.19, draw: gondola}, ride},
			cast: []figure{
				{kayak(0xd9432f, 0x22304a), 7, across(0.28, 0.70, 0.003)},
				{thing{w: 0.11, h: 0.19, draw: gondola}, 7, along},
			},
			weather: []weather{{12, cloudShadow}, {8, rain}, {6, exposure}},
		},
	}
}

// cable is the height of the gondola's rope.
func cable(x, aspect float64) float64 {
	return 0.44 - 0.30*x/aspect + 0.05*math.Sin(math.Pi*x/aspect)
}

// ride goes up the rope and down again.
func ride(t, aspect float64) (float64, float64) {
	span := aspect + 0.3
	x := math.Mod(t*0.06, 2*span)
	if x > span {
		x = 2*span - x
	}
	x -= 0.15
	return x - 0.055, cable(x, aspect) - 0.012
}

// along goes up the rope once.
func along(gone, aspect float64) (float64, float64) {
	x := gone*(aspect+0.11) - 0.055
	return x - 0.055, cable(x, aspect) - 0.012
}

func meadow(c *canvas) {
	a := c.aspect()
	c.fill(fade(0, 0x4aa8e8, 0.35, 0x9ad6f7, 0.62, 0xe9f7ff))
	sun := 0.80 * a
	c.glow(opaque(0xfff6c8), sun, 0.20, 0.34)
	c.disc(rgb(0xfff3b0), sun, 0.20, 0.072)
	for _, at := range [][3]float64{{0.16 * a, 0.15, 1}, {0.52 * a, 0.26, 0.75}, {1.02 * a, 0.34, 0.85}, {-0.3, 0.3, 1}} {
		cloud(c, at[0], at[1], at[2])
	}
	c.ground(rgb(0x9cc9d8), func(x float64) float64 { return 0.60 - 0.05*math.Sin(x*3.1+0.4) - 0.02*math.Sin(x*7.3) })
	c.ground(fade(0.5, 0x8fcf8a, 0.8, 0x5cab62), func(x float64) float64 { return 0.66 - 0.07*math.Sin(x*2.2+2.2) })
	for i := range 9 {
		x := -0.35 + 0.27*float64(i) + 0.05*math.Sin(float64(i)*5)
		tree(c, x, 0.675-0.07*math.Sin(x*2.2+2.2), 0.055)
	}
	house(c, 0.60*a, 0.70)
	c.ground(fade(0.68, 0x79c553, 1.0, 0x3c8d3d), func(x float64) float64 { return 0.77 + 0.06*math.Sin(x*2.0+0.2) })
	c.polygon(rgb(0xe9d7a4), 0.62*a+0.02, 0.80, 0.62*a+0.05, 0.80, 0.30*a+0.16, 1.3, 0.30*a-0.16, 1.3)
	for i := range 60 {
		r := float64(i)
		x, y := math.Mod(r*0.377, a+0.8)-0.4, 0.88+math.Mod(r*0.0613, 0.2)
		c.disc(rgb([]uint32{0xffe66d, 0xffffff, 0xf28482}[i%3]), x, y, 0.0065)
	}
	tree(c, 0.10*a, 0.86, 0.13)
	tree(c, 0.95*a, 0.84, 0.16)
}

func cloud(c *canvas, x, y, s float64) {
	for _, p := range [][3]float64{{0, 0, 0.05}, {0.06, -0.03, 0.06}, {0.13, -0.005, 0.052}, {0.185, 0.012, 0.034}, {-0.05, 0.015, 0.032}} {
		c.disc(rgb(0xffffff), x+p[0]*s, y+p[1]*s, p[2]*s)
	}
	c.capsule(rgb(0xffffff), x-0.085*s, y+0.005*s, 0.31*s, 0.05*s)
}

func tree(c *canvas, x, y, s float64) {
	c.rect(rgb(0x6d4c33), x-0.06*s, y-0.6*s, 0.12*s, 0.65*s)
	for _, p := range [][4]float64{{0, -0.95, 0.42, 0x2f7d43}, {-0.25, -0.75, 0.33, 0x2f7d43}, {0.25, -0.75, 0.33, 0x2f7d43}, {-0.08, -1.05, 0.27, 0x4c9c50}, {-0.25, -0.83, 0.18, 0x4c9c50}} {
		c.disc(rgb(uint32(p[3])), x+p[0]*s, y+p[1]*s, p[2]*s)
	}
}

func house(c *canvas, x, y float64) {
	c.rect(rgb(0xfaf3e3), x, y-0.02, 0.15, 0.13)
	c.polygon(rgb(0xc8553d), x-0.02, y-0.02, x+0.03, y-0.105, x+0.12, y-0.105, x+0.17, y-0.02)
	c.rect(rgb(0x8f3b2b), x+0.105, y-0.13, 0.022, 0.06)
	c.rect(rgb(0x6b4f3a), x+0.06, y+0.04, 0.03, 0.07)
	for _, dx := range []float64{0.018, 0.105} {
		c.rect(rgb(0x6aa6c8), x+dx, y+0.015, 0.028, 0.03)
	}
}

func balloon(c *canvas) {
	const x, y, r = 0.10, 0.10, 0.092
	for i, w := range []float64{1, 0.72, 0.24} {
		stripe := rgb([]uint32{0xd1495b, 0xf7b32b, 0xfff1d0}[i])
		c.oval(stripe, x, y, r*w, r)
		// 0.819 and 0.574 are where the cone's sides touch the circle.
		c.polygon(stripe, x-0.819*r*w, y+0.574*r, x+0.819*r*w, y+0.574*r, x+0.03*w, 0.215, x-0.03*w, 0.215)
	}
	c.polygon(rgb(0x5b4636), x-0.026, 0.213, x-0.022, 0.213, x-0.016, 0.25, x-0.02, 0.25)
	c.polygon(rgb(0x5b4636), x+0.022, 0.213, x+0.026, 0.213, x+0.02, 0.25, x+0.016, 0.25)
	c.capsule(rgb(0x8a5a3b), x-0.024, 0.245, 0.048, 0.036)
}

func harbour(c *canvas) {
	a := c.aspect()
	c.fill(fade(-0.1, 0x33295f, 0.22, 0x8d4a86, 0.42, 0xef7f6b, 0.56, 0xffd08a))
	sun := 0.36 * a
	c.glow(opaque(0xfff0b8), sun, 0.53, 0.42)
	c.disc(rgb(0xfff2c4), sun, 0.53, 0.10)
	for i, w := range []float64{0.5, 0.34, 0.6, 0.26} {
		c.capsule(sheer(0xffc9a0, 0.35), 0.1+0.37*float64(i)-0.1*float64(i%2), 0.16+0.055*float64(i), w, 0.014)
	}
	c.ground(rgb(0x7a4a78), func(x float64) float64 { return 0.565 - 0.05*math.Max(0, math.Sin(x*2.4+2.2)) })
	c.ground(fade(0.56, 0xf6a678, 0.64, 0xb5647f, 1.0, 0x2b2556), func(float64) float64 { return 0.56 })
	for i := range 15 {
		y := 0.575 + 0.026*float64(i)
		w := 0.20 + 0.12*math.Sin(float64(i)*2.3)
		c.capsule(sheer(0xffeab0, 0.75-0.035*float64(i)), sun-w/2+0.02*math.Sin(float64(i)*4), y, w, 0.009)
	}
	for i := range 26 {
		x, y := math.Mod(float64(i)*0.618, a+0.8)-0.4, 0.60+math.Mod(float64(i)*0.137, 0.38)
		c.capsule(sheer(0xffffff, 0.10), x, y, 0.05+0.1*(y-0.55), 0.005)
	}
	lighthouse(c, 0.86*a)
}

// lighthouse stands on an island behind the boat's course.
func lighthouse(c *canvas, x float64) {
	const shore, wide = 0.603, 0.34
	c.glow(opaque(0xfff6d0), x, 0.205, 0.14)
	at := []float64{x - wide, shore, x + wide, shore}
	for d := 1.0; d > -1; d -= 0.04 {
		lift := 0.085*math.Exp(-d*d*3.4) + 0.006*math.Sin(d*23) - 0.003
		at = append(at, x+d*wide, shore-max(lift, 0))
	}
	c.polygon(rgb(0x35244f), at...)
	for i := range 6 {
		w := 0.62 - 0.09*float64(i) + 0.05*math.Sin(float64(i)*3)
		c.capsule(sheer(0x35244f, 0.5-0.07*float64(i)), x-w/2, shore+0.004+0.016*float64(i), w, 0.010)
	}
	c.polygon(rgb(0xf4ede4), x-0.032, 0.24, x+0.032, 0.24, x+0.049, 0.54, x-0.049, 0.54)
	for i := range 2 {
		y := 0.30 + 0.11*float64(i)
		w, d := 0.032+0.0567*(y-0.24), 0.0031
		c.polygon(rgb(0xc8443f), x-w, y, x+w, y, x+w+d, y+0.055, x-w-d, y+0.055)
	}
	c.rect(rgb(0x2a2147), x-0.043, 0.232, 0.086, 0.012)
	c.rect(rgb(0xfff3bf), x-0.022, 0.187, 0.044, 0.045)
	c.polygon(rgb(0xc8443f), x-0.032, 0.189, x, 0.145, x+0.032, 0.189)
}

func boat(c *canvas) {
	c.sail(rgb(0xfdf6ec), 0.135, 0.02, 0.30, 0.14, 0.145, 0.222)
	c.polygon(rgb(0xf2d7c4), 0.122, 0.05, 0.122, 0.222, 0.03, 0.222)
	c.rect(rgb(0x4b2e39), 0.126, 0.01, 0.007, 0.24)
	c.polygon(rgb(0x5a2a3c), 0.02, 0.236, 0.245, 0.236, 0.205, 0.278, 0.055, 0.278)
	c.polygon(rgb(0xe7b08a), 0.02, 0.236, 0.245, 0.236, 0.241, 0.243, 0.025, 0.243)
	for i := range 4 {
		y := 0.283 + 0.014*float64(i)
		w := 0.14 - 0.03*float64(i)
		c.capsule(sheer(0xfdf0e2, 0.42-0.09*float64(i)), 0.13-w/2, y, w, 0.008)
	}
}

func street(c *canvas) {
	a := c.aspect()
	c.fill(fade(-0.1, 0x0d1333, 0.4, 0x273a78, 0.72, 0x8c6a9f))
	r := rand.New(rand.NewPCG(7, 7))
	for range 70 {
		c.disc(sheer(0xffffff, 0.3+0.6*r.Float64()), r.Float64()*(a+0.8)-0.4, r.Float64()*0.5-0.05, 0.0017+0.0017*r.Float64())
	}
	moon := 0.17 * a
	c.glow(opaque(0xdfe6ff), moon, 0.17, 0.22)
	c.disc(rgb(0xf6f1dc), moon, 0.17, 0.062)
	for _, p := range [][3]float64{{-0.02, -0.012, 0.013}, {0.02, 0.018, 0.017}, {0.012, -0.03, 0.008}} {
		c.disc(rgb(0xdfd8be), moon+p[0], 0.17+p[1], p[2])
	}
	skyline(c, r, 0x2d3a70, 0x5d6aa6, 0.36, 0.2)
	skyline(c, r, 0x1a2350, 0xffd27a, 0.50, 0.17)
	c.rect(rgb(0x3b4266), -0.6, 0.745, a+1.2, 0.03)
	c.rect(fade(0.77, 0x242a47, 1.0, 0x171b33), -0.6, 0.77, a+1.2, 0.6)
	for x := -0.5; x < a+0.5; x += 0.2 {
		c.polygon(rgb(0xd9d3c3), x, 0.865, x+0.09, 0.865, x+0.085, 0.876, x-0.005, 0.876)
	}
	for x := -0.31; x < a+0.5; x += 0.62 {
		lamp(c, x)
	}
}

// skyline draws houses side by side; some of their windows are lit.
func skyline(c *canvas, r *rand.Rand, wall, light uint32, top, vary float64) {
	for x := -0.5; x < c.aspect()+0.5; {
		w, y := 0.12+0.10*r.Float64(), top+vary*r.Float64()
		c.rect(rgb(wall), x, y, w, 1-y)
		for wy := y + 0.03; wy < 0.72; wy += 0.042 {
			for wx := x + 0.02; wx < x+w-0.025; wx += 0.032 {
				if r.Float64() < 0.45 {
					c.rect(sheer(light, 0.55+0.45*r.Float64()), wx, wy, 0.014, 0.02)
				}
			}
		}
		x += w + 0.012*r.Float64()
	}
}

func lamp(c *canvas, x float64) {
	c.rect(rgb(0x11162c), x-0.005, 0.46, 0.01, 0.31)
	c.capsule(rgb(0x11162c), x-0.005, 0.452, 0.075, 0.012)
	c.glow(opaque(0xffe2a0), x+0.06, 0.475, 0.15)
	c.oval(rgb(0xfff4d2), x+0.058, 0.468, 0.017, 0.009)
}

func car(c *canvas) {
	for i := range 13 { // the beam, fading out
		f, t := float64(i)/13, float64(i+1)/13
		x1, x2 := 0.225+0.195*f, 0.225+0.195*t
		c.polygon(sheer(0xfff2b8, 0.34*(1-f)*(1-f)), x1, 0.063-0.033*f, x2, 0.063-0.033*t, x2, 0.085+0.033*t, x1, 0.085+0.033*f)
	}
	c.polygon(rgb(0xd84a4a), 0.055, 0.055, 0.082, 0.012, 0.15, 0.012, 0.185, 0.055)
	c.capsule(rgb(0xd84a4a), 0.012, 0.046, 0.218, 0.05)
	c.polygon(rgb(0xa9d4ea), 0.071, 0.049, 0.09, 0.021, 0.112, 0.021, 0.112, 0.049)
	c.polygon(rgb(0xa9d4ea), 0.12, 0.049, 0.12, 0.021, 0.146, 0.021, 0.168, 0.049)
	c.disc(rgb(0xfff2b8), 0.222, 0.066, 0.009)
	c.disc(rgb(0xff9d5c), 0.017, 0.062, 0.006)
	for _, x := range []float64{0.06, 0.178} {
		c.disc(rgb(0x0b0e1d), x, 0.092, 0.024)
		c.disc(rgb(0xb9bfd0), x, 0.092, 0.010)
	}
}

func peaks(c *canvas) {
	a := c.aspect()
	c.fill(fade(-0.1, 0x5aa2da, 0.35, 0xb7dcf2, 0.62, 0xfdeede))
	c.glow(opaque(0xffffff), 0.12*a, 0.12, 0.4)
	for _, m := range [][4]float64{{0.10 * a, 0.30, 0.42, 0}, {0.93 * a, 0.24, 0.50, 0}, {0.55 * a, 0.36, 0.36, 0}, {-0.3, 0.4, 0.4, 0}, {a + 0.35, 0.42, 0.4, 0}} {
		mountain(c, m[0], m[1], m[2], 0x8fb0cd, 0x7698ba)
	}
	mountain(c, 0.36*a, 0.17, 0.52, 0x6d88a8, 0x4f6b8f)
	mountain(c, 0.76*a, 0.27, 0.44, 0x7390ae, 0x557296)
	cloud(c, 0.60*a, 0.17, 0.7)
	cloud(c, 0.02*a, 0.38, 0.6)
	c.ground(fade(0.6, 0x3f7a66, 0.8, 0x285547), func(x float64) float64 { return 0.665 + 0.03*math.Sin(x*4) })
	for i := range 46 {
		x := -0.45 + 0.052*float64(i)
		if x < a+0.45 {
			pine(c, x, 0.70+0.03*math.Sin(x*4)+0.014*math.Sin(float64(i)*9), 0.085+0.03*math.Sin(float64(i)*5))
		}
	}
	c.ground(fade(0.76, 0xa5cfe0, 0.84, 0x6fa6c4, 1.0, 0x3b6f92), func(x float64) float64 { return 0.765 + 0.006*math.Sin(x*6) })
	for i := range 30 {
		x, y := math.Mod(float64(i)*0.618, a+0.8)-0.4, 0.785+math.Mod(float64(i)*0.0571, 0.23)
		c.capsule(sheer(0xffffff, 0.28), x, y, 0.05+0.15*(y-0.75), 0.005)
	}
	pylon(c, 0.30*a)
	rope(c)
}

func mountain(c *canvas, x, top, half float64, lit, shade uint32) {
	foot := top + half*1.15
	c.polygon(rgb(lit), x, top, x+half*0.18, foot, x-half, foot)
	c.polygon(rgb(shade), x, top, x+half, foot, x+half*0.18, foot)
	s := half * 0.30
	c.polygon(rgb(0xffffff), x, top, x+s*0.20, top+s*1.10, x-s*0.22, top+s*0.78, x-s*0.5, top+s*1.05, x-s*0.87, top+s)
	c.polygon(rgb(0xdbe8f3), x, top, x+s*0.87, top+s, x+s*0.55, top+s*0.85, x+s*0.20, top+s*1.10)
}

func pine(c *canvas, x, y, s float64) {
	c.rect(rgb(0x4a3b2a), x-0.05*s, y-0.1*s, 0.1*s, 0.2*s)
	for i, w := range []float64{0.36, 0.29, 0.21} {
		base := y - 0.05*s - 0.3*s*float64(i)
		c.polygon(rgb([]uint32{0x1f4d3f, 0x256050, 0x2d7160}[i]), x-w*s, base, x+w*s, base, x, base-0.55*s)
	}
}

func pylon(c *canvas, x float64) {
	y := cable(x, c.aspect())
	c.polygon(rgb(0x4b4f58), x-0.006, y, x+0.006, y, x+0.016, 0.72, x-0.016, 0.72)
	c.capsule(rgb(0x4b4f58), x-0.03, y-0.006, 0.06, 0.014)
}

func rope(c *canvas) {
	a := c.aspect()
	const thick = 0.0022
	var at []float64
	for x := -0.5; x <= a+0.5; x += 0.02 {
		at = append(at, x, cable(x, a)-thick)
	}
	for x := a + 0.5; x >= -0.5; x -= 0.02 {
		at = append(at, x, cable(x, a)+thick)
	}
	c.polygon(rgb(0x3c4048), at...)
}

func gondola(c *canvas) {
	c.capsule(rgb(0x3c4048), 0.030, 0.008, 0.05, 0.012)
	c.rect(rgb(0x3c4048), 0.052, 0.012, 0.006, 0.06)
	c.capsule(rgb(0xd9432f), 0.005, 0.066, 0.10, 0.112)
	c.rect(rgb(0xd9432f), 0.005, 0.11, 0.10, 0.03)
	for _, x := range []float64{0.016, 0.058} {
		c.rect(rgb(0xcdeafa), x, 0.092, 0.036, 0.038)
	}
	c.rect(rgb(0xfff4e0), 0.006, 0.14, 0.098, 0.007)
}
