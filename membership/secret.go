package membership

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// ReadSecret returns the cluster's 32-byte secret: from file if given, else from
// env (64 hexadecimal digits or base64), else from dir/secret. The error wraps
// fs.ErrNotExist where there is none.
func ReadSecret(dir, file, env string) (secret []byte, err error) {
	if file == "" && env != "" {
		if secret, err = parseSecret(env); err != nil {
			return nil, fmt.Errorf("PX_SECRET: %w", err)
		}
		return secret, nil
	}
	if file == "" {
		file = filepath.Join(dir, "secret")
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("secret: %w", err)
	}
	if secret, err = parseSecret(string(b)); err != nil {
		return nil, fmt.Errorf("secret file %s: %w", file, err)
	}
	return secret, nil
}

// LoadSecret is ReadSecret, but that the first process in dir makes dir/secret
// (0600), safe against races. created tells that it was made now.
func LoadSecret(dir, file, env string) (secret []byte, created bool, err error) {
	if secret, err = ReadSecret(dir, file, env); err == nil || file != "" || !errors.Is(err, fs.ErrNotExist) {
		return secret, false, err
	}
	path := filepath.Join(dir, "secret")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, false, fmt.Errorf("data directory: %w", err)
	}
	fresh := make([]byte, 32)
	rand.Read(fresh) //nolint:errcheck // never fails
	tmp, err := os.CreateTemp(dir, "secret-*")
	if err != nil {
		return nil, false, fmt.Errorf("data directory: %w", err)
	}
	defer os.Remove(tmp.Name()) //nolint:errcheck // the link stays
	// Synced before it has its name: a power cut must not leave an empty secret,
	// with which nobody could start any more.
	_, err = tmp.WriteString(hex.EncodeToString(fresh) + "\n")
	if err = errors.Join(err, tmp.Sync(), tmp.Close()); err != nil {
		return nil, false, fmt.Errorf("secret: %w", err)
	}
	// Link fails where another was first: then that one counts for all.
	linkErr := os.Link(tmp.Name(), path)
	if linkErr != nil && !errors.Is(linkErr, fs.ErrExist) {
		return nil, false, fmt.Errorf("secret: %w", linkErr)
	}
	if err := syncDir(dir); err != nil {
		return nil, false, fmt.Errorf("secret: %w", err)
	}
	secret, err = ReadSecret(dir, "", "")
	return secret, linkErr == nil, err
}

// OtherSecret reports whether dir holds a secret, and another than this one.
func OtherSecret(dir string, secret []byte) bool {
	own, err := ReadSecret(dir, "", "")
	return err == nil && !bytes.Equal(own, secret)
}

// syncDir lets the names in a directory survive a power cut.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	err = d.Sync()
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, errors.ErrUnsupported) {
		err = nil // a file system that syncs no directories
	}
	return errors.Join(err, d.Close())
}

func parseSecret(text string) ([]byte, error) {
	text = strings.TrimSpace(text)
	for _, decode := range []func(string) ([]byte, error){hex.DecodeString, base64.StdEncoding.DecodeString, base64.RawURLEncoding.DecodeString} {
		if b, err := decode(text); err == nil && len(b) == 32 {
			return b, nil
		}
	}
	return nil, errors.New("a secret is 32 bytes, as 64 hexadecimal digits or in base64")
}
