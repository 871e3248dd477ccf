package redact

import (
	"encoding/binary"
	"unicode/utf8"
)

// The classes of bytes at which the first look stops.
const (
	plain uint8 = iota
	control
	beyond // ASCII
	backslash
	percent
	ampersand
	angle
	atSign
	assign // : and =
	open   // ( and [
	digit
	joint // _ - . in which providers' keys show
	lead  // a byte with which a key or a pattern begins
)

// filter is what the first look needs: tables, made once.
type filter struct {
	class [256]uint8
	// tails are the last four letters of names that matter; joints the two bytes before
	// a separator in a provider's prefix, with it; leads the first three of the others.
	tails, shorts, sixes, joints, leads bitset
	// joined are the prefixes with a separator, up to it, by its bits in joints.
	joined map[uint32][]string
	// words stand in text without a separator; grams leads from four bytes to them.
	words []string
	grams [1024]gram
	seen  wideset
}

// wideset is a bitset of 8 KB: hardly a bit is set, so the branch on it is well predicted.
type wideset [1024]uint64

func (s *wideset) add(x uint32)      { h := hash(x) >> 16; s[h>>6] |= 1 << (h & 63) }
func (s *wideset) has(x uint32) bool { h := hash(x) >> 16; return s[h>>6]&(1<<(h&63)) != 0 }

// bitset is a Bloom filter with one hash.
type bitset [256]uint64

func (s *bitset) add(x uint32)      { h := hash(x) >> 18; s[h>>6] |= 1 << (h & 63) }
func (s *bitset) has(x uint32) bool { h := hash(x) >> 18; return s[h>>6]&(1<<(h&63)) != 0 }
func hash(x uint32) uint32          { return x * 0x9e3779b1 }

type gram struct {
	bytes uint32
	word  int16
	at    int16 // offset in the word
}

// stride is how many bytes the search for words goes on at once: no word is
// shorter than stride+3.
const stride = 3

// spokenWords matter without : or = behind them.
var spokenWords = []string{
	"password", "passwort", "passwd", "passphrase", "passcode", "bearer ", "basic ", "identified", "insert", "passport", "license", "licence", "sshpass", "mongo ", "mongosh", "mongodump", "docker login", "az login", "redis-", "mysql ", "mysqldump",
	"mariadb", "curl -", "wget -", "http -", "secret", "ldapsearch", "birth ", "birthd", "born on", "born in", "-----begin", "b3blbnnz", "--token", "token ", "token is", "api-key", "api key", "access key", "access_key", "secret_key", "private_key", "api_key", "access-key", "private-key",
	"private key", "driver", "signature ", "credential", "hooks.slack", "api/webhooks", "contrase", "--pass", " --pwd", "born ja", "born fe", "born ma", "born ap", "born ju", "born au", "born se", "born oc", "born no", "born 0", "born 1", "born 2", "born 3", "born de", "dob ja", "dob fe", "dob ma", "dob ap", "dob ju", "dob au", "dob se", "dob oc", "dob no", "dob de", "verification code", "geboren", "dl no", "dl num", "\"token\"", "'token'", "auth key", "kennwort",
}

func fold4(b []byte) uint32 { return binary.LittleEndian.Uint32(b) | 0x20202020 }
func fold3(a, b, c byte) uint32 {
	return uint32(a) | uint32(b)<<8 | uint32(c)<<16 | 0x202020
}

func newFilter(keys map[string]kind, patterns []pattern) *filter {
	f := &filter{joined: map[uint32][]string{}}
	f.classes()
	tail := func(name string) {
		padded := "  " + name
		x := fold4([]byte(padded[len(padded)-4:]))
		f.tails.add(x)
		if n := len(name); n >= 6 {
			f.sixes.add(six([]byte(name), n))
		} else {
			f.shorts.add(x)
		}
	}
	for _, names := range []map[string]kind{wholeWords, endings, keys} {
		for name, k := range names {
			if k.masks() || (k == kindName || k == kindFiller) && len(name) >= 3 {
				tail(name)
			}
		}
	}
	for name := range trailing {
		if len(name) >= 3 {
			tail(name)
		}
	}
	for _, group := range prefixes {
		for _, p := range group {
			f.prefix(p.text)
		}
	}
	for _, p := range patterns {
		f.class[p.parts[0].lit] = max(f.class[p.parts[0].lit], lead)
	}
	for _, word := range spokenWords {
		if len(word) >= stride+3 {
			f.word(word)
		}
	}
	return f
}

