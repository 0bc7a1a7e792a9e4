package stress

import (
	"bytes"
)

// A message's content is "SSSSSS.NNNNNNNN" and a filling: the speaker's number
// in the run, the message's number of that speaker, and letters that follow
// from the latter. So a reader knows what each byte must be, whoever sent it.
const (
	speakerDigits = 6
	numberDigits  = 8
	headSize      = speakerDigits + 1 + numberDigits
	maxSize       = 4096
	maxSpeakers   = 999_999
	maxNumber     = 99_999_999
)

const alphabet = "abcdefghijklmnopqrstuvwxyz"

// filling is long enough to take any message's filling from any letter on.
var filling = bytes.Repeat([]byte(alphabet), maxSize/len(alphabet)+2)

// appendContent writes the n-th message of a speaker.
func appendContent(dst []byte, speaker, n uint32, size int) []byte {
	var head [headSize]byte
	digits(head[:speakerDigits], speaker)
	head[speakerDigits] = '.'
	digits(head[speakerDigits+1:], n)
	dst = append(dst, head[:]...)
	from := int(n) % len(alphabet)
	return append(dst, filling[from:from+size-headSize]...)
}

func digits(b []byte, n uint32) {
	for i := len(b) - 1; i >= 0; i-- {
		b[i] = byte('0' + n%10)
		n /= 10
	}
}

// parseContent reads whose message it is; false: no byte sequence that
// appendContent could have written in this size.
func parseContent(b []byte, size int) (speaker, n uint32, ok bool) {
	if len(b) != size {
		return 0, 0, false
	}
	speaker, ok1 := number(b[:speakerDigits])
	n, ok2 := number(b[speakerDigits+1 : headSize])
	if !ok1 || !ok2 || b[speakerDigits] != '.' {
		return 0, 0, false
	}
	from := int(n) % len(alphabet)
	return speaker, n, bytes.Equal(b[headSize:], filling[from:from+size-headSize])
}

func number(b []byte) (n uint32, ok bool) {
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + uint32(c-'0')
	}
	return n, true
}
