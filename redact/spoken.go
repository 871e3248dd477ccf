package redact

// spoken masks what follows the name of a secret behind blanks alone: a quoted
// text in SQL, the value of an option, a password in a sentence.
func (p *pass) spoken(start, end, value int) {
	c := p.byteAt(value)
	option := p.byteAt(start-1) == '-'
	name := p.b[start:end]
	wordy := hasSuffixFold(name, "token") || hasSuffixFold(name, "secret") || hasSuffixFold(name, "signature")
	if hasSuffixFold(name, "otp") || hasSuffixFold(name, "code") { // the code is 482913
		p.is(&value)
		if to := run(p.b, value, 11, isDigit); to-value >= 4 && to-value <= 10 && !isAlnum(p.byteAt(to)) {
			p.mask(value, to)
			return
		}
	}
	if hasSuffixFold(name, "key") { // aws configure set aws_secret_access_key …
		if to := run(p.b, value, 512, isToken); to-value >= 20 && opaque(p.b[value:to]) && !uuidAt(p.b, value) {
			p.mask(value, to)
			return
		}
	}
	switch {
	case hasSuffixFold(name, "bearer"):
		p.bearer(value)
	case isQuote(c) && (!wordy || option):
		if to := p.closing(value); !placeholder(p.b[value+1 : min(to, len(p.b))]) {
			p.mask(value+1, to)
		}
	case option && c != '-':
		if to := p.unquoted(value); !placeholder(p.b[value:to]) {
			p.mask(value, to)
		}
	default:
		if p.is(&value) || !wordy {
			if isQuote(p.byteAt(value)) {
				p.mask(value+1, p.closing(value))
				return
			}
			if to := p.unquoted(value); p.mixed(value, to) {
				p.mask(value, to)
			}
		}
	}
}

// is skips a filler such as "is", "was", "of" or "to".
func (p *pass) is(value *int) bool {
	for _, word := range [...]string{"is ", "was ", "= ", ": ", "set to ", "to ", "changed to ", "reset to ", "value ", "is: ", "was: "} {
		if hasFold(p.b[*value:], word) {
			*value += len(word)
			for *value < len(p.b) && isBlank(p.b[*value]) {
				*value++
			}
			return *value < len(p.b)
		}
	}
	return false
}

// mixed says whether a word in a sentence looks like a password: letters and
// digits, or punctuation inside, and no UUID, version or name of a file.
func (p *pass) mixed(from, to int) bool {
	v := p.b[from:to]
	for len(v) > 0 && (v[len(v)-1] == '.' || v[len(v)-1] == ',') {
		v = v[:len(v)-1]
	}
	if len(v) < 5 || len(v) > 128 || uuidAt(v, 0) || placeholder(v) {
		return false
	}
	letters, digits, marks := 0, 0, 0
	for i, c := range v {
		switch {
		case isLetter(c):
			letters++
		case isDigit(c):
			digits++
		case c == '/' || c == '(' || c == ')' || c == '_' || c == '.' || c == '=' || c == '[':
			return false
		case c == '-' || c == ':' || c == '\'' || c == ',':
		default:
			if i > 0 || c != '#' {
				marks++
			}
		}
	}
	return letters > 0 && (digits > 0 || marks > 0)
}

func hasSuffixFold(b []byte, text string) bool {
	return len(b) >= len(text) && hasFold(b[len(b)-len(text):], text)
}

// bearer masks the token behind the word.
func (p *pass) bearer(value int) {
	to := run(p.b, value, valueLimit, isToken)
	p.steps += to - value
	if to-value >= 8 && opaque(p.b[value:to]) {
		p.mask(value, to)
	}
}

// opaque says whether a run looks made by a machine: digits, or both cases.
func opaque(v []byte) bool {
	digits, upper, small := 0, 0, 0
	for i, c := range v {
		switch {
		case isDigit(c):
			digits++
		case isUpper(c) && i > 0:
			upper++
		case isLower(c):
			small++
		}
	}
	return digits > 0 || upper > 0 && small > 0 || len(v) > 24
}

// verb masks what follows words that are no names of secrets by themselves.
func (p *pass) verb(start, end, value int) {
	name := p.b[start:end]
	switch {
	case equalFold(name, "basic"):
		to := run(p.b, value, valueLimit, isToken)
		if to-value >= 8 && opaque(p.b[value:to]) && hasNo(p.b[value:to], "-_.~") {
			p.mask(value, to)
		}
	case equalFold(name, "identified"):
		p.identified(value)
	}
}

func hasNo(b []byte, chars string) bool {
	for i := range len(chars) {
		if hasByte(b, chars[i]) {
			return false
		}
	}
	return true
}

// identified is MySQL's and Oracle's IDENTIFIED [WITH plugin] BY 'password'.
func (p *pass) identified(value int) {
	for i := value; i < min(len(p.b), value+64); i++ {
		if !hasFold(p.b[i:], "by ") || !isBlank(p.byteAt(i-1)) {
			continue
		}
		i += len("by ")
		if hasFold(p.b[i:], "password ") {
			i += len("password ")
		}
		for i < len(p.b) && isBlank(p.b[i]) {
			i++
		}
		if isQuote(p.byteAt(i)) {
			p.mask(i+1, p.closing(i))
		} else {
			p.mask(i, p.unquoted(i))
		}
		return
	}
}

// option masks the values of short options whose meaning the command tells.
func (p *pass) option() {
	b, i := p.b, p.i
	p.i++
	if i+2 >= len(b) || !isLetter(b[i+1]) && b[i+1] != '-' {
		return
	}
	value := i + 2
	for value < len(b) && isBlank(b[value]) && value < i+6 {
		value++
	}
	switch c := b[i+1]; {
	case c == 'u' && isBlank(b[i+2]), hasFold(b[i:], "--user "), hasFold(b[i:], "--auth "):
		if p.command(i, "curl", "wget", "http") {
			if c == '-' {
				value = i + len("--user ")
			}
			p.userPassword(p.word1(value))
		}
	case c == 'p' && isBlank(b[i+2]) && p.command(i, "sshpass", "mongo", "docker login", "az login"), c == 'a' && p.command(i, "redis-cli"), c == 'w' && p.command(i, "ldap"):
		if from, to := p.word1(value); !placeholder(b[from:to]) {
			p.mask(from, to)
		}
	case c == 'p' && !isBlank(b[i+2]) && p.command(i, "mysql", "mariadb"):
		if from, to := p.word1(i + 2); !placeholder(b[from:to]) {
			p.mask(from, to)
		}
	}
}

// word1 is one word of a command line, without its quotes.
func (p *pass) word1(i int) (from, to int) {
	if isQuote(p.byteAt(i)) {
		return i + 1, p.closing(i)
	}
	return i, p.unquoted(i)
}

// userPassword masks what stands behind the colon of user:password.
func (p *pass) userPassword(from, to int) {
	for k := from; k < to; k++ {
		if p.b[k] == ':' && k+1 < to {
			if !placeholder(p.b[k+1 : to]) {
				p.mask(k+1, to)
			}
			return
		}
	}
}

// command says whether one of the programs was named at most 160 bytes before.
func (p *pass) command(i int, names ...string) bool {
	from := max(0, i-160)
	p.steps += i - from
	for k := from; k < i; k++ {
		for _, name := range names {
			if hasFold(p.b[k:i], name) {
				return true
			}
		}
	}
	return false
}
