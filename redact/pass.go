package redact

import (
	"cmp"
	"slices"
)

// pass is the second look at one line.
type pass struct {
	s     *Scanner
	view  view
	b     []byte // view.b
	i     int
	spans []span
	// names are the last words and where they stand, for names of several words.
	names [3]place
	// about is what the words so far say of the next number.
	about about
	// pending is what a name=… said of the value=… that follows.
	pending    kind
	pendingEnd int
	// own is set while the value of a configured key is looked at.
	own bool
	// inserting is set while the values of an INSERT are looked at: none stands in another's.
	inserting bool
	steps     int
}

type place struct{ from, to int }

// about is a context for numbers.
type about struct {
	kind kind
	end  int  // of the word that said so
	weak bool // other words stand between
	used bool
}

// span is what is masked, in offsets of the source.
type span struct {
	from, to int
	keep     [4]byte // the last four digits of a card
	card     bool
	quote    bool // what is masked was a bare JSON value
}

// aboutWithin is how far a word speaks for a number.
const aboutWithin = 40

func (p *pass) run(dst, line []byte) []byte {
	p.view.reset(line)
	p.b, p.i, p.steps = p.view.b, 0, 0
	p.spans, p.names, p.about, p.pending = p.spans[:0], [3]place{}, about{}, kindNone
	for p.i < len(p.b) {
		p.steps++
		p.step(p.b[p.i])
	}
	slices.SortFunc(p.spans, func(a, b span) int {
		return cmp.Or(cmp.Compare(a.from, b.from), cmp.Compare(b.to, a.to))
	})
	return p.write(dst, line)
}

func (p *pass) step(c byte) {
	switch {
	case isLetter(c) || c == '_' || c >= 0x80:
		p.word()
	case isDigit(c), (c == '+' || c == '(') && p.i+1 < len(p.b) && (isDigit(p.b[p.i+1]) || p.b[p.i+1] == '+' || p.b[p.i+1] == '('):
		p.number()
	case c == '$':
		if n := tokenAt(p.b, p.i); n > 0 {
			p.mask(p.i, p.i+n)
		} else {
			p.i++
		}
	case c == '@':
		p.at()
	case c == ':' && p.has("://"):
		p.url()
	case c == '-' && p.has("-----begin"):
		p.pem()
	case c == '-' && p.i > 0 && isBlank(p.b[p.i-1]):
		p.option()
	case c == '\n':
		p.about, p.names = about{}, [3]place{}
		p.i++
	default:
		p.i++
	}
}

// has says whether the rest begins with a lower-case text, in any case.
func (p *pass) has(text string) bool { return hasFold(p.b[p.i:], text) }

// byteAt is 0 outside the line.
func (p *pass) byteAt(i int) byte {
	if i < 0 || i >= len(p.b) {
		return 0
	}
	return p.b[i]
}

// mask marks the bytes from from to to, and goes on behind them.
func (p *pass) mask(from, to int) {
	if from >= to {
		return
	}
	p.add(span{from: p.view.source(from), to: p.view.sourceEnd(to - 1), quote: p.bare(from, to)})
	p.i = max(p.i, to)
}

// maskCard keeps the last four digits.
func (p *pass) maskCard(from, to int) {
	s := span{from: p.view.source(from), to: p.view.sourceEnd(to - 1), card: true, quote: p.bare(from, to)}
	k := 3
	for i := to - 1; i >= from && k >= 0; i-- {
		if isDigit(p.b[i]) {
			s.keep[k] = p.b[i]
			k--
		}
	}
	p.add(s)
	p.i = max(p.i, to)
}

func (p *pass) add(s span) { p.spans = append(p.spans, s) }

// bare says whether a value stands in JSON without quotes: a number, which has
// to become a text to stay valid.
func (p *pass) bare(from, to int) bool {
	if !isDigit(p.b[from]) && p.b[from] != '-' {
		return false
	}
	i := from - 1
	for i >= 0 && isSpace(p.b[i]) && i > from-4 {
		i--
	}
	if p.byteAt(i) != ':' || p.byteAt(i-1) != '"' || p.view.width(i-1) != 1 {
		return false
	}
	next := p.byteAt(to)
	return next == ',' || next == '}' || next == ']' || isSpace(next) || next == 0
}

// masked says whether position i is in a span already.
func (p *pass) masked(i int) bool {
	if len(p.spans) == 0 {
		return false
	}
	at := p.view.source(i)
	last := p.spans[len(p.spans)-1]
	return at >= last.from && at < last.to
}
