package comms

import (
	"crypto/rand"
	"encoding/base64"
)

// NewSessionID draws the id that a server gives to a connection: 21 of A-Z,
// a-z, 0-9, '-' and '_'.
func NewSessionID() string {
	var b [16]byte
	rand.Read(b[:]) //nolint:errcheck // never fails
	return base64.RawURLEncoding.EncodeToString(b[:])[:21]
}
