package redact

// prefix is how a provider's keys begin, how long they are at least, and what they
// are made of.
type prefix struct {
	text  string
	least int // with the prefix
	class func(byte) bool
}

func isBase64URL(c byte) bool { return isAlnum(c) || c == '-' || c == '_' }
func isDotted(c byte) bool    { return isAlnum(c) || c == '-' || c == '_' || c == '.' }
func isUpperNum(c byte) bool  { return isUpper(c) || isDigit(c) }
func isBase64(c byte) bool    { return isAlnum(c) || c == '+' || c == '/' || c == '=' }

// prefixes by their documented forms; the first byte leads to them.
var prefixes = index([]prefix{
	{"AKIA", 20, isUpperNum},
	{"ASIA", 20, isUpperNum},
	{"ABIA", 20, isUpperNum},
	{"ACCA", 20, isUpperNum},
	{"AIza", 35, isBase64URL},
	{"ya29.", 20, isDotted},
	{"GOCSPX-", 20, isBase64URL},
	{"ghp_", 20, isAlnum},
	{"gho_", 20, isAlnum},
	{"ghu_", 20, isAlnum},
	{"ghs_", 20, isAlnum},
	{"ghr_", 20, isAlnum},
	{"github_pat_", 30, isName},
	{"glpat-", 20, isDotted},
	{"gldt-", 20, isBase64URL},
	{"glrt-", 20, isBase64URL},
	{"glptt-", 20, isBase64URL},
	{"glsa_", 20, isName},
	{"glc_", 20, isBase64},
	{"xoxb-", 15, isBase64URL},
	{"xoxp-", 15, isBase64URL},
	{"xoxa-", 15, isBase64URL},
	{"xoxr-", 15, isBase64URL},
	{"xoxs-", 15, isBase64URL},
	{"xoxe-", 15, isBase64URL},
	{"xoxe.", 15, isDotted},
	{"xapp-", 15, isBase64URL},
	{"xoxc-", 15, isBase64URL},
	{"xoxd-", 15, isToken},
	{"sk_live_", 16, isName},
	{"sk_test_", 16, isName},
	{"rk_live_", 16, isName},
	{"rk_test_", 16, isName},
	{"whsec_", 16, isToken},
	{"pk_live_", 16, isName},
	{"sk-", 20, isBase64URL},
	{"SG.", 30, isDotted},
	{"npm_", 20, isAlnum},
	{"pypi-", 20, isBase64URL},
	{"hf_", 20, isAlnum},
	{"dop_v1_", 20, isName},
	{"doo_v1_", 20, isName},
	{"dor_v1_", 20, isName},
	{"shpat_", 20, isName},
	{"shpca_", 20, isName},
	{"shppa_", 20, isName},
	{"shpss_", 20, isName},
	{"sq0atp-", 20, isBase64URL},
	{"sq0csp-", 20, isBase64URL},
	{"EAAA", 40, isBase64URL},
	{"key-", 36, isHex2},
	{"SK", 34, isHex2},
	{"AGE-SECRET-KEY-1", 40, isUpperNum},
	{"b3BlbnNzaC1rZXktdjE", 30, isBase64},
	{"hvs.", 20, isDotted},
	{"hvb.", 20, isDotted},
	{"NRAK-", 20, isUpperNum},
	{"PMAK-", 20, isBase64URL},
	{"dapi", 36, isHex2},
	{"lin_api_", 20, isName},
	{"rubygems_", 20, isName},
	{"sntrys_", 20, isToken},
	{"dckr_pat_", 20, isBase64URL},
	{"tfp_", 20, isName},
	{"pul-", 40, isHex2},
	{"ATATT3", 20, isToken},
	{"ATBB", 32, isAlnum},
	{"nfp_", 20, isName},
	{"vercel_", 20, isName},
	{"figd_", 20, isBase64URL},
	{"r8_", 37, isAlnum},
	{"gsk_", 40, isAlnum},
	{"xai-", 40, isAlnum},
	{"pplx-", 30, isAlnum},
	{"patp_", 30, isName},
	{"EZAK", 40, isAlnum},
	{"EZTK", 40, isAlnum},
	{"AccountKey=", 30, isBase64},
	{"eyJ", 20, isJWT},
	{"MII", 100, isBase64},
	{"secret-token:", 20, isToken},
	{"phc_", 30, isAlnum},
	{"tskey-", 20, isBase64URL},
	{"CFPAT-", 20, isBase64URL},
	{"FLWSECK", 20, isBase64URL},
	{"access_token$", 20, isToken},
	{"AAAA", 120, isToken},
	{"$2a$", 40, isCrypt},
	{"$2b$", 40, isCrypt},
	{"$2y$", 40, isCrypt},
	{"$argon2", 30, isCrypt},
	{"$6$", 30, isCrypt},
	{"$5$", 30, isCrypt},
	{"$1$", 20, isCrypt},
	{"$y$", 30, isCrypt},
	{"$scrypt$", 30, isCrypt}, // crypt(5)
	{"ops_eyJ", 30, isToken},
	{"A3T", 20, isUpperNum},
	{"sl.", 60, isDotted},
	{"Atza|", 30, isToken},
	{"amzn.mws.", 30, isDotted},
	{"v1.0-", 40, isDotted},
	{"sgp_", 30, isName},
	{"pscale_", 20, isDotted},
	{"fo1_", 30, isBase64URL},
	{"FlyV1", 40, isToken},
	{"rnd_", 24, isAlnum},
	{"sbp_", 30, isHex2},
	{"re_", 24, isName},
})

