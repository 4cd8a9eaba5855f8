"""The plot of a run as it is painted."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest
from textual.app import App, ComposeResult

from engine.contract import protocol as p
from tui.curves import TABS
from tui.run_view import RunView
from tui.widgets.run_plot import RunPlot

SIZE = (60, 20)
LOSS, VALIDATION, RATE, GRADIENT, SECONDS = range(len(TABS))


def view_of(*events: p.Event) -> RunView:
    view = RunView("one", 100)
    for seq, event in enumerate(events, start=1):
        view.apply(p.Record(seq, float(seq), event))
    return view


def steps(losses: Sequence[float]) -> list[p.StepCompleted]:
    return [p.StepCompleted(n, 0, loss, 1e-4, 1.0, 1.0) for n, loss in enumerate(losses, 1)]


class PlotApp(App[None]):
    def __init__(self, view: RunView) -> None:
        super().__init__()
        self.plot = RunPlot(view)

    def compose(self) -> ComposeResult:
        yield self.plot


@asynccontextmanager
async def plotting(view: RunView, size: tuple[int, int] = SIZE) -> AsyncIterator[RunPlot]:
    """A plot of a view, shown."""
    app = PlotApp(view)
    async with app.run_test(size=size) as pilot:
        app.plot.show()
        await pilot.pause()
        yield app.plot


def rows(plot: RunPlot) -> list[str]:
    return [plot.render_line(y).text for y in range(plot.size.height)]


async def painted(*events: p.Event, size: tuple[int, int] = SIZE) -> list[str]:
    """The rows of a plot of these events."""
    async with plotting(view_of(*events), size) as plot:
        return rows(plot)


def curve(row: str) -> bool:
    return any("\u2801" <= sign <= "\u28ff" for sign in row)


async def test_an_empty_plot_says_so() -> None:
    assert "No loss yet: it comes with step 1" in (await painted())[10]


async def test_a_falling_loss_falls() -> None:
    shown = await painted(*steps([1 - step / 200 for step in range(100)]))
    assert curve(shown[1])
    assert curve(shown[15])
    assert [row[:3] for row in shown if "┤" in row] == ["1.0", "0.9", "0.8", "0.7", "0.6", "0.5"]
    assert shown[-1].split() == ["0", "20", "40", "60", "80", "100"]


async def test_validations_and_checkpoints_have_marks() -> None:
    shown = await painted(
        *steps([0.5, 0.4, 0.3, 0.2]),
        p.ValidationLossMeasured(0, 0.5, (0.5,) * 4), p.ValidationLossMeasured(4, 0.2, (0.2,) * 4),
        p.CheckpointSaved(2, "checkpoints/checkpoint-2", "schedule", 1),
    )  # fmt: skip
    assert sum(row.count("◆") for row in shown) == 2
    assert sum(row.count("▲") for row in shown) == 1


async def test_warnings_skipped_and_lost_steps_have_marks_on_the_axis() -> None:
    shown = await painted(
        *steps([0.5] * 10), p.WarningRaised("what", "why", "remedy"), p.StepSkipped(11, ("a",), "nan"),
        *[p.StepCompleted(n, 0, 0.5, 1e-4, 1.0, 1.0) for n in range(12, 21)], p.RunResumed(15, "checkpoint-15"),
    )  # fmt: skip
    axis = shown[-2]
    assert [axis.count(sign) for sign in "!✗◂"] == [1, 1, 1]
    assert axis.index("!") < axis.index("✗") < axis.index("◂")


async def test_a_spike_is_marked_at_the_upper_edge_and_flattens_nothing() -> None:
    losses = [0.1 + step % 5 / 100 for step in range(100)]
    losses[50] = 1000.0
    async with plotting(view_of(*steps(losses))) as plot:
        shown = rows(plot)
        assert plot.clipped == 1
    assert shown[0].count("▴") == 1
    assert "▴" in shown[0][25:40]
    assert curve(shown[1][25:40])
    assert "0.1" in "".join(shown)
    assert sum(curve(row) for row in shown) > 12


async def test_a_loss_that_is_not_finite_is_left_out() -> None:
    shown = await painted(*steps([0.5, float("nan"), float("inf"), 0.4]))
    assert sum(curve(row) for row in shown) > 3
    assert "nan" not in "".join(shown)
    assert "Nothing of this yet" in (await painted(*steps([float("nan")])))[10]


async def test_a_single_step_and_a_tiny_pane_are_no_trouble() -> None:
    assert any(curve(row) for row in await painted(*steps([0.5])))
    for size in [(10, 4), (16, 5), (17, 6), (30, 3)]:
        shown = await painted(*steps([0.5, 0.4]), size=size)
        assert [len(row) for row in shown] == [size[0]] * size[1]


async def test_a_logarithmic_scale_has_powers_of_ten() -> None:
    async with plotting(view_of(*steps([10.0 ** (-step / 25) for step in range(100)]))) as plot:
        plot.toggle_logarithmic()
        labels = [row.split("┤")[0].strip() for row in rows(plot) if "┤" in row]
        assert {"1", "0.1", "0.01", "0.001"} <= set(labels)
        plot.toggle_logarithmic()
        assert "0.001" not in "".join(rows(plot))


@pytest.mark.parametrize("tab", range(len(TABS)))
async def test_zoom_and_cursor_are_the_same_for_every_number(tab: int) -> None:
    bands = (0.1, 0.2, 0.3, 0.4)
    view = view_of(*steps([0.5] * 100), *[p.ValidationLossMeasured(step, 0.3, bands) for step in range(0, 101, 10)])
    async with plotting(view) as plot:
        plot.zoom_in()
        plot.inspect(-1)
        plot.choose(tab)
        shown = rows(plot)
        assert plot.cursor == 100
        assert plot.window.bounds(100) == (50, 100)
        assert sum("┊" in row for row in shown) == len(shown) - 2
        assert any(map(curve, shown))


async def test_a_zoomed_plot_follows_until_it_is_moved() -> None:
    view = view_of(*steps([0.5] * 100))
    async with plotting(view) as plot:
        plot.zoom_in()
        assert rows(plot)[-1].split()[-1] == "100"
        for step in range(101, 201):
            view.apply(p.Record(step, float(step), p.StepCompleted(step, 0, 0.5, 1e-4, 1.0, 1.0)))
        plot.show()
        assert rows(plot)[-1].split()[-1] == "200"
        plot.zoom(lambda window, newest: window.panned(newest, -1))
        held = plot.window.bounds(200)
        view.apply(p.Record(201, 201.0, p.StepCompleted(201, 0, 0.5, 1e-4, 1.0, 1.0)))
        plot.show()
        assert plot.window.bounds(201) == held
        plot.follow()
        assert plot.window.bounds(201)[1] >= 201


async def test_a_step_is_looked_at_by_keys_and_by_a_click() -> None:
    view = view_of(*[p.StepCompleted(n, 0, n / 100, 1e-4, 2.0, 1.5) for n in range(1, 101)])
    app = PlotApp(view)
    async with app.run_test(size=(90, 20)) as pilot:
        app.plot.show()
        app.plot.inspect(-1)
        assert app.plot.render_line(19).text.split()[:4] == ["step", "100", "loss", "1.0000"]
        for word in ("smoothed", "lr 1.00e-04", "gradient 2", "1.5 s"):
            assert word in app.plot.render_line(19).text
        app.plot.inspect(-1)
        assert app.plot.cursor is not None
        assert app.plot.cursor < 100
        await pilot.click(RunPlot, offset=(45, 5))
        assert 45 <= app.plot.cursor <= 55
        app.plot.end_inspection()
        assert app.plot.render_line(19).text.split()[0] == "0"


async def test_a_cursor_on_steps_that_were_taken_back_goes() -> None:
    view = view_of(*steps([0.5] * 100))
    async with plotting(view) as plot:
        plot.inspect(-1)
        view.apply(p.Record(101, 101.0, p.RunResumed(50, "checkpoint-50")))
        plot.show()
        assert plot.cursor is None


async def test_only_what_has_changed_is_painted_again(monkeypatch: pytest.MonkeyPatch) -> None:
    view = view_of(*steps([0.5 + n % 3 / 10 for n in range(1000)]))
    async with plotting(view) as plot:
        painted: list[int] = []
        monkeypatch.setattr(plot, "refresh", lambda *regions, **_: painted.extend(r.area for r in regions))
        plot.show()
        assert painted == []
        view.apply(p.Record(1001, 1.0, p.StepCompleted(1001, 0, 0.6, 1e-4, 1.0, 1.0)))
        view.apply(p.Record(1002, 1.0, p.StepCompleted(1002, 0, 0.6, 1e-4, 1.0, 1.0)))
        plot.show()  # the axis makes room for some steps
        painted.clear()
        view.apply(p.Record(1003, 1.0, p.StepCompleted(1003, 0, 0.6, 1e-4, 1.0, 1.0)))
        plot.show()
        assert sum(painted) < SIZE[0] * SIZE[1] / 10
