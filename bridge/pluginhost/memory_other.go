//go:build !linux

package pluginhost

// Here the memory of other processes is not known without asking a program for
// it, so plugins are not watched.

func scanGroups() map[int]int64 { return nil }

func residentOf(int) int64 { return 0 }
