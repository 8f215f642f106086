package folder

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/espcam-bridge/espcam-bridge/bridge"
)

// maxFiles bounds a folder: a Python plugin with large packages has some 20,000.
const maxFiles = 100_000

// linkTo begins the entry of a symbolic link in Files.
const linkTo = "link to "

// Files are all files of a plugin's folder by their path in it, with slashes:
// the SHA-256 of a file's content in hexadecimal digits, or, of a symbolic link,
// the text to which it points.
type Files map[string]string

// Sum is one SHA-256 over all paths and entries. Two folders have the same sum if
// they have the same files, wherever they are and whenever they were written.
func (f Files) Sum() string {
	h := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(f)) {
		fmt.Fprintf(h, "%q %q\n", name, f[name])
	}
	return hex.EncodeToString(h.Sum(nil))
}

// Hash reads all files of the folder at path, those that begin with a dot and
// .venv too. It refuses what others than the owner can write, what is neither
// file nor directory, and links that lead out of the folder (but for .venv,
// whose interpreter is the machine's).
func Hash(path string) (Files, error) {
	root, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	var names []string
	out := Files{}
	err = filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if len(names)+len(out) > maxFiles {
			return bridge.Errorf(bridge.CodeTooLarge, "%s has more than %d files: it is no plugin's folder", path, maxFiles)
		}
		rel, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		return examine(root, filepath.ToSlash(rel), d, &names, out)
	})
	if err != nil {
		return nil, err
	}
	sums, err := sumAll(root, names)
	for i, name := range names {
		out[name] = sums[i]
	}
	return out, err
}

// examine adds a file to names, and a link to out.
func examine(root, rel string, d fs.DirEntry, names *[]string, out Files) error {
	name := filepath.Join(root, rel)
	if d.Type() == fs.ModeSymlink {
		target, err := os.Readlink(name)
		if err != nil {
			return err
		}
		inside := !filepath.IsAbs(target) && within(root, filepath.Join(filepath.Dir(name), target))
		if !inside && !strings.HasPrefix(rel, venv+"/") {
			return bridge.Errorf(bridge.CodeDenied, "%s is a link out of the plugin's folder, to %s: nobody would notice that it changed; put the file itself there", name, target)
		}
		out[rel] = linkTo + target
		return nil
	}
	info, err := d.Info()
	if err != nil {
		return err
	}
	if !d.IsDir() && !info.Mode().IsRegular() {
		return bridge.Errorf(bridge.CodeDenied, "%s is neither a file nor a directory: remove it from the plugin's folder", name)
	}
	if !d.IsDir() {
		*names = append(*names, rel)
	}
	return owned(name, info)
}

// sumAll hashes several files at a time: on a small computer that is what a
// start waits for.
func sumAll(root string, names []string) ([]string, error) {
	sums, errs := make([]string, len(names)), make([]error, len(names))
	next := make(chan int)
	var wg sync.WaitGroup
	for range min(4, runtime.GOMAXPROCS(0)) {
		wg.Go(func() {
			buf := make([]byte, 64<<10)
			for i := range next {
				sums[i], errs[i] = sum(filepath.Join(root, names[i]), buf)
			}
		})
	}
	for i := range names {
		next <- i
	}
	close(next)
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return nil, fmt.Errorf("a file of the plugin cannot be read: %w", err)
		}
	}
	return sums, nil
}

func sum(name string, buf []byte) (string, error) {
	f, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.CopyBuffer(h, onlyReader{f}, buf); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// onlyReader hides that a file can write itself, so that buf is used.
type onlyReader struct{ io.Reader }
