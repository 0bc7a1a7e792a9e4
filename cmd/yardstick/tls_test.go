package main

import "testing"

// TestTLSBesidePlain: the whole comparison, shortened, on a px of this module.
func TestTLSBesidePlain(t *testing.T) {
	if testing.Short() {
		t.Skip("builds px and starts it four times")
	}
	if err := newApp().RunContext(t.Context(), []string{"yardstick", "tls", "--runs", "2", "--profile", "small", "--duration", "200ms"}); err != nil {
		t.Fatal(err)
	}
}
