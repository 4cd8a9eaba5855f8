"""What a screen does with a path: open it outside, or put it on the clipboard; it says what came of it."""

from pathlib import Path

from textual.screen import Screen

from tui.naming import short_path
from tui.outside import open_outside


def open_path(screen: Screen[None], path: Path) -> None:
    """Hand a path to another program; where there is none, say where it is."""
    if reason := open_outside(path):
        screen.notify(f"{path}\ny copies the path.", title=reason, severity="warning", markup=False)
    else:
        screen.notify(short_path(path), title="Opened outside", markup=False)


def copy_path(screen: Screen[None], path: Path) -> None:
    """Put a path on the clipboard, which only the terminal can do."""
    screen.app.copy_to_clipboard(str(path))
    screen.notify(str(path), title="On the clipboard, if the terminal lets it through", markup=False)
