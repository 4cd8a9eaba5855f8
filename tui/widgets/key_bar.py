"""The line at the bottom: keys and what they do, as many as there is room for; a click does what the key does."""

from collections.abc import Sequence

from textual.content import Content
from textual.widget import Widget

from tui.actions import TABLE, Action

ALWAYS = ("help", "detach")  # of the actions of every screen; they keep their place at the right end


class KeyBar(Widget):
    """Paints itself anew only when other actions are offered."""

    DEFAULT_CSS = """
    KeyBar {
        height: 1; padding: 0 1; background: $surface;
        text-wrap: nowrap; text-overflow: ellipsis; link-style: none;
    }
    """

    def __init__(self, entries: Sequence[Action] = ()) -> None:
        super().__init__()
        self._entries = tuple(entries)

    def show(self, entries: Sequence[Action]) -> None:
        """Offer these, the most important first."""
        if tuple(entries) != self._entries:
            self._entries = tuple(entries)
            self.refresh()

    def render(self) -> Content:
        """The actions that fit, then those of every screen."""
        everywhere = [_key(entry, "app") for entry in TABLE["everywhere"] if entry.id in ALWAYS]
        own = [_key(entry, "screen") for entry in self._entries]
        gap = "  "
        while own and Content(gap).join([*own, *everywhere]).cell_length > self.content_size.width:
            own.pop()
        return Content(gap).join([*own, *everywhere])


def _key(entry: Action, owner: str) -> Content:
    text = Content.assemble((entry.signs[0], "bold $accent"), f" {entry.label}")
    return text.stylize(f"@click={owner}.act('{entry.id}')")
