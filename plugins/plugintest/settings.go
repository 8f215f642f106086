package plugintest

import "github.com/espcam-bridge/espcam-bridge/plugins/pluginpb"

// Settings are what a plugin that says d of itself is tried with: those of t, and
// for what is required besides an example. Those that are addresses lead to url.
func Settings(d *pluginpb.Description, t Target, url string) (settings map[string]any, secrets map[string]string) {
	settings, secrets = fill(d, t)
	httpUpstream{Recorder: &Recorder{url: url}, urls: urls(d, t), lists: lists(d)}.Fill(settings, secrets)
	return settings, secrets
}
