package redis

import (
	"encoding/binary"
	"hash/crc32"

	"github.com/holdfast-sync/holdfast"
)

// A value is one version byte, AcceptedThrough and Quarantined in 8 bytes each,
// the 32 bytes of the digest, device and shop each behind a byte of length, and a
// CRC-32C over the epoch, the stream and all of that. A value of another stream,
// version or program, or one with a flipped bit, is a miss.
const (
	version    = 1
	fixedBytes = 1 + 8 + 8 + len(holdfast.Digest{})
	crcBytes   = 4
	maxName    = 255
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// encode is nil for a head that has no such form, because a name is too long.
func encode(epoch, stream holdfast.ID, h holdfast.Head) []byte {
	if len(h.Owner.Device) > maxName || len(h.Owner.Shop) > maxName {
		return nil
	}
	b := make([]byte, 0, fixedBytes+2+len(h.Owner.Device)+len(h.Owner.Shop)+crcBytes)
	b = append(b, version)
	b = binary.BigEndian.AppendUint64(b, uint64(h.AcceptedThrough))
	b = binary.BigEndian.AppendUint64(b, uint64(h.Quarantined))
	b = append(b, h.Digest[:]...)
	b = append(append(b, byte(len(h.Owner.Device))), h.Owner.Device...)
	b = append(append(b, byte(len(h.Owner.Shop))), h.Owner.Shop...)
	return binary.BigEndian.AppendUint32(b, sum(epoch, stream, b))
}

// decode is what encode was given, false for anything else.
func decode(epoch, stream holdfast.ID, b string) (holdfast.Head, bool) {
	if len(b) < fixedBytes+2+crcBytes || b[0] != version {
		return holdfast.Head{}, false
	}
	body := []byte(b[:len(b)-crcBytes])
	if binary.BigEndian.Uint32([]byte(b[len(body):])) != sum(epoch, stream, body) {
		return holdfast.Head{}, false
	}
	h := holdfast.Head{
		AcceptedThrough: int64(binary.BigEndian.Uint64(body[1:])),
		Quarantined:     int64(binary.BigEndian.Uint64(body[9:])),
		Digest:          holdfast.Digest(body[17:fixedBytes]),
	}
	names := body[fixedBytes:]
	var ok bool
	if h.Owner.Device, names, ok = name(names); !ok {
		return holdfast.Head{}, false
	}
	if h.Owner.Shop, names, ok = name(names); !ok || len(names) != 0 {
		return holdfast.Head{}, false
	}
	if h.AcceptedThrough < 0 || h.Quarantined < 0 || h.Quarantined > h.AcceptedThrough {
		return holdfast.Head{}, false
	}
	return h, true
}

func name(b []byte) (value string, rest []byte, ok bool) {
	if len(b) == 0 || len(b)-1 < int(b[0]) {
		return "", nil, false
	}
	end := 1 + int(b[0])
	return string(b[1:end]), b[end:], true
}

func sum(epoch, stream holdfast.ID, body []byte) uint32 {
	crc := crc32.Update(0, castagnoli, epoch[:])
	crc = crc32.Update(crc, castagnoli, stream[:])
	return crc32.Update(crc, castagnoli, body)
}

// redisKey names the head of a stream in an epoch.
func redisKey(epoch, stream holdfast.ID) string {
	b := make([]byte, 0, len("holdfast:head::")+72)
	b = append(b, "holdfast:head:"...)
	b = epoch.AppendTo(b)
	b = append(b, ':')
	return string(stream.AppendTo(b))
}
