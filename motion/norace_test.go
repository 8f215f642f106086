//go:build !race

package motion

const raceDetector = false
