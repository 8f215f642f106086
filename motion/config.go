package motion

import "cmp"

// The defaults of Config.
const (
	defaultWidth      = 160
	defaultThreshold  = 20
	defaultNoise      = 5
	defaultArea       = 0.0008
	defaultNeed       = 2
	defaultOf         = 3
	defaultSceneShare = 0.5
	defaultSceneMean  = 0.35
	defaultMaxPixels  = 2_100_000
)

// clamped fills in the defaults and keeps everything where it cannot hurt.
func (c Config) clamped() Config {
	c.Width = workingWidth(cmp.Or(c.Width, defaultWidth))
	c.Threshold = clamp(cmp.Or(c.Threshold, defaultThreshold), 4, 200)
	c.Noise = clamp(cmp.Or(c.Noise, defaultNoise), 0, 50)
	c.Area = clamp(cmp.Or(c.Area, defaultArea), 0, 1)
	if c.Need == 0 && c.Of == 0 {
		c.Need, c.Of = defaultNeed, defaultOf
	}
	c.Of = clamp(c.Of, 1, 16)
	c.Need = clamp(c.Need, 1, c.Of)
	c.SceneShare = clamp(cmp.Or(c.SceneShare, defaultSceneShare), 0.05, 1)
	c.SceneMean = clamp(cmp.Or(c.SceneMean, defaultSceneMean), 0.05, 10)
	c.MaxPixels = clamp(cmp.Or(c.MaxPixels, defaultMaxPixels), 1, 64_000_000)
	return c
}

// clamp moves v into low..high; what is not a number becomes low.
func clamp[T cmp.Ordered](v, low, high T) T {
	if v >= low {
		return min(v, high)
	}
	return low
}

// workingWidth takes the nearest of the three.
func workingWidth(w int) int {
	switch {
	case w < 120:
		return 80
	case w < 240:
		return 160
	}
	return 320
}
