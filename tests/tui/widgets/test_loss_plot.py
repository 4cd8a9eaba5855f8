"""The loss plot as it is painted."""

from collections.abc import Sequence

from textual.app import App, ComposeResult

from engine.contract.protocol import CheckpointSaved, StepCompleted, ValidationLossMeasured
from tui.widgets.loss_plot import LossPlot


class PlotApp(App[None]):
    def compose(self) -> ComposeResult:
        yield LossPlot(max_train_steps=100)


async def painted(
    losses: Sequence[float],
    validations: Sequence[ValidationLossMeasured] = (),
    checkpoints: Sequence[CheckpointSaved] = (),
    size: tuple[int, int] = (60, 20),
) -> list[str]:
    """The rows of a plot of these losses."""
    app = PlotApp()
    async with app.run_test(size=size) as pilot:
        plot = app.query_one(LossPlot)
        plot.show(
            [StepCompleted(n, 0, loss, 1e-4, 1.0, 1.0) for n, loss in enumerate(losses, 1)], validations, checkpoints
        )
        await pilot.pause()
        return [plot.render_line(y).text for y in range(size[1])]


def curve(row: str) -> bool:
    return any("\u2801" <= sign <= "\u28ff" for sign in row)


async def test_an_empty_plot_says_so() -> None:
    rows = await painted([])
    assert "No loss yet: it comes with step 1" in rows[10]


async def test_a_falling_loss_falls() -> None:
    rows = await painted([1 - step / 200 for step in range(100)])
    assert curve(rows[1])
    assert curve(rows[15])
    assert [row[:3] for row in rows if "┤" in row] == ["1.0", "0.9", "0.8", "0.7", "0.6", "0.5"]
    assert rows[-1].split() == ["0", "20", "40", "60", "80", "100"]


async def test_validations_and_checkpoints_have_marks() -> None:
    rows = await painted(
        [0.5, 0.4, 0.3, 0.2],
        [ValidationLossMeasured(0, 0.5, (0.5,) * 4), ValidationLossMeasured(4, 0.2, (0.2,) * 4)],
        [CheckpointSaved(2, "checkpoints/checkpoint-2", "schedule", 1)],
    )
    assert sum(row.count("◆") for row in rows) == 2
    assert sum(row.count("▲") for row in rows) == 1


async def test_a_spike_reaches_the_upper_edge_and_flattens_nothing() -> None:
    losses = [0.1 + step % 5 / 100 for step in range(100)]
    losses[50] = 1000.0
    rows = await painted(losses)
    assert curve(rows[0][25:40])
    assert "0.1" in "".join(rows)
    assert sum(curve(row) for row in rows) > 12


async def test_a_loss_that_is_not_finite_is_left_out() -> None:
    assert await painted([0.5, float("nan"), float("inf"), 0.4]) != await painted([])


async def test_a_single_step_and_a_tiny_pane_are_no_trouble() -> None:
    assert any(curve(row) for row in await painted([0.5]))
    for size in [(10, 4), (16, 5), (17, 6), (30, 3)]:
        rows = await painted([0.5, 0.4], size=size)
        assert [len(row) for row in rows] == [size[0]] * size[1]