func (f *filter) classes() {
	for c := range f.class {
		switch {
		case c < 0x20 && c != '\t', c == 0x7f:
			f.class[c] = control
		case c >= 0x80:
			f.class[c] = beyond
		case c >= '0' && c <= '9':
			f.class[c] = digit
		}
	}
	for c, class := range map[byte]uint8{
		'\\': backslash, '%': percent, '&': ampersand, '<': angle, '@': atSign, ':': assign, '=': assign, '(': open, '[': open, '_': joint, '-': joint, '.': joint, 'J': lead,
	} {
		f.class[c] = class
	}
}

// prefix finds a provider's key by its first separator, else by its first bytes.
func (f *filter) prefix(text string) {
	for i := 2; i < len(text); i++ {
		if f.class[text[i]] == joint {
			x := fold3(text[i-2], text[i-1], text[i])
			f.joints.add(x)
			f.joined[x] = append(f.joined[x], text[:i+1])
			return
		}
	}
	if isLower(text[0]) {
		return // found by spokenWords, or by the name before it
	}
	if len(text) >= 3 {
		f.leads.add(uint32(text[0]) | uint32(text[1])<<8 | uint32(text[2])<<16)
	}
	if f.class[text[0]] == plain {
		f.class[text[0]] = lead
	}
}

func (f *filter) word(text string) {
	f.words = append(f.words, text)
	for at := range stride {
		g := gram{fold4([]byte(text[at : at+4])), int16(len(f.words) - 1), int16(at)}
		h := hash(g.bytes) >> 22
		for f.grams[h].bytes != 0 {
			h = (h + 1) & 1023
		}
		f.grams[h] = g
		f.seen.add(g.bytes)
	}
}

// spoken looks for words; it looks at every stride-th byte only.
func (f *filter) spoken(b []byte) bool {
	for rest := b; len(rest) >= 4; rest = rest[stride:] {
		if x := binary.LittleEndian.Uint32(rest) | 0x20202020; f.seen.has(x) && f.word4(b, len(b)-len(rest), x) {
			return true
		}
	}
	return false
}

func (f *filter) word4(b []byte, i int, x uint32) bool {
	for h := hash(x) >> 22; f.grams[h].bytes != 0; h = (h + 1) & 1023 {
		if g := f.grams[h]; g.bytes == x {
			if from := i - int(g.at); from >= 0 && hasFold(b[from:], f.words[g.word]) {
				return true
			}
		}
	}
	return false
}

// Clean says that a line holds nothing to mask and nothing to encode. When it
// does not say so, [Scanner.Append] looks closer, and may leave the line as it is.
// It reads each byte a bounded number of times and allocates nothing.
func (s *Scanner) Clean(b []byte) bool { return s.stain(b) < 0 }

// stain is the first place that needs a second look, -1 for none.
func (s *Scanner) stain(b []byte) int {
	f := s.filter
	if f.spoken(b) {
		return 0
	}
	for i := 0; ; {
		for i < len(b) && f.class[b[i]] == plain {
			i++
		}
		if i >= len(b) {
			return -1
		}
		switch class := f.class[b[i]]; class {
		case digit:
			// Most numbers are short and stand alone: a time, a version, a count.
			end := i + 1
			for end < len(b) && isDigit(b[end]) {
				end++
			}
			if end-i < 3 && !goesOn(b, end) && (i == 0 || !isLetter(b[i-1])) && !afterBirth(b, i) {
				i = end
				continue
			}
			next := s.digits(b, i, end)
			if next < 0 {
				return i
			}
			i = next
		case joint:
			if i >= 2 && f.joints.has(fold3(b[i-2], b[i-1], b[i])) && f.keyAt(b, i) {
				return i
			}
			if b[i] == '-' && i >= 8 && i+28 <= len(b) && b[i+5] == '-' && uuidAt(b, i-8) {
				i += 27
			}
			i++
		case assign:
			if i > 0 && f.tailBefore(b, i) && s.assigned(b, i) {
				return i
			}
			i++
		default:
			next := s.stop(class, b, i)
			if next < 0 {
				return i
			}
			i = next
		}
	}
}

// afterBirth finds the day of "dob 17 May 1980".
func afterBirth(b []byte, i int) bool {
	return i >= 4 && b[i-1] == ' ' && b[i-2]|0x20 == 'b' && b[i-3]|0x20 == 'o' && b[i-4]|0x20 == 'd'
}

// goesOn says whether what stands behind a number may make it a part of a longer
// one, or of a word.
func goesOn(b []byte, end int) bool {
	if end == len(b) || !tying[b[end]] {
		return false
	}
	c := b[end]
	if isLetter(c) || c == '_' {
		return true
	}
	return end+1 < len(b) && (isDigit(b[end+1]) || b[end+1] == '(' || c != b[end+1] && (b[end+1] == ' ' || b[end+1] == '-' || b[end+1] == '.'))
}

