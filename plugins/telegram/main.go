// Command espcam-plugin-telegram sends alerts to a Telegram chat through a bot:
// picture, text and buttons. The bridge starts it.
//
// An event is one message: later alerts of it change its text and picture. Without
// a chat it tells, on "Check", the ids of those who wrote to the bot. When
// Telegram says to wait, the bridge waits that long. The token is part of every
// address and of no error.
package main

import (
	"context"
	"errors"
	"fmt"
	"html"
	"strconv"
	"strings"
	"unicode/utf16"

	"github.com/espcam-bridge/espcam-bridge/plugins/sdk"
)

type settings struct {
	Token  string `json:"token" sdk:"required,secret" help:"Of your bot, from @BotFather." example:"123456:ABC-DEF"`
	Chat   string `json:"chat_id" help:"Where to send: an id, or @name of a channel. Leave it out, write to the bot, and Check tells the id." example:"123456789"`
	Thread int    `json:"thread_id" help:"Topic within a group that has topics."`
	Silent int    `json:"silent_below" default:"3" min:"1" max:"6" help:"Alerts of a lower priority make no sound."`
	URL    string `json:"url" default:"https://api.telegram.org" help:"The Bot API server, if you run your own."`
}

// Lengths that Telegram allows, in UTF-16 code units.
const (
	maxCaption = 1024
	maxText    = 4096
)

func main() {
	sdk.Main(sdk.Plugin[settings]{
		Name: "telegram", Version: "1.0.0", Summary: "Sends alerts to a Telegram chat, one message per event.",
		Notify: notify, Check: check,
		Notifier: sdk.NotifierTraits{CanEdit: true},
	})
}

func notify(ctx context.Context, s *settings, a sdk.Alert) (sdk.Receipt, error) {
	if s.Chat == "" {
		return sdk.Receipt{}, sdk.Reject(discover(ctx, s))
	}
	h := parseHandle(a.Handle)
	if h.chat == s.Chat {
		err := edit(ctx, s, h, a)
		if refused, ok := errors.AsType[*refusal](err); !ok || refused.Code != 400 {
			return sdk.Receipt{Handle: a.Handle}, err
		}
		sdk.Log(ctx).Info("the message is gone, sending another", "event", a.ID, "err", err)
	}
	h, err := send(ctx, s, a)
	return sdk.Receipt{Handle: h.String()}, err
}

func send(ctx context.Context, s *settings, a sdk.Alert) (handle, error) {
	f := fields{"chat_id": s.Chat, "parse_mode": "HTML", "reply_markup": keyboard(a)}
	if s.Thread != 0 {
		f["message_thread_id"] = strconv.Itoa(s.Thread)
	}
	if a.Priority > 0 && a.Priority < s.Silent {
		f["disable_notification"] = "true"
	}
	method := "sendMessage"
	if len(a.JPEG) > 0 {
		method, f["caption"], f["photo"] = "sendPhoto", message(a, maxCaption), "attach://picture"
	} else {
		f["text"] = message(a, maxText)
	}
	var sent struct {
		ID int64 `json:"message_id"`
	}
	err := callWithButtons(ctx, s, method, f, a.JPEG, &sent)
	return handle{s.Chat, strconv.FormatInt(sent.ID, 10), len(a.JPEG) > 0}, err
}

// edit changes what was sent for the event before. A text never becomes a
// picture: not all servers can do that.
func edit(ctx context.Context, s *settings, h handle, a sdk.Alert) error {
	f := fields{"chat_id": h.chat, "message_id": h.message, "reply_markup": keyboard(a)}
	method, picture := "editMessageText", a.JPEG
	switch {
	case h.photo && len(picture) > 0:
		method = "editMessageMedia"
		f["media"] = encode(map[string]string{"type": "photo", "media": "attach://picture", "caption": message(a, maxCaption), "parse_mode": "HTML"})
	case h.photo:
		method, f["caption"], f["parse_mode"] = "editMessageCaption", message(a, maxCaption), "HTML"
	default:
		f["text"], f["parse_mode"], picture = message(a, maxText), "HTML", nil
	}
	err := callWithButtons(ctx, s, method, f, picture, nil)
	if refused, ok := errors.AsType[*refusal](err); ok && strings.Contains(refused.Description, "message is not modified") {
		return nil
	}
	return err
}

// callWithButtons sends without buttons what Telegram refuses because of them: it
// knows no addresses such as http://bridge/.
func callWithButtons(ctx context.Context, s *settings, method string, f fields, picture []byte, result any) error {
	err := call(ctx, s, method, f, picture, result)
	refused, ok := errors.AsType[*refusal](err)
	if !ok || f["reply_markup"] == "" || !strings.Contains(strings.ToLower(refused.Description), "button") {
		return err
	}
	f["reply_markup"] = ""
	return call(ctx, s, method, f, picture, result)
}

// message is title and text in Telegram's HTML, of at most limit shown units.
func message(a sdk.Alert, limit int) string {
	if a.Title == "" {
		return html.EscapeString(shorten(a.Text, limit))
	}
	title := shorten(a.Title, limit-2)
	text := shorten(a.Text, limit-1-len(utf16.Encode([]rune(title))))
	return strings.TrimSpace("<b>" + html.EscapeString(title) + "</b>\n" + html.EscapeString(text))
}

func shorten(text string, limit int) string {
	units := utf16.Encode([]rune(text))
	if len(units) <= limit {
		return text
	}
	return strings.TrimSuffix(string(utf16.Decode(units[:limit-1])), "\uFFFD") + "…"
}

// keyboard is one row of buttons: to look at it, then the alert's own.
func keyboard(a sdk.Alert) string {
	type button struct {
		Text string `json:"text"`
		URL  string `json:"url"`
	}
	var row []button
	if a.URL != "" {
		row = append(row, button{"Look", a.URL})
	}
	for _, action := range a.Actions {
		row = append(row, button{action.Label, action.URL})
	}
	if row == nil {
		return ""
	}
	return encode(map[string][][]button{"inline_keyboard": {row}})
}

// handle names a message that was sent.
type handle struct {
	chat, message string
	photo         bool
}

func (h handle) String() string { return fmt.Sprintf("%s/%s/%t", h.chat, h.message, h.photo) }

func parseHandle(text string) handle {
	part := strings.Split(text, "/")
	if len(part) != 3 {
		return handle{}
	}
	return handle{part[0], part[1], part[2] == "true"}
}

// check asks about the chat, which sends nothing.
func check(ctx context.Context, s *settings) error {
	if s.Chat == "" {
		return discover(ctx, s)
	}
	return call(ctx, s, "getChat", fields{"chat_id": s.Chat}, nil, nil)
}
