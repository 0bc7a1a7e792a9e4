//go:build !unix

package membership

// ended is not known here, where processes are not told apart (numbered) either.
func ended(int) bool { return false }
