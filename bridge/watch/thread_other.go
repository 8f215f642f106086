//go:build !linux

package watch

// modest is for Linux.
func modest() error { return nil }
