package main

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/gorilla/websocket"
)

func TestWrongUsage(t *testing.T) {
	dir := t.TempDir()
	keys := func(text string) string {
		path := filepath.Join(dir, "keys"+strings.Map(func(r rune) rune {
			if r < 'a' || r > 'z' {
				return -1
			}
			return r
		}, text))
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	const url = "--url=ws://127.0.0.1:1"
	for _, tt := range []struct {
		args string
		want string
	}{
		{"", "--url is missing"},
		{"--url=here", "not an address to dial"},
		{url + " --colour=red", "unknown flag: --colour"},
		{url + " extra", `unknown command "extra"`},
		{url + " --fps=fast", `invalid argument "fast"`},
		{url + " --fps=99", "fps is 99: use 1 to 30"},
		{url + " --size=huge", `size "huge"`},
		{url + " --size=9x9", "size is 9x9"},
		{url + " --dialect=klingon", "native or streamhub"},
		{url + " --fault=fire", `fault "fire" is not known`},
		{url + " --fault=stall:2", "above 0 up to 1"},
		{url + " --count=0", "count is 0"},
		{url + " --count=2 --key=wsk_same", "push each other out"},
		{url + " --film=99", "--film is 99"},
		{url + " --duration=-1s", "cannot be negative"},
		{url + " --clip=/nonexistent", "no such file"},
		{url + " --plan=war", `plan "war" is not known: use lively, home`},
		{url + " --clip-once", "name its folder"},
		{url + " --keys-file=/nonexistent", "no such file"},
		{url + " --keys-file=" + keys("# nothing\n"), "has no key in it"},
		{url + " --keys-file=" + keys("wsk_one\nporch wsk_two\n"), ":2 is not a camera key"},
		{url + " --count=3 --keys-file=" + keys("wsk_a\nwsk_b\n"), "2 keys for 3 cameras"},
	} {
		var stdout, stderr bytes.Buffer
		code := run(context.Background(), strings.Fields(tt.args), &stdout, &stderr)
		if code != 2 || !strings.Contains(stderr.String(), tt.want) || stdout.Len() > 0 {
			t.Errorf("fakecam %s: code %d, stdout %q, stderr %q, want 2 and %q", tt.args, code, &stdout, &stderr, tt.want)
		}
	}
}

func TestHelp(t *testing.T) {
	var stdout, stderr bytes.Buffer
	if code := run(context.Background(), []string{"--help"}, &stdout, &stderr); code != 0 || !strings.Contains(stdout.String(), "--fault") {
		t.Errorf("code %d, %s", code, &stdout)
	}
}

func TestNobodyThere(t *testing.T) {
	var stdout, stderr bytes.Buffer
	args := []string{"--url=ws://127.0.0.1:1", "--duration=50ms", "--retry=5ms"}
	if code := run(context.Background(), args, &stdout, &stderr); code != 1 || !strings.Contains(stderr.String(), "no camera was admitted") {
		t.Errorf("code %d, stderr %q", code, &stderr)
	}
	if !strings.Contains(stdout.String(), "cannot connect") || !strings.Contains(stdout.String(), "msg=done cameras=1 connected=0") {
		t.Errorf("stdout is %s", &stdout)
	}
}

// TestFleet runs the program against a server until every camera was seen, and
// reads what it prints.
func TestFleet(t *testing.T) {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	var mu sync.Mutex
	seen := map[string]int{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ws, err := (&websocket.Upgrader{}).Upgrade(w, r, nil)
		if err != nil {
			t.Error(err)
			return
		}
		defer ws.Close()
		_ = ws.WriteMessage(websocket.TextMessage, []byte(`{"type":"ready","room":"r","maxFps":30}`))
		for {
			kind, _, err := ws.ReadMessage()
			if err != nil {
				return
			}
			mu.Lock()
			if kind == websocket.BinaryMessage {
				seen[r.Header.Get("Authorization")]++
			}
			if len(seen) == 3 {
				stop()
			}
			mu.Unlock()
		}
	}))
	defer server.Close()
	keys := filepath.Join(t.TempDir(), "keys")
	if err := os.WriteFile(keys, []byte("# three\nwsk_1\n\n wsk_2\nwsk_3\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var stdout, stderr bytes.Buffer
	args := []string{"--url", server.URL, "--keys-file", keys, "--count=3", "--size=160x120", "--fps=30", "--film=1", "--dialect=streamhub", "--every=1ms", "--name=Cam {n}"}
	if code := run(ctx, args, &stdout, &stderr); code != 0 {
		t.Fatalf("code %d, stderr %q", code, &stderr)
	}
	for _, want := range []string{`msg=ready camera="Cam 2"`, `msg="so far" cameras=3`, "msg=done cameras=3", "connections=3", "frames="} {
		if !strings.Contains(stdout.String(), want) {
			t.Errorf("output lacks %s:\n%s", want, &stdout)
		}
	}
	if strings.Contains(stdout.String(), "wsk_") {
		t.Errorf("output has a key in it:\n%s", &stdout)
	}
}
