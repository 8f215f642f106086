package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/espcam-bridge/espcam-bridge/plugins/sdk"
)

const token = "123456:ABC-DEF"

// botAPI answers as Telegram's documentation (core.telegram.org/bots/api) says it
// does; the real one is not asked here.
type botAPI struct {
	*httptest.Server
	calls  []call1
	answer map[string]string // by method; "" is what a good call gets
	status int
}

type call1 struct {
	method string
	form   map[string]string
}

func newAPI(t *testing.T) *botAPI {
	b := &botAPI{answer: map[string]string{}, status: 400}
	b.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		method, ok := strings.CutPrefix(r.URL.Path, "/bot"+token+"/")
		if !ok {
			http.Error(w, `{"ok":false,"error_code":401,"description":"Unauthorized"}`, http.StatusUnauthorized)
			return
		}
		if err := r.ParseMultipartForm(1 << 20); err != nil {
			t.Error(err)
		}
		c := call1{method, map[string]string{}}
		for name, values := range r.MultipartForm.Value {
			c.form[name] = values[0]
		}
		for name, files := range r.MultipartForm.File {
			f, err := files[0].Open()
			if err != nil {
				t.Error(err)
				return
			}
			content, err := io.ReadAll(f)
			if err != nil {
				t.Error(err)
			}
			c.form["file "+name] = string(content)
		}
		b.calls = append(b.calls, c)
		if answer := b.answer[method]; answer != "" {
			if strings.Contains(answer, `"ok":false`) {
				w.WriteHeader(b.status)
			}
			fmt.Fprint(w, answer)
			return
		}
		fmt.Fprint(w, `{"ok":true,"result":{"message_id":77}}`)
	}))
	t.Cleanup(b.Close)
	return b
}

func (b *botAPI) settings() *settings {
	return &settings{Token: token, Chat: "-42", Silent: 3, URL: b.URL}
}

func (b *botAPI) last() call1 { return b.calls[len(b.calls)-1] }

func alert() sdk.Alert {
	return sdk.Alert{
		Event: sdk.Event{ID: "01jd8v3k9m2xq", Camera: sdk.Camera{ID: "porch", Name: "Front porch"}, JPEG: []byte("jpeg")},
		Title: "Motion <now>", Text: "A & B", Priority: 3, URL: "http://bridge.example/",
	}
}

func TestEventIsOneMessage(t *testing.T) {
	b := newAPI(t)
	s, a := b.settings(), alert()
	first, err := notify(t.Context(), s, a)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"chat_id": "-42", "caption": "<b>Motion &lt;now&gt;</b>\nA &amp; B", "parse_mode": "HTML", "photo": "attach://picture", "file picture": "jpeg",
		"reply_markup": `{"inline_keyboard":[[{"text":"Look","url":"http://bridge.example/"}]]}`,
	}
	if c := b.last(); c.method != "sendPhoto" || fmt.Sprint(c.form) != fmt.Sprint(want) {
		t.Errorf("%s %q", c.method, c.form)
	}
	a.Handle, a.Text, a.JPEG = first.Handle, "C", []byte("better")
	if r, err := notify(t.Context(), s, a); err != nil || r.Handle != first.Handle {
		t.Fatal(r, err)
	}
	var media struct{ Type, Media, Caption string }
	c := b.last()
	if err := json.Unmarshal([]byte(c.form["media"]), &media); err != nil {
		t.Fatal(err)
	}
	if c.method != "editMessageMedia" || c.form["message_id"] != "77" || c.form["file picture"] != "better" || !strings.HasSuffix(media.Caption, "\nC") {
		t.Errorf("%s %q", c.method, c.form)
	}
	a.JPEG = nil
	if _, err := notify(t.Context(), s, a); err != nil {
		t.Fatal(err)
	}
	if c := b.last(); c.method != "editMessageCaption" || c.form["caption"] == "" {
		t.Errorf("%s %q", c.method, c.form)
	}
}

func TestTextStaysText(t *testing.T) {
	b := newAPI(t)
	s, a := b.settings(), alert()
	a.JPEG, a.URL, a.Priority, s.Thread = nil, "", 2, 5
	first, err := notify(t.Context(), s, a)
	if err != nil {
		t.Fatal(err)
	}
	if c := b.last(); c.method != "sendMessage" || c.form["disable_notification"] != "true" || c.form["message_thread_id"] != "5" || c.form["reply_markup"] != "" {
		t.Errorf("%s %q", c.method, c.form)
	}
	a.Handle, a.JPEG = first.Handle, []byte("jpeg")
	if _, err := notify(t.Context(), s, a); err != nil {
		t.Fatal(err)
	}
	if c := b.last(); c.method != "editMessageText" || c.form["file picture"] != "" {
		t.Errorf("%s %q", c.method, c.form)
	}
}

