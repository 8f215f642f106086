//go:build linux

package launch

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/espcam-bridge/espcam-bridge/plugins/pluginpb"
)

// TestAPluginRunsAsAnotherUser needs root, as the feature does.
func TestAPluginRunsAsAnotherUser(t *testing.T) {
	uid, _, err := lookup("nobody")
	if err != nil || os.Geteuid() != 0 {
		t.Skip("only root may start programs as another user, and there must be a user nobody")
	}
	open, err := os.MkdirTemp("", "user")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(open); err != nil {
			t.Error(err)
		}
	})
	h := &host{watched: make(chan context.Context, 1)}
	s := spec(t, "good")
	program, err := os.ReadFile(s.Command[0])
	if err != nil {
		t.Fatal(err)
	}
	s.Command[0], s.Dir = filepath.Join(open, "plugin"), filepath.Join(open, "data")
	s.RunAs, s.Host = "nobody", h
	for _, err := range []error{os.WriteFile(s.Command[0], program, 0o600), os.Chmod(s.Command[0], 0o755), os.Chmod(open, 0o711), os.Mkdir(s.Dir, 0o700)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	p := start(t, s)
	if _, err := p.Plugin().Configure(t.Context(), &pluginpb.ConfigureRequest{HostBrokerId: p.HostID()}); err != nil {
		t.Errorf("it cannot call its host: %v", err)
	}
	got, err := p.Plugin().Check(t.Context(), &pluginpb.CheckRequest{})
	if err != nil {
		t.Fatal(err)
	}
	var w surroundings
	if err := json.Unmarshal([]byte(got.Message), &w); err != nil || w.Dir != s.Dir {
		t.Errorf("it works in %s, %v", w.Dir, err)
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.PID()))
	if err != nil || !strings.Contains(string(status), fmt.Sprintf("\nUid:\t%d\t%d\t%d\t%d\n", uid, uid, uid, uid)) {
		t.Errorf("it runs as another user than %d: %v\n%s", uid, err, status)
	}
	s.RunAs = "no-such-user"
	if _, err := Start(t.Context(), s); err == nil || !strings.Contains(err.Error(), "unknown user no-such-user") {
		t.Errorf("as nobody known: %v", err)
	}
}
