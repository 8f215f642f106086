// Package python holds the Python SDK of plugins, espcam_plugin.py, so that
// `espcam-bridge plugin new --lang python` can put a copy beside a new plugin.
// It starts nothing by itself.
//
// Its tests run that file, and the plugins of this repository that are written
// in Python, in the Python of .ci/python (PLUGIN_PYTHON): against the protocol
// byte by byte, and with the conformance kit. Without that Python they skip.
package python

import _ "embed"

//go:embed espcam_plugin.py
var source string

// Source returns espcam_plugin.py.
func Source() []byte { return []byte(source) }
