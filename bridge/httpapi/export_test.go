package httpapi

import (
	"net/http"

	"github.com/espcam-bridge/espcam-bridge/bridge"
)

// CheckRow mounts one row on a server, as New does with its table.
func CheckRow(on string, role bridge.Role, fields map[string]bridge.Role) error {
	serve := func(*Server, http.ResponseWriter, *http.Request, *visit) error { return nil }
	return new(Server).mount([]entry{{on: on, role: role, fields: fields, serve: serve}})
}
