package sdk

import (
	"context"
	"log/slog"
)

// Environment is what the functions of a plugin find in their context. The SDK
// makes it; tests of a plugin may make one of their own for NewContext.
type Environment struct {
	Instance string       // its name in the bridge's file
	DataDir  string       // its own directory, which is also its working directory
	Log      *slog.Logger // nil: slog's default
	Host     *Bridge      // nil: there is none
}

type environmentKey struct{}

// NewContext returns a context in which Log, DataDir, Instance and Host find env.
func NewContext(ctx context.Context, env Environment) context.Context {
	return context.WithValue(ctx, environmentKey{}, env)
}

func environment(ctx context.Context) Environment {
	env, _ := ctx.Value(environmentKey{}).(Environment)
	return env
}

// Log returns the logger whose records the bridge shows as the plugin's.
func Log(ctx context.Context) *slog.Logger {
	if log := environment(ctx).Log; log != nil {
		return log
	}
	return slog.Default()
}

// DataDir returns the instance's own directory, "." outside the bridge. It stays
// over restarts and updates.
func DataDir(ctx context.Context) string {
	if dir := environment(ctx).DataDir; dir != "" {
		return dir
	}
	return "."
}

// Instance returns the instance's name in the bridge's file.
func Instance(ctx context.Context) string { return environment(ctx).Instance }

// Host returns what the bridge does for the plugin, within its permissions. It is
// never nil; outside the bridge its methods fail with ErrNoHost.
func Host(ctx context.Context) *Bridge {
	if host := environment(ctx).Host; host != nil {
		return host
	}
	return &Bridge{}
}
