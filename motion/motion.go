// Package motion says whether something moves in a camera's pictures: a JPEG
// and its time of arrival in, a judgement with score and boxes out.
//
// bridge/watch calls it with the newest frame of each camera, and the
// commands that replay labelled clips call it, too. It knows pixels, not
// cameras: no clock, no goroutine, no file, no network.
//
// It costs about one decode of the picture to small grey and half as much
// again, and keeps some 600 KB per camera. A damaged, forged or truncated
// picture is refused or judged as it decodes, never a panic; what was learnt
// stays. All arithmetic is integer, so that the build with OpenCV and the one
// with Go's slower decoder decide alike.
package motion

// Polygon is an area of the picture: points (x, y) in 0..1, x to the right, y
// down, closed from the last point to the first.
type Polygon = [][2]float64

// Zone is a named area with a decision of its own.
type Zone struct {
	Name string
	Area Polygon
}

// Box is a rectangle in 0..1 of the picture: left upper corner and size.
type Box struct{ X, Y, W, H float64 }

// Config says how a Detector decides. The zero value of each field means its
// default; values out of range are clamped.
type Config struct {
	Width     int     // working columns: 80, 160 (default) or 320; pictures are never enlarged
	Threshold int     // grey levels by which a pixel must differ; default 20
	Noise     float64 // how many times its usual deviation a pixel must differ; default 5
	Area      float64 // smallest moving group as share of the unmasked picture; default 0.0008, at least 4 pixels
	Need, Of  int     // motion when Need of the last Of pictures say so; default 2 of 3, Of at most 16

	SceneShare float64 // share of changed pixels that makes a new scene; default 0.5
	SceneMean  float64 // relative change of the mean brightness that does; default 0.35

	Ignore []Polygon // motion in here does not count
	Zones  []Zone    // each decides for itself; motion outside of all is still motion

	MaxPixels int     // larger pictures are refused; default 2,100,000
	FPS       float64 // pictures a second that the caller aims at; 0 = only what the times of arrival say
}

// Quiet is why a picture made no motion. The set is fixed, so it may label a
// metric.
type Quiet string

// The reasons. The empty one means motion, or that simply nothing moves.
const (
	Settling    Quiet = "settling"     // learns after a start, a reset or another picture size
	SceneChange Quiet = "scene_change" // the whole picture changed: light, exposure, day and night
	Damaged     Quiet = "damaged"      // refused, undecodable or visibly broken
	Masked      Quiet = "masked"       // something moves, but only where it is to be ignored
	TooSmall    Quiet = "too_small"    // something moves, but it is too small
)

// Quiets lists all reasons but the empty one.
func Quiets() []Quiet { return []Quiet{Settling, SceneChange, Damaged, Masked, TooSmall} }

// Judgement is what one picture says, together with the few before it.
type Judgement struct {
	Motion    bool     // Need of the last Of pictures say so
	Score     float64  // 0..1, of this picture: grows with size and contrast of what moves; 0 = nothing
	Boxes     []Box    // moving groups of this picture, largest first, at most 16; may come before Motion
	Zones     []string // zones whose own decision is motion, sorted
	Sharpness float64  // of this picture, to choose the best of several; comparable within one size
	Quiet     Quiet    // why there is no motion
}

// Counts says what became of all pictures since New.
type Counts struct {
	Frames                                           uint64 // all that Judge was given
	Settling, SceneChange, Damaged, Masked, TooSmall uint64 // of these, quiet for that reason
}

// Of returns the number of pictures that were quiet for reason q.
func (c Counts) Of(q Quiet) uint64 {
	switch q {
	case Settling:
		return c.Settling
	case SceneChange:
		return c.SceneChange
	case Damaged:
		return c.Damaged
	case Masked:
		return c.Masked
	case TooSmall:
		return c.TooSmall
	}
	return 0
}
