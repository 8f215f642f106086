package fakecam

import "math"

// thing is a drawing of w by h units, in poses that are drawn once each.
type thing struct {
	w, h  float64
	draw  func(*canvas)
	poses int                           // 0 and 1: it never changes
	pose  func(t float64) float64       // which one after t seconds, 0 to 1
	posed func(c *canvas, pose float64) // draws one of several; draw is nil
}

// number returns which pose is shown after t seconds.
func (th thing) number(t float64) int {
	if th.poses < 2 {
		return 0
	}
	return min(int(th.pose(t)*float64(th.poses)), th.poses-1)
}

// paint draws one pose.
func (th thing) paint(c *canvas, number int) {
	if th.posed == nil {
		th.draw(c)
		return
	}
	th.posed(c, float64(number)/float64(th.poses))
}

// mover is a thing that moves for ever: at is its upper left corner after t
// seconds in a picture of that aspect ratio.
type mover struct {
	thing
	at func(t, aspect float64) (x, y float64)
}

// figure is a thing that crosses the picture once, in that many seconds: at is
// its upper left corner when the share gone of its way is behind it.
type figure struct {
	thing
	seconds float64
	at      func(gone, aspect float64) (x, y float64)
}

// drift takes a thing of that width across the picture from left to right again
// and again, bobbing up and down.
func drift(width, speed, y, bob, period float64) func(t, aspect float64) (float64, float64) {
	return func(t, aspect float64) (float64, float64) {
		margin := width + 0.06
		x := math.Mod(t*speed, aspect+margin) - margin + 0.03
		return x, y + bob*math.Sin(2*math.Pi*t/period)
	}
}

// across takes a thing of that width across the picture once.
func across(width, y, bob float64) func(gone, aspect float64) (float64, float64) {
	return func(gone, aspect float64) (float64, float64) {
		return gone*(aspect+width) - width, y + bob*math.Sin(9*gone)
	}
}

// stride repeats poses every so many seconds.
func stride(seconds float64) func(t float64) float64 {
	return func(t float64) float64 { return math.Mod(t/seconds, 1) }
}

// scaled is a thing drawn larger or smaller.
func scaled(th thing, k float64) thing {
	posed := th.posed
	th.w, th.h = k*th.w, k*th.h
	th.posed = func(c *canvas, pose float64) {
		c.unit *= k
		posed(c, pose)
	}
	return th
}

// person walks to the right, 0.34 units tall.
func person(coat, trousers uint32) thing {
	return thing{w: 0.17, h: 0.34, poses: 10, pose: stride(1), posed: func(c *canvas, pose float64) {
		swing := math.Sin(2 * math.Pi * pose)
		const x, shoulder, hip, foot = 0.085, 0.10, 0.20, 0.322
		limb(c, rgb(trousers), x, hip, x-0.055*swing, foot, 0.030)
		limb(c, rgb(coat), x, shoulder, x+0.05*swing, hip-0.005, 0.020)
		limb(c, rgb(trousers), x, hip, x+0.055*swing, foot, 0.032)
		limb(c, rgb(0x1d1a1a), x+0.055*swing, foot, x+0.055*swing+0.02, foot, 0.018)
		limb(c, rgb(coat), x, shoulder, x, hip, 0.062)
		limb(c, sheer(0x000000, 0.25), x, shoulder+0.01, x-0.05*swing, hip-0.005, 0.022)
		c.disc(rgb(0xe3b18f), x+0.004, 0.046, 0.028)
		c.oval(rgb(0x3a2a20), x-0.004, 0.034, 0.029, 0.020)
	}}
}

// cat runs to the right.
func cat(fur uint32) thing {
	return thing{w: 0.16, h: 0.11, poses: 8, pose: stride(0.5), posed: func(c *canvas, pose float64) {
		p, swing := rgb(fur), math.Sin(2*math.Pi*pose)
		for i, x := range []float64{0.055, 0.062, 0.108, 0.115} {
			limb(c, p, x, 0.066, x+0.022*swing*float64(1-2*(i%2)), 0.103, 0.011)
		}
		limb(c, p, 0.05, 0.055, 0.022, 0.028-0.008*swing, 0.010)
		c.oval(p, 0.085, 0.058, 0.045, 0.022)
		c.disc(p, 0.133, 0.042, 0.019)
		c.polygon(p, 0.120, 0.034, 0.123, 0.012, 0.134, 0.026)
		c.polygon(p, 0.134, 0.026, 0.145, 0.012, 0.147, 0.034)
	}}
}

