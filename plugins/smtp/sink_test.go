package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

// sink is a real mail server (go-smtp) that keeps what it gets.
type sink struct {
	t    *testing.T
	host string
	port int

	mu     sync.Mutex
	mails  []received
	logins int
	refuse error         // to recipients
	log    [][]byte      // a line for each mail that was begun, and each mail decoded
	hold   chan struct{} // nil, or closed when mails may go on
}

type received struct {
	from string
	to   []string
	user string
	text []byte
}

// newSink listens on loopback. encryption is as in the settings; a user must log in
// as me with the password pass.
func newSink(t *testing.T, encryption string) *sink {
	t.Helper()
	quiet := log.New(io.Discard, "", 0) // clients that are gone are part of the tests
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	k := &sink{t: t}
	server := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return &session{sink: k}, nil }))
	server.Domain, server.ErrorLog = "sink.test", quiet
	config := &tls.Config{Certificates: []tls.Certificate{certificate(t)}}
	switch encryption {
	case "tls":
		l = tls.NewListener(l, config)
	case "starttls":
		server.TLSConfig = config
	default:
		server.AllowInsecureAuth = true
	}
	done := make(chan error, 1)
	go func() { done <- server.Serve(l) }()
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
		if err := <-done; err != nil && !errors.Is(err, smtp.ErrServerClosed) {
			t.Error(err)
		}
	})
	host, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	k.host = host
	if k.port, err = strconv.Atoi(port); err != nil {
		t.Fatal(err)
	}
	return k
}

// certificate is one that nobody trusts, as home servers have.
func certificate(t *testing.T) tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func (k *sink) received() []received {
	k.mu.Lock()
	defer k.mu.Unlock()
	return append([]received(nil), k.mails...)
}

type session struct {
	sink *sink
	mail received
}

func (s *session) Reset()        { s.mail = received{user: s.mail.user} }
func (s *session) Logout() error { return nil }

func (s *session) AuthMechanisms() []string { return []string{sasl.Plain} }

func (s *session) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		if user != "me" || password != "pass" {
			return smtp.ErrAuthFailed
		}
		s.mail.user = user
		s.sink.mu.Lock()
		s.sink.logins++
		s.sink.mu.Unlock()
		return nil
	}), nil
}

func (s *session) Mail(from string, _ *smtp.MailOptions) error {
	if s.mail.user == "" {
		return smtp.ErrAuthRequired
	}
	s.mail.from = from
	s.sink.mu.Lock()
	s.sink.log = append(s.sink.log, []byte("begun"))
	hold := s.sink.hold
	s.sink.mu.Unlock()
	if hold != nil {
		<-hold
	}
	return nil
}

func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.sink.mu.Lock()
	defer s.sink.mu.Unlock()
	s.mail.to = append(s.mail.to, to)
	return s.sink.refuse
}

func (s *session) Data(r io.Reader) (err error) {
	if s.mail.text, err = io.ReadAll(r); err != nil {
		return err
	}
	header, parts := parse(s.sink.t, s.mail)
	s.sink.mu.Lock()
	defer s.sink.mu.Unlock()
	s.sink.mails = append(s.sink.mails, s.mail)
	s.sink.log = append(s.sink.log, fmt.Appendf(nil, "%s\n%v", header, parts))
	return nil
}
