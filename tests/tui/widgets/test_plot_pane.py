"""What stands above a plot: its numbers, how it is looked at, and what its signs mean."""

import pytest
from textual.app import App, ComposeResult

from engine.contract import protocol as p
from tui.run_view import RunView
from tui.settings import Settings
from tui.widgets.plot_pane import PlotPane
from tui.widgets.tab_line import TabLine

AT_80, AT_120 = 48, 60  # columns of the pane in a console of that width


class PaneApp(App[None]):
    def __init__(self) -> None:
        super().__init__()
        view = RunView("one", 100)
        events: list[p.Event] = [p.StepCompleted(n, 0, 0.5, 1e-4, 1.0, 1.0) for n in range(1, 101)]
        events += [p.ValidationLossMeasured(100, 0.3, (0.1, 0.2, 0.3, 0.4))]
        for seq, event in enumerate(events, start=1):
            view.apply(p.Record(seq, float(seq), event))
        self.pane = PlotPane(view, Settings())

    def compose(self) -> ComposeResult:
        yield self.pane


@pytest.mark.parametrize(
    ("logarithmic", "said"), [(False, "follows  ─ raw  ━ avg  ◆ val"), (True, "log  follows  ─raw  ━avg  ◆val")]
)
async def test_a_zoomed_plot_still_says_what_its_lines_are(logarithmic: bool, said: str) -> None:
    app = PaneApp()
    async with app.run_test(size=(AT_120, 20)) as pilot:
        app.pane.show()
        app.pane.plot.zoom_in()
        if logarithmic:
            app.pane.plot.toggle_logarithmic()
        await pilot.pause()
        assert said in app.query_one(TabLine).render_line(0).text


@pytest.mark.parametrize(
    ("width", "legend"),
    [
        (130, "timesteps 1 0–249, low noise  2 250–499  3 500–749  4 750–999, high noise"),
        (100, "timesteps 1 0–249  2 250–499  3 500–749  4 750–999"),
        (AT_120, "1 t<250 2 <500 3 <750 4 ≥750"),
        (AT_80, "1 t<250 … 4 t≥750"),
    ],
)
async def test_the_bands_have_their_timesteps(width: int, legend: str) -> None:
    app = PaneApp()
    async with app.run_test(size=(width, 20)) as pilot:
        app.pane.show()
        app.pane.plot.choose(1)
        await pilot.pause()
        assert app.query_one(TabLine).render_line(0).text.rstrip().endswith(legend)


async def test_80_columns_have_room_for_names_and_legend() -> None:
    app = PaneApp()
    async with app.run_test(size=(AT_80, 20)) as pilot:
        app.pane.show()
        await pilot.pause()
        assert "─ Loss │Val│Rate│Grad│Sec── ─ raw  ━ avg  ◆ val" in app.query_one(TabLine).render_line(0).text
