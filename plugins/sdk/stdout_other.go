//go:build !unix

package sdk

// stdoutToStderr does nothing here: the bridge ignores what comes on stdout after
// the handshake.
func stdoutToStderr() error { return nil }
