package main

import (
	"fmt"
	"slices"

	"github.com/espcam-bridge/espcam-bridge/bridge"
	"github.com/espcam-bridge/espcam-bridge/bridge/config"
	"github.com/espcam-bridge/espcam-bridge/bridge/pluginhost/folder"
)

// judgeInstances holds the instances of a configuration against the folders that
// are installed, without starting anything. What the page may have been told
// instead of the file is a warning only.
func judgeInstances(cfg *config.Config) (mistakes, warnings []error) {
	found, err := folder.Find(cfg.Plugins.Dir)
	if err != nil {
		return []error{err}, nil
	}
	for _, i := range cfg.Plugins.Instances {
		if !i.Enabled {
			continue
		}
		bad, open := judgeInstance(cfg.Plugins.Dir, found, i)
		mistakes, warnings = append(mistakes, bad...), append(warnings, open...)
	}
	return mistakes, warnings
}

func judgeInstance(dir string, found []folder.Folder, i config.Instance) (mistakes, warnings []error) {
	at := fmt.Sprintf("%s: plugins.instances.%s", i.Source, i.Name)
	f, err := accepted(dir, found, i)
	if err != nil {
		return []error{fmt.Errorf("%s: %w", at, err)}, nil
	}
	if i.Dev || f.Manifest.Fields == nil {
		return nil, nil // what it takes now, only it can tell
	}
	settings := i.Settings.Reveal()
	_, _, problems := folder.Check(f.Manifest.Fields, settings)
	for _, p := range problems {
		if _, given := settings[p.Field]; given {
			mistakes = append(mistakes, fmt.Errorf("%s.settings.%s", at, p))
			continue
		}
		warnings = append(warnings, fmt.Errorf("%s.settings.%s; without it here, somebody must set it on the page", at, p))
	}
	return mistakes, warnings
}

// accepted is the folder of the instance's type, which the bridge would start.
func accepted(dir string, found []folder.Folder, i config.Instance) (folder.Folder, error) {
	var names []string
	for _, f := range found {
		names = append(names, f.Type)
	}
	at := slices.Index(names, i.Type)
	if at < 0 {
		hint := ""
		if near := bridge.Nearest(i.Type, names); near != "" {
			hint = fmt.Sprintf("; did you mean %s?", near)
		}
		return folder.Folder{}, bridge.Errorf(bridge.CodeNotFound, "no plugin %q is installed in %s: `espcam-bridge plugin install PATH` does it%s", i.Type, dir, hint)
	}
	f := found[at]
	if f.Err != nil || i.Dev {
		return f, f.Err
	}
	_, err := folder.Verify(dir, f)
	return f, err
}
