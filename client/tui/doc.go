// Package tui is the terminal program: it turns keys into actions and draws the
// picture. The picture itself is client/state's, what is kept on disk
// client/profile's, who serves a room the SDK's business.
//
// A key walked through: the screen library's reader hands it to the UI
// goroutine; its name is looked up in the bindings (the configuration may have
// bound it anew) and the action changes the state, or starts an effect (join,
// history, where) that runs beside and hands its result back. At most 60 times
// a second the picture is drawn from the state into a canvas, and what differs
// from the one before is sent to the terminal. Then what can wait is done:
// holes are asked for, drafts and the outbox are saved.
//
// At its start the last visit is drawn from the profile before any server has
// answered; what is written before there is a session waits in the state and is
// given to it, in order, when its room is joined.
//
// Everything that strangers typed goes through Clean before it is drawn, put
// into the title or into a notification.
//
// Goroutines: the UI goroutine owns app; the library's reader of keys; effects.
// Run waits for all. Plain is the same client as lines alone.
package tui
