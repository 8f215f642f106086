package folder

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"gopkg.in/yaml.v3"

	"github.com/espcam-bridge/espcam-bridge/bridge"
)

// TrialName is the file of a plugin's folder with what it needs to be tried.
const TrialName = "check.yaml"

// Trial is what `espcam-bridge plugin check` and `dev` give a plugin to work
// with, beyond what they guess from its fields.
type Trial struct {
	Settings map[string]any    `yaml:"settings"`
	Secrets  map[string]string `yaml:"secrets"`
	Bad      map[string]any    `yaml:"bad"`  // by setting: a value that it must refuse
	URLs     map[string]string `yaml:"urls"` // by setting: how the address of the recording server goes in, such as json://{host}
	Skip     map[int]string    `yaml:"skip"` // points that cannot be tried, with the reason
}

// ReadTrial reads the file at path, or check.yaml in the folder at path; there
// the file may be missing.
func ReadTrial(path string) (t Trial, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return t, err
	}
	if info.IsDir() {
		path = filepath.Join(path, TrialName)
	}
	text, err := readSmall(path)
	if info.IsDir() && errors.Is(err, fs.ErrNotExist) {
		return t, nil
	}
	if err != nil {
		return t, err
	}
	if err := decodeStrict(text, &t); err != nil {
		return t, bridge.Errorf(bridge.CodeInvalid, "%s cannot be used: %w; it knows settings, secrets, bad, urls, skip", path, err)
	}
	return t, nil
}

// readSmall reads a file of YAML.
func readSmall(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	if info, err := file.Stat(); err != nil || !info.Mode().IsRegular() || info.Size() > maxManifest {
		return nil, bridge.Errorf(bridge.CodeInvalid, "%s is not a file of at most %d KiB", path, maxManifest>>10)
	}
	text, err := io.ReadAll(io.LimitReader(file, maxManifest))
	if err != nil {
		return nil, fmt.Errorf("%s cannot be read: %w", path, err)
	}
	return text, nil
}

// decodeStrict refuses keys that v does not have. A file without anything
// leaves v as it is.
func decodeStrict(text []byte, v any) error {
	dec := yaml.NewDecoder(bytes.NewReader(text))
	dec.KnownFields(true)
	if err := dec.Decode(v); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	return nil
}
