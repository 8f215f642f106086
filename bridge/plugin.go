package bridge

import (
	"encoding/json"
	"time"
)

// PluginState says where a plugin instance is in its life. The set is fixed.
type PluginState string

// The states. Only Ready and Degraded take work.
const (
	PluginDisabled     PluginState = "disabled"     // switched off by a person or the file
	PluginMissing      PluginState = "missing"      // no folder of that type is installed
	PluginUntrusted    PluginState = "untrusted"    // its files are not those that were accepted
	PluginStarting     PluginState = "starting"     // process and handshake
	PluginConfiguring  PluginState = "configuring"  // Describe and Configure
	PluginReady        PluginState = "ready"        //
	PluginDegraded     PluginState = "degraded"     // it runs, and says or shows that something is wrong
	PluginDraining     PluginState = "draining"     // finishing before its end
	PluginStopped      PluginState = "stopped"      // the bridge stops
	PluginBackoff      PluginState = "backoff"      // it ended by itself and will be started again
	PluginTripped      PluginState = "tripped"      // it ended too often: one probe after a long while
	PluginBadConfig    PluginState = "bad_config"   // waits for other settings
	PluginIncompatible PluginState = "incompatible" // waits for other files
)

// Running reports whether a plugin in this state takes work.
func (s PluginState) Running() bool { return s == PluginReady || s == PluginDegraded }

// Problem reports whether a person should look at a plugin in this state.
func (s PluginState) Problem() bool {
	switch s {
	case PluginMissing, PluginUntrusted, PluginDegraded, PluginBackoff, PluginTripped, PluginBadConfig, PluginIncompatible:
		return true
	}
	return false
}

// Plugin is a plugin instance as lists show it. It holds no secret.
type Plugin struct {
	Instance string      // its name in the file
	Type     string      // such as ntfy
	Version  string      // of the plugin; "" until known
	Summary  string      // what it is for, one sentence
	Roles    []string    // notifier, detector, sink
	State    PluginState //
	Since    time.Time   // of State
	Problem  string      // why it is in this state; one sentence, "" if all is well
	Log      []string    // its last lines on stderr, the newest last; at most 50
	Next     time.Time   // when it is started again by itself; zero: not
	Restarts int         // since the program started
	Started  time.Time   // of the process that runs; zero: none
	Memory   int64       // bytes, resident; 0: not known
	Dev      bool        // its files are not checked
	Files    bool        // it keeps files for people, see PluginFile

	Permissions []string        // granted
	Fields      []PluginField   // its settings
	Settings    json.RawMessage // in force, without secrets; an object
	Secrets     []string        // names of the secrets that are set
	Source      string          // "file:line" of the instance
}

// PluginFile is a file that a plugin keeps for people, in the folder files of its
// data directory.
type PluginFile struct {
	Name    string    // path below the folder, with slashes
	Size    int64     // bytes; one that is still written has more later
	Changed time.Time //
}

// PluginField is a setting of a plugin as its author declared it.
type PluginField struct {
	Name     string          `json:"name"`
	Type     string          `json:"type"` // string, integer, number, boolean, strings, map, duration
	Required bool            `json:"required,omitempty"`
	Secret   bool            `json:"secret,omitempty"`
	FileOnly bool            `json:"file_only,omitempty"` // only the configuration file may set it
	Default  json.RawMessage `json:"default,omitempty"`
	Choices  []string        `json:"choices,omitempty"`
	Help     string          `json:"help,omitempty"`
	Example  string          `json:"example,omitempty"`
	Min      float64         `json:"min,omitempty"` // min and max are both 0: any
	Max      float64         `json:"max,omitempty"`
}
