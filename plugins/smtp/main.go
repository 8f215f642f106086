// Command espcam-plugin-smtp sends alerts as mail through any mail server: text and
// HTML with the picture in it. The bridge starts it.
//
// Mails of one event are one conversation in the reader's mailbox. What the mail
// server refuses for good (5xx), such as a wrong password or an unknown recipient,
// is not tried again; everything else is.
package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"html/template"
	"net/textproto"
	"strings"
	"time"

	"github.com/wneessen/go-mail"

	"github.com/espcam-bridge/espcam-bridge/plugins/sdk"
)

type settings struct {
	Host       string   `json:"host" sdk:"required" help:"The mail server." example:"smtp.example.org"`
	Port       int      `json:"port" min:"0" max:"65535" help:"0: 587 for starttls, 465 for tls, 25 for none."`
	Encryption string   `json:"encryption" choices:"starttls,tls,none" default:"starttls" help:"none is for a server on the same machine."`
	Insecure   bool     `json:"insecure" help:"Do not check the server's certificate: for one of your own in your own network."`
	Username   string   `json:"username" help:"If the server wants one; often the mail address."`
	Password   string   `json:"password" sdk:"secret" help:"The user's password; large providers want one made for this program."`
	From       string   `json:"from" sdk:"required" help:"The sender." example:"Cameras <cameras@example.org>"`
	To         []string `json:"to" sdk:"required" help:"Who gets it." example:"[\"me@example.org\"]"`
}

func main() {
	sdk.Main(sdk.Plugin[settings]{
		Name: "smtp", Version: "1.0.0", Summary: "Sends alerts as mail, with the picture in it.",
		Notify: notify, Validate: validate, Check: check,
		Notifier: sdk.NotifierTraits{MaxPicture: 6 << 20}, // 8 MB in base64: less than most servers take
	})
}

func notify(ctx context.Context, s *settings, a sdk.Alert) (sdk.Receipt, error) {
	m, err := compose(s, a)
	if err != nil {
		return sdk.Receipt{}, sdk.Reject(err)
	}
	c, err := client(s)
	if err != nil {
		return sdk.Receipt{}, sdk.Reject(err)
	}
	thread := a.Handle
	if thread == "" {
		thread = m.GetMessageID()
	}
	return sdk.Receipt{Handle: thread}, judge(c.DialAndSendWithContext(ctx, m))
}

// compose makes the mail. a.Handle is the id of the event's first mail.
func compose(s *settings, a sdk.Alert) (*mail.Msg, error) {
	m := mail.NewMsg()
	if err := errors.Join(m.From(s.From), m.To(s.To...)); err != nil {
		return nil, err
	}
	m.Subject(oneLine(a.Title))
	m.SetMessageID()
	m.SetDate()
	if a.Handle != "" {
		m.SetGenHeader(mail.HeaderInReplyTo, a.Handle)
		m.SetGenHeader(mail.HeaderReferences, a.Handle)
	}
	switch {
	case a.Priority > 3:
		m.SetImportance(mail.ImportanceHigh)
	case a.Priority < 3:
		m.SetImportance(mail.ImportanceLow)
	}
	text, page, err := bodies(a)
	if err != nil {
		return nil, err
	}
	m.SetBodyString(mail.TypeTextPlain, text)
	m.AddAlternativeString(mail.TypeTextHTML, page)
	if len(a.JPEG) > 0 {
		return m, m.EmbedReader(a.Camera.ID+".jpg", bytes.NewReader(a.JPEG), mail.WithFileContentID("<picture>"), mail.WithFileContentType("image/jpeg"))
	}
	return m, nil
}

// oneLine keeps a title from making further headers.
func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }

const page = `<!doctype html><html><body style="font-family:sans-serif">
<h3>{{.Title}}</h3><p style="white-space:pre-line">{{.Text}}</p>
{{if .JPEG}}<p><img src="cid:picture" alt="{{.Camera.Name}}" style="max-width:100%"></p>{{end}}
<p>{{with .URL}}<a href="{{.}}">Look</a> {{end}}{{range .Actions}}<a href="{{.URL}}">{{.Label}}</a> {{end}}</p>
</body></html>`

// bodies are the alert as text and as HTML.
func bodies(a sdk.Alert) (text, html string, err error) {
	lines := []string{a.Text}
	if a.URL != "" {
		lines = append(lines, "", a.URL)
	}
	for _, action := range a.Actions {
		lines = append(lines, action.Label+": "+action.URL)
	}
	t, err := template.New("").Parse(page)
	if err != nil {
		return "", "", err
	}
	var b strings.Builder
	err = t.Execute(&b, a)
	return strings.Join(lines, "\n") + "\n", b.String(), err
}

func client(s *settings) (*mail.Client, error) {
	options := []mail.Option{
		mail.WithTimeout(10 * time.Second),
		mail.WithTLSConfig(&tls.Config{ServerName: s.Host, InsecureSkipVerify: s.Insecure}),
	}
	port, login := 587, mail.SMTPAuthAutoDiscover
	switch s.Encryption {
	case "tls":
		port = 465
		options = append(options, mail.WithSSL())
	case "none":
		port, login = 25, mail.SMTPAuthPlainNoEnc
		options = append(options, mail.WithTLSPolicy(mail.NoTLS))
	default:
		options = append(options, mail.WithTLSPolicy(mail.TLSMandatory))
	}
	if s.Port != 0 {
		port = s.Port
	}
	if s.Username != "" {
		options = append(options, mail.WithSMTPAuth(login), mail.WithUsername(s.Username), mail.WithPassword(s.Password))
	}
	return mail.NewClient(s.Host, append(options, mail.WithPort(port))...)
}

// judge says whether a failure may be over later.
func judge(err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return sdk.Reject(fmt.Errorf("%w; if the server's certificate is your own, set insecure", err))
	}
	code := 0
	if answer, ok := errors.AsType[*textproto.Error](err); ok {
		code = answer.Code
	} else if sent, ok := errors.AsType[*mail.SendError](err); ok {
		code = sent.ErrorCode()
	}
	if code >= 500 {
		return sdk.Reject(err)
	}
	return sdk.Retry(0, err)
}

func validate(_ context.Context, s *settings) error {
	m := mail.NewMsg()
	var problems []error
	if err := m.From(s.From); err != nil {
		problems = append(problems, sdk.Problem("from", "is no mail address: %v", err))
	}
	if err := m.To(s.To...); err != nil {
		problems = append(problems, sdk.Problem("to", "has what is no mail address: %v", err))
	}
	return errors.Join(problems...)
}

// check logs in and sends nothing.
func check(ctx context.Context, s *settings) error {
	c, err := client(s)
	if err != nil {
		return err
	}
	if err := c.DialWithContext(ctx); err != nil {
		return judge(err)
	}
	return c.Close()
}
