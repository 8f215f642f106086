package sdk

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"slices"

	"github.com/espcam-bridge/espcam-bridge/plugins/pluginpb"
)

// program is a Plugin whose type of settings is behind functions.
type program struct {
	description *pluginpb.Description
	decode      func(settings []byte, secrets map[string]string) (any, []*pluginpb.Problem)
	notify      func(context.Context, any, Alert) (Receipt, error) // nil: it has not this role
	detect      func(context.Context, any, Picture) ([]Detection, error)
	deliver     func(context.Context, any, Event) error
	check       func(context.Context, any) error // these three may be nil
	validate    func(context.Context, any) error
	start       func(context.Context, any) error
}

// compile checks what the author wrote and turns it into a program.
func compile[S any](p Plugin[S]) (program, error) {
	t := reflect.TypeFor[S]()
	fields, err := fieldsOf(t)
	if err != nil {
		return program{}, err
	}
	d, err := describe(p, fields)
	if err != nil {
		return program{}, err
	}
	return program{
		description: d,
		decode: func(settings []byte, secrets map[string]string) (any, []*pluginpb.Problem) {
			return decode(t, fields, settings, secrets)
		},
		notify:   with2(p.Notify),
		detect:   with2(p.Detect),
		deliver:  with1(p.Deliver),
		check:    with0(p.Check),
		validate: with0(p.Validate),
		start:    with0(p.Start),
	}, nil
}

func with2[S, In, Out any](f func(context.Context, *S, In) (Out, error)) func(context.Context, any, In) (Out, error) {
	if f == nil {
		return nil
	}
	return func(ctx context.Context, s any, in In) (Out, error) { return f(ctx, s.(*S), in) }
}

func with1[S, In any](f func(context.Context, *S, In) error) func(context.Context, any, In) error {
	if f == nil {
		return nil
	}
	return func(ctx context.Context, s any, in In) error { return f(ctx, s.(*S), in) }
}

func with0[S any](f func(context.Context, *S) error) func(context.Context, any) error {
	if f == nil {
		return nil
	}
	return func(ctx context.Context, s any) error { return f(ctx, s.(*S)) }
}

func describe[S any](p Plugin[S], fields []field) (*pluginpb.Description, error) {
	d := &pluginpb.Description{
		Name: p.Name, Version: p.Version, Summary: p.Summary, Sdk: "go/" + Version, Permissions: p.Permissions,
	}
	for _, f := range fields {
		d.Fields = append(d.Fields, f.Field)
	}
	if p.Notify != nil {
		d.Roles = append(d.Roles, pluginpb.Role_ROLE_NOTIFIER)
		d.Notifier = &pluginpb.NotifierTraits{
			WantsPicture: !p.Notifier.NoPicture, MaxPictureBytes: uint64(max(p.Notifier.MaxPicture, 0)), CanEdit: p.Notifier.CanEdit,
		}
	}
	if p.Detect != nil {
		d.Roles = append(d.Roles, pluginpb.Role_ROLE_DETECTOR)
		d.Detector = &pluginpb.DetectorNeeds{
			MaxFps: p.Detector.MaxFPS, MaxWidth: uint32(max(p.Detector.MaxWidth, 0)), Labels: p.Detector.Labels, Stateful: p.Detector.Stateful,
		}
	}
	if p.Deliver != nil {
		d.Roles = append(d.Roles, pluginpb.Role_ROLE_SINK)
	}
	return d, wellFormed(d)
}

// wellFormed tells the author what is missing.
func wellFormed(d *pluginpb.Description) error {
	switch {
	case !regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,31}$`).MatchString(d.GetName()):
		return fmt.Errorf("the plugin's Name %q must be [a-z0-9][a-z0-9-]{0,31}", d.GetName())
	case d.GetVersion() == "":
		return errors.New("the plugin needs a Version, such as 1.0.0")
	case len(d.GetRoles()) == 0:
		return errors.New("the plugin needs at least one of Notify, Detect and Deliver")
	}
	known := []string{"snapshot", "frames", "command", "publish"}
	for _, p := range d.GetPermissions() {
		if !slices.Contains(known, p) {
			return fmt.Errorf("the permission %q is none of %v%s", p, known, suggestion(p, known))
		}
	}
	return nil
}
