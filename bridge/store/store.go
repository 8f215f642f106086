// Package store is the bridge's memory on disk: one bbolt file that holds what
// must survive a restart (cameras, desired settings, hashed keys and sessions).
//
// fleet and auth keep their records in Tables, mqtt its frozen id prefix, journal
// the index of its events. Each call is one transaction: after it returned, the
// value is on disk and survives a kill -9 or a power cut; before that the old
// value is whole. Nothing here is on the path of a frame, since a write waits
// for the disk.
//
// A full or read-only disk is an error of that write alone: reads go on. A
// damaged file is refused at Open with a sentence that says what to do; the
// bridge never starts over an existing file as if it were empty, because that
// would lock out every camera in silence.
package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"github.com/espcam-bridge/espcam-bridge/bridge"
)

// FileName is the database in the state directory.
const FileName = "bridge.db"

// lockTimeout is how long Open waits for another process that has the file.
const lockTimeout = time.Second

// Store is an open database. All methods may be called from any goroutine.
type Store struct{ db *bbolt.DB }

// Open opens the database in dir and makes both (directory 0700, file 0600) if
// they are missing. Its errors are *bridge.Error: CodeBusy if another process
// has it open, CodeInvalid if the file is damaged, CodeUnavailable if the
// directory cannot be used.
func Open(dir string) (*Store, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, bridge.Errorf(bridge.CodeUnavailable, "cannot make the state directory %s: %w; choose another with `data:`", dir, err)
	}
	path := filepath.Join(dir, FileName)
	db, err := open(path)
	switch {
	case err == nil:
		return &Store{db}, nil
	case errors.Is(err, bolterrors.ErrTimeout):
		return nil, bridge.Errorf(bridge.CodeBusy, "%s is in use by another espcam-bridge: stop it, or give this one its own `data:` directory", path)
	case errors.Is(err, fs.ErrPermission):
		return nil, bridge.Errorf(bridge.CodeUnavailable, "cannot open %s: %w; the user that runs espcam-bridge must own %s", path, err, dir)
	case isSystem(err):
		return nil, bridge.Errorf(bridge.CodeUnavailable, "cannot open %s: %w", path, err)
	}
	return nil, bridge.Errorf(bridge.CodeInvalid, "%s is damaged (%w): put back a copy, or move it away to start anew; cameras then need new keys", path, err)
}

// open turns bbolt's panics over damaged pages into errors and reads the whole
// tree once, so that damage shows now and not at the first camera.
func open(path string) (db *bbolt.DB, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%v", p)
		}
		if err != nil && db != nil {
			err = errors.Join(err, db.Close())
			db = nil
		}
	}()
	if db, err = bbolt.Open(path, 0o600, &bbolt.Options{Timeout: lockTimeout}); err != nil {
		return nil, err
	}
	return db, db.View(func(tx *bbolt.Tx) error {
		var first error
		for err := range tx.Check() { // to its end: it reads tx until then
			if first == nil {
				first = err
			}
		}
		return first
	})
}

func isSystem(err error) bool {
	var p *fs.PathError
	return errors.As(err, &p)
}

// Close waits for running transactions and closes the file.
func (s *Store) Close() error { return s.db.Close() }

// Check reports whether the disk takes writes, for readiness checks.
func (s *Store) Check() error {
	return s.db.Update(func(tx *bbolt.Tx) error {
		b, err := tx.CreateBucketIfNotExists([]byte("health"))
		if err != nil {
			return err
		}
		return b.Put([]byte("written"), []byte(time.Now().UTC().Format(time.RFC3339)))
	})
}

// Table is a named set of records of one type, stored as JSON by key.
type Table[T any] struct {
	db   *bbolt.DB
	name []byte
}

// NewTable returns the table of that name and makes it at the first call.
func NewTable[T any](s *Store, name string) (*Table[T], error) {
	err := s.db.Update(func(tx *bbolt.Tx) error {
		_, err := tx.CreateBucketIfNotExists([]byte(name))
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("table %s: %w", name, err)
	}
	return &Table[T]{s.db, []byte(name)}, nil
}

// Get returns the record of that key; ok is false if there is none.
func (t *Table[T]) Get(key string) (v T, ok bool, err error) {
	err = t.db.View(func(tx *bbolt.Tx) error {
		raw := tx.Bucket(t.name).Get([]byte(key))
		if raw == nil {
			return nil
		}
		ok = true
		return t.decode(key, raw, &v)
	})
	return v, ok, err
}

// All returns every record by key.
func (t *Table[T]) All() (map[string]T, error) {
	all := map[string]T{}
	err := t.db.View(func(tx *bbolt.Tx) error {
		return tx.Bucket(t.name).ForEach(func(k, raw []byte) error {
			var v T
			if err := t.decode(string(k), raw, &v); err != nil {
				return err
			}
			all[string(k)] = v
			return nil
		})
	})
	return all, err
}

// Descend visits the records whose key sorts before the given one (all if it is
// ""), the last one first, until visit returns false. A record that cannot be
// read comes with an error instead of a value: the visitor decides. visit must
// not write to the store.
func (t *Table[T]) Descend(before string, visit func(key string, v T, err error) bool) error {
	return t.db.View(func(tx *bbolt.Tx) error {
		c := tx.Bucket(t.name).Cursor()
		k, raw := c.Last()
		if before != "" {
			if k, _ = c.Seek([]byte(before)); k != nil {
				k, raw = c.Prev()
			} else {
				k, raw = c.Last()
			}
		}
		for ; k != nil; k, raw = c.Prev() {
			var v T
			if err := t.decode(string(k), raw, &v); !visit(string(k), v, err) {
				break
			}
		}
		return nil
	})
}

// Update writes and removes records, all or none of them.
func (t *Table[T]) Update(put map[string]T, remove []string) error {
	return t.db.Update(func(tx *bbolt.Tx) error {
		b := tx.Bucket(t.name)
		for key, v := range put {
			raw, err := json.Marshal(v)
			if err == nil {
				err = b.Put([]byte(key), raw)
			}
			if err != nil {
				return fmt.Errorf("table %s, record %s: %w", t.name, key, err)
			}
		}
		for _, key := range remove {
			if err := b.Delete([]byte(key)); err != nil {
				return fmt.Errorf("table %s, record %s: %w", t.name, key, err)
			}
		}
		return nil
	})
}

// Put writes a record.
func (t *Table[T]) Put(key string, v T) error {
	raw, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("table %s, record %s: %w", t.name, key, err)
	}
	return t.db.Update(func(tx *bbolt.Tx) error {
		return tx.Bucket(t.name).Put([]byte(key), raw)
	})
}

// Delete removes a record; it is no error if there is none.
func (t *Table[T]) Delete(key string) error {
	return t.db.Update(func(tx *bbolt.Tx) error {
		return tx.Bucket(t.name).Delete([]byte(key))
	})
}

func (t *Table[T]) decode(key string, raw []byte, v *T) error {
	if err := json.Unmarshal(raw, v); err != nil {
		return bridge.Errorf(bridge.CodeInvalid, "record %s of table %s is damaged: %w", key, t.name, err)
	}
	return nil
}
