package redact

// at masks an e-mail address (RFC 5321, as people write it) around an @, and the
// password of user:password@tcp(host).
func (p *pass) at() {
	b, at := p.b, p.i
	p.i++
	if p.masked(at) {
		return
	}
	from := at
	for from > 0 && at-from < 64 && isLocal(b[from-1]) {
		from--
	}
	p.steps += at - from
	if hasFold(b[at:], "@tcp(") || hasFold(b[at:], "@unix(") || p.thin(at) {
		p.dsn(at)
		return
	}
	for from < at && (b[from] == '.' || b[from] == '\'' || b[from] == '-') {
		from++
	}
	quoted := from == at && at > 2 && b[at-1] == '"'
	if quoted {
		for from = at - 2; from > 0 && at-from < 64 && b[from] != '"'; {
			from--
		}
	}
	if from == at {
		return
	}
	to, dots, label := at+1, 0, at+1
	for to < len(b) && to-at < 255 && (isAlnum(b[to]) || b[to] == '-' || b[to] == '.' || b[to] >= 0x80) {
		if b[to] == '.' {
			if !isAlnum(p.byteAt(to+1)) && p.byteAt(to+1) < 0x80 {
				break
			}
			dots++
			label = to + 1
		}
		to++
	}
	p.steps += to - at
	for to > at && b[to-1] == '-' {
		to--
	}
	if dots == 0 || to-label < 2 || !topLevel(b[label:to]) {
		return
	}
	if equalFold(b[from:at], "git") && p.byteAt(to) != ' ' && p.byteAt(to) != 0 {
		return // git@host:path
	}
	p.mask(from, to)
}

func isLocal(c byte) bool {
	return isAlnum(c) || c == '.' || c == '_' || c == '+' || c == '-' || c == '\'' || c >= 0x80 || c == '#' || c == '!' || c == '~' || c == '*'
}

// topLevel says whether a last label can be a top-level domain; unit names of
// systemd look like addresses and are none.
func topLevel(label []byte) bool {
	if hasFold(label, "xn--") {
		return true
	}
	for _, c := range label {
		if !isLetter(c) && c < 0x80 {
			return false
		}
	}
	for _, unit := range [...]string{"service", "socket", "timer", "target", "mount", "scope", "slice"} {
		if equalFold(label, unit) {
			return false
		}
	}
	return true
}

// thin says of jdbc:oracle:thin:user/password@host.
func (p *pass) thin(at int) bool {
	from := max(0, at-100)
	for i := at - 1; i > from; i-- {
		if isSpace(p.b[i]) {
			return false
		}
		if p.b[i] == ':' && hasFold(p.b[max(0, i-4):], "thin:") {
			return true
		}
	}
	return false
}

// dsn masks between the user's name and the @.
func (p *pass) dsn(at int) {
	for i := at - 1; i >= 0 && at-i < 128 && !isSpace(p.b[i]) && !isQuote(p.b[i]); i-- {
		if (p.b[i] == ':' || p.b[i] == '/') && i+1 < at {
			if !placeholder(p.b[i+1 : at]) {
				p.mask(i+1, at)
			}
			return
		}
	}
}

// url masks what the authority of a URL (RFC 3986, 3.2) hides, and secret paths.
func (p *pass) url() {
	b, from := p.b, p.i+3
	scheme := p.i
	for scheme > 0 && p.i-scheme < 24 && (isAlnum(b[scheme-1]) || b[scheme-1] == '+' || b[scheme-1] == '.' || b[scheme-1] == '-') {
		scheme--
	}
	web := hasFold(b[scheme:], "http") || hasFold(b[scheme:], "ws")
	p.i = from
	at, colon, end := -1, -1, from
	for end < len(b) && end-from < 512 {
		c := b[end]
		if isSpace(c) || isQuote(c) || c == '<' || c == '>' || c == '?' && at < 0 && web || c == '#' && web || c == ',' && at > 0 || (c == '/' && web) || c == '/' && at > 0 {
			break
		}
		if c == '@' {
			at = end
		}
		if c == ':' && colon < 0 && at < 0 {
			colon = end
		}
		end++
	}
	p.steps += end - from
	switch {
	case at > 0 && colon > 0 && colon < at:
		if !placeholder(b[colon+1:at]) && !equalFold(b[from:at], "user:password") { // as documentation writes it
			p.mask(colon+1, at)
		}
		p.i = at + 1
	case at > 0:
		if user := b[from:at]; len(user) >= 16 && opaque(user) && !hasByte(user, '.') {
			p.mask(from, at)
		}
		p.i = at + 1
	default:
		p.webhook(from)
	}
}

// webhook masks URLs whose path is the secret.
func (p *pass) webhook(from int) {
	for _, host := range [...]string{"hooks.slack.com/", "discord.com/api/webhooks/", "discordapp.com/api/webhooks/", "api.telegram.org/bot", "outlook.office.com/webhook/", "hooks.zapier.com/"} {
		if !hasFold(p.b[from:], host) {
			continue
		}
		to := run(p.b, from, 512, func(c byte) bool { return isToken(c) || c == ':' || c == '@' })
		path := from + len(host)
		if to-path >= 16 {
			p.mask(path, to)
		}
		return
	}
}