// tying are the bytes that can stand behind a number that goes on.
var tying = func() (t [256]bool) {
	for c := range t {
		t[c] = isLetter(byte(c)) || c == '_' || c == '-' || c == '.' || c == '/' || c == ')' || c == ' ' || c == '+'
	}
	return t
}()

// tailBefore is the frequent half of [Scanner.assigned]: a name, perhaps a quote, the : or =.
func (f *filter) tailBefore(b []byte, i int) bool {
	k := i - 1
	switch c := b[k]; {
	case isDigit(c) && b[i] == ':' && i+1 < len(b) && isDigit(b[i+1]): // 10:15
		return false
	case c == '"' && k >= 1 && b[k-1] != '\\':
		return f.tail(b, k)
	case isLetter(c):
		return f.tail(b, i)
	}
	return true
}

// stop looks at one byte; it answers where to go on, or -1 for a line that needs
// a second look.
func (s *Scanner) stop(class uint8, b []byte, i int) int {
	at := func(k int) byte {
		if k < 0 || k >= len(b) {
			return 0
		}
		return b[k]
	}
	dirty := false
	switch class {
	case control:
		dirty = true
	case beyond:
		r, width := utf8.DecodeRune(b[i:])
		if n, _, text := visible(r, width); r == utf8.RuneError || forges(r) || n == 0 || n == 1 && text[0] < 0x80 {
			return -1
		}
		return i + width
	case backslash:
		end := i
		for at(end) == '\\' { // a whole run at once: \\u0061 in JSON in JSON
			end++
		}
		switch at(end) {
		case 'u', 'x':
			return -1
		case 'n', 'r', 't':
			end++
		}
		return end
	case percent:
		dirty = isHex(at(i+1)) && isHex(at(i+2))
	case ampersand:
		dirty = reference(b[i:])
	case angle:
		dirty = markup(b, i) || s.tag(b, i+1)
	case atSign:
		dirty = address(b, i)
	case open:
		dirty = isQuote(at(i+1)) && s.tuple(b, i+2)
	case lead:
		dirty = s.begins(b, i)
	}
	if dirty {
		return -1
	}
	return i + 1
}

// assigned says whether the name before a : or = matters.
func (s *Scanner) assigned(b []byte, i int) bool {
	if b[i] == ':' && i+2 < len(b) && b[i+1] == '/' && b[i+2] == '/' {
		return false
	}
	if i >= 8 && isDigit(b[i-1]) && i+1 < len(b) && b[i+1] == 'A' { // a bot's token
		return true
	}
	k := i - 1
	for k >= 0 && i-k < 8 && (b[k] == ' ' || b[k] == '"' || b[k] == '\'' || b[k] == '\\' || b[k] == ']' || b[k] == '-' || isDigit(b[k])) {
		k--
	}
	if k < 1 {
		return false
	}
	if !s.filter.tail(b, k+1) {
		return false
	}
	switch n := s.named(b, k+1); {
	case n.masks():
		return true
	case n == kindName:
		return s.pairs(b, i+1)
	}
	return false
}

// tail says whether the name that ends at end may be one that matters.
func (f *filter) tail(b []byte, end int) bool {
	if end < 4 {
		var short [4]byte
		for i := range short {
			short[i] = ' '
		}
		copy(short[4-end:], b[:end])
		return end > 1 && f.tails.has(fold4(short[:]))
	}
	x := fold4(b[end-4:])
	if f.tails.has(x) && (end < 6 || f.shorts.has(x) || f.sixes.has(six(b, end)) || separated(b[end-6:end])) {
		return true
	}
	if c := b[end-3]; c == '_' || c == '-' || b[end-2] == '_' || b[end-2] == '-' { // tax_id
		var joined [4]byte
		n := 4
		for k := end - 1; k >= 0 && n > 0 && end-k < 8 && (isAlnum(b[k]) || b[k] == '_' || b[k] == '-'); k-- {
			if isAlnum(b[k]) {
				n--
				joined[n] = b[k]
			}
		}
		if n == 0 && f.tails.has(fold4(joined[:])) {
			return true
		}
	}
	if !isAlnum(b[end-3]) { // a name of two letters
		c, d := lower(b[end-2]), lower(b[end-1])
		return c == 'p' && d == 'w' || c == 'd' && d == 'l' || c == 'c' && d == 'c'
	}
	if c := b[end-4]; !isLetter(c) || isLower(c) && isUpper(b[end-3]) { // of three
		return f.tails.has(x&^0xff | ' ')
	}
	return false
}

