package redis

import (
	"strings"
	"testing"

	"github.com/holdfast-sync/holdfast"
	"github.com/holdfast-sync/holdfast/fastpath/fastpathtest"
)

func TestValueComesBackAsItWas(t *testing.T) {
	epoch, stream := fastpathtest.ID(), fastpathtest.ID()
	for _, want := range []holdfast.Head{
		{},
		fastpathtest.Head(7),
		{AcceptedThrough: 1<<63 - 1},
		{AcceptedThrough: 1, Owner: holdfast.Owner{Device: strings.Repeat("d", maxName), Shop: strings.Repeat("s", maxName)}},
	} {
		got, ok := decode(epoch, stream, string(encode(epoch, stream, want)))
		if !ok || got != want {
			t.Errorf("got %+v, %t, want %+v", got, ok, want)
		}
	}
}

func TestValueOfAnotherPlaceIsNone(t *testing.T) {
	epoch, stream := fastpathtest.ID(), fastpathtest.ID()
	value := string(encode(epoch, stream, fastpathtest.Head(7)))
	if _, ok := decode(fastpathtest.ID(), stream, value); ok {
		t.Error("taken in another epoch")
	}
	if _, ok := decode(epoch, fastpathtest.ID(), value); ok {
		t.Error("taken for another stream")
	}
	if _, ok := decode(stream, epoch, value); ok {
		t.Error("taken the other way round")
	}
}

func TestValueWithAnyFlippedBitOrCutIsNone(t *testing.T) {
	epoch, stream := fastpathtest.ID(), fastpathtest.ID()
	value := encode(epoch, stream, fastpathtest.Head(7))
	for i := range value {
		if _, ok := decode(epoch, stream, string(value[:i])); ok {
			t.Fatalf("cut behind %d bytes, and taken", i)
		}
		for bit := range 8 {
			broken := []byte(string(value))
			broken[i] ^= 1 << bit
			if _, ok := decode(epoch, stream, string(broken)); ok {
				t.Fatalf("bit %d of byte %d flipped, and taken", bit, i)
			}
		}
	}
	if _, ok := decode(epoch, stream, string(value)+"x"); ok {
		t.Fatal("longer, and taken")
	}
}

func TestHeadThatCannotBeIsNone(t *testing.T) {
	epoch, stream := fastpathtest.ID(), fastpathtest.ID()
	for _, h := range []holdfast.Head{{AcceptedThrough: -1}, {AcceptedThrough: 1, Quarantined: 2}, {AcceptedThrough: 1, Quarantined: -1}} {
		if _, ok := decode(epoch, stream, string(encode(epoch, stream, h))); ok {
			t.Errorf("%+v is taken", h)
		}
	}
	if encode(epoch, stream, holdfast.Head{Owner: holdfast.Owner{Device: strings.Repeat("d", maxName+1)}}) != nil {
		t.Error("a name that does not fit is written")
	}
}

func FuzzValue(f *testing.F) {
	var epoch, stream holdfast.ID
	f.Add(string(encode(epoch, stream, fastpathtest.Head(7))), true)
	f.Add("", false)
	f.Fuzz(func(t *testing.T, value string, repair bool) {
		if repair && len(value) > crcBytes { // past the checksum, to what is behind it
			body := []byte(value[:len(value)-crcBytes])
			crc := sum(epoch, stream, body)
			value = string(append(body, byte(crc>>24), byte(crc>>16), byte(crc>>8), byte(crc)))
		}
		head, ok := decode(epoch, stream, value)
		if ok && string(encode(epoch, stream, head)) != value {
			t.Fatalf("%q is read as %+v", value, head)
		}
	})
}
