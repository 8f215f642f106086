package motion

// tuning holds the numbers that nobody sets: they lie on plateaus, see
// the variants in clips_test.go. Times are in milliseconds, levels in grey levels, shares in
// 1/1000.
type tuning struct {
	settleMS, settleFrames int // no motion for so long, and so many pictures, after a start or a new scene
	gapMS                  int // a longer gap between two pictures starts anew

	bins         int // of the tone curve
	spread       int // a background of fewer levels than this lowers the threshold ...
	lowest       int // ... to this share of it at most
	saturated    int // from this level on a background may have been brighter than it looks
	jumpShare    int // the mean changes by more from one picture to the next: the threshold is raised ...
	jumpGain     int // ... to this share ...
	jumpMS       int // ... for so long
	unrest       int // more pixels than this moving since the last picture are no new scene
	meanNeeds    int // another mean makes a new scene if so many pixels changed, too
	coherentMS   int // pictures at most so far apart must overlap in what changed
	majority     int // of the nine pixels of a 3x3 square
	activeLevel  int // a pixel is active when it changes by this share of the threshold,
	activeShare  int // a group when this share of its pixels is
	nearMS       int // the two earlier pictures to compare with
	farMS        int
	coherent     int // this share of its pixels overlaps in a group that overlaps itself
	loose        int // others must be so many times the smallest
	reach        int // how far a thing gets in 100 ms, share of the width
	tornLevel    int // a slope differs from the background's by this share of the limit ...
	tornFloor    int // ... and this many levels at least
	tornShare    int // a light tears fewer of the slopes
	texture      int // mean squared slope from which on likeness can be judged
	alike        int // squared correlation of slopes above which it is the background, lit otherwise
	dropsMost    int // the smallest group grows to so many times its size in rain
	dropsForget  int // ms per pixel by which it shrinks again, at smallest = 1
	bgMS         int // time constants: background where nothing changed,
	activeMS     int // where something moves,
	idleMS       int // where something has been still ...
	stillMS      int // ... for this long
	noiseMS      int // noise; a quarter of its speed where something changed
	limitsEachMS int // how often the noise is turned into limits
}

func standard() tuning {
	return tuning{
		settleMS: 1000, settleFrames: 4, gapMS: 10_000,
		bins: 12, spread: 80, lowest: 500, saturated: 248,
		jumpShare: 60, jumpGain: 1600, jumpMS: 800,
		unrest: 80, meanNeeds: 100,
		coherentMS: 180, majority: 5,
		activeLevel: 800, activeShare: 150, nearMS: 380, farMS: 760,
		coherent: 500, loose: 4, reach: 100,
		tornLevel: 400, tornFloor: 6, tornShare: 80, texture: 12, alike: 500,
		dropsMost: 10, dropsForget: 1000,
		bgMS: 4000, activeMS: 40_000, idleMS: 5000, stillMS: 1500, noiseMS: 6000, limitsEachMS: 450,
	}
}
