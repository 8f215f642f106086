package plugintest

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

// Answer is how an upstream behaves.
type Answer int

// The answers.
const (
	AnswerOK     Answer = iota
	AnswerSlow          // none, until another answer is set
	AnswerBroken        // HTTP 500: it may work later
	AnswerDenied        // HTTP 401: it never will
)

// Upstream is the service that a plugin sends to.
type Upstream interface {
	// Fill puts into the settings and secrets what leads to it.
	Fill(settings map[string]any, secrets map[string]string)
	// Answer sets how it behaves from now on.
	Answer(Answer)
	// Messages returns all that arrived, in full and decoded as far as that can be.
	Messages() [][]byte
}

// Reply is a good answer of the HTTP server to a request whose body was read.
type Reply func(r *http.Request, body []byte) (status int, answer string)

// maxRequest bounds a request's body, in bytes.
const maxRequest = 32 << 20

// Recorder is an HTTP server on loopback that keeps what it is sent.
type Recorder struct {
	url    string
	reply  Reply
	server *http.Server

	mu       sync.Mutex
	messages [][]byte
	answer   Answer
	changed  chan struct{} // closed when answer changes
	arrived  chan struct{} // gets something for each message, if there is room
}

// NewRecorder starts one; reply may be nil. Close must follow.
func NewRecorder(ctx context.Context, reply Reply) (*Recorder, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	if reply == nil {
		reply = func(*http.Request, []byte) (int, string) { return http.StatusOK, "{}" }
	}
	r := &Recorder{url: "http://" + l.Addr().String(), reply: reply, changed: make(chan struct{}), arrived: make(chan struct{}, 64)}
	r.server = &http.Server{Handler: http.HandlerFunc(r.serve), ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = r.server.Serve(l) }() // it ends with Close
	return r, nil
}

// URL is the server's address, without a slash at its end.
func (r *Recorder) URL() string { return r.url }

// Close ends the server and what waits for an answer.
func (r *Recorder) Close() error {
	r.Answer(AnswerBroken)
	return r.server.Close()
}

// Answer sets how it behaves from now on; requests that wait get that, too.
func (r *Recorder) Answer(a Answer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answer = a
	close(r.changed)
	r.changed = make(chan struct{})
}

// Messages returns each request as it came: request line, headers, body. A query
// is there a second time, decoded.
func (r *Recorder) Messages() [][]byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.messages)
}

func (r *Recorder) serve(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(io.LimitReader(req.Body, maxRequest))
	if err != nil {
		return // it was cut off
	}
	r.keep(req, body)
	status, text := r.wait(req, body)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text) // who asked may be gone
}

func (r *Recorder) keep(req *http.Request, body []byte) {
	head, err := httputil.DumpRequest(req, false)
	if err != nil {
		head = []byte(err.Error())
	}
	query, err := url.QueryUnescape(req.URL.RequestURI())
	if err != nil {
		query = ""
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.messages = append(r.messages, slices.Concat(head, []byte(query), []byte("\n\n"), body))
	select {
	case r.arrived <- struct{}{}:
	default:
	}
}

// wait returns the answer, when there is one.
func (r *Recorder) wait(req *http.Request, body []byte) (int, string) {
	for {
		r.mu.Lock()
		answer, changed := r.answer, r.changed
		r.mu.Unlock()
		switch answer {
		case AnswerBroken:
			return http.StatusInternalServerError, `{"error":"broken"}`
		case AnswerDenied:
			return http.StatusUnauthorized, `{"error":"denied"}`
		case AnswerOK:
			return r.reply(req, body)
		}
		select {
		case <-changed:
		case <-req.Context().Done():
			return http.StatusServiceUnavailable, ""
		}
	}
}

// httpUpstream is a Recorder that some settings lead to.
type httpUpstream struct {
	*Recorder
	urls  map[string]string // name of a setting: what goes in
	lists []string          // those that are lists
}

func (u httpUpstream) Fill(settings map[string]any, secrets map[string]string) {
	for name, form := range u.urls {
		_, secret := secrets[name]
		switch {
		case form == "" && secret: // what is secret of an address is its path
			form = "{url}/" + rand.Text()
		case form == "":
			form = "{url}"
		}
		value := strings.NewReplacer("{url}", u.url, "{host}", strings.TrimPrefix(u.url, "http://")).Replace(form)
		switch {
		case secret:
			secrets[name] = value
		case slices.Contains(u.lists, name):
			settings[name] = []string{value}
		default:
			settings[name] = value
		}
	}
}

// arrivedSince waits until one of the messages from the n-th on holds want; nil
// is in every one.
func arrivedSince(ctx context.Context, u interface{ Messages() [][]byte }, n int, want []byte) error {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		messages := u.Messages()
		for _, m := range messages[min(n, len(messages)):] {
			if holds(m, want) {
				return nil
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			if len(messages) <= n {
				return errors.New("nothing arrived")
			}
			if len(messages) == n+1 {
				return errors.New("one message arrived, without it")
			}
			return fmt.Errorf("%d messages arrived, all without it", len(messages)-n)
		}
	}
}

// holds reports whether m holds want as it is or in base64.
func holds(m, want []byte) bool {
	return bytes.Contains(m, want) || bytes.Contains(m, []byte(base64.StdEncoding.EncodeToString(want)))
}
