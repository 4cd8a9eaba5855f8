"""How a picture of a console is taken: in a theme, and in the colours that a terminal has."""

from io import StringIO
from typing import Literal

from rich.color import Color
from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from rich.terminal_theme import TerminalTheme
from textual.color import Color as ThemeColour
from textual.filter import LineFilter

from tui.console import ConsoleApp
from tui.few_colours import SIXTEEN
from tui.themes import first_theme

SYSTEMS: dict[str, Literal["standard", "256"]] = {"16-colours": "standard", "256-colours": "256"}
TERMINAL = TerminalTheme(SIXTEEN[0], SIXTEEN[7], list(SIXTEEN[:8]), list(SIXTEEN[8:]))


class Seen(LineFilter):
    """The numbers of colours as a terminal shows them: a picture is in 24 bits, and has 16 colours of its own."""

    def apply(self, segments: list[Segment], background: ThemeColour) -> list[Segment]:  # noqa: ARG002
        """Replace the numbers."""
        return [Segment(text, style and self._seen(style), control) for text, style, control in segments]

    def _seen(self, style: Style) -> Style:
        pair = ((style.color, True), (style.bgcolor, False))
        return style + Style.from_color(
            *(colour and Color.from_triplet(colour.get_truecolor(TERMINAL, ahead)) for colour, ahead in pair)
        )


def in_look(app: ConsoleApp, look: str) -> ConsoleApp:
    """The console in a theme, or in 16 or 256 colours and the theme that they begin with."""
    if look not in SYSTEMS:
        app.theme = look
        return app
    app.console = Console(color_system=SYSTEMS[look], file=StringIO(), force_terminal=True)
    app.theme = first_theme(app.console.color_system)
    app.round_colours(app.console.color_system)
    filters = app.get_line_filters
    app.get_line_filters = lambda: [*filters(), Seen()]  # type: ignore[method-assign]
    return app
