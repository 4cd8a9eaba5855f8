"""A button for an action of the table; it shows its key."""

from rich.cells import cell_len
from textual.content import Content
from textual.geometry import Size
from textual.widgets import Button

from tui.actions.action import Action


class ActionButton(Button):
    """One line high, as wide as its words."""

    DEFAULT_CSS = """
    ActionButton, ActionButton.-textual-compact {
        min-width: 4; width: auto; height: 1; padding: 0 1; margin: 0 1 0 0;
        background: $surface-lighten-1; color: $foreground;
        &:hover { background: $primary-muted; }
        &:focus { background: $primary-muted; text-style: underline; }
        &:disabled { background: $surface; color: $foreground; text-opacity: 55%; }
    }
    """

    def __init__(self, entry: Action) -> None:
        label = Content.assemble((entry.signs[0], "bold $accent"), f" {entry.label}")
        super().__init__(label, compact=True, tooltip=entry.help, id=entry.id)
        self.entry = entry
        self.styles.line_pad = 0  # a style sheet cannot say 0 here (Textual 8.2)

    def get_content_width(self, _container: Size, _viewport: Size) -> int:
        """The label alone; a button of Textual's adds two columns even where there is no room for them."""
        return cell_len(str(self.label))
