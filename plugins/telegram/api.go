package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"mime/multipart"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/espcam-bridge/espcam-bridge/plugins/sdk"
)

// fields are the parameters of a call; empty ones are left out.
type fields map[string]string

// refusal is what Telegram answers instead of a result.
type refusal struct {
	Code        int    `json:"error_code"`
	Description string `json:"description"`
	Parameters  struct {
		RetryAfter int   `json:"retry_after"`        // s
		Migrated   int64 `json:"migrate_to_chat_id"` // the group has another id now
	} `json:"parameters"`
}

func (r *refusal) Error() string {
	text := fmt.Sprintf("Telegram says: %s (%d)", r.Description, r.Code)
	switch {
	case r.Code == http.StatusUnauthorized, r.Code == http.StatusNotFound:
		text += "; is the token that of @BotFather?"
	case r.Parameters.Migrated != 0:
		text += fmt.Sprintf("; set chat_id to %d", r.Parameters.Migrated)
	}
	return text
}

// call asks the Bot API. picture goes along as the file that attach://picture
// means. A refusal is an error made by sdk.Reject, or by sdk.Retry after the time
// that Telegram names.
func call(ctx context.Context, s *settings, method string, f fields, picture []byte, result any) error {
	body, contentType, err := form(f, picture)
	if err != nil {
		return sdk.Reject(err)
	}
	req, err := sdk.NewRequest(ctx, http.MethodPost, strings.TrimRight(s.URL, "/")+"/bot"+s.Token+"/"+method, body)
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", contentType)
	answer, err := sdk.Do(ctx, req)
	if err != nil {
		return refused(answer, err)
	}
	if result == nil {
		return nil
	}
	out := struct {
		Result any `json:"result"`
	}{result}
	if err := json.Unmarshal(answer, &out); err != nil {
		return sdk.Reject(fmt.Errorf("this is no answer of Telegram: %w", err))
	}
	return nil
}

// refused puts Telegram's own words in the place of err, if it said any.
func refused(answer []byte, err error) error {
	var r refusal
	if json.Unmarshal(answer, &r) != nil || r.Description == "" {
		return err
	}
	if _, again := errors.AsType[*sdk.RetryError](err); again {
		return sdk.Retry(time.Duration(r.Parameters.RetryAfter)*time.Second, &r)
	}
	return sdk.Reject(&r)
}

func form(f fields, picture []byte) ([]byte, string, error) {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for name, value := range f {
		if value == "" {
			continue
		}
		if err := w.WriteField(name, value); err != nil {
			return nil, "", err
		}
	}
	if len(picture) > 0 {
		part, err := w.CreateFormFile("picture", "picture.jpg")
		if err != nil {
			return nil, "", err
		}
		if _, err := part.Write(picture); err != nil {
			return nil, "", err
		}
	}
	if err := w.Close(); err != nil {
		return nil, "", err
	}
	return b.Bytes(), w.FormDataContentType(), nil
}

// encode is for values made of strings, which always are JSON.
func encode(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(b)
}

type chat struct {
	ID       int64  `json:"id"`
	Title    string `json:"title"` // of a group
	Name     string `json:"first_name"`
	Username string `json:"username"`
}

func (c chat) String() string {
	for _, name := range []string{c.Title, c.Name, c.Username} {
		if name != "" {
			return fmt.Sprintf("%d (%s)", c.ID, name)
		}
	}
	return fmt.Sprint(c.ID)
}

// discover says, as an error, which chat_id could be meant.
func discover(ctx context.Context, s *settings) error {
	type post struct {
		Chat chat `json:"chat"`
	}
	var updates []struct {
		Message post `json:"message"`
		Channel post `json:"channel_post"`
		Member  post `json:"my_chat_member"` // the bot was added
	}
	if err := call(ctx, s, "getUpdates", nil, nil, &updates); err != nil {
		return err
	}
	var found []string
	for _, u := range updates {
		for _, p := range []post{u.Message, u.Channel, u.Member} {
			if name := p.Chat.String(); p.Chat.ID != 0 && !slices.Contains(found, name) {
				found = append(found, name)
			}
		}
	}
	if found == nil {
		return errors.New("chat_id is missing: write something to the bot, then check again")
	}
	return fmt.Errorf("chat_id is missing: set it to one of those who wrote to the bot in the last day: %s", strings.Join(found, ", "))
}
