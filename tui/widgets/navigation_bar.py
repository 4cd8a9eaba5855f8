"""The line on top of every screen: the six screens with their keys, and the run in hand."""

from textual.content import Content
from textual.widget import Widget

from tui.actions import everywhere
from tui.navigation import ScreenName

SCREENS: tuple[ScreenName, ...] = ("runs", "new", "monitor", "gallery", "generate", "environment")
SHORT_LABELS = {"new": "New", "environment": "Env"}  # where there is no room for the whole
NAMED_FROM = 100  # columns from which the run in hand is named


class NavigationBar(Widget):
    """One line; a click does what the key does."""

    DEFAULT_CSS = """
    NavigationBar {
        height: 1; padding: 0 1; background: $surface;
        text-wrap: nowrap; text-overflow: ellipsis; link-style: none;
    }
    """

    def __init__(self, here: ScreenName, run: str = "") -> None:
        super().__init__()
        self._here = here
        self._run = run

    def show(self, run: str) -> None:
        """Name the run in hand."""
        if run != self._run:
            self._run = run
            self.refresh()

    def render(self) -> Content:
        """The screens, and the run at the right where there is room."""
        width = self.content_size.width
        labels = {entry.id: entry.label for entry in everywhere.ACTIONS}
        line = self._screens(labels, " ")
        if line.cell_length > width:
            line = self._screens(labels | SHORT_LABELS, "")
        words = [self._run] if self._run and width >= NAMED_FROM else []
        if getattr(self.app, "readonly", False):
            words.insert(0, "read-only")
        right = Content.styled("  ".join(words), "$text-muted")
        space = width - line.cell_length - right.cell_length
        return Content.assemble(line, " " * space, right) if words and space > 1 else line

    def _screens(self, labels: dict[str, str], margin: str) -> Content:
        keys = {entry.id: entry.signs[0] for entry in everywhere.ACTIONS}
        parts = []
        for name in SCREENS:
            here = name == self._here
            text = Content.assemble(margin, (keys[name], "" if here else "bold $accent"), f" {labels[name]}{margin}")
            if name == self._here:
                parts.append(text.stylize("bold $background on $primary"))
            else:
                parts.append(text.stylize(f"@click=app.act('{name}')"))
        return Content(" ").join(parts)
