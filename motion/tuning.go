package motion

// tuning holds the numbers that nobody sets. Times are in milliseconds, levels
// in grey levels, shares in 1/1000.
type tuning struct {
	settleMS      int // no motion for this long after a start or a new scene ...
	settleFrames  int // ... and for as many pictures
	gapMS         int // a longer gap between two pictures starts anew
	bins          int // of the tone curve
	coherentMS    int // pictures at most this far apart must agree; 0 = never
	majority      int // of the nine pixels of a 3x3 square
	nearMS, farMS int // ages of the two pictures that a moving group must differ from
	activeLevel   int // by this many 1/1000 of the threshold
	activeShare   int // in this share of its pixels
	jumpMean      int // change of the mean from picture to picture that raises the threshold
	jumpMS        int // for this long
	jumpGain      int // to this many 1/1000
	bgMS          int // time constants: background where nothing changed,
	activeMS      int // where something moves,
	idleMS        int // where something has been still ...
	stillMS       int // ... for this long
	noiseMS       int // noise; a quarter of its speed where something changed
}

func standard() tuning {
	return tuning{
		settleMS: 1000, settleFrames: 4, gapMS: 10_000,
		bins: 12, coherentMS: 180, majority: 5,
		nearMS: 380, farMS: 760, activeLevel: 800, activeShare: 150,
		jumpMean: 60, jumpMS: 800, jumpGain: 1600,
		bgMS: 4000, activeMS: 40_000, idleMS: 5000, stillMS: 1500, noiseMS: 6000,
	}
}
