package pluginhost

import (
	"cmp"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"syscall"

	"github.com/espcam-bridge/espcam-bridge/bridge"
)

// This file gives people what a plugin puts into the folder files of its data
// directory. The folder is the plugin's: a link in it leads nowhere else, what is
// no regular file is not opened, and no more of it is looked at than the bounds
// say.

const (
	filesFolder = "files"
	maxListed   = 500    // files in a list
	maxLooked   = 20_000 // files and folders that are looked at for one
	maxDepth    = 6      // folders from files down
)

// Files lists the files of an instance, the newest first: at most 500, none that
// is hidden, none whose name is no UTF-8. Without any it is empty. CodeNotFound, CodeUnavailable.
func (h *Host) Files(instance string) ([]bridge.PluginFile, error) {
	i, err := h.find(instance)
	if err != nil {
		return nil, err
	}
	root, err := i.openFiles()
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, i.unreadable(err)
	}
	defer root.Close()
	found, err := lookThrough(root, maxLooked)
	if err != nil {
		return nil, i.unreadable(err)
	}
	slices.SortFunc(found, func(a, b bridge.PluginFile) int {
		return cmp.Or(b.Changed.Compare(a.Changed), strings.Compare(b.Name, a.Name))
	})
	return found[:min(len(found), maxListed)], nil
}

// OpenFile opens a file by the name that Files has for it. The caller closes it.
// CodeNotFound, CodeUnavailable.
func (h *Host) OpenFile(instance, name string) (io.ReadSeekCloser, bridge.PluginFile, error) {
	i, err := h.find(instance)
	if err != nil {
		return nil, bridge.PluginFile{}, err
	}
	none := bridge.Errorf(bridge.CodeNotFound, "the plugin %s has no file %.200q: it may have been removed since", instance, name)
	if !fs.ValidPath(name) || strings.ContainsRune(name, 0) || hidden(name) {
		return nil, bridge.PluginFile{}, none
	}
	f, info, err := i.openFile(name)
	switch {
	case errors.Is(err, fs.ErrPermission):
		return nil, bridge.PluginFile{}, i.unreadable(err)
	case err != nil:
		return nil, bridge.PluginFile{}, none
	}
	return f, bridge.PluginFile{Name: name, Size: info.Size(), Changed: info.ModTime()}, nil
}

// openFile opens a regular file, without waiting for the other end of one that is
// none.
func (i *instance) openFile(name string) (*os.File, fs.FileInfo, error) {
	root, err := i.openFiles()
	if err != nil {
		return nil, nil, err
	}
	defer root.Close()
	f, err := root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("it is no file")
	}
	if err != nil {
		return nil, nil, errors.Join(err, f.Close())
	}
	return f, info, nil
}

// openFiles opens the folder, which may be a link within the data directory only.
func (i *instance) openFiles() (*os.Root, error) {
	data, err := os.OpenRoot(i.dataDir)
	if err != nil {
		return nil, err
	}
	defer data.Close()
	return data.OpenRoot(filesFolder)
}

// hasFiles reports whether there is something in the folder, or something wrong
// with it, which Files tells.
func (i *instance) hasFiles() bool {
	root, err := i.openFiles()
	if err != nil {
		return !errors.Is(err, fs.ErrNotExist)
	}
	defer root.Close()
	some, err := entries(root, 1)
	return err != nil || len(some) > 0
}

func (i *instance) unreadable(err error) error {
	return bridge.Errorf(bridge.CodeUnavailable, "the files of the plugin %s cannot be read: %w", i.cfg.Name, err)
}

// hidden reports whether a name, or a folder of its path, begins with a dot.
func hidden(name string) bool {
	return strings.HasPrefix(name, ".") || strings.Contains(name, "/.")
}

// lookThrough returns the regular files below root. Of folders of the same depth
// it looks first into those whose names sort last: they are dates mostly, so where
// there are more than left, the oldest are left out.
func lookThrough(root *os.Root, left int) (found []bridge.PluginFile, err error) {
	for level := []string{"."}; len(level) > 0 && left > 0; {
		slices.SortStableFunc(level, func(a, b string) int { return strings.Compare(path.Base(b), path.Base(a)) })
		var next []string
		for _, dir := range level {
			if left <= 0 {
				break
			}
			files, folders, looked, err := look(root, dir, left)
			if err != nil && !errors.Is(err, fs.ErrNotExist) { // it may go meanwhile
				return nil, err
			}
			found, next, left = append(found, files...), append(next, folders...), left-looked
		}
		if level = next; len(level) > 0 && strings.Count(level[0], "/") >= maxDepth-1 {
			break
		}
	}
	return found, nil
}

// look returns what is in a folder, of the first most entries.
func look(root *os.Root, dir string, most int) (files []bridge.PluginFile, folders []string, looked int, err error) {
	in, err := root.OpenRoot(dir)
	if err != nil {
		return nil, nil, 0, err
	}
	defer in.Close()
	all, err := entries(in, most)
	for _, e := range all {
		name := path.Join(dir, e.Name())
		switch {
		case hidden(e.Name()), !fs.ValidPath(e.Name()):
		case e.IsDir():
			folders = append(folders, name)
		case e.Type().IsRegular():
			if info, err := in.Lstat(e.Name()); err == nil { // else it has gone
				files = append(files, bridge.PluginFile{Name: name, Size: info.Size(), Changed: info.ModTime()})
			}
		}
	}
	return files, folders, len(all), err
}

// entries returns at most so many entries of a folder, in no order.
func entries(root *os.Root, most int) ([]fs.DirEntry, error) {
	f, err := root.Open(".")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	all, err := f.ReadDir(most)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return all, err
}
