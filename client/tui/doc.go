// Package tui draws the terminal client and turns keys into actions. The
// picture itself is client/state's; who serves a room is the SDK's business.
//
// One goroutine owns the screen: a key, an event of the session or the result
// of an effect changes the state, and the whole screen is drawn from it (tcell
// sends only what differs). Effects (join, history, where) run beside it.
package tui
