"""PlotPane: the plot of a run under the line that names its numbers and says how it is looked at."""

from collections.abc import Sequence

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content

from tui.braille import Ink
from tui.curves import BAND_EDGES, BAND_RANGES, BANDS, MEASURED, RAW, SMOOTHED, TABS
from tui.run_view import RunView
from tui.settings import Settings
from tui.widgets.run_plot import RunPlot
from tui.widgets.tab_line import TabLine

TAB, SCALE = "monitor.tab", "monitor.scale"  # what is kept between two starts


class PlotPane(Vertical):
    """Tab and scale are kept in the settings; zoom and cursor last as long as the screen."""

    def __init__(self, view: RunView, settings: Settings, id: str | None = None) -> None:
        super().__init__(id=id)
        self._settings = settings
        self._line = TabLine([tab.label for tab in TABS], [tab.short for tab in TABS])
        self.plot = RunPlot(view)
        kept = settings.recall(TAB, TABS[0].id)
        self.plot.tab = next((index for index, tab in enumerate(TABS) if tab.id == kept), 0)
        self.plot.logarithmic = settings.recall(SCALE, "plain") == "logarithmic"

    def compose(self) -> ComposeResult:
        """The names, and the plot below."""
        yield self._line
        yield self.plot

    def show(self) -> None:
        """Draw what is new."""
        self.plot.show()
        self._say()

    def on_mount(self) -> None:
        """Say how it is looked at."""
        self._say()

    def on_tab_line_chosen(self, message: TabLine.Chosen) -> None:
        """Show the number whose name was clicked."""
        message.stop()
        self.plot.choose(message.index)

    def on_run_plot_looked(self) -> None:
        """Say how it is looked at now, and keep what is to last."""
        self._settings.remember(TAB, TABS[self.plot.tab].id)
        self._settings.remember(SCALE, "logarithmic" if self.plot.logarithmic else "plain")
        self._say()

    def _say(self) -> None:
        state, legends = self._state(), self._legends()
        remarks = [Content("  ").join([*state, *legend]) for legend in legends]
        remarks += [Content(" ").join([*state, *legend]) for legend in legends[-1:]]
        self._line.show(self.plot.tab, [*remarks, Content("  ").join(state)])

    def _state(self) -> list[Content]:
        """How the plot is looked at, as far as that is not the usual way."""
        plot, parts = self.plot, []
        if plot.clipped:
            parts.append((f"▴ {plot.clipped} above", "$text-error"))
        if plot.logarithmic:
            parts.append(("log", "$text-accent"))
        if not plot.window.is_whole:
            parts.append(("follows" if plot.window.follows else "held", "$text-accent"))
        return [Content.styled(text, style) for text, style in parts]

    def _legends(self) -> list[list[Content]]:
        """What the signs mean, in full and in short."""
        match TABS[self.plot.tab].id:
            case "loss":
                inks = (RAW, SMOOTHED, MEASURED)
                full, short = ("─ each step", "━ smoothed", "◆ validation"), ("─ raw", "━ avg", "◆ val")
                return [_signs(words, inks) for words in (full, short, ("─raw", "━avg", "◆val"))]
            case "validation":
                first, *between, last = (f"{number} {name}" for number, name in enumerate(BAND_RANGES, start=1))
                edges = [f"{number} {name}" for number, name in enumerate(BAND_EDGES, start=1)]
                return [
                    _signs((f"timesteps {first}, low noise", *between, f"{last}, high noise"), BANDS),
                    _signs((f"timesteps {first}", *between, last), BANDS),
                    [Content(" ").join(_signs(edges, BANDS))],
                    [Content(" … ").join(_signs((edges[0], "4 t≥750"), (BANDS[0], BANDS[-1])))],
                    _signs(("1", "2", "3", "4"), BANDS),
                ]
            case _:
                return []


def _signs(words: Sequence[str], inks: Sequence[Ink]) -> list[Content]:
    return [Content.styled(text, f"${ink.colour} {ink.share:.0%}") for text, ink in zip(words, inks, strict=True)]
