package membership

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Version is that of the protocol between members.
const Version = 1

// meta is what a member says of itself in its gossip metadata.
type meta struct {
	Member
	version   int
	constants uint64
	logID     string
}

const metaFields = 9

// encode writes "version|constants|role|state|cut|name|boot|client|log". No
// field can hold the separator; the sum stays below memberlist's 512 bytes.
func (m meta) encode() []byte {
	return []byte(strings.Join([]string{
		strconv.Itoa(m.version), strconv.FormatUint(m.constants, 16), string(m.Role), string(m.State),
		strconv.FormatBool(m.Cut), m.Name, m.Boot, m.Client, m.logID,
	}, "|"))
}

func parseMeta(b []byte) (meta, error) {
	parts := strings.Split(string(b), "|")
	if len(parts) != metaFields {
		return meta{}, errors.New("metadata of another program or version")
	}
	version, err := strconv.Atoi(parts[0])
	if err != nil {
		return meta{}, fmt.Errorf("metadata version: %w", err)
	}
	constants, err := strconv.ParseUint(parts[1], 16, 64)
	if err != nil {
		return meta{}, fmt.Errorf("metadata constants: %w", err)
	}
	m := meta{version: version, constants: constants, logID: parts[8], Member: Member{
		Role: Role(parts[2]), State: State(parts[3]), Cut: parts[4] == "true",
		Name: parts[5], Boot: parts[6], Client: parts[7],
	}}
	if err := CheckName(m.Name); err != nil {
		return meta{}, fmt.Errorf("member name %q: %w", m.Name, err)
	}
	if len(m.Client) > MaxAddr {
		return meta{}, fmt.Errorf("client address of %d bytes", len(m.Client))
	}
	return m, nil
}

// CheckName tells why a member cannot have a name, nil if it can.
func CheckName(name string) error {
	if len(name) == 0 || len(name) > MaxName || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
		return fmt.Errorf("use 1 to %d of a-z, 0-9 and '-'", MaxName)
	}
	return nil
}

// compatible tells why two members cannot be in one cluster, nil if they can.
func (m meta) compatible(other meta) error {
	switch {
	case m.version != other.version:
		return fmt.Errorf("member %s speaks protocol version %d, %s speaks %d: run one version", other.Name, other.version, m.Name, m.version)
	case m.constants != other.constants:
		return fmt.Errorf("member %s has placement constants %x, %s has %x: they must be equal in a cluster", other.Name, other.constants, m.Name, m.constants)
	case m.logID != "" && other.logID != "" && m.logID != other.logID:
		return fmt.Errorf("member %s uses room log %s, %s uses %s: members of a cluster share one log (--data)", other.Name, other.logID, m.Name, m.logID)
	}
	return nil
}
