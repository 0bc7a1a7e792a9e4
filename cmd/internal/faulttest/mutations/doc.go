// Command mutations shows that the fault test can fail: it puts one defect at a
// time into a copy of the source, runs the fault test, and tells which
// invariant caught it after how many seconds. A defect that nothing catches is
// a defect of the test, and the command's failure. The in-process twin runs
// beside it as a second witness.
//
//	scripts/mutations                  # all
//	scripts/mutations -only dedup      # those whose name has this in it
//
// The tree itself is never changed: a mutation is a list of exact replacements
// (list.go), and the changed files reach the go command as an overlay. A
// replacement whose text is not there exactly once is an error, and the
// package's own test, which runs with all others, applies and compiles every
// one: the list cannot rot.
//
// Before all of them the source runs as it is: what fails then shows nothing.
//
// To add one, name the defect, the replacement, and the nemeses under which it
// shows; whoever cannot name a nemesis has found one that is missing.
package main
