package sdk

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

const (
	maxAnswer   = 1 << 20          // bytes of an answer that are read
	maxLine     = 200              // bytes of it in an error
	requestTime = 30 * time.Second // without a deadline of the context
)

// HTTPError is an answer other than 2xx. Do wraps it by Retry or Reject.
type HTTPError struct {
	Status  int    // such as 401
	Server  string // the URL's scheme and host, never more of it
	Message string // first line of the answer's body
}

func (e *HTTPError) Error() string {
	text := fmt.Sprintf("%s answered %d %s", e.Server, e.Status, http.StatusText(e.Status))
	if e.Message != "" {
		text += ": " + e.Message
	}
	return text
}

// Do sends a request and returns the answer's body, up to 1 MiB of it. An answer
// of 408, 425, 429 or 5xx is an error made by Retry, after the time that the
// answer names, another one that is not 2xx by Reject; both wrap an *HTTPError.
// No answer is an error made by Retry. Errors name the server, but neither path,
// query nor password of the URL.
func Do(ctx context.Context, req *http.Request) ([]byte, error) {
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, requestTime)
		defer cancel()
	}
	resp, err := http.DefaultClient.Do(req.WithContext(ctx))
	if err != nil {
		return nil, Retry(0, fmt.Errorf("%s: %w", server(req.URL), reason(err)))
	}
	defer func() { _ = resp.Body.Close() }() // it was only read
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return nil, Retry(0, fmt.Errorf("%s: the answer broke off: %w", server(req.URL), reason(err)))
	}
	if resp.StatusCode/100 == 2 {
		return body, nil
	}
	failure := &HTTPError{Status: resp.StatusCode, Server: server(req.URL), Message: firstLine(body)}
	switch code := resp.StatusCode; {
	case code == http.StatusRequestTimeout, code == http.StatusTooEarly, code == http.StatusTooManyRequests, code >= 500:
		return body, Retry(retryAfter(resp.Header), failure)
	}
	return body, Reject(failure)
}

// Send makes a request of its parts (header may be nil) and sends it, see Do.
func Send(ctx context.Context, method, address string, header http.Header, body []byte) ([]byte, error) {
	req, err := NewRequest(ctx, method, address, body)
	if err != nil {
		return nil, err
	}
	if header != nil {
		req.Header = header
	}
	return Do(ctx, req)
}

// PostJSON posts in as JSON and reads the answer into out, unless that is nil.
// Its errors are those of Do; an answer that is no JSON is final.
func PostJSON(ctx context.Context, address string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return Reject(err)
	}
	answer, err := Send(ctx, http.MethodPost, address, http.Header{"Content-Type": {"application/json"}}, body)
	if err != nil || out == nil {
		return err
	}
	if err := json.Unmarshal(answer, out); err != nil {
		return Reject(fmt.Errorf("the answer is not the expected JSON: %w", err))
	}
	return nil
}

// NewRequest is http.NewRequestWithContext with a body in memory and an error
// that does not show the address.
func NewRequest(ctx context.Context, method, address string, body []byte) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(body))
	if err != nil {
		return nil, Reject(errors.New("the address is no URL")) // why not may show its password
	}
	if req.URL.Host == "" || req.URL.Scheme != "http" && req.URL.Scheme != "https" {
		return nil, Reject(errors.New("the address must begin with http:// or https:// and name a server"))
	}
	return req, nil
}

// server is the part of a URL that may be shown.
func server(u *url.URL) string { return u.Scheme + "://" + u.Host }

// reason takes the URL out of an error of net/http.
func reason(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		return u.Err
	}
	return err
}

// retryAfter reads the header of that name: seconds or a date.
func retryAfter(h http.Header) time.Duration {
	text := h.Get("Retry-After")
	if seconds, err := strconv.Atoi(text); err == nil {
		return time.Duration(max(seconds, 0)) * time.Second
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(time.Until(at), 0)
	}
	return 0
}

func firstLine(body []byte) string {
	line, _, _ := strings.Cut(strings.TrimSpace(string(body)), "\n")
	return strings.ToValidUTF8(line[:min(len(line), maxLine)], "")
}
