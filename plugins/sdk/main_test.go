package sdk_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/espcam-bridge/espcam-bridge/plugins/pluginpb"
	"github.com/espcam-bridge/espcam-bridge/plugins/sdk"
)

// plugins are the plugins that this test program can be.
func plugins() map[string]func() {
	return map[string]func(){
		"ntfy":   Example,
		"chatty": func() { sdk.Main(chatty()) },
	}
}

type chattySettings struct {
	Token string `json:"token" sdk:"secret"`
}

// chatty prints to stdout, waits for ever or panics, as the title says.
func chatty() sdk.Plugin[chattySettings] {
	return sdk.Plugin[chattySettings]{
		Name: "chatty", Version: "1.0.0", Summary: "A test.",
		Notify: func(ctx context.Context, s *chattySettings, a sdk.Alert) (sdk.Receipt, error) {
			switch a.Title {
			case "print":
				fmt.Println("printed to stdout")
				sdk.Log(ctx).Info("with " + s.Token)
			case "deaf":
				<-make(chan struct{})
			case "panic":
				panic("over " + s.Token)
			case "host":
				cameras, err := sdk.Host(ctx).Cameras(ctx)
				return sdk.Receipt{Message: fmt.Sprint(cameras)}, err
			}
			return sdk.Receipt{}, nil
		},
	}
}

func TestNtfyExample(t *testing.T) {
	got := make(chan *http.Request, 1)
	body := make(chan []byte, 1)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		got <- r
		body <- b
	}))
	defer server.Close()
	p := start(t, "ntfy")
	p.configure(t, `{"url":"`+server.URL+`","topic":"home"}`, map[string]string{"token": "tk_secret"}, 0)
	r, err := pluginpb.NewNotifierClient(p.conn).Notify(t.Context(), &pluginpb.Alert{
		Title: "Motion — Tür", Text: "Two\nlines", Priority: 4, Event: &pluginpb.Event{Jpeg: []byte("jpeg"), Camera: &pluginpb.Camera{Id: "porch"}},
	})
	if err != nil || r.GetOutcome() != pluginpb.Outcome_OUTCOME_DELIVERED {
		t.Fatal(r, err)
	}
	req := <-got
	q := req.URL.Query()
	if req.URL.Path != "/home" || req.Header.Get("Authorization") != "Bearer tk_secret" || q.Get("title") != "Motion — Tür" || q.Get("message") != "Two\nlines" || string(<-body) != "jpeg" {
		t.Errorf("%s %v", req.URL, req.Header)
	}
}

func TestExampleIsShort(t *testing.T) {
	text, err := os.ReadFile("example_ntfy_test.go")
	if err != nil {
		t.Fatal(err)
	}
	lines := 0
	for _, b := range text {
		if b == '\n' {
			lines++
		}
	}
	const comment = 1 // above main
	if lines-comment > 30 {
		t.Errorf("%d lines", lines)
	}
}

func TestEnds(t *testing.T) {
	for name, end := range map[string]func(*testing.T, *process){
		"stdin":   func(t *testing.T, p *process) { _ = p.stdin.Close() },
		"SIGTERM": func(t *testing.T, p *process) { _ = p.Process.Signal(syscall.SIGTERM) },
		"Drain": func(t *testing.T, p *process) {
			if _, err := p.Drain(t.Context(), &pluginpb.DrainRequest{WithinMs: 1000}); err != nil {
				t.Error(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := start(t, "chatty")
			p.configure(t, `{}`, nil, 0)
			end(t, p)
			if code := p.gone(t, 2*time.Second); code != 0 {
				t.Errorf("exit code %d, stderr %s", code, p.stderr)
			}
		})
	}
}

func TestIgnoresInterrupt(t *testing.T) {
	p := start(t, "chatty")
	if err := p.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Describe(t.Context(), &pluginpb.DescribeRequest{}); err != nil {
		t.Error(err)
	}
}
