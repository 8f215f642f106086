package auth_test

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/espcam-bridge/espcam-bridge/bridge"
	"github.com/espcam-bridge/espcam-bridge/bridge/auth"
	"github.com/espcam-bridge/espcam-bridge/bridge/store"
)

func (w *world) stream(name string, cameras ...string) (string, bridge.StreamToken) {
	w.t.Helper()
	secret, token, err := w.MintStreamToken(name, cameras)
	if err != nil {
		w.t.Fatal(err)
	}
	return secret, token
}

// mayWatch checks whom a secret lets see what.
func (w *world) mayWatch(secret string, cameras ...string) {
	w.t.Helper()
	who, ok := w.VerifyStreamToken(secret)
	if len(cameras) == 0 {
		if ok {
			w.t.Errorf("it still opens %v", who.Cameras)
		}
		return
	}
	if !ok || who.Role != bridge.Viewer || !reflect.DeepEqual(who.Cameras, cameras) {
		w.t.Errorf("it opens %+v, want %v", who, cameras)
	}
}

func TestStreamToken(t *testing.T) {
	w := open(t, auth.Config{Tokens: tokens})
	secret, token := w.stream(" Home Assistant: porch ", "yard", "porch", "yard")
	want := bridge.StreamToken{ID: token.ID, Name: "Home Assistant: porch", Cameras: []string{"porch", "yard"}, Prefix: secret[:8], Created: w.now}
	if !reflect.DeepEqual(token, want) || len(secret) < 56 || !strings.HasPrefix(secret, "est_") {
		t.Errorf("minted %+v, want %+v", token, want)
	}
	other, _ := w.stream("nvr", "porch")
	w.restart(auth.Config{Tokens: tokens})
	w.mayWatch(secret, "porch", "yard")
	w.mayWatch(other, "porch")
	if list := w.StreamTokens(); len(list) != 2 || !reflect.DeepEqual(list[0], want) || list[1].Name != "nvr" {
		t.Errorf("listed %+v", list)
	}
	for _, wrong := range []string{"", "est_", secret[:len(secret)-1], secret + "a", "esb_viewer", token.ID} {
		w.mayWatch(wrong)
	}
	if _, ok := w.VerifyToken(secret); ok {
		t.Error("it is taken for a token of everything")
	}
	if _, _, ok := w.Login(secret); ok {
		t.Error("it opens a session")
	}
	if gone, err := w.RevokeStreamToken(token.ID); err != nil || gone.Name != want.Name {
		t.Errorf("revoked %+v, %v", gone, err)
	}
	w.mayWatch(secret)
	if _, err := w.RevokeStreamToken(token.ID); bridge.CodeOf(err) != bridge.CodeNotFound {
		t.Errorf("revoked twice: %v", err)
	}
	w.restart(auth.Config{Tokens: tokens})
	w.mayWatch(secret)
	w.mayWatch(other, "porch")
}

// TestRemovedCameraIsWatchedNoMore: a camera that comes later under the same id is
// another one.
func TestRemovedCameraIsWatchedNoMore(t *testing.T) {
	w := open(t, auth.Config{})
	alone, _ := w.stream("alone", "porch")
	both, _ := w.stream("both", "porch", "yard")
	if err := w.RevokeCamera("porch"); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		w.mayWatch(alone)
		w.mayWatch(both, "yard")
		w.restart(auth.Config{})
	}
}

func TestStreamTokenRefuses(t *testing.T) {
	w := open(t, auth.Config{})
	for _, c := range []struct {
		name    string
		cameras []string
		field   string
	}{
		{"", []string{"porch"}, "name"},
		{"  ", []string{"porch"}, "name"},
		{strings.Repeat("ä", 65), []string{"porch"}, "name"},
		{"\xff", []string{"porch"}, "name"},
		{"nvr", nil, "cameras"},
	} {
		_, _, err := w.MintStreamToken(c.name, c.cameras)
		if e, ok := err.(*bridge.Error); !ok || e.Code != bridge.CodeInvalid || e.Field != c.field {
			t.Errorf("%q %v: %v", c.name, c.cameras, err)
		}
	}
	w.stream(strings.Repeat("ä", 64), "porch")
	if err := w.db.Close(); err != nil {
		t.Fatal(err)
	}
	if _, _, err := w.MintStreamToken("nvr", []string{"porch"}); bridge.CodeOf(err) != bridge.CodeUnavailable {
		t.Errorf("without a disk: %v", err)
	}
	if len(w.StreamTokens()) != 1 {
		t.Error("what was not stored is listed")
	}
}

// TestStreamTokensAreBounded fills the table on disk, which is quicker than
// minting.
func TestStreamTokensAreBounded(t *testing.T) {
	w := open(t, auth.Config{})
	_, token := w.stream("0", "porch")
	table, err := store.NewTable[map[string]any](w.db, "stream_tokens")
	if err != nil {
		t.Fatal(err)
	}
	record, _, err := table.Get(token.ID)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]map[string]any{}
	for i := range 999 {
		all[fmt.Sprint(i)] = record
	}
	if err := table.Update(all, nil); err != nil {
		t.Fatal(err)
	}
	w.restart(auth.Config{})
	if _, _, err := w.MintStreamToken("one more", []string{"porch"}); bridge.CodeOf(err) != bridge.CodeConflict {
		t.Errorf("one more than 1000: %v", err)
	}
}

func TestStreamTokenIsNotOnDisk(t *testing.T) {
	w := open(t, auth.Config{})
	secret, _ := w.stream("nvr", "porch")
	raw, err := os.ReadFile(filepath.Join(w.dir, store.FileName))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(raw), secret[8:]) {
		t.Error("the secret is on disk")
	}
}
