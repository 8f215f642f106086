//go:build gocv_specific_modules

package motion

// Decoder names the decoder of this build.
const Decoder = "OpenCV"

// About says in one sentence which decoder this build has, for the log.
func About() string {
	return "motion: pictures are decoded by OpenCV"
}
