// Package web is the page: plain ES modules, styles and one HTML shell, as they
// are in this folder and as the browser gets them; nothing is built.
//
// bridge/httpapi serves what FS returns: index.html at "/", everything else
// below a directory that is named after a hash of it all, which stands in
// index.html where it says {{assets}}. The page finds the bridge by addresses
// relative to its own, so it also works below a path prefix.
//
// The tests of the page (npm test) and their packages are not part of it.
package web

import (
	"embed"
	"io/fs"
)

//go:embed index.html page.webmanifest icon.svg *.js css events lib motion net paint plugins ui
var files embed.FS

// FS returns the page's files.
func FS() fs.FS { return files }
