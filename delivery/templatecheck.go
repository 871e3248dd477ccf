package delivery

import (
	"encoding/json"
	"fmt"
	"text/template"
	"text/template/parse"
)

// checkTemplate finds, before the first transaction does, members that no transaction has, and templates that are not defined. What is
// inside of a payload only the transactions know.
func checkTemplate(t *template.Template) error {
	for _, each := range t.Templates() {
		if each.Tree == nil || each.Root == nil {
			continue
		}
		w := walker{t, each == t || each.Name() == t.Name()}
		if err := w.list(each.Root, w.whole); err != nil {
			return err
		}
	}
	return nil
}

// walker goes through a tree; in the whole one, and not in those that are defined inside, $ is the call's data.
type walker struct {
	t     *template.Template
	whole bool
}

// list is with dot being the call's data, or not.
func (w walker) list(l *parse.ListNode, dot bool) error {
	if l == nil {
		return nil
	}
	for _, n := range l.Nodes {
		if err := w.node(n, dot); err != nil {
			return err
		}
	}
	return nil
}

func (w walker) node(n parse.Node, dot bool) error {
	switch n := n.(type) {
	case *parse.ActionNode:
		return w.pipe(n.Pipe, dot)
	case *parse.IfNode:
		return w.branch(&n.BranchNode, dot, dot)
	case *parse.RangeNode:
		return w.branch(&n.BranchNode, false, dot)
	case *parse.WithNode:
		return w.branch(&n.BranchNode, false, dot)
	case *parse.TemplateNode:
		if other := w.t.Lookup(n.Name); other == nil || other.Tree == nil {
			return fmt.Errorf("%s: %q is not defined", w.t.Name(), n.Name)
		}
		return w.pipe(n.Pipe, dot)
	case *parse.PipeNode:
		return w.pipe(n, dot)
	case *parse.ChainNode:
		return w.node(n.Node, dot)
	case *parse.FieldNode:
		if dot {
			return w.member(n.Ident)
		}
	case *parse.VariableNode:
		if w.whole && n.Ident[0] == "$" && len(n.Ident) > 1 {
			return w.member(n.Ident[1:])
		}
	}
	return nil
}

func (w walker) branch(n *parse.BranchNode, inside, otherwise bool) error {
	if err := w.pipe(n.Pipe, otherwise); err != nil {
		return err
	}
	if err := w.list(n.List, inside); err != nil {
		return err
	}
	return w.list(n.ElseList, otherwise)
}

func (w walker) pipe(p *parse.PipeNode, dot bool) error {
	if p == nil {
		return nil
	}
	for _, c := range p.Cmds {
		for _, n := range c.Args {
			if err := w.node(n, dot); err != nil {
				return err
			}
		}
	}
	return nil
}

// member is a path such as .payload.lines; its beginning is known.
func (w walker) member(path []string) error {
	first, known := example[path[0]]
	if !known {
		return fmt.Errorf("%s: a transaction has no .%s", w.t.Name(), path[0])
	}
	switch first.(type) {
	case map[string]any, json.Number: // a number has methods
	default:
		if len(path) > 1 {
			return fmt.Errorf("%s: .%s has no members", w.t.Name(), path[0])
		}
	}
	return nil
}