// named classifies the name that ends at end, with the words before it.
func (s *Scanner) named(b []byte, end int) kind {
	from := end
	for from > 0 && end-from < maxKey && (isAlnum(b[from-1]) || b[from-1] == '_' || b[from-1] == '-' || b[from-1] == '.' || b[from-1] >= 0x80 || b[from-1] == '\'' && from < end) {
		from--
	}
	var best kind
	for n := range 3 {
		var w words
		if w.add(b[from:end]) {
			if k := s.classify(&w); k.masks() {
				return k
			} else if n == 0 {
				best = k
			}
		}
		// one more word in front of it
		if from < 2 || b[from-1] != ' ' || !isAlnum(b[from-2]) {
			break
		}
		from--
		for from > 0 && end-from < maxKey && (isAlnum(b[from-1]) || b[from-1] == '\'' || b[from-1] == '_') {
			from--
		}
	}
	return best
}

// pairs says whether the value of a name=… names a secret.
func (s *Scanner) pairs(b []byte, i int) bool {
	for i < len(b) && (isSpace(b[i]) || isQuote(b[i]) || b[i] == '\\') {
		i++
	}
	end := run(b, i, maxKey, func(c byte) bool { return isAlnum(c) || c == '_' || c == '-' || c == '.' })
	var w words
	return end > i && w.add(b[i:end]) && s.classify(&w).masks()
}

// six mixes the last six letters before end.
func six(b []byte, end int) uint32 {
	return fold4(b[end-4:]) ^ uint32(b[end-5]|0x20)<<5 ^ uint32(b[end-6]|0x20)<<14
}

// separated says whether letters are written apart: tax_id.
func separated(b []byte) bool {
	for _, c := range b {
		if c == '_' || c == '-' || c == '.' || c == ' ' {
			return true
		}
	}
	return false
}

// keyAt says whether a provider's key has the separator at i in its prefix.
func (f *filter) keyAt(b []byte, i int) bool {
	for _, text := range f.joined[fold3(b[i-2], b[i-1], b[i])] {
		if from := i + 1 - len(text); from >= 0 && string(b[from:i+1]) == text && tokenAt(b, from) > 0 {
			return true
		}
	}
	return false
}

// tag says whether the element that begins here has the name of a secret.
func (s *Scanner) tag(b []byte, i int) bool {
	end := run(b, i, maxKey, func(c byte) bool { return isName(c) || c == '-' || c == ':' || c == '.' })
	return end > i+1 && s.filter.tail(b, end) && s.named(b, end).masks()
}

// tuple says whether ('password','x') begins here.
func (s *Scanner) tuple(b []byte, i int) bool {
	end := run(b, i, maxKey, func(c byte) bool { return isName(c) || c == '-' })
	return end > i+1 && end+1 < len(b) && isQuote(b[end]) && b[end+1] == ',' && s.filter.tail(b, end) && s.named(b, end).secret()
}

// begins says whether a key or a pattern begins at i.
func (s *Scanner) begins(b []byte, i int) bool {
	if b[i] == 'J' && i >= 2 && b[i-1] == 'y' && b[i-2] == 'e' {
		return true
	}
	for k := range s.patterns {
		if b[i] == s.patterns[k].parts[0].lit && s.patterns[k].match(b[i:]) > 0 {
			return true
		}
	}
	if i+3 > len(b) || i > 0 && isAlnum(b[i-1]) {
		return false
	}
	if !s.filter.leads.has(uint32(b[i])|uint32(b[i+1])<<8|uint32(b[i+2])<<16) && (b[i] != 'S' || b[i+1] != 'K') {
		return false
	}
	return tokenAt(b, i) > 0
}

// digits looks at a number that ends at end; it answers where to go on, or -1.
func (s *Scanner) digits(b []byte, i, end int) int {
	if i > 0 && (isLetter(b[i-1]) || b[i-1] == '_') {
		if i >= 2 && isLetter(b[i-2]) && ibanAt(b, i-2) > 0 {
			return -1
		}
		return s.skipWord(b, end)
	}
	if end < len(b) {
		c := b[end]
		if (c == '-' || isHex(c)) && uuidAt(b, i) {
			return i + 36
		}
		if isLetter(c) {
			if c == 'T' && end-i == 2 && s.spokenOf(b, i) {
				return -1
			}
			return s.skipWord(b, end)
		}
	}
	if i == 0 || b[i-1] == ' ' || b[i-1] == '#' || b[i-1] == '(' || b[i-1] == '\'' || b[i-1] == '"' || b[i-1] == '/' || b[i-1] == '*' {
		if s.spokenOf(b, i) {
			return -1
		}
	}
	if (end-i >= 14 || i > 0 && (b[i-1] == '+' || b[i-1] == '(') || goesOn(b, end)) && suspicious(b, i, end) {
		return -1
	}
	return end
}

