package httpapi

import (
	"net/http"
	"time"

	"github.com/espcam-bridge/espcam-bridge/bridge"
)

// This file hands out stream tokens: for programs that show the pictures of some
// cameras, such as Home Assistant, and shall do nothing else. They open the rows
// of the table that are media, and no other.

// streamTokenJSON is a stream token in an answer: of the secret only its
// beginning, but in the answer that makes it.
type streamTokenJSON struct {
	ID      string      `json:"id"`
	Name    string      `json:"name"`
	Role    bridge.Role `json:"role"`
	Cameras []string    `json:"cameras"`
	Masked  string      `json:"masked"`
	Created *time.Time  `json:"created_at"`
	Secret  string      `json:"token,omitempty"`
}

func streamToken(t bridge.StreamToken) streamTokenJSON {
	return streamTokenJSON{ID: t.ID, Name: t.Name, Role: bridge.Viewer, Cameras: t.Cameras, Masked: t.Prefix + "…", Created: instant(t.Created)}
}

func (s *Server) mintStreamToken(w http.ResponseWriter, r *http.Request, v *visit) error {
	var in struct {
		Name    string   `json:"name"`
		Cameras []string `json:"cameras"`
	}
	if err := s.needTokens(); err != nil {
		return err
	}
	if err := decode(w, r, &in); err != nil {
		return err
	}
	ids, err := s.camerasOf(in.Cameras)
	if err != nil {
		return err
	}
	secret, t, err := s.deps.Auth.MintStreamToken(in.Name, ids)
	if err != nil {
		return err
	}
	s.log.Info("stream token minted", "token", t.ID, "cameras", t.Cameras, "name", v.who.Name)
	out := streamToken(t)
	out.Secret = secret // here and never again
	send(w, http.StatusCreated, out)
	return nil
}

// needTokens refuses what is about tokens where nobody needs one.
func (s *Server) needTokens() error {
	if s.cfg.Auth {
		return nil
	}
	return bridge.Errorf(bridge.CodeConflict, "nobody needs a token here: http.auth is false, and the addresses work as they are")
}

// camerasOf returns the ids that the refs mean.
func (s *Server) camerasOf(refs []string) (ids []string, err error) {
	for _, ref := range refs {
		if !validRef(ref) {
			return nil, bridge.Errorf(bridge.CodeInvalid, "%.40q is no camera's id", ref).At("cameras")
		}
		c, err := s.deps.Fleet.Camera(ref)
		if err != nil {
			return nil, err
		}
		ids = append(ids, c.ID)
	}
	return ids, nil
}

func (s *Server) listStreamTokens(w http.ResponseWriter, _ *http.Request, _ *visit) error {
	out := []streamTokenJSON{}
	if s.cfg.Auth {
		for _, t := range s.deps.Auth.StreamTokens() {
			out = append(out, streamToken(t))
		}
	}
	send(w, http.StatusOK, map[string]any{"items": out})
	return nil
}

func (s *Server) revokeStreamToken(w http.ResponseWriter, r *http.Request, v *visit) error {
	if err := s.needTokens(); err != nil {
		return err
	}
	t, err := s.deps.Auth.RevokeStreamToken(r.PathValue("id"))
	if err != nil {
		return err
	}
	s.log.Info("stream token revoked", "token", t.ID, "cameras", t.Cameras, "name", v.who.Name)
	send(w, http.StatusOK, map[string]bool{"ok": true})
	return nil
}
