"""Puts words on the clipboard and says which; a terminal may keep them to itself without telling."""

from textual.dom import DOMNode

LET_THROUGH = "on the clipboard, if the terminal lets it through"


def copy_remedy(asker: DOMNode, remedy: str, what: str) -> None:
    """Copy a remedy in one piece, however many rows it takes on the screen; `what` names it."""
    asker.app.copy_to_clipboard(remedy)
    asker.app.notify(remedy, title=f"{what}: {LET_THROUGH}", timeout=10, markup=False)
