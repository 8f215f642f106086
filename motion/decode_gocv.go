//go:build gocv_specific_modules

package motion

import (
	"errors"
	"sync"

	"gocv.io/x/gocv"
)

// Decoder names the decoder of this build.
const Decoder = "OpenCV"

// About says in one sentence which decoder this build has, for the log.
func About() string {
	return "motion: pictures are decoded by OpenCV " + gocv.OpenCVVersion()
}

// oneThread keeps OpenCV's own threads off: at this size they cost CPU for
// nothing, and the callers already use all cores.
var oneThread = sync.OnceFunc(func() { gocv.SetNumThreads(1) })

// decodeGrey decodes pic to grey at 1/reduce of its size. The pixels are valid
// until release.
func decodeGrey(pic []byte, reduce int) (s decoded, release func(), err error) {
	oneThread()
	m := gocv.NewMat()
	// This variant reports its error itself; IMDecode keeps one for the process.
	if err := gocv.IMDecodeIntoMat(pic, readFlag(reduce)|gocv.IMReadIgnoreOrientation, &m); err != nil {
		return decoded{}, nil, errors.Join(err, m.Close())
	}
	pix, err := greyBytes(&m)
	if err != nil {
		return decoded{}, nil, errors.Join(err, m.Close())
	}
	return decoded{pix, m.Cols(), m.Rows()}, func() { _ = m.Close() }, nil
}

func greyBytes(m *gocv.Mat) ([]byte, error) {
	if m.Empty() || m.Type() != gocv.MatTypeCV8UC1 {
		return nil, errors.New("OpenCV found no picture in the JPEG")
	}
	return m.DataPtrUint8()
}

func readFlag(reduce int) gocv.IMReadFlag {
	switch reduce {
	case 2:
		return gocv.IMReadReducedGrayscale2
	case 4:
		return gocv.IMReadReducedGrayscale4
	case 8:
		return gocv.IMReadReducedGrayscale8
	}
	return gocv.IMReadGrayScale
}