// skipWord goes over the rest of a word with digits in it: a hash, a version.
func (*Scanner) skipWord(b []byte, i int) int {
	for i < len(b) && isAlnum(b[i]) {
		i++
	}
	return i
}

// spokenOf says whether the words before a number make it personal; fillers such
// as "is" or "number" may stand between.
func (s *Scanner) spokenOf(b []byte, i int) bool {
	for range 3 {
		k := i - 1
		for k >= 0 && i-k < 6 && !isAlnum(b[k]) && b[k] < 0x80 {
			if b[k] == '=' {
				return false // its turn was at the =
			}
			k--
		}
		if k > 0 && isDigit(b[k]) && isLetter(b[k-1]) { // cvv2
			k--
		}
		if k < 1 || !isLetter(b[k]) {
			return false
		}
		if filler(b, k+1) {
			if b[k]|0x20 == 'd' && s.named(b, k+1).personal() { // tax id
				return true
			}
		} else {
			if !s.filter.tail(b, k+1) {
				return false
			}
			if n := s.named(b, k+1); n != kindFiller {
				return n.personal() || n.secret()
			}
		}
		for i = k; i > 0 && isAlnum(b[i-1]); {
			i--
		}
	}
	return false
}

// address says whether an @ may belong to an e-mail address or to credentials in a URL.
func address(b []byte, i int) bool {
	for k := i + 1; k < len(b) && k < i+128 && (isAlnum(b[k]) || b[k] == '-' || b[k] == '.' || b[k] == '_' || b[k] >= 0x80); k++ {
		if b[k] == '.' && k+1 < len(b) && (isLetter(b[k+1]) || b[k+1] >= 0x80) {
			return true
		}
	}
	for k := i - 1; k >= 0 && i-k < 256 && !isSpace(b[k]); k-- {
		if b[k] == ':' {
			return true
		}
	}
	return false
}

// filler finds the fillers of two letters, which are frequent.
func filler(b []byte, end int) bool {
	if end < 3 || isAlnum(b[end-3]) {
		return false
	}
	switch [2]byte{lower(b[end-2]), lower(b[end-1])} {
	case [2]byte{'i', 's'}, [2]byte{'i', 'd'}, [2]byte{'n', 'o'}, [2]byte{'n', 'r'}, [2]byte{'o', 'f'}, [2]byte{'o', 'n'}, [2]byte{'a', 's'}, [2]byte{'i', 'n'}, [2]byte{'a', 't'}, [2]byte{'t', 'o'}, [2]byte{'m', 'y'}:
		return true
	}
	return false
}

// suspicious says whether the groups of a number look like a card's, a telephone's
// or a social security number's.
func suspicious(b []byte, i, end int) bool {
	first := end - i
	if first >= 14 {
		return first <= 19 && network(b[i:end]) && luhn(b[i:end])
	}
	if i > 0 && (b[i-1] == '+' || b[i-1] == '(') && (first >= 7 || end < len(b) && !isAlnum(b[end])) {
		return true
	}
	second, next := group(b, end)
	switch {
	case second == 0:
		return false
	case first == 3 && (second == 2 || second == 3):
		third, _ := group(b, next)
		return third == 4
	case first == 1:
		return b[i] == '1' && second == 3
	case first == 2:
		return b[i] == '0' && second == 2
	case first == 4 && b[i] == '0' && b[i+1] == '0' && second >= 2 && second < 5:
		third, _ := group(b, next)
		return third >= 2
	}
	return first >= 4 && second >= 4 && (first+second >= 12 || first == 4)
}

// group is the length of the digits behind a gap at i, 0 when there are none.
func group(b []byte, i int) (digits, end int) {
	if i+1 >= len(b) || !tying[b[i]] || isLetter(b[i]) || b[i] == '_' {
		return 0, i
	}
	i++
	for n := 0; n < 2 && i < len(b) && (b[i] == ' ' || b[i] == '-' || b[i] == '(' || b[i] == '.'); n++ {
		i++
	}
	end = i
	for end < len(b) && isDigit(b[end]) && end-i <= maxDigits {
		end++
	}
	if end < len(b) && isLetter(b[end]) {
		return 0, i
	}
	return end - i, end
}
