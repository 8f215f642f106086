// Package python holds the Python SDK of plugins, espcam_plugin.py, so that
// `espcam-bridge plugin new --lang python` can put a copy beside a new plugin.
// The package's tests hold it against the protocol.
package python

import _ "embed"

//go:embed espcam_plugin.py
var source string

// Source returns espcam_plugin.py.
func Source() []byte { return []byte(source) }
