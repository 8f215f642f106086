package httpapi

import (
	"mime"
	"net/http"
	"strings"
)

// login exchanges a token for a session cookie: JSON for the page, a form for
// browsers without scripts.
func (s *Server) login(w http.ResponseWriter, r *http.Request, v *visit) error {
	var in struct {
		Token string `json:"token"`
	}
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	form := kind == "application/x-www-form-urlencoded"
	if form {
		limitBody(w, r)
		in.Token = r.PostFormValue("token")
	} else if err := decode(w, r, &in); err != nil {
		return err
	}
	if s.cfg.Auth {
		if err := s.openSession(w, r, v, strings.TrimSpace(in.Token)); err != nil {
			return err
		}
	} else if err := s.identify(r, v); err != nil {
		return err
	}
	if form {
		http.Redirect(w, r, v.prefix+"/", http.StatusSeeOther)
		return nil
	}
	return s.me(w, r, v)
}

// openSession sets the session cookie if the token is good.
func (s *Server) openSession(w http.ResponseWriter, r *http.Request, v *visit, token string) error {
	who, err := s.checkToken(v, token)
	if err != nil {
		return err
	}
	value, _, ok := s.deps.Auth.Login(token)
	if !ok {
		return unauthorised(v, "the token is wrong")
	}
	v.who = who
	s.log.Info("logged in", "name", who.Name, "address", v.address)
	http.SetCookie(w, sessionCookie(r, v, value, sessionLife))
	return nil
}

// logout ends the session of the cookie and takes the cookie away.
func (s *Server) logout(w http.ResponseWriter, r *http.Request, v *visit) error {
	if c, err := r.Cookie(cookieName(r, v)); err == nil && s.cfg.Auth {
		if err := s.deps.Auth.Logout(c.Value); err != nil {
			return err
		}
	}
	http.SetCookie(w, sessionCookie(r, v, "", -1))
	send(w, http.StatusOK, map[string]bool{"ok": true})
	return nil
}

// sessionLife is the cookie's, in seconds: that of the session itself.
const sessionLife = 30 * 24 * 60 * 60

func sessionCookie(r *http.Request, v *visit, value string, age int) *http.Cookie {
	return &http.Cookie{
		Name: cookieName(r, v), Value: value, Path: v.prefix + "/", MaxAge: age,
		HttpOnly: true, Secure: v.secure, SameSite: http.SameSiteStrictMode,
	}
}

// cookieName holds the port that the browser called, because ports of one host
// share their cookies.
func cookieName(r *http.Request, v *visit) string {
	host := withPort(r.Host, "0")
	name := "espcam_session_" + host[strings.LastIndexByte(host, ':')+1:]
	if v.secure && v.prefix == "" {
		return "__Host-" + name // browsers then take it from nobody but us
	}
	return name
}

// me says who the caller is.
func (s *Server) me(w http.ResponseWriter, _ *http.Request, v *visit) error {
	send(w, http.StatusOK, map[string]any{"name": v.who.Name, "role": v.who.Role, "auth": s.cfg.Auth})
	return nil
}
