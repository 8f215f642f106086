package plugintest

import (
	"maps"

	"github.com/espcam-bridge/espcam-bridge/plugins/pluginpb"
)

// Settings are what a plugin that says d of itself is run with by hand: those of
// t as they are, for what is required besides an example, and url in the place of
// other addresses.
func Settings(d *pluginpb.Description, t Target, url string) (settings map[string]any, secrets map[string]string) {
	settings, secrets = fill(d, t)
	httpUpstream{Recorder: &Recorder{url: url}, urls: urls(d, t), lists: lists(d)}.Fill(settings, secrets)
	maps.Copy(settings, t.Settings)
	maps.Copy(secrets, t.Secrets)
	return settings, secrets
}
