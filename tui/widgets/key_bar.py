"""The lines at the bottom: keys and what they do, as many as there is room for; a click does what the key does."""

from collections.abc import Sequence

from textual.content import Content
from textual.geometry import Size
from textual.widget import Widget

from tui.actions import TABLE, Action

ALWAYS = ("help", "detach")  # of the actions of every screen; they keep their place at the end
GAP = "  "


class KeyBar(Widget):
    """Paints itself anew only when other actions are offered. As high as it takes for all, up to max-height."""

    DEFAULT_CSS = """
    KeyBar {
        height: auto; max-height: 1; padding: 0 1; background: $surface;
        text-wrap: nowrap; text-overflow: ellipsis; link-style: none;
    }
    """

    def __init__(self, entries: Sequence[Action] = ()) -> None:
        super().__init__()
        self._all = self._entries = tuple(entries)

    def show(self, entries: Sequence[Action]) -> None:
        """Offer these, the most important first."""
        if tuple(entries) != self._entries:
            self._entries = tuple(entries)
            self.refresh()

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:  # noqa: ARG002
        """Rows for all that may be offered, so that the bar does not grow and shrink with what is."""
        return len(_rows(_keys(self._all), width))

    def render(self) -> Content:
        """The actions that fit, then those of every screen."""
        width, height = self.content_size
        own = list(self._entries)
        while own and len(_rows(_keys(own), width)) > height:
            own.pop()
        return Content("\n").join(Content(GAP).join(row) for row in _rows(_keys(own), width))


def _keys(entries: Sequence[Action]) -> list[Content]:
    everywhere = [_key(entry, "app") for entry in TABLE["everywhere"] if entry.id in ALWAYS]
    return [*(_key(entry, "screen") for entry in entries), *everywhere]


def _rows(keys: Sequence[Content], width: int) -> list[list[Content]]:
    """As many in each row as there is room for."""
    rows: list[list[Content]] = [[]]
    for key in keys:
        if rows[-1] and Content(GAP).join([*rows[-1], key]).cell_length > width:
            rows.append([])
        rows[-1].append(key)
    return rows


def _key(entry: Action, owner: str) -> Content:
    text = Content.assemble((entry.signs[0], "bold $accent"), f" {entry.label}")
    return text.stylize(f"@click={owner}.act('{entry.id}')")
