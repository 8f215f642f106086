package folder

import (
	"bytes"
	"encoding/json"

	"gopkg.in/yaml.v3"

	"github.com/espcam-bridge/espcam-bridge/bridge"
)

// Declared are the settings of a plugin as plugin.yaml keeps them: what the
// plugin said of itself when it was installed. Nil means that it was not asked.
type Declared []bridge.PluginField

// MarshalYAML writes the names that the HTTP API has for them, too.
func (d Declared) MarshalYAML() (any, error) {
	text, err := json.Marshal([]bridge.PluginField(d))
	if err != nil {
		return nil, err
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(text, &doc); err != nil { // JSON is YAML
		return nil, err
	}
	return plain(doc.Content[0]), nil
}

// plain makes a node be written as people write YAML.
func plain(n *yaml.Node) *yaml.Node {
	n.Style = 0
	for _, c := range n.Content {
		plain(c)
	}
	return n
}

// UnmarshalYAML refuses what could not have been declared.
func (d *Declared) UnmarshalYAML(n *yaml.Node) error {
	var v any
	if err := n.Decode(&v); err != nil {
		return err
	}
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	fields := []bridge.PluginField{}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&fields); err != nil {
		return err
	}
	for _, f := range fields {
		if err := checkField(f); err != nil {
			return err
		}
	}
	*d = fields
	return nil
}
