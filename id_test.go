package holdfast_test

import (
	"strings"
	"testing"

	"github.com/holdfast-sync/holdfast"
)

const sample = "0192f3c0-4bf9-7f35-b34d-a3ce929d0e0e"

func TestParseID(t *testing.T) {
	for _, text := range []string{sample, strings.ToUpper(sample)} {
		id, err := holdfast.ParseID(text)
		if err != nil || id.String() != sample {
			t.Fatalf("%s: %s %v", text, id, err)
		}
	}
	for _, text := range []string{
		"", sample[:35], sample + "0", "{" + sample + "}", "urn:uuid:" + sample, strings.ReplaceAll(sample, "-", ""),
		strings.Replace(sample, "-", "_", 1), strings.Replace(sample, "0", "g", 1), " " + sample[1:], strings.Repeat("-", 36),
		// Hyphens where none belong, found by a fuzz test.
		"00000000-0000-0000-0000-000000-00000", "00000000-0000-0000-0000-00000000000-",
		"0000000\x00-0000-0000-0000-000000000000", "0000000é-0000-0000-0000-00000000000",
	} {
		if id, err := holdfast.ParseID(text); err == nil {
			t.Errorf("%q was taken as %s", text, id)
		}
	}
}

func FuzzParseID(f *testing.F) {
	f.Add(sample)
	f.Add("00000000-0000-0000-0000-000000-00000")
	f.Fuzz(func(t *testing.T, text string) {
		id, err := holdfast.ParseID(text)
		if err == nil && !strings.EqualFold(id.String(), text) {
			t.Fatalf("%q came back as %s", text, id)
		}
	})
}

func TestIDText(t *testing.T) {
	var id holdfast.ID
	if !id.IsZero() {
		t.Fatal("the zero id is zero")
	}
	if err := id.UnmarshalText([]byte(sample)); err != nil || id.IsZero() {
		t.Fatal(err)
	}
	if err := id.UnmarshalText([]byte("x")); err == nil || id.String() != sample {
		t.Fatal("a bad text must not change the id")
	}
	if b, err := id.MarshalText(); err != nil || string(b) != sample {
		t.Fatal(string(b), err)
	}
}

func TestDigest(t *testing.T) {
	// sha256(32 zero bytes ‖ sha256("{}")), then the same again, by another program (sha256sum).
	d := holdfast.Digest{}.Next(holdfast.HashOf([]byte("{}")))
	if d.String() != "961af672d320bfb80e482edf9e092930b12b6f10f28ac4913d1d64c49219da68" {
		t.Error(d)
	}
	if d = d.Next(holdfast.HashOf([]byte("{}"))); d.String() != "fb52d85f10a07adaa0628e7714a794affd6ba25a7a4ed0574810511f4bd000d0" {
		t.Error(d)
	}
}

func TestContradicts(t *testing.T) {
	owner := holdfast.Owner{Device: "a", Shop: "1"}
	for other, want := range map[holdfast.Owner]bool{
		{}: false, {Device: "a"}: false, {Shop: "1"}: false, {Device: "b"}: true, {Device: "a", Shop: "2"}: true, {Device: "a", Shop: "1"}: false,
	} {
		if owner.Contradicts(other) != want || other.Contradicts(owner) != want {
			t.Errorf("%+v", other)
		}
	}
}
