//go:build !linux

package plugintest

// marked is not known here.
func marked(string) ([]int, bool) { return nil, false }

// resident is not known here.
func resident(int) (int64, bool) { return 0, false }
