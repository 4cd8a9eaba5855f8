"""Choose the colours: each theme is shown on the whole console while the cursor is on it."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from tui.themes import FIRST


class ThemeChoice(ModalScreen[str | None]):
    """Returns the name of the theme to keep, or nothing if it is to be the one before, which is then back."""

    DEFAULT_CSS = """
    ThemeChoice { align: right top; background: transparent; }
    ThemeChoice OptionList {
        width: 44; max-width: 100%; height: auto; max-height: 100%;
        border: round $primary; background: $surface; border-title-style: bold;
        &:focus { border: round $primary; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q,t", "leave", "Leave it as it was")]

    def compose(self) -> ComposeResult:
        """Those that are made for a purpose, then all others."""
        self._before = self.app.theme
        others = sorted(self.app.available_themes.keys() - FIRST)
        choice = OptionList(
            *(
                Option(Content.assemble(name, (f"  {purpose}", "italic")), id=name)  # in the colour of the line
                for name, purpose in FIRST.items()
            ),
            None,
            *(Option(name, id=name) for name in others),
        )
        choice.border_title = "Colours"
        choice.border_subtitle = "Enter keeps, Esc leaves"
        choice.highlighted = [*FIRST, *others].index(self._before)
        yield choice

    def on_option_list_option_highlighted(self, event: OptionList.OptionHighlighted) -> None:
        """Show it."""
        self.app.theme = event.option.id or self._before

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Keep it."""
        self.dismiss(event.option.id)

    def action_leave(self) -> None:
        """Show the one before again."""
        self.app.theme = self._before
        self.dismiss(None)
