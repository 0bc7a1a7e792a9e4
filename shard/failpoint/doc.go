// Package failpoint lets a test stop or kill a process at a named place: the
// only way to hit a window of microseconds on purpose. Without the build tag
// "failpoint" (on Linux) a place costs nothing and no environment can trigger it.
//
// The environment variable PX_FAILPOINTS arms places, separated by ';':
//
//	name=action[*n][@file]
//
// action is "stop" (SIGSTOP to the own process) or "kill" (SIGKILL), which fire
// once, at the n-th passage (the first if not given), or "delay:50ms" or
// "delay:50ms-500ms", which holds up every passage so long or at random within
// the range, and takes no n, or "fail", each time, at places that can. With
// @file only passages count at which that file exists, so that a driver can arm
// a place late and disarm what happens each time; what fires takes the file
// away, and is armed again when it is back. A place named more than once does
// all of it, in that order.
//
// It knows nothing of what the places mean; their names are
//
//	roomlog.append.beforeBegin   an append is about to take the write lock
//	roomlog.append.inTx          its records are in, not committed
//	roomlog.append.afterCommit   committed, not acknowledged
//	roomlog.append.refuse        about to be made: fails as certainly not in
//	roomlog.append.lose          made: fails as of unknown outcome
//	roomlog.acquire.inTx         the owner record is changed, not committed
//	roomlog.acquire.afterCommit  acquired, and nobody knows
//	roomlog.release.inTx         the owner record says released, not committed
//	roomlog.release.afterCommit  released, and nobody was told where to go
//	roomlog.beat.inWrite         half a heartbeat is written
package failpoint