func TestEditThatIsRefused(t *testing.T) {
	b := newAPI(t)
	s, a := b.settings(), alert()
	a.Handle = "-42/77/true"
	b.answer["editMessageMedia"] = `{"ok":false,"error_code":400,"description":"Bad Request: message is not modified: specified new message content is the same"}`
	if _, err := notify(t.Context(), s, a); err != nil || len(b.calls) != 1 {
		t.Errorf("the same once more: %v, calls %v", err, b.calls)
	}
	b.answer["editMessageMedia"] = `{"ok":false,"error_code":400,"description":"Bad Request: message to edit not found"}`
	if r, err := notify(t.Context(), s, a); err != nil || b.last().method != "sendPhoto" || r.Handle != "-42/77/true" {
		t.Errorf("a message that was deleted: %v, %v, calls %v", r, err, b.calls)
	}
	a.Handle = "99/5/true" // of another chat
	if _, err := notify(t.Context(), s, a); err != nil || b.last().method != "sendPhoto" {
		t.Errorf("%v, calls %v", err, b.calls)
	}
}

func TestButtonsThatTelegramDoesNotTake(t *testing.T) {
	b := newAPI(t)
	b.answer["sendPhoto"] = `{"ok":false,"error_code":400,"description":"Bad Request: inline keyboard button URL 'http://bridge/' is invalid: Wrong HTTP URL"}`
	if _, err := notify(t.Context(), b.settings(), alert()); err == nil {
		t.Error("the second answer was no better")
	}
	if len(b.calls) != 2 || b.calls[0].form["reply_markup"] == "" || b.calls[1].form["reply_markup"] != "" {
		t.Errorf("calls %q", b.calls)
	}
}

func TestTelegramSaysWhenToTryAgain(t *testing.T) {
	b := newAPI(t)
	b.status = 429
	b.answer["sendPhoto"] = `{"ok":false,"error_code":429,"description":"Too Many Requests: retry after 7","parameters":{"retry_after":7}}`
	_, err := notify(t.Context(), b.settings(), alert())
	if again, ok := errors.AsType[*sdk.RetryError](err); !ok || again.After != 7*time.Second {
		t.Errorf("%#v", err)
	}
}

func TestWrongTokenIsFinalAndNotTold(t *testing.T) {
	b := newAPI(t)
	s := b.settings()
	s.Token = "999:secret-secret"
	_, err := notify(t.Context(), s, alert())
	if _, ok := errors.AsType[*sdk.RejectError](err); !ok || strings.Contains(err.Error(), "secret") || !strings.Contains(err.Error(), "BotFather") {
		t.Error(err)
	}
	b.Close()
	if _, err := notify(t.Context(), s, alert()); err == nil || strings.Contains(err.Error(), "secret") {
		t.Error(err)
	}
}

func TestChatIsFound(t *testing.T) {
	b := newAPI(t)
	s := b.settings()
	s.Chat = ""
	b.answer["getUpdates"] = `{"ok":true,"result":[]}`
	if err := check(t.Context(), s); err == nil || !strings.Contains(err.Error(), "write something to the bot") {
		t.Error(err)
	}
	b.answer["getUpdates"] = `{"ok":true,"result":[{"update_id":1,"message":{"chat":{"id":12345,"first_name":"Anna","type":"private"}}},
		{"update_id":2,"message":{"chat":{"id":12345,"first_name":"Anna","type":"private"}}},
		{"update_id":3,"my_chat_member":{"chat":{"id":-100777,"title":"House","type":"supergroup"}}}]}`
	err := check(t.Context(), s)
	if err == nil || !strings.HasSuffix(err.Error(), ": 12345 (Anna), -100777 (House)") {
		t.Error(err)
	}
	if _, err := notify(t.Context(), s, alert()); err == nil || !strings.Contains(err.Error(), "12345 (Anna)") {
		t.Error(err)
	}
	s.Chat = "12345"
	if err := check(t.Context(), s); err != nil || b.last().method != "getChat" {
		t.Error(err, b.last())
	}
}

func TestGroupThatMoved(t *testing.T) {
	b := newAPI(t)
	b.answer["sendPhoto"] = `{"ok":false,"error_code":400,"description":"Bad Request: group chat was upgraded to a supergroup chat","parameters":{"migrate_to_chat_id":-1001}}`
	if _, err := notify(t.Context(), b.settings(), alert()); err == nil || !strings.HasSuffix(err.Error(), "set chat_id to -1001") {
		t.Error(err)
	}
}

func TestLongTextsFit(t *testing.T) {
	a := alert()
	for _, text := range []string{strings.Repeat("ä", 5000), strings.Repeat("🚪", 5000), strings.Repeat("<", 5000)} {
		for _, title := range []string{"", "T", text} {
			a.Title, a.Text = title, text
			shown := strings.NewReplacer("<b>", "", "</b>", "", "&lt;", "<").Replace(message(a, maxCaption))
			if n := len(utf16.Encode([]rune(shown))); n > maxCaption || n < maxCaption-3 || strings.ContainsRune(shown, '\uFFFD') {
				t.Errorf("%d units", n)
			}
		}
	}
}
