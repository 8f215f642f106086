//go:build race

package motion

const raceDetector = true
