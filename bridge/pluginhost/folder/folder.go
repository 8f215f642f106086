// Package folder knows what a plugin is on disk: where its folder is, which
// program it starts, whether its files are those that a person accepted, and
// whether settings fit the fields that it declares. It never starts anything.
//
// The plugin host asks it before each start, and `espcam-bridge plugin` when a
// plugin is installed, listed or checked. Nothing of it is reached by what
// arrives over a network: a program's path comes from a folder's name and its
// plugin.yaml alone. Every file may be hostile: what is odd is refused with a
// sentence, never followed.
package folder

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/espcam-bridge/espcam-bridge/bridge"
)

const (
	// ManifestName is the file of a plugin's folder that describes it.
	ManifestName = "plugin.yaml"
	// Prefix begins the name of a plugin's executable: espcam-plugin-ntfy.
	Prefix = "espcam-plugin-"
	// venv is the directory of a Python plugin's own packages.
	venv = ".venv"

	maxManifest = 64 << 10 // bytes
	maxWords    = 32       // of a command
)

// Manifest is plugin.yaml. An author writes command alone, and only where the
// program is not espcam-plugin-NAME; installing writes the rest from what the
// plugin says of itself.
type Manifest struct {
	Name        string   `yaml:"name,omitempty"`
	Version     string   `yaml:"version,omitempty"`     // the plugin's own
	API         int      `yaml:"api,omitempty"`         // the protocol's major version
	Summary     string   `yaml:"summary,omitempty"`     // one sentence
	Command     []string `yaml:"command,omitempty"`     // such as [python3, main.py]
	Roles       []string `yaml:"roles,omitempty"`       // notifier, detector, sink
	Permissions []string `yaml:"permissions,omitempty"` // that it asks for
	Fields      Declared `yaml:"fields"`                // its settings; [] for none
}

// Folder is a plugin on disk.
type Folder struct {
	Type     string // its name, such as ntfy; that of the folder where nothing better is known
	Path     string // absolute
	Manifest Manifest

	// Command starts it: the program's path, then arguments. A word that names a
	// file of the folder has become its whole path, because a plugin's working
	// directory is that of its data. Nil with Err.
	Command []string
	// Interpreted says that the program is not the plugin itself but runs it,
	// which takes longer to start.
	Interpreted bool
	// Err is why it cannot be started as it is; a sentence that says what to do.
	Err error
}

// Find returns the plugins in dir, by name: one folder each. There are none
// where there is no dir. What cannot be used is among them, with Err.
func Find(dir string) ([]Folder, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("the plugins cannot be looked for: %w", err)
	}
	var found []Folder
	for _, e := range entries {
		if !e.IsDir() || strings.HasPrefix(e.Name(), ".") {
			continue
		}
		f := Open(filepath.Join(dir, e.Name()))
		if f.Err == nil && f.Type != e.Name() {
			f.Err = bridge.Errorf(bridge.CodeInvalid, "the folder %s holds the plugin %q: a plugin's folder has its name; `espcam-bridge plugin install` makes it so", f.Path, f.Type)
		}
		f.Type = e.Name()
		found = append(found, f)
	}
	return found, nil
}

