//go:build !gocv_specific_modules

package motion

// Decoder names the decoder of this build.
const Decoder = "Go"

// About says in one sentence which decoder this build has, for the log.
func About() string {
	return "motion: pictures are decoded by Go, which decides the same but costs about 3.5 times the CPU; `make deps` installs OpenCV for the next `make build`"
}
