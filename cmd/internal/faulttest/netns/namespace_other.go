//go:build !linux

package netns

type namespace struct{}

func newNamespace() (namespace, error) { return namespace{}, ErrUnavailable }

func (namespace) do(func() error) error { return ErrUnavailable }

func (namespace) path() string { return "" }

func (namespace) close() error { return nil }
