package sdk

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestDo(t *testing.T) {
	for name, c := range map[string]struct {
		status int
		header map[string]string
		retry  bool
		after  time.Duration
	}{
		"ok":      {status: 204},
		"moved":   {status: 304},
		"bad":     {status: 400},
		"denied":  {status: 401},
		"late":    {status: 408, retry: true},
		"many":    {status: 429, header: map[string]string{"Retry-After": "7"}, retry: true, after: 7 * time.Second},
		"broken":  {status: 500, retry: true},
		"gateway": {status: 503, header: map[string]string{"Retry-After": "nonsense"}, retry: true},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				for k, v := range c.header {
					w.Header().Set(k, v)
				}
				w.WriteHeader(c.status)
				if c.status >= 400 {
					_, _ = io.WriteString(w, "\nfirst line\nsecond line")
				}
			}))
			defer server.Close()
			_, err := Send(t.Context(), "POST", server.URL+"/secretpath?secretquery", nil, []byte("x"))
			if c.status/100 == 2 {
				if err != nil {
					t.Error(err)
				}
				return
			}
			failure, ok := errors.AsType[*HTTPError](err)
			if !ok || failure.Status != c.status || strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "second") {
				t.Fatal(err)
			}
			later, retry := errors.AsType[*RetryError](err)
			_, reject := errors.AsType[*RejectError](err)
			if retry != c.retry || reject == c.retry || retry && later.After != c.after {
				t.Errorf("retry %t, reject %t, %+v", retry, reject, later)
			}
		})
	}
}

func TestDoHidesAddresses(t *testing.T) {
	closed := httptest.NewServer(nil)
	closed.Close()
	host := strings.TrimPrefix(closed.URL, "http://")
	for name, address := range map[string]string{
		"refused":     "http://user:secretpw@" + host + "/secretpath?secretquery",
		"no server":   "/secretpath",
		"no URL":      "http://user:sec/ret@" + host,
		"other":       "file:///secretpath",
		"with spaces": "http://secret host/",
	} {
		_, err := Send(t.Context(), "POST", address, nil, nil)
		if err == nil || strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "sec") && strings.Contains(err.Error(), "ret@") {
			t.Errorf("%s: %v", name, err)
		}
		_, retry := errors.AsType[*RetryError](err)
		if retry != (name == "refused") {
			t.Errorf("%s: retry %t: %v", name, retry, err)
		}
	}
}

func TestDoEndsWithItsContext(t *testing.T) {
	let := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-let }))
	defer server.Close()
	defer close(let)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := Send(ctx, "GET", server.URL, nil, nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
}

func TestDoBoundsTheAnswer(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write(make([]byte, maxAnswer+1))
	}))
	defer server.Close()
	if body, err := Send(t.Context(), "GET", server.URL, nil, nil); err != nil || len(body) != maxAnswer {
		t.Error(len(body), err)
	}
}

func TestPostJSON(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/nonsense" {
			_, _ = io.WriteString(w, "<html>")
			return
		}
		w.Header().Set("Content-Type", r.Header.Get("Content-Type"))
		_, _ = io.Copy(w, r.Body)
	}))
	defer server.Close()
	var out struct{ A int }
	if err := PostJSON(t.Context(), server.URL, map[string]int{"a": 5}, &out); err != nil || out.A != 5 {
		t.Error(out, err)
	}
	err := PostJSON(t.Context(), server.URL+"/nonsense", nil, &out)
	if _, final := errors.AsType[*RejectError](err); !final {
		t.Error(err)
	}
	if err := PostJSON(t.Context(), server.URL+"/nonsense", nil, nil); err != nil {
		t.Error(err)
	}
}

func TestRetryAfterDate(t *testing.T) {
	at := time.Now().Add(time.Hour).UTC().Format(http.TimeFormat)
	if got := retryAfter(http.Header{"Retry-After": {at}}); got < 59*time.Minute || got > time.Hour {
		t.Error(got)
	}
	if got := retryAfter(http.Header{"Retry-After": {"-5"}}); got != 0 {
		t.Error(got)
	}
}

func TestRedact(t *testing.T) {
	r := &redactor{}
	r.learn(map[string]string{"a": "pass word/ü\"", "b": "abc", "c": "pass word", "d": "12345678"})
	r.learn(map[string]string{"d": "87654321"}) // older ones stay known
	for in, want := range map[string]string{
		`pass word/ü"`: "***", "pass+word%2F%C3%BC%22": "***", `pass%20word%2F%C3%BC%22`: "***", `pass word/ü\"`: "***",
		"abc": "abc", "x pass word y": "x *** y", "12345678 87654321": "*** ***", "pass+word": "***",
	} {
		if got := r.text(in); got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
}