// gull flies with beating wings.
func gull() thing {
	return thing{w: 0.14, h: 0.10, poses: 8, pose: stride(0.7), posed: func(c *canvas, pose float64) {
		lift := 0.035 * math.Sin(2*math.Pi*pose)
		c.oval(rgb(0x3c3550), 0.072, 0.05, 0.026, 0.010)
		c.polygon(rgb(0x2f2944), 0.066, 0.046, 0.006, 0.046-lift, 0.04, 0.036-lift/2, 0.082, 0.048)
		c.polygon(rgb(0x2f2944), 0.064, 0.048, 0.134, 0.046-lift, 0.1, 0.036-lift/2, 0.078, 0.046)
		c.disc(rgb(0x3c3550), 0.098, 0.046, 0.009)
	}}
}

// limb fills a bar with round ends from one point to another.
func limb(c *canvas, p paint, x1, y1, x2, y2, thick float64) {
	r := thick / 2
	length := max(math.Hypot(x2-x1, y2-y1), 1e-6)
	nx, ny := -r*(y2-y1)/length, r*(x2-x1)/length
	c.polygon(p, x1+nx, y1+ny, x2+nx, y2+ny, x2-nx, y2-ny, x1-nx, y1-ny)
	c.disc(p, x1, y1, r)
	c.disc(p, x2, y2, r)
}

// foliage is the leaves of a tree (see tree) at share of the picture's width, in
// the wind: lighter clumps that sway before the rest, in gusts.
func foliage(share, y, s float64) mover {
	gusts := func(t float64) float64 {
		gust := 0.35 + 0.65*max(0, math.Sin(t/5.3+share))
		return 0.5 + 0.49*gust*math.Sin(2*math.Pi*t/1.9+7*share)
	}
	th := thing{w: 1.5 * s, h: 1.2 * s, poses: 9, pose: gusts, posed: func(c *canvas, pose float64) {
		lean := 0.09 * (pose - 0.45)
		for i, p := range [][3]float64{{-0.30, -0.80, 0.15}, {-0.05, -1.08, 0.2}, {0.2, -0.92, 0.16}, {0.3, -0.66, 0.14}, {-0.02, -0.74, 0.15}} {
			col := []uint32{0x3f8f49, 0x4c9c50, 0x358545}[i%3]
			// The higher a clump, the further the wind takes it.
			c.disc(rgb(col), (0.75+p[0]-lean*p[1])*s, (1.4+p[1])*s, p[2]*s)
		}
	}}
	return mover{th, func(_, aspect float64) (float64, float64) { return share*aspect - 0.75*s, y - 1.4*s }}
}

// highCloud drifts so slowly that it is no motion.
func highCloud() mover {
	const w, h = 0.36, 0.14
	return mover{thing{w: w, h: h, draw: func(c *canvas) { cloud(c, 0.11, 0.095, 1) }}, drift(w, 0.004, 0.33, 0, 1)}
}

// kayak is paddled to the right, its water line 0.145 units below its top.
func kayak(hull, jacket uint32) thing {
	return thing{w: 0.28, h: 0.17, poses: 10, pose: stride(1.4), posed: func(c *canvas, pose float64) {
		s, co := math.Sincos(2 * math.Pi * pose)
		limb(c, rgb(jacket), 0.135, 0.072, 0.13, 0.125, 0.050)
		c.disc(rgb(0xe3b18f), 0.14, 0.036, 0.022)
		c.oval(rgb(0x3a2a20), 0.136, 0.026, 0.024, 0.015)
		c.polygon(rgb(hull), 0.01, 0.118, 0.075, 0.127, 0.205, 0.127, 0.272, 0.114, 0.235, 0.145, 0.05, 0.145)
		c.polygon(sheer(0xffffff, 0.45), 0.02, 0.146, 0.26, 0.146, 0.24, 0.152, 0.04, 0.152)
		x, y := 0.16+0.02*co, 0.095
		limb(c, rgb(jacket), 0.135, 0.075, x, y, 0.018)
		limb(c, rgb(0x4a3524), x-0.075, y-0.055*s, x+0.075, y+0.055*s, 0.008)
		c.oval(rgb(0xf2d24b), x-0.078, y-0.058*s, 0.016, 0.010)
		c.oval(rgb(0xf2d24b), x+0.078, y+0.058*s, 0.016, 0.010)
	}}
}
