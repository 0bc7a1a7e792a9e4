package stress

import "time"

// talker is a session that speaks once in every period.
type talker struct {
	session *session
	period  time.Duration
	due     time.Duration
	turn    int
}

// queue holds talkers in the order in which they are due. All have the same
// period, so who has spoken is the last again.
type queue struct {
	list []talker
	head int
}

func (q *queue) len() int      { return len(q.list) - q.head }
func (q *queue) first() talker { return q.list[q.head] }
func (q *queue) push(t talker) { q.list = append(q.list, t) }

func (q *queue) pop() {
	q.list[q.head] = talker{}
	if q.head++; q.head > 1024 && q.head > len(q.list)/2 {
		q.list = append(q.list[:0], q.list[q.head:]...)
		q.head = 0
	}
}
