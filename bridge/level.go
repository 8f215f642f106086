package bridge

import "log/slog"

// LevelName is a level of the log as settings, topics and plugins name it: debug,
// info, warn or error. A level between two has the lower one's name.
func LevelName(l slog.Level) string {
	switch {
	case l < slog.LevelInfo:
		return "debug"
	case l < slog.LevelWarn:
		return "info"
	case l < slog.LevelError:
		return "warn"
	}
	return "error"
}
