package redact

import "testing"

// why tells where the first look stopped.
func (s *Scanner) why(b []byte) string {
	if s.filter.spoken(b) {
		return "a word"
	}
	if i := s.stain(b); i >= 0 {
		return string(b[max(0, i-20):i]) + "⟦" + string(b[i:min(len(b), i+20)])
	}
	return ""
}

func TestCleanLinesAreClean(t *testing.T) {
	for name, line := range cleanLines {
		if why := Default.why([]byte(line)); why != "" || Default.String(line) != line {
			t.Errorf("%s: %s", name, why)
		}
	}
}
