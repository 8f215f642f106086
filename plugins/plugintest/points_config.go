package plugintest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/espcam-bridge/espcam-bridge/plugins/launch"
	"github.com/espcam-bridge/espcam-bridge/plugins/pluginpb"
)

func (k *kit) describeTwice(ctx context.Context) (string, error) {
	p, err := k.plugin(ctx)
	if err != nil {
		return "", err
	}
	again, err := describeOf(ctx, p.Plugin()) // the first was before Configure
	if err != nil {
		return "", err
	}
	if !proto.Equal(k.desc, again) {
		return "", fmt.Errorf("it said %v, and after Configure %v", k.desc, again)
	}
	fresh, err := k.start(ctx)
	if err != nil {
		return "", err
	}
	defer fresh.Stop(0)
	other, err := describeOf(ctx, fresh.Plugin())
	if err != nil {
		return "", err
	}
	if !proto.Equal(k.desc, other) {
		return "", fmt.Errorf("it said %v, and in another process %v", k.desc, other)
	}
	return "", nil
}

func (k *kit) fields(ctx context.Context) (string, error) {
	p, err := k.plugin(ctx)
	if err != nil {
		return "", err
	}
	if problems := judge(k.desc); len(problems) > 0 {
		return "", errors.New(strings.Join(problems, "; "))
	}
	if err := k.serves(ctx, p); err != nil {
		return "", err
	}
	return fmt.Sprintf("%d fields", len(k.desc.GetFields())), nil
}

// serves checks that the services are those of the roles.
func (k *kit) serves(ctx context.Context, p *launch.Process) error {
	ctx, cancel := context.WithTimeout(ctx, notifyTime)
	defer cancel()
	for role, call := range map[pluginpb.Role]func() error{
		pluginpb.Role_ROLE_NOTIFIER: func() error { _, err := p.Notifier().Notify(ctx, k.alert(pluginpb.Phase_PHASE_TEST)); return err },
		pluginpb.Role_ROLE_DETECTOR: func() error {
			_, err := p.Detector().Detect(ctx, &pluginpb.DetectRequest{Camera: CameraID, Jpeg: k.picture(0), Width: width, Height: height})
			return err
		},
		pluginpb.Role_ROLE_SINK: func() error { _, err := p.Sink().Deliver(ctx, &pluginpb.DeliverRequest{}); return err },
	} {
		has, missing := k.has(role), status.Code(call()) == codes.Unimplemented
		if has == missing {
			return fmt.Errorf("%s: declared %t, served %t", role, has, !missing)
		}
	}
	return nil
}

