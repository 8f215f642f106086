package journal

import "github.com/espcam-bridge/espcam-bridge/bridge"

// ParseEvent reads event.json of the folder id.
func ParseEvent(id string, data []byte) (bridge.Event, error) { return parseEvent(id, data) }

// Folder is where an event lies.
func Folder(id string) string { return folder(id) }