func isCrypt(c byte) bool { return isToken(c) || c == '$' || c == ',' }
func isHex2(c byte) bool  { return isHex(c) }
func isJWT(c byte) bool   { return isAlnum(c) || c == '-' || c == '_' || c == '.' || c == '=' }

func index(all []prefix) (by [256][]prefix) {
	for _, p := range all {
		by[p.text[0]] = append(by[p.text[0]], p)
	}
	return by
}

// probe is how much of a key is looked at before it is believed to be one.
const probe = 256

// tokenAt is the length of the provider's key, JWT or such that begins at i; 0 for none.
func tokenAt(b []byte, i int) int {
	if i > 0 && (isAlnum(b[i-1]) || b[i-1] == '_') {
		return 0
	}
	for _, p := range prefixes[b[i]] {
		if len(b)-i < p.least || string(b[i:i+len(p.text)]) != p.text {
			continue
		}
		end := run(b, i+len(p.text), probe, p.class)
		if end-i < p.least || !p.plausible(b[i:end]) {
			continue
		}
		end = run(b, end, valueLimit, p.class)
		for end > i && (b[end-1] == '.' || b[end-1] == '-') {
			end--
		}
		if end-i >= p.least && (end == len(b) || end-i >= valueLimit || !isAlnum(b[end])) {
			return end - i
		}
	}
	return 0
}

// plausible tells keys from words that begin like one.
func (p *prefix) plausible(key []byte) bool {
	rest := key[len(p.text):]
	digits, letters := 0, 0
	for _, c := range rest {
		if isDigit(c) {
			digits++
		} else if isLetter(c) {
			letters++
		}
	}
	switch p.text {
	case "eyJ":
		return hasByte(rest, '.') || len(rest) > 40
	case "re_", "key-", "SK":
		return digits >= 2 && letters >= 2
	case "sk-", "pul-":
		return digits >= 1 && letters >= 4
	}
	return digits+letters >= 8 && (digits > 0 || len(rest) >= 16)
}

// pem masks a private key block (RFC 7468, OpenPGP), to its end or that of the line.
func (p *pass) pem() {
	b, i := p.b, p.i
	header := i + len("-----begin")
	end := header
	for end < len(b) && end < header+64 && b[end] != '\n' && (b[end] != '-' || p.byteAt(end+1) != '-') {
		end++
	}
	p.i = end
	if !containsFold(b[header:end], "private") && !containsFold(b[header:end], "secret") {
		return
	}
	to := end
	for to < len(b) {
		p.steps++
		if b[to] == '-' && hasFold(b[to:], "-----end") {
			to += len("-----end")
			for to < len(b) && b[to] != '-' && b[to] != '\n' {
				to++
			}
			to = run(b, to, 5, func(c byte) bool { return c == '-' })
			break
		}
		if isQuote(b[to]) {
			break
		}
		to++
	}
	p.mask(i, to)
}

func containsFold(b []byte, text string) bool {
	for i := range b {
		if hasFold(b[i:], text) {
			return true
		}
	}
	return false
}
