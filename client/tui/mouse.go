package tui

import (
	"github.com/gdamore/tcell/v2"

	"positivity-exchange/client/state"
)

// wheelRows is how far one notch of the wheel goes.
const wheelRows = 3

// mouse scrolls what is on top with the wheel, and opens the room that is clicked
// unless something covers the list.
func (a *app) mouse(e *tcell.EventMouse) {
	x, y := e.Position()
	w, _ := a.screen.Size()
	switch b := e.Buttons(); {
	case a.st.Page != state.PageChat:
	case b&tcell.WheelUp != 0:
		a.wheel(1)
	case b&tcell.WheelDown != 0:
		a.wheel(-1)
	case a.st.Overlay != state.OverlayNone || a.st.Pasting:
	case b&tcell.Button1 != 0 && w >= narrow && x < roomPane && y < len(a.listed) && a.listed[y] != "":
		a.open(a.listed[y])
	}
}

// wheel turns by notches, positive towards what is above.
func (a *app) wheel(by int) {
	switch a.st.Overlay {
	case state.OverlayHelp:
		a.helpTop -= by * wheelRows
	case state.OverlayPalette:
		if to := a.st.Palette.Chosen - by; to >= 0 && to < len(a.st.Choices()) {
			a.st = a.st.Choose(-by)
		}
	case state.OverlayNone, state.OverlayBare:
		a.scrollRows(by * wheelRows)
	}
}
