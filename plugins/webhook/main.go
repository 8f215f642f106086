// Command espcam-plugin-webhook sends alerts to any address that takes HTTP
// requests: as JSON or as a form with the picture, from templates, signed on
// demand. Presets cover Discord, Slack, Node-RED and Home Assistant. The bridge
// starts it.
//
// It goes wherever the address says, into the home's own network, too: who may
// set it is the bridge's matter. The address and the headers' token are secrets.
package main

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"slices"
	"strconv"
	"time"

	"github.com/espcam-bridge/espcam-bridge/plugins/sdk"
)

type settings struct {
	URL     string            `json:"url" sdk:"required,secret" help:"Where to send; it often holds a key, so it is never shown." example:"https://discord.com/api/webhooks/..."`
	Preset  string            `json:"preset" choices:"json,discord,slack,nodered,homeassistant" default:"json" help:"What the receiver expects; body and form replace it."`
	Method  string            `json:"method" choices:"POST,PUT,PATCH,GET" default:"POST" help:"Of the request; GET sends no body."`
	Body    string            `json:"body" help:"Template of the body." example:"{\"message\": {{json .Text}}}"`
	Type    string            `json:"content_type" default:"application/json" help:"Of the body."`
	Form    map[string]string `json:"form" help:"Templates of form fields, sent as multipart with the picture instead of a body." example:"{\"message\": \"{{.Text}}\"}"`
	Picture string            `json:"picture_field" default:"picture" help:"The form field with the picture."`
	Headers map[string]string `json:"headers" help:"Further headers." example:"{\"X-Source\": \"cameras\"}"`
	Token   string            `json:"token" sdk:"secret" help:"Sent as Authorization: Bearer."`
	Secret  string            `json:"secret" sdk:"secret" help:"Signs each request with HMAC-SHA256."`
	SignAs  string            `json:"signature_header" default:"X-Signature" help:"Header with the signature, in hex."`
	TimeAs  string            `json:"timestamp_header" default:"X-Timestamp" help:"Header with the time in seconds since 1970, which is signed, too."`
}

func main() {
	sdk.Main(sdk.Plugin[settings]{
		Name: "webhook", Version: "1.0.0", Summary: "Sends alerts as HTTP requests: JSON or a form with the picture.",
		Notify: notify, Validate: validate,
	})
}

func notify(ctx context.Context, s *settings, a sdk.Alert) (sdk.Receipt, error) {
	body, contentType, err := s.content(alert(a))
	if err != nil {
		return sdk.Receipt{}, sdk.Reject(err)
	}
	req, err := sdk.NewRequest(ctx, s.Method, s.URL, body)
	if err != nil {
		return sdk.Receipt{}, err
	}
	if len(body) > 0 {
		req.Header.Set("Content-Type", contentType)
	}
	if s.Token != "" {
		req.Header.Set("Authorization", "Bearer "+s.Token)
	}
	for name, value := range s.Headers {
		req.Header.Set(name, value)
	}
	s.sign(req, body, time.Now())
	_, err = sdk.Do(ctx, req)
	return sdk.Receipt{}, err
}

// sign adds the time and hex(HMAC-SHA256(secret, time + "." + body)).
func (s *settings) sign(req *http.Request, body []byte, now time.Time) {
	if s.Secret == "" {
		return
	}
	at := strconv.FormatInt(now.Unix(), 10)
	mac := hmac.New(sha256.New, []byte(s.Secret))
	mac.Write(slices.Concat([]byte(at+"."), body)) // a hash's Write never fails
	req.Header.Set(s.TimeAs, at)
	req.Header.Set(s.SignAs, hex.EncodeToString(mac.Sum(nil)))
}

// content makes what is sent, and its type.
func (s *settings) content(a alertData) ([]byte, string, error) {
	p, file := presets()[s.Preset], "files[0]" // as Discord calls it
	if s.Body != "" || len(s.Form) > 0 {
		p, file = preset{body: s.Body, form: s.Form}, s.Picture
	}
	if !p.inBody {
		a.Picture = nil
	}
	switch {
	case s.Method == http.MethodGet:
		return nil, "", nil
	case len(p.form) > 0:
		return form(p.form, file, a)
	}
	body, err := render(p.body, a)
	return body, s.Type, err
}

// form is multipart/form-data: fields by name, then the picture.
func form(fields map[string]string, file string, a alertData) ([]byte, string, error) {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for name, text := range fields {
		value, err := render(text, a)
		if err != nil {
			return nil, "", err
		}
		if err := w.WriteField(name, string(value)); err != nil {
			return nil, "", err
		}
	}
	if len(a.JPEG) > 0 {
		part, err := w.CreatePart(textproto.MIMEHeader{
			"Content-Disposition": {multipart.FileContentDisposition(file, a.Camera.ID+".jpg")}, "Content-Type": {"image/jpeg"},
		})
		if err != nil {
			return nil, "", err
		}
		if _, err := part.Write(a.JPEG); err != nil {
			return nil, "", err
		}
	}
	if err := w.Close(); err != nil { // which writes the end
		return nil, "", err
	}
	return b.Bytes(), w.FormDataContentType(), nil
}

// validate renders everything once, so that a mistake is told now and not with
// the first alert.
func validate(ctx context.Context, s *settings) error {
	if s.Body != "" && len(s.Form) > 0 {
		return sdk.Problem("form", "and body are two ways to send: leave one out")
	}
	var problems []error
	if _, err := render(s.Body, sample()); err != nil {
		problems = append(problems, sdk.Problem("body", "is no template that works: %v", err))
	}
	for name, text := range s.Form {
		if _, err := render(text, sample()); err != nil {
			problems = append(problems, sdk.Problem("form", "field %q is no template that works: %v", name, err))
		}
	}
	if _, err := sdk.NewRequest(ctx, s.Method, s.URL, nil); err != nil {
		problems = append(problems, sdk.Problem("url", "is wrong: %v", err))
	}
	return errors.Join(problems...)
}
