//go:build !linux

package watch

const wantKind = "ordinary"

func threadKind() string { return "ordinary" }
