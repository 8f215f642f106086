package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/espcam-bridge/espcam-bridge/bridge"
)

// notCopied are directories that are the author's, or made anew.
var notCopied = []string{".git", ".venv", "__pycache__", ".pytest_cache", ".ruff_cache", ".mypy_cache"}

// maxCopied bounds a folder that is copied, in bytes: it may hold a model.
const maxCopied = 2 << 30

// copyFolder copies a plugin's folder. Nobody but the owner can write the copy,
// whatever the original allows. Links are copied if they stay in the folder.
func copyFolder(to, from string) error {
	left := int64(maxCopied)
	return filepath.WalkDir(from, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, name)
		if err != nil {
			return err
		}
		target := filepath.Join(to, rel)
		switch {
		case d.IsDir() && slices.Contains(notCopied, d.Name()):
			return fs.SkipDir
		case d.IsDir():
			return os.MkdirAll(target, 0o755)
		case d.Type() == fs.ModeSymlink:
			return copyLink(target, name, rel)
		case !d.Type().IsRegular():
			return bridge.Errorf(bridge.CodeInvalid, "%s is neither a file nor a directory: remove it", name)
		}
		n, err := copyFile(target, name, left)
		left -= n
		return err
	})
}

func copyLink(to, from, rel string) error {
	target, err := os.Readlink(from)
	if err != nil {
		return err
	}
	if filepath.IsAbs(target) || !filepath.IsLocal(filepath.Join(filepath.Dir(rel), target)) {
		return bridge.Errorf(bridge.CodeInvalid, "%s is a link out of the folder, to %s: put the file itself there", from, target)
	}
	return os.Symlink(target, to)
}

func copyFile(to, from string, most int64) (n int64, err error) {
	in, err := os.Open(from)
	if err != nil {
		return 0, err
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return 0, err
	}
	if info.Size() > most {
		return 0, fmt.Errorf("%s makes the folder larger than %d GiB: is it a plugin's?", from, maxCopied>>30)
	}
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644|info.Mode()&0o111)
	if err != nil {
		return 0, err
	}
	n, err = io.Copy(out, io.LimitReader(in, most))
	err = errors.Join(err, out.Chmod(0o644|info.Mode()&0o111), out.Close())
	return n, err
}

// replaceFolder makes the folder at from the one at place. If that fails, what
// was there stays.
func replaceFolder(place, from string) error {
	if same(place, from) {
		return nil
	}
	old := filepath.Join(filepath.Dir(place), "."+filepath.Base(place)+".old")
	if err := os.RemoveAll(old); err != nil {
		return err
	}
	err := os.Rename(place, old)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.Rename(from, place); err != nil {
		return errors.Join(err, ignoreMissing(os.Rename(old, place)))
	}
	return os.RemoveAll(old)
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
