package settings

import (
	"net/url"
	"regexp"
	"strings"
)

const masked = "***"

var secretParameter = regexp.MustCompile(`(?i)(pass|secret|token|key|credential)`)

// MaskURL hides the password of a URL and every query parameter that sounds
// secret. What can't be told apart is hidden whole.
func MaskURL(text string) string {
	scheme, rest, ok := strings.Cut(text, "://")
	if !ok {
		if text == "" {
			return ""
		}
		return masked
	}
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	authority, tail := rest[:end], rest[end:]
	if strings.Contains(tail, "@") { // perhaps a password with a slash
		return scheme + "://" + masked
	}
	if at := strings.LastIndexByte(authority, '@'); at >= 0 {
		user, _, has := strings.Cut(authority[:at], ":")
		if has {
			user += ":" + masked
		}
		authority = user + authority[at:]
	}
	path, query, _ := strings.Cut(tail, "?")
	return scheme + "://" + authority + path + maskQuery(query)
}

func maskQuery(query string) string {
	if query == "" {
		return ""
	}
	parts := strings.Split(query, "&")
	for i, part := range parts {
		name, _, _ := strings.Cut(part, "=")
		plain, err := url.QueryUnescape(name)
		if err != nil || secretParameter.MatchString(plain) {
			parts[i] = name + "=" + masked
		}
	}
	return "?" + strings.Join(parts, "&")
}

// maskStores masks every URL in a list of name=URL.
func maskStores(text string) string {
	parts := strings.Split(text, ",")
	for i, part := range parts {
		name, address, ok := strings.Cut(part, "=")
		if !ok {
			name, address = "", part
		} else {
			name += "="
		}
		parts[i] = name + MaskURL(address)
	}
	return strings.Join(parts, ",")
}
