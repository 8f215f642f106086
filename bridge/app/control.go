package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge"
	"github.com/espcam-bridge/espcam-bridge/bridge/config"
	"github.com/espcam-bridge/espcam-bridge/bridge/fleet"
)

// ControlName is the Unix socket in the state directory over which the command
// line talks to a running bridge. Only the user that runs the bridge may open
// it (mode 0600), so it asks for no token.
const ControlName = "control.sock"

const maxAnswer = 8 << 20 // bytes; plugins with their last lines are the largest

// Keys is what `espcam-bridge keys` does, either in a running bridge or in the
// store of one that is not running.
type Keys interface {
	// AddKey mints a key and makes the camera if there is none of that id.
	AddKey(camera string) (secret string, k bridge.Key, err error)
	// ListKeys returns all keys.
	ListKeys() ([]bridge.Key, error)
	// RemoveKey ends a key; a connection that came with it is closed.
	RemoveKey(id string) error
}

// local does it in this process's own fleet.
type local struct{ fleet *fleet.Fleet }

func (l local) AddKey(camera string) (string, bridge.Key, error) {
	_, err := l.fleet.Add(camera, "", "")
	if err != nil && bridge.CodeOf(err) != bridge.CodeConflict {
		return "", bridge.Key{}, err
	}
	return l.fleet.MintKey(camera, "")
}

func (l local) ListKeys() ([]bridge.Key, error) { return l.fleet.Keys(), nil }

func (l local) RemoveKey(id string) error { return l.fleet.RevokeKey(id) }

// OpenKeys reaches the keys of cfg's state directory: through the running
// bridge if there is one, else by opening the store. The caller calls done.
func OpenKeys(ctx context.Context, cfg *config.Config) (k Keys, done func() error, err error) {
	r, err := reach(cfg)
	if r != nil || err != nil {
		return r, func() error { return nil }, err
	}
	c, err := openCore(ctx, cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, nil, err
	}
	return local{c.fleet}, c.close, nil
}

// reach returns the bridge that runs on cfg's state directory, nil if there is none.
func reach(cfg *config.Config) (*remote, error) {
	path := filepath.Join(cfg.Data, ControlName)
	r := newRemote(path)
	switch err := r.ping(); {
	case err == nil:
		return r, nil
	case errors.Is(err, syscall.EACCES):
		return nil, bridge.Errorf(bridge.CodeDenied, "%s belongs to another user: run this command as the user that runs the bridge", cfg.Data)
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.EINVAL):
		return nil, nil
	default:
		return nil, fmt.Errorf("the running bridge does not answer on %s: %w", path, err)
	}
}

// control serves Keys and Plugins on the Unix socket.
type control struct {
	keys    Keys
	plugins Plugins // nil if this bridge has none; set before serve
	server  *http.Server
	ln      net.Listener
}

// answer is the body of every reply on the socket.
type answer struct {
	Secret  string          `json:",omitempty"`
	Keys    []bridge.Key    `json:",omitempty"`
	Plugins []bridge.Plugin `json:",omitempty"`
	Receipt bridge.Receipt  `json:",omitzero"`
	Code    bridge.Code     `json:",omitempty"`
	Message string          `json:",omitempty"`
}

// newControl opens the socket. The store's lock is held, so a socket that is
// there was left behind by a killed bridge.
func newControl(path string, keys Keys) (*control, error) {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	ln, err := net.Listen("unix", path)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(err, ln.Close())
	}
	c := &control{keys: keys, ln: ln}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /keys", c.list)
	mux.HandleFunc("POST /keys/{camera}", c.add)
	mux.HandleFunc("DELETE /keys/{id}", c.remove)
	c.pluginRoutes(mux)
	c.server = &http.Server{Handler: mux, ReadTimeout: 10 * time.Second, WriteTimeout: 10 * time.Second}
	return c, nil
}

func (c *control) serve() error {
	if err := c.server.Serve(c.ln); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func (c *control) list(w http.ResponseWriter, _ *http.Request) {
	keys, err := c.keys.ListKeys()
	reply(w, answer{Keys: keys}, err)
}

func (c *control) add(w http.ResponseWriter, r *http.Request) {
	secret, k, err := c.keys.AddKey(r.PathValue("camera"))
	reply(w, answer{Secret: secret, Keys: []bridge.Key{k}}, err)
}

func (c *control) remove(w http.ResponseWriter, r *http.Request) {
	reply(w, answer{}, c.keys.RemoveKey(r.PathValue("id")))
}

func reply(w http.ResponseWriter, a answer, err error) {
	if err != nil {
		a = answer{Code: bridge.CodeOf(err), Message: err.Error()}
	}
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(a); err != nil {
		panic(http.ErrAbortHandler) // the client is gone: end its connection
	}
}

// remote does it over the socket.
type remote struct{ client http.Client }

func newRemote(path string) *remote {
	var d net.Dialer
	return &remote{http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return d.DialContext(ctx, "unix", path) },
	}}}
}

func (r *remote) ping() error {
	_, err := r.call(http.MethodGet, "/keys")
	return err
}

func (r *remote) AddKey(camera string) (string, bridge.Key, error) {
	a, err := r.call(http.MethodPost, "/keys/"+url.PathEscape(camera))
	if err != nil {
		return "", bridge.Key{}, err
	}
	return a.Secret, a.Keys[0], nil
}

func (r *remote) ListKeys() ([]bridge.Key, error) {
	a, err := r.call(http.MethodGet, "/keys")
	return a.Keys, err
}

func (r *remote) RemoveKey(id string) error {
	_, err := r.call(http.MethodDelete, "/keys/"+url.PathEscape(id))
	return err
}

func (r *remote) call(method, path string) (a answer, err error) {
	req, err := http.NewRequest(method, "http://bridge"+path, nil)
	if err != nil {
		return a, err
	}
	resp, err := r.client.Do(req)
	if err != nil {
		return a, err
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxAnswer)).Decode(&a); err != nil {
		return a, fmt.Errorf("the running bridge gave an answer that is not JSON: %w", err)
	}
	if a.Code != "" {
		return a, &bridge.Error{Code: a.Code, Message: a.Message}
	}
	return a, nil
}
