//go:build unix

package main

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/espcam-bridge/espcam-bridge/plugins/sdk"
)

// posted is what the examples' server got.
type posted struct {
	*http.Request
	body string
}

// example makes a bench for one of examples/, and a server that it posts to.
func example(t *testing.T, status int, needs ...string) (*bench, *httptest.Server, chan posted) {
	t.Helper()
	for _, program := range needs {
		if _, err := exec.LookPath(program); err != nil {
			t.Skip("there is no " + program + " here")
		}
	}
	got := make(chan posted, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		got <- posted{r, string(body)}
		w.WriteHeader(status)
	}))
	t.Cleanup(server.Close)
	return newBench(t, ""), server, got
}

func exampleFile(t *testing.T, name string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("examples", name))
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func TestProgramWithCurl(t *testing.T) {
	b, server, got := example(t, http.StatusOK, "curl")
	b.Command, b.Environment = []string{exampleFile(t, "ntfy.sh")}, map[string]string{"NTFY_URL": server.URL + "/porch"}
	if _, err := notify(b.ctx, b.settings, alert()); err != nil {
		t.Fatal(err, b.log)
	}
	r := <-got
	if r.Method != http.MethodPut || r.URL.Path != "/porch" || r.body != "jpeg" || r.Header.Get("Title") != `Tür "auf"; rm -rf /` ||
		r.Header.Get("Message") != "A B $(id)" || r.Header.Get("Filename") != "porch.jpg" {
		t.Errorf("%s %s %v %q", r.Method, r.URL, r.Header, r.body)
	}
	without := alert()
	without.Event.JPEG = nil
	if _, err := notify(b.ctx, b.settings, without); err != nil {
		t.Fatal(err, b.log)
	}
	if r := <-got; r.body != "" || r.Header.Get("Title") == "" {
		t.Errorf("without a picture: %v %q", r.Header, r.body)
	}
}

func TestProgramInPython(t *testing.T) {
	for status, want := range map[int]string{http.StatusOK: "", http.StatusNotFound: "reject", http.StatusBadGateway: "retry"} {
		b, server, got := example(t, status, "python3")
		b.Command, b.Mode, b.Reply = []string{exampleFile(t, "lines.py"), server.URL}, "lines", true
		_, err := notify(b.ctx, b.settings, alert())
		b.lines.end()
		if kind := kindOf(err); kind != want {
			t.Errorf("%d: %v; want %q\n%s", status, err, want, b.log)
		}
		var body struct{ Title, Camera, Picture string }
		if err := json.Unmarshal([]byte((<-got).body), &body); err != nil {
			t.Fatal(err)
		}
		if body.Title != alert().Title || body.Camera != "porch" || body.Picture != "anBlZw==" {
			t.Errorf("%+v", body)
		}
	}
}

func kindOf(err error) string {
	switch e := err.(type) {
	case nil:
		return ""
	case *sdk.RejectError:
		return "reject"
	case *sdk.RetryError:
		return "retry"
	default:
		return strings.TrimSpace(e.Error())
	}
}