// judge says what is wrong with a description.
func judge(d *pluginpb.Description) []string {
	var out []string
	bad := func(ok bool, format string, args ...any) {
		if !ok {
			out = append(out, fmt.Sprintf(format, args...))
		}
	}
	bad(regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,31}$`).MatchString(d.GetName()), "the name %q is not [a-z0-9][a-z0-9-]{0,31}", d.GetName())
	bad(d.GetVersion() != "", "it has no version")
	bad(d.GetSummary() != "", "it has no summary")
	bad(len(d.GetRoles()) > 0 && !slices.Contains(d.GetRoles(), pluginpb.Role_ROLE_UNSPECIFIED), "its roles are %v", d.GetRoles())
	for _, p := range d.GetPermissions() {
		bad(slices.Contains([]string{"snapshot", "frames", "command", "publish"}, p), "there is no permission %q", p)
	}
	names := map[string]bool{}
	for _, f := range d.GetFields() {
		bad(!names[f.GetName()], "two fields have the name %q", f.GetName())
		names[f.GetName()] = true
		for _, problem := range judgeField(f) {
			out = append(out, fmt.Sprintf("field %q %s", f.GetName(), problem))
		}
	}
	return out
}

// secretName matches names of settings that are secrets almost everywhere.
const secretName = `(^|_)(password|passwd|passphrase|secret|token|api_?key|private_key|credentials)$`

func judgeField(f *pluginpb.Field) []string {
	var out []string
	bad := func(ok bool, text string) {
		if !ok {
			out = append(out, text)
		}
	}
	textual := f.GetType() == pluginpb.FieldType_FIELD_TYPE_STRING
	bad(regexp.MustCompile(`^[a-z][a-z0-9_]{0,31}$`).MatchString(f.GetName()), "has a name that is not [a-z][a-z0-9_]{0,31}")
	bad(f.GetType() != pluginpb.FieldType_FIELD_TYPE_UNSPECIFIED, "has no type")
	bad(f.GetHelp() != "", "has no help")
	bad(f.GetSecret() || !textual || !regexp.MustCompile(secretName).MatchString(f.GetName()), "looks like a secret and is not marked as one")
	bad(!f.GetSecret() || textual, "is a secret and not a string")
	bad(f.GetMin() <= f.GetMax(), "has a min above its max")
	bad(len(f.GetChoices()) == 0 || textual, "has choices and is no string")
	if f.GetDefaultJson() == "" {
		return out
	}
	var value any
	bad(!f.GetSecret() && !f.GetRequired(), "has a default although it is required or secret")
	bad(json.Unmarshal([]byte(f.GetDefaultJson()), &value) == nil && fits(f, value), "has a default that is not of its type")
	text, _ := value.(string)
	bad(len(f.GetChoices()) == 0 || slices.Contains(f.GetChoices(), text), "has a default that is none of its choices")
	return out
}

// names reports whether one of the problems is about the field.
func names(problems []string, field string) bool {
	return slices.ContainsFunc(problems, func(p string) bool { return strings.Contains(p, field) })
}

func (k *kit) missing(ctx context.Context) (string, error) {
	p, err := k.plugin(ctx)
	if err != nil {
		return "", err
	}
	tried := 0
	for _, f := range k.desc.GetFields() {
		if !f.GetRequired() {
			continue
		}
		tried++
		problems, err := k.configure(ctx, p, without(k.settings, f.GetName()), without(k.secrets, f.GetName()))
		if err != nil {
			return "", err
		}
		if !names(problems, f.GetName()) {
			return "", fmt.Errorf("without %q Configure says %q", f.GetName(), problems)
		}
	}
	if tried == 0 {
		return "", skipped("nothing is required")
	}
	return fmt.Sprintf("%d required", tried), k.reset(ctx)
}

func (k *kit) unknown(ctx context.Context) (string, error) {
	p, err := k.plugin(ctx)
	if err != nil {
		return "", err
	}
	const stranger = "no_such_setting"
	for _, place := range []string{"settings", "secrets"} {
		settings, secrets := k.settings, k.secrets
		if place == "settings" {
			settings = with(settings, stranger, "x")
		} else {
			secrets = maps.Clone(secrets)
			secrets[stranger] = "unknown-secret"
		}
		problems, err := k.configure(ctx, p, settings, secrets)
		if err != nil {
			return "", err
		}
		if !names(problems, stranger) {
			return "", fmt.Errorf("with %q among the %s Configure says %q", stranger, place, problems)
		}
	}
	for name, value := range k.target.Bad {
		problems, err := k.configure(ctx, p, with(k.settings, name, value), without(k.secrets, name))
		if err != nil {
			return "", err
		}
		if len(problems) == 0 {
			return "", fmt.Errorf("it takes %v for %q", value, name)
		}
	}
	return "", k.reset(ctx)
}

func (k *kit) configureTwice(ctx context.Context) (string, error) {
	if err := k.reset(ctx); err != nil {
		return "", err
	}
	if err := k.reset(ctx); err != nil {
		return "", err
	}
	u, ours := k.upstream.(httpUpstream)
	if !ours || !k.notifies() || len(u.urls) == 0 {
		return "", nil
	}
	// Do the new settings hold? They lead elsewhere.
	settings, secrets := maps.Clone(k.settings), maps.Clone(k.secrets)
	httpUpstream{Recorder: k.second, urls: u.urls, lists: u.lists}.Fill(settings, secrets)
	if problems, err := k.configure(ctx, k.current, settings, secrets); err != nil || len(problems) > 0 {
		return "", fmt.Errorf("with another address: %q %v", problems, err)
	}
	a := k.alert(pluginpb.Phase_PHASE_BEGIN)
	if _, err := k.delivered(ctx, k.current, a); err != nil {
		return "", err
	}
	short, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	if err := arrivedSince(short, k.second, 0, []byte(a.GetTitle())); err != nil {
		return "", fmt.Errorf("with new settings it still uses the old ones: %w at the new address", err)
	}
	return "the new settings hold", k.reset(ctx)
}

func (k *kit) check(ctx context.Context) (string, error) {
	p, err := k.plugin(ctx)
	if err != nil {
		return "", err
	}
	for _, answer := range []Answer{AnswerOK, AnswerSlow} {
		k.upstream.Answer(answer)
		for alive, most := range map[bool]time.Duration{true: aliveTime, false: checkTime} {
			short, cancel := context.WithTimeout(ctx, most)
			out, err := p.Plugin().Check(short, &pluginpb.CheckRequest{Alive: alive})
			cancel()
			k.hear(out.GetMessage())
			if err != nil {
				return "", fmt.Errorf("Check (alive %t, slow upstream %t): %w", alive, answer == AnswerSlow, err)
			}
			if out.GetDegraded() && out.GetMessage() == "" {
				return "", errors.New("it is degraded and does not say why")
			}
		}
	}
	return "", nil
}
