package main

import (
	"bytes"
	"encoding/base64"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"strings"
	"testing"

	"github.com/emersion/go-smtp"

	"github.com/espcam-bridge/espcam-bridge/plugins/sdk"
)

func (k *sink) settings(encryption string) *settings {
	return &settings{
		Host: k.host, Port: k.port, Encryption: encryption, Insecure: true, Username: "me", Password: "pass",
		From: "Cameras <cameras@example.org>", To: []string{"a@example.org", "B <b@example.org>"},
	}
}

func alert() sdk.Alert {
	return sdk.Alert{
		Event: sdk.Event{ID: "01jd8v3k9m2xq", Camera: sdk.Camera{ID: "porch", Name: "Front porch"}, JPEG: bytes.Repeat([]byte{0xff, 0xd8, 0x00}, 5000)},
		Title: "Bewegung an der Tür\r\nBcc: evil@example.org", Text: "Zeile <1>\nZeile 2", Priority: 5, URL: "http://bridge.local/",
		Actions: []sdk.Action{{Label: "Licht", URL: "http://bridge.local/light"}},
	}
}

// leaves takes a mail's body apart: decoded content by type.
func leaves(t *testing.T, contentType, encoding string, body io.Reader) map[string]string {
	t.Helper()
	kind, params, err := mime.ParseMediaType(contentType)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	if !strings.HasPrefix(kind, "multipart/") {
		switch encoding {
		case "base64":
			body = base64.NewDecoder(base64.StdEncoding, body)
		case "quoted-printable":
			body = quotedprintable.NewReader(body)
		}
		text, err := io.ReadAll(body)
		if err != nil {
			t.Fatal(err)
		}
		out[kind] = strings.ReplaceAll(string(text), "\r\n", "\n")
		return out
	}
	out[kind] = "there"
	for r := multipart.NewReader(body, params["boundary"]); ; {
		p, err := r.NextRawPart()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		if id := p.Header.Get("Content-Id"); id != "" {
			out["id"] = id
		}
		for name, text := range leaves(t, p.Header.Get("Content-Type"), p.Header.Get("Content-Transfer-Encoding"), p) {
			out[name] = text
		}
	}
}

func parse(t *testing.T, r received) (mail.Header, map[string]string) {
	t.Helper()
	m, err := mail.ReadMessage(bytes.NewReader(r.text))
	if err != nil {
		t.Fatal(err)
	}
	return m.Header, leaves(t, m.Header.Get("Content-Type"), m.Header.Get("Content-Transfer-Encoding"), m.Body)
}

func TestMailWithPicture(t *testing.T) {
	for _, encryption := range []string{"none", "starttls", "tls"} {
		t.Run(encryption, func(t *testing.T) {
			k := newSink(t, encryption)
			s, a := k.settings(encryption), alert()
			if err := check(t.Context(), s); err != nil || k.logins != 1 || len(k.received()) != 0 {
				t.Fatalf("check: %v, %d logins", err, k.logins)
			}
			receipt, err := notify(t.Context(), s, a)
			if err != nil {
				t.Fatal(err)
			}
			got := k.received()[0]
			if got.from != "cameras@example.org" || strings.Join(got.to, " ") != "a@example.org b@example.org" || got.user != "me" {
				t.Errorf("%s -> %s as %q", got.from, got.to, got.user)
			}
			header, parts := parse(t, got)
			subject, err := new(mime.WordDecoder).DecodeHeader(header.Get("Subject"))
			if err != nil || subject != "Bewegung an der Tür Bcc: evil@example.org" || header.Get("Bcc") != "" {
				t.Errorf("%v: subject %q, headers %v", err, subject, header)
			}
			if header.Get("Importance") != "high" || header.Get("Message-Id") != receipt.Handle {
				t.Errorf("headers %v, handle %q", header, receipt.Handle)
			}
			if parts["image/jpeg"] != string(a.JPEG) || parts["id"] != "<picture>" || parts["multipart/alternative"] == "" || parts["multipart/related"] == "" {
				t.Errorf("%d bytes of picture with id %s in %d parts", len(parts["image/jpeg"]), parts["id"], len(parts))
			}
			if !strings.Contains(parts["text/html"], `<img src="cid:picture"`) || !strings.Contains(parts["text/html"], "Zeile &lt;1&gt;") {
				t.Errorf("HTML %s", parts["text/html"])
			}
			if parts["text/plain"] != "Zeile <1>\nZeile 2\n\nhttp://bridge.local/\nLicht: http://bridge.local/light\n" {
				t.Errorf("text %q", parts["text/plain"])
			}
		})
	}
}

func TestEventIsOneConversation(t *testing.T) {
	k := newSink(t, "none")
	s, a := k.settings("none"), alert()
	a.JPEG, a.Priority = nil, 3
	first, err := notify(t.Context(), s, a)
	if err != nil {
		t.Fatal(err)
	}
	a.Handle = first.Handle
	if next, err := notify(t.Context(), s, a); err != nil || next.Handle != first.Handle {
		t.Fatal(next, err)
	}
	header, parts := parse(t, k.received()[1])
	if header.Get("In-Reply-To") != first.Handle || header.Get("References") != first.Handle || header.Get("Message-Id") == first.Handle {
		t.Errorf("headers %v", header)
	}
	if parts["image/jpeg"] != "" || strings.Contains(parts["text/html"], "<img") {
		t.Error("there is no picture")
	}
}

func TestWhatIsFinal(t *testing.T) {
	final := func(err error) bool { _, ok := errors.AsType[*sdk.RejectError](err); return ok }
	k := newSink(t, "starttls")
	s := k.settings("starttls")
	s.Password = "wrong-password"
	_, err := notify(t.Context(), s, alert())
	if !final(err) || strings.Contains(err.Error(), "wrong-password") {
		t.Errorf("wrong password: %v", err)
	}
	s = k.settings("starttls")
	s.Insecure = false
	if _, err = notify(t.Context(), s, alert()); !final(err) || !strings.Contains(err.Error(), "set insecure") {
		t.Errorf("certificate of nobody: %v", err)
	}
	k.refuse = &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "no such user"}
	if _, err = notify(t.Context(), k.settings("starttls"), alert()); !final(err) || !strings.Contains(err.Error(), "no such user") {
		t.Errorf("unknown recipient: %v", err)
	}
	k.refuse = &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 7, 1}, Message: "greylisted"}
	if _, err = notify(t.Context(), k.settings("starttls"), alert()); err == nil || final(err) {
		t.Errorf("greylisting: %v", err)
	}
	s = newSink(t, "none").settings("starttls")
	if _, err = notify(t.Context(), s, alert()); err == nil || !strings.Contains(err.Error(), "STARTTLS") {
		t.Errorf("no STARTTLS there: %v", err)
	}
	s.Port = 1
	if _, err = notify(t.Context(), s, alert()); err == nil || final(err) {
		t.Errorf("nobody there: %v", err)
	}
}

func TestAddresses(t *testing.T) {
	if err := validate(t.Context(), &settings{From: "no address", To: []string{"also none"}}); err == nil {
		t.Error("these are no addresses")
	}
	if err := validate(t.Context(), (&sink{}).settings("none")); err != nil {
		t.Error(err)
	}
}
