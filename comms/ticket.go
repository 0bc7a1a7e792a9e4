package comms

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"strconv"
	"strings"
	"time"
)

// Lifetime of a ticket, and how far two machines' clocks may differ.
const (
	TicketLifetime = 10 * time.Minute
	ClockSkew      = 60 * time.Second
)

// Keys signs and checks tickets. The key is derived with HKDF-SHA256 (RFC
// 5869) from the cluster's secret, so that a ticket tells nothing of it.
type Keys struct{ key string }

// NewKeys derives the keys from the cluster's secret.
func NewKeys(secret []byte) Keys {
	key, err := hkdf.Key(sha256.New, secret, nil, "positivity-exchange ticket v1", sha256.Size)
	if err != nil {
		panic(err) // only for a length beyond what the hash can give
	}
	return Keys{string(key)}
}

// Issue signs a ticket: "1.role.user.expiry.mac", expiry in Unix milliseconds.
// For AsMember and AsOperator the user is the member's or operator's name.
func (k Keys) Issue(role, user string, now time.Time) (ticket string, expires time.Time) {
	expires = now.Add(TicketLifetime).Truncate(time.Millisecond)
	body := "1." + role + "." + user + "." + strconv.FormatInt(expires.UnixMilli(), 10)
	return body + "." + k.mac(body), expires
}

func (k Keys) mac(body string) string {
	h := hmac.New(sha256.New, []byte(k.key))
	h.Write([]byte(body))
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil))
}

// Cluster is a name for the cluster that only those with its secret can give it:
// 16 letters, digits, '-' and '_', the same at all its members for as long as the
// secret is. It tells nothing of the secret.
func (k Keys) Cluster() string { return k.mac("cluster")[:16] }

// Check returns nil, or a *Error with CodeBadTicket or CodeExpired.
func (k Keys) Check(ticket, role, user string, now time.Time) error {
	body, mac, _ := cutLast(ticket)
	parts := strings.Split(body, ".")
	if len(parts) != 4 || parts[0] != "1" || !hmac.Equal([]byte(mac), []byte(k.mac(body))) {
		return errorf(CodeBadTicket, "the ticket was not issued by this cluster; ask a router for one")
	}
	if parts[1] != role || parts[2] != user {
		return errorf(CodeBadTicket, "the ticket was issued to %s %q, not to %s %q; ask a router for one", parts[1], parts[2], role, user)
	}
	expiry, err := strconv.ParseInt(parts[3], 10, 64)
	if err != nil {
		return errorf(CodeBadTicket, "the ticket has no expiry; ask a router for one")
	}
	late := now.Sub(time.UnixMilli(expiry))
	switch {
	case late <= ClockSkew:
		return nil
	case role == AsClient:
		return errorf(CodeExpired, "the ticket expired %s ago by the clock here; ask a router for a new one, and if that has expired too set both machines' clocks", late.Round(time.Second))
	}
	// Members and operators make one for each connection.
	return errorf(CodeExpired, "the clock of %s %q is %s behind the one here: set both machines' clocks", role, user, (late + TicketLifetime).Round(time.Second))
}

func cutLast(s string) (before, after string, ok bool) {
	i := strings.LastIndexByte(s, '.')
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+1:], true
}
