package comms

import (
	"crypto/rand"
	"encoding/base64"
	"strconv"
)

// NewSessionID draws the id that a server gives to a connection: 21 of A-Z,
// a-z, 0-9, '-' and '_'.
func NewSessionID() string {
	var b [16]byte
	rand.Read(b[:]) //nolint:errcheck // never fails
	return base64.RawURLEncoding.EncodeToString(b[:])[:21]
}

// IDSource makes client message ids unique to this process's life: 96 random
// bits, drawn once, and a counter. Not safe for concurrent use.
type IDSource struct {
	prefix string
	n      uint64
}

// NewIDSource draws the random part.
func NewIDSource() *IDSource {
	var random [12]byte
	rand.Read(random[:]) //nolint:errcheck // never fails (crypto/rand, Go 1.24)
	return &IDSource{prefix: base64.RawURLEncoding.EncodeToString(random[:]) + "."}
}

// Next returns the next id.
func (s *IDSource) Next() string {
	s.n++
	return s.prefix + strconv.FormatUint(s.n, 36)
}
