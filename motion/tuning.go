package motion

// tuning holds the numbers that nobody sets. Times are in milliseconds, levels
// in grey levels, shares in 1/1000.
type tuning struct {
	settleMS                                                            int // no motion for this long after a start or a new scene ...
	settleFrames                                                        int // ... and for as many pictures
	gapMS                                                               int // a longer gap between two pictures starts anew
	bins                                                                int // of the tone curve
	coherentMS                                                          int // pictures at most this far apart must agree; 0 = never
	majority                                                            int // of the nine pixels of a 3x3 square
	nearMS, farMS                                                       int // ages of the two pictures that a moving group must differ from
	activeLevel                                                         int // by this many 1/1000 of the threshold
	activeShare                                                         int // in this share of its pixels
	tornFloor                                                           int
	step                                                                bool // a change all at once is not motion
	stepShare                                                           int
	tornShare                                                           int // less than this share of torn edges is a light, not a thing
	tornLevel                                                           int
	weakArea                                                            int // groups that do not overlap themselves must be this many times as large
	coherentShare                                                       int
	reach                                                               int // of a track, in 1/1000 of the width per 100 ms
	meanNeeds                                                           int // share of changed pixels that a new mean needs to be a new scene
	tailcheck                                                           bool
	sat, litter, litterMax, tail, unrest, texture, alike, spread, floor int
	jumpMean                                                            int // change of the mean from picture to picture that raises the threshold
	jumpMS                                                              int // for this long
	jumpGain                                                            int // to this many 1/1000
	bgMS                                                                int // time constants: background where nothing changed,
	activeMS                                                            int // where something moves,
	idleMS                                                              int // where something has been still ...
	stillMS                                                             int // ... for this long
	noiseMS                                                             int // noise; a quarter of its speed where something changed
}

func standard() tuning {
	return tuning{
		settleMS: 1000, settleFrames: 4, gapMS: 10_000,
		bins: 12, coherentMS: 180, majority: 5,
		nearMS: 380, farMS: 760, activeLevel: 800, activeShare: 150, step: true, stepShare: 100, tornShare: 80, tornLevel: 400, weakArea: 4, coherentShare: 500, reach: 100, meanNeeds: 100, tail: 0, unrest: 80, texture: 12, sat: 248, litter: 1000, litterMax: 8000, tornFloor: 6, tailcheck: true, alike: 500, spread: 80, floor: 500,
		jumpMean: 60, jumpMS: 800, jumpGain: 1600,
		bgMS: 4000, activeMS: 40_000, idleMS: 5000, stillMS: 1500, noiseMS: 6000,
	}
}
