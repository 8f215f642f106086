// Command espcam-plugin-ntfy sends alerts to phones with ntfy (ntfy.sh or a server
// of one's own): text, picture, buttons and priority. The bridge starts it.
//
// An event is one notification: later alerts of it replace the first. What the
// server refuses for good, such as a wrong token, is not tried again; what it
// refuses for the picture alone (too large, or it keeps none) is sent without it.
package main

import (
	"context"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/espcam-bridge/espcam-bridge/plugins/sdk"
)

type settings struct {
	URL      string            `json:"url" default:"https://ntfy.sh" help:"The ntfy server." example:"https://ntfy.example.org"`
	Topic    string            `json:"topic" sdk:"required" help:"Where to publish. Whoever knows it can read it on a server without access control." example:"porch-7hq2kx"`
	Token    string            `json:"token" sdk:"secret" help:"Access token, if the topic needs one." example:"tk_..."`
	Username string            `json:"username" help:"User, instead of a token."`
	Password string            `json:"password" sdk:"secret" help:"The user's password."`
	Tags     []string          `json:"tags" default:"camera" help:"Tags of every notification; ntfy shows those of its list of emojis as such."`
	Emojis   map[string]string `json:"emojis" default:"{\"person\":\"walking\",\"car\":\"car\",\"dog\":\"dog\",\"cat\":\"cat2\",\"package\":\"package\"}" help:"The tag to add for each label that was found."`
}

func main() {
	sdk.Main(sdk.Plugin[settings]{
		Name: "ntfy", Version: "1.0.0", Summary: "Sends alerts to phones with ntfy, with picture and buttons.",
		Notify: notify, Validate: validate, Check: check,
		Notifier: sdk.NotifierTraits{CanEdit: true},
	})
}

func notify(ctx context.Context, s *settings, a sdk.Alert) (sdk.Receipt, error) {
	req, err := s.request(ctx, http.MethodPut, "", a.JPEG)
	if err != nil {
		return sdk.Receipt{}, err
	}
	for name, value := range map[string]string{
		"Title": a.Title, "Message": a.Text, "Click": a.URL, "Priority": strconv.Itoa(min(max(a.Priority, 1), 5)),
		"Tags": strings.Join(s.tags(a.Labels), ","), "Actions": buttons(a.Actions),
		"X-Sequence-ID": a.ID, // from ntfy 2.16 on: replaces what came with it before
	} {
		if value != "" {
			req.Header.Set(name, mime.QEncoding.Encode("utf-8", value)) // RFC 2047, as ntfy reads it
		}
	}
	if len(a.JPEG) > 0 {
		req.Header.Set("Filename", a.Camera.ID+".jpg")
	}
	_, err = sdk.Do(ctx, req)
	if len(a.JPEG) > 0 && pictureRefused(err) {
		a.JPEG = nil
		sdk.Log(ctx).Warn("sent without its picture", "event", a.ID, "err", err)
		return notify(ctx, s, a)
	}
	return sdk.Receipt{Handle: a.ID}, err
}

// request goes to the topic, or below it.
func (s *settings) request(ctx context.Context, method, below string, body []byte) (*http.Request, error) {
	req, err := sdk.NewRequest(ctx, method, strings.TrimRight(s.URL, "/")+"/"+url.PathEscape(s.Topic)+below, body)
	switch {
	case err != nil:
		return nil, err
	case s.Token != "":
		req.Header.Set("Authorization", "Bearer "+s.Token)
	case s.Username != "":
		req.SetBasicAuth(s.Username, s.Password)
	}
	return req, nil
}

func (s *settings) tags(labels []sdk.Detection) []string {
	tags := append([]string(nil), s.Tags...)
	for _, l := range labels {
		if emoji := s.Emojis[l.Label]; emoji != "" {
			tags = append(tags, emoji)
		}
	}
	return tags
}

// buttons are at most three: ntfy refuses a message with more.
func buttons(actions []sdk.Action) string {
	var out []string
	for _, a := range actions[:min(len(actions), 3)] {
		out = append(out, fmt.Sprintf("view, %s, %s", quote(a.Label), quote(a.URL)))
	}
	return strings.Join(out, "; ")
}

// quote keeps commas and semicolons of text from ending it.
func quote(text string) string {
	return `"` + strings.NewReplacer(`"`, "'", `\`, "/").Replace(text) + `"`
}

// pictureRefused: ntfy answers 400 when it keeps no attachments (its code 40014)
// and 413 when one is too large or the sender's share is used up.
func pictureRefused(err error) bool {
	failure, ok := errors.AsType[*sdk.HTTPError](err)
	return ok && (failure.Status == http.StatusBadRequest || failure.Status == http.StatusRequestEntityTooLarge)
}

func validate(_ context.Context, s *settings) error {
	if s.Token != "" && s.Username != "" {
		return sdk.Problem("token", "and username are two ways to log in: leave one out")
	}
	return nil
}

// check asks whether the server knows us, which sends nothing. It answers 403 about
// a topic that we may write to, but not read: that is fine, too.
func check(ctx context.Context, s *settings) error {
	req, err := s.request(ctx, http.MethodGet, "/auth", nil)
	if err != nil {
		return err
	}
	_, err = sdk.Do(ctx, req)
	if failure, ok := errors.AsType[*sdk.HTTPError](err); ok && failure.Status == http.StatusForbidden {
		return nil
	}
	return err
}
