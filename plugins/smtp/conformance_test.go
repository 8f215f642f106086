package main

import (
	"os"
	"slices"
	"testing"

	"github.com/emersion/go-smtp"

	"github.com/espcam-bridge/espcam-bridge/plugins/plugintest"
)

// TestMain is the plugin itself where it is started as one.
func TestMain(m *testing.M) {
	if os.Getenv("ESPCAM_PLUGIN") != "" {
		main()
	}
	os.Exit(m.Run())
}

// mailbox is the sink as the kit's upstream.
type mailbox struct{ *sink }

func (m mailbox) Fill(settings map[string]any, secrets map[string]string) {
	settings["host"], settings["port"] = m.host, m.port
	secrets["password"] = "pass"
}

// Answer: for a mail server, broken is 451 and denied 550.
func (m mailbox) Answer(a plugintest.Answer) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.hold != nil {
		close(m.hold)
		m.hold = nil
	}
	m.refuse = nil
	switch a {
	case plugintest.AnswerSlow:
		m.hold = make(chan struct{})
	case plugintest.AnswerBroken:
		m.refuse = &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 3, 0}, Message: "broken"}
	case plugintest.AnswerDenied:
		m.refuse = &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 7, 1}, Message: "denied"}
	}
}

func (m mailbox) Messages() [][]byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.log)
}

func TestConformance(t *testing.T) {
	k := newSink(t, "starttls")
	plugintest.Run(t, plugintest.Target{
		Command:  []string{os.Args[0]},
		Settings: map[string]any{"insecure": true, "username": "me"},
		Bad:      map[string]any{"encryption": "rot13", "from": "nobody", "to": []string{"nowhere"}, "port": 70000},
		Upstream: mailbox{k},
	})
}
