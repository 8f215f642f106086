package folder

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge"
)

// LockName is the file of the directory of plugins that says which files a
// person accepted. It says what runs, not that it is good.
const LockName = "plugins.lock"

// API is the major version of the protocol that is accepted now.
const API = 1

const maxLock = 64 << 20 // bytes

// Entry is what was accepted of one plugin.
type Entry struct {
	Version     string    `json:"version"`     // the plugin's own
	API         int       `json:"api"`         // the protocol's major version
	Permissions []string  `json:"permissions"` // granted
	Accepted    time.Time `json:"accepted"`
	SHA256      string    `json:"sha256"` // Files.Sum
	Files       Files     `json:"files"`
}

// Lock is the content of the lock file, by the plugins' names.
type Lock map[string]Entry

// ReadLock reads the lock file of the plugins in dir. Without one it is empty.
func ReadLock(dir string) (Lock, error) {
	name := filepath.Join(dir, LockName)
	file, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return Lock{}, nil
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	for _, check := range []func() error{
		func() error { return ownedFile(file) },
		func() error { return ownedPath(dir) },
	} {
		if err := check(); err != nil {
			return nil, err
		}
	}
	lock := Lock{}
	if err := json.NewDecoder(io.LimitReader(file, maxLock)).Decode(&lock); err != nil {
		return nil, bridge.Errorf(bridge.CodeInvalid, "%s cannot be read (%w): remove it, and accept each plugin again with `espcam-bridge plugin install`", name, err)
	}
	return lock, nil
}

func ownedFile(f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	return owned(f.Name(), info)
}

func ownedPath(name string) error {
	info, err := os.Stat(name)
	if err != nil {
		return err
	}
	return owned(name, info)
}

// Accept writes what there is of f now into the lock file of dir, as accepted
// at the time now. Version and permissions are those that the plugin named.
func Accept(dir string, f Folder, version string, permissions []string, now time.Time) (Entry, error) {
	files, err := Hash(f.Path)
	if err != nil {
		return Entry{}, err
	}
	e := Entry{Version: version, API: API, Permissions: append([]string{}, permissions...), Accepted: now.UTC().Truncate(time.Second), SHA256: files.Sum(), Files: files}
	return e, changeLock(dir, func(l Lock) { l[f.Type] = e })
}

// Forget takes a plugin out of the lock file of dir.
func Forget(dir, name string) error {
	return changeLock(dir, func(l Lock) { delete(l, name) })
}

func changeLock(dir string, change func(Lock)) error {
	lock, err := ReadLock(dir)
	if err != nil {
		return err
	}
	change(lock)
	text, err := json.MarshalIndent(lock, "", " ")
	if err != nil {
		return err
	}
	return replaceFile(filepath.Join(dir, LockName), append(text, '\n'), 0o600)
}

// replaceFile writes a file so that others see the old or the new one, never a part.
func replaceFile(name string, text []byte, mode fs.FileMode) error {
	tmp, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+"-*")
	if err != nil {
		return err
	}
	_, err = tmp.Write(text)
	err = errors.Join(err, tmp.Chmod(mode), tmp.Sync(), tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), name)
	}
	if err != nil {
		return errors.Join(err, os.Remove(tmp.Name()))
	}
	return nil
}

// Untrusted is the error of Verify for files that are not those that were
// accepted. All three lists are sorted.
type Untrusted struct {
	Folder                  Folder
	Changed, Added, Missing []string
	expected, actual        string // of the first of them
}

func (u *Untrusted) Error() string {
	accept := fmt.Sprintf("look at it, then accept it with: espcam-bridge plugin install %s", u.Folder.Path)
	what := fmt.Sprintf("plugin %q: ", u.Folder.Type)
	switch {
	case len(u.Changed) > 0:
		what += fmt.Sprintf("%s was changed: expected SHA-256 %s, actual %s", u.Changed[0], u.expected, u.actual)
	case len(u.Added) > 0:
		what += fmt.Sprintf("%s is new: expected no such file, actual SHA-256 %s", u.Added[0], u.actual)
	case len(u.Missing) > 0:
		what += fmt.Sprintf("%s is missing: expected SHA-256 %s, actual none", u.Missing[0], u.expected)
	default:
		return what + "its files were never accepted: " + accept
	}
	if more := len(u.Changed) + len(u.Added) + len(u.Missing) - 1; more > 0 {
		what += fmt.Sprintf(" (and %d more)", more)
	}
	return what + "; " + accept
}

// Verify compares f with the lock file of dir. It returns what was accepted, or
// an *Untrusted, or why the files cannot be trusted whatever was accepted.
func Verify(dir string, f Folder) (Entry, error) {
	lock, err := ReadLock(dir)
	if err != nil {
		return Entry{}, err
	}
	files, err := Hash(f.Path)
	if err != nil {
		return Entry{}, err
	}
	e, ok := lock[f.Type]
	if !ok {
		return Entry{}, &Untrusted{Folder: f}
	}
	if u := compare(e.Files, files); u != nil {
		u.Folder = f
		return Entry{}, u
	}
	return e, nil
}

// compare returns nil if both are the same.
func compare(expected, actual Files) *Untrusted {
	u := &Untrusted{}
	for _, name := range slices.Sorted(maps.Keys(expected)) {
		switch now, ok := actual[name]; {
		case !ok:
			u.Missing = append(u.Missing, name)
		case now != expected[name]:
			u.Changed = append(u.Changed, name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(actual)) {
		if _, ok := expected[name]; !ok {
			u.Added = append(u.Added, name)
		}
	}
	for _, list := range [][]string{u.Changed, u.Added, u.Missing} {
		if len(list) > 0 {
			u.expected, u.actual = expected[list[0]], actual[list[0]]
			return u
		}
	}
	return nil
}