var typePattern = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,31}$`)

// CheckType says what is wrong with a plugin's name.
func CheckType(name string) error {
	if !typePattern.MatchString(name) {
		return bridge.Errorf(bridge.CodeInvalid, "%q is no plugin's name: it has 1 to 32 small letters, digits and -, and begins with a letter or digit", name)
	}
	return nil
}

// Open reads one plugin's folder, wherever it is. What is wrong is in Err.
func Open(path string) Folder {
	abs, err := filepath.Abs(path)
	if err != nil {
		return Folder{Path: path, Type: filepath.Base(path), Err: err}
	}
	f := Folder{Path: abs, Type: filepath.Base(abs)}
	if f.Manifest, f.Err = readManifest(abs); f.Err != nil {
		return f
	}
	if f.Type, f.Err = f.name(); f.Err != nil {
		return f
	}
	if f.Command, f.Interpreted, f.Err = f.command(); f.Err != nil {
		f.Command = nil
	}
	return f
}

// readManifest returns the zero Manifest where there is no plugin.yaml.
func readManifest(path string) (m Manifest, err error) {
	name := filepath.Join(path, ManifestName)
	text, err := readSmall(name)
	if errors.Is(err, fs.ErrNotExist) {
		if _, err := os.Stat(path); err != nil {
			return m, fmt.Errorf("there is no plugin: %w", err)
		}
		return m, nil
	}
	if err != nil {
		return m, err
	}
	if err := decodeStrict(text, &m); err != nil {
		return m, bridge.Errorf(bridge.CodeInvalid, "%s cannot be used: %w; it knows name, version, api, summary, command, roles, permissions, fields", name, err)
	}
	return m, nil
}

// name is what plugin.yaml says, else that of the only espcam-plugin-NAME, else
// the folder's own.
func (f Folder) name() (string, error) {
	name := f.Manifest.Name
	if name == "" {
		name = filepath.Base(f.Path)
		if found, err := filepath.Glob(filepath.Join(escape(f.Path), Prefix+"*")); err == nil && len(found) == 1 {
			name = executableType(found[0])
		}
	}
	return name, CheckType(name)
}

// escape keeps Glob from reading a path as a pattern.
func escape(path string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(path)
}

func executableType(path string) string {
	return strings.TrimSuffix(strings.TrimPrefix(filepath.Base(path), Prefix), ".exe")
}

func (f Folder) command() (words []string, interpreted bool, err error) {
	if len(f.Manifest.Command) == 0 {
		program := filepath.Join(f.Path, Prefix+f.Type)
		if runtime.GOOS == "windows" {
			program += ".exe"
		}
		return []string{program}, false, runnable(program)
	}
	if len(f.Manifest.Command) > maxWords {
		return nil, false, f.wrong("has more than %d words", maxWords)
	}
	for i, word := range f.Manifest.Command {
		if word, err = f.word(i, word); err != nil {
			return nil, false, err
		}
		words = append(words, word)
	}
	inside := within(f.Path, words[0])
	if !inside {
		if words[0], err = exec.LookPath(words[0]); err != nil {
			return nil, false, f.wrong("names a program that is not here: %s is neither in the folder nor among the programs of this machine", f.Manifest.Command[0])
		}
		return words, true, nil
	}
	return words, strings.HasPrefix(words[0], filepath.Join(f.Path, venv)), runnable(words[0])
}

// word makes a file of the folder its whole path. A file that is elsewhere is
// refused, except the program: nobody would notice that it changed.
func (f Folder) word(i int, word string) (string, error) {
	if word == "" || strings.ContainsRune(word, 0) {
		return "", f.wrong("has a word that is empty or no text")
	}
	if i == 0 && isPython(word) {
		if own := filepath.Join(f.Path, venv, "bin", "python3"); exists(own) {
			return own, nil
		}
	}
	if filepath.IsLocal(word) {
		if inside := filepath.Join(f.Path, word); exists(inside) {
			return inside, nil
		}
		return word, nil
	}
	if i > 0 && exists(word) || strings.HasPrefix(filepath.ToSlash(word), "../") {
		return "", f.wrong("names %s, which is outside of the folder: nobody would notice that it changed; put it into the folder", word)
	}
	return word, nil
}

func (f Folder) wrong(format string, args ...any) error {
	return bridge.Errorf(bridge.CodeInvalid, "command in %s %s", filepath.Join(f.Path, ManifestName), fmt.Sprintf(format, args...))
}

func isPython(word string) bool { return word == "python3" || word == "python" }

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// within reports whether path is below dir.
func within(dir, path string) bool {
	rel, err := filepath.Rel(dir, path)
	return err == nil && filepath.IsLocal(rel)
}

// runnable says why a file cannot be started.
func runnable(program string) error {
	info, err := os.Stat(program)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return bridge.Errorf(bridge.CodeNotFound, "there is no program to start: %s is not there, and %s names no command", program, ManifestName)
	case err != nil:
		return err
	case !info.Mode().IsRegular(), runtime.GOOS != "windows" && info.Mode()&0o111 == 0:
		return bridge.Errorf(bridge.CodeInvalid, "%s cannot be started: make it a program with `chmod +x`", program)
	}
	return nil
}

// Write puts m into the folder at path as its plugin.yaml.
func (m Manifest) Write(path string) error {
	text, err := yaml.Marshal(m)
	if err != nil {
		return err
	}
	if len(text) > maxManifest {
		return mistake("says more of itself than %d KiB", maxManifest>>10)
	}
	return replaceFile(filepath.Join(path, ManifestName), text, 0o644)
}
