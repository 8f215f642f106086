package wording

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"text/template"
	"text/template/parse"
)

// UnknownError says that a template names what is not there.
type UnknownError struct {
	Name  string   // such as .Camra.Name
	Known []string // all that are
}

func (e *UnknownError) Error() string {
	return fmt.Sprintf("has %s, which is not known: there are %s", e.Name, strings.Join(e.Known, ", "))
}

// check walks over a template before it runs: branches that no sample takes are
// looked at too, and what could go on for ever is refused.
func check(t *template.Template) error {
	for _, one := range t.Templates() {
		if one.Name() != t.Name() {
			return errors.New("must not define templates of its own")
		}
	}
	c := checker{variables: map[string]reflect.Type{"$": reflect.TypeFor[Fields]()}}
	return c.list(t.Root, reflect.TypeFor[Fields]())
}

// checker knows the type of each variable; nil means that it could be anything.
type checker struct {
	variables map[string]reflect.Type
	ranging   bool
}

// list checks nodes where the dot has that type; nil means any.
func (c *checker) list(l *parse.ListNode, dot reflect.Type) error {
	if l == nil {
		return nil
	}
	for _, n := range l.Nodes {
		if err := c.node(n, dot); err != nil {
			return err
		}
	}
	return nil
}

func (c *checker) node(n parse.Node, dot reflect.Type) error {
	switch n := n.(type) {
	case *parse.ActionNode:
		_, err := c.pipe(n.Pipe, dot)
		return err
	case *parse.IfNode:
		return c.branch(&n.BranchNode, dot, func(reflect.Type) reflect.Type { return dot })
	case *parse.WithNode:
		return c.branch(&n.BranchNode, dot, func(t reflect.Type) reflect.Type { return t })
	case *parse.RangeNode:
		return c.loop(n, dot)
	case *parse.TemplateNode:
		return errors.New("must not call templates")
	}
	return nil // text, comments, break, continue
}

func (c *checker) branch(n *parse.BranchNode, dot reflect.Type, inside func(reflect.Type) reflect.Type) error {
	t, err := c.pipe(n.Pipe, dot)
	if err == nil {
		err = c.list(n.List, inside(t))
	}
	if err == nil {
		err = c.list(n.ElseList, dot)
	}
	return err
}

// loop allows a range over a list of the fields, which is short.
func (c *checker) loop(n *parse.RangeNode, dot reflect.Type) error {
	t, err := c.pipe(n.Pipe, dot)
	switch {
	case err != nil:
		return err
	case c.ranging:
		return errors.New("must not have a range within a range")
	case t == nil || t.Kind() != reflect.Slice:
		return fmt.Errorf("has a range over what is no list: the lists are %s", strings.Join(lists(), ", "))
	}
	if d := n.Pipe.Decl; len(d) > 0 {
		c.variables[d[len(d)-1].Ident[0]] = t.Elem()
	}
	if d := n.Pipe.Decl; len(d) == 2 {
		c.variables[d[0].Ident[0]] = reflect.TypeFor[int]()
	}
	c.ranging = true
	err = c.list(n.List, t.Elem())
	c.ranging = false
	if err == nil {
		err = c.list(n.ElseList, dot)
	}
	return err
}

func lists() []string {
	var out []string
	for i, t := 0, reflect.TypeFor[Fields](); i < t.NumField(); i++ {
		if t.Field(i).Type.Kind() == reflect.Slice {
			out = append(out, "."+t.Field(i).Name)
		}
	}
	return out
}

// pipe checks a pipeline and returns its type, nil if that is not known.
func (c *checker) pipe(p *parse.PipeNode, dot reflect.Type) (reflect.Type, error) {
	var last reflect.Type
	for _, cmd := range p.Cmds {
		for i, arg := range cmd.Args {
			t, err := c.argument(arg, dot)
			if err != nil {
				return nil, err
			}
			if i == 0 {
				last = t
			}
		}
	}
	for _, v := range p.Decl {
		if p.IsAssign && last != c.variables[v.Ident[0]] {
			last = nil
		}
		c.variables[v.Ident[0]] = last
	}
	return last, nil
}

func (c *checker) argument(n parse.Node, dot reflect.Type) (reflect.Type, error) {
	switch n := n.(type) {
	case *parse.DotNode:
		return dot, nil
	case *parse.FieldNode:
		return follow(dot, n.Ident, n.String())
	case *parse.VariableNode:
		return follow(c.variables[n.Ident[0]], n.Ident[1:], strings.Replace(n.String(), "$.", ".", 1))
	case *parse.ChainNode:
		t, err := c.argument(n.Node, dot)
		if err != nil {
			return nil, err
		}
		return follow(t, n.Field, "."+strings.Join(n.Field, "."))
	case *parse.PipeNode:
		return c.pipe(n, dot)
	case *parse.IdentifierNode:
		if known := Functions(); !slices.Contains(known, n.Ident) {
			return nil, &UnknownError{Name: n.Ident, Known: known}
		}
	}
	return nil, nil
}

// follow returns the type that the names lead to.
func follow(t reflect.Type, path []string, shown string) (reflect.Type, error) {
	for _, name := range path {
		if t == nil {
			return nil, nil // the samples tell
		}
		next, ok := member(t, name)
		if !ok {
			return nil, &UnknownError{Name: shown, Known: Names()}
		}
		t = next
	}
	return t, nil
}

func member(t reflect.Type, name string) (reflect.Type, bool) {
	if m, ok := t.MethodByName(name); ok {
		return m.Type.Out(0), true
	}
	if t.Kind() != reflect.Struct {
		return nil, false
	}
	f, ok := t.FieldByName(name)
	return f.Type, ok && f.IsExported()
}
