"""The line about one step: whole at every width, with the timesteps of the bands."""

import re

import pytest

from engine.contract import protocol as p
from tui.curves import TABS, Tab
from tui.plot_readout import readout
from tui.run_view import RunView

NUMBER = (
    r"(loss (0?\.206|0\.2061|12345\.678|12345\.6780|not finite)|(smoothed|avg) (\d*\.\d{3,4}|not finite)"
    r"|lr 3\.28e-05|lr 3\.3e-05|(gradient|grad) 0\.0399|grad 0\.04|2\.14? s)"
)
LOSS, VALIDATION, RATE, GRADIENT, SECONDS = TABS


def view_with(step: int = 39, loss: float = 0.2061) -> RunView:
    view = RunView("one", 40)
    done = p.StepCompleted(step, 0, loss, 3.28e-5, 0.0399, 2.14)
    validation = p.ValidationLossMeasured(0, 0.3301, (0.951, 0.2793, 0.0767, 0.0132))
    events: list[p.Event] = [validation, done]
    for seq, event in enumerate(events, start=1):
        view.apply(p.Record(seq, float(seq), event))
    return view


@pytest.mark.parametrize(
    ("width", "line"),
    [
        (100, "step 39  loss 0.2061  smoothed 0.2061  lr 3.28e-05  gradient 0.0399  2.14 s"),
        (64, "step 39 loss 0.2061 avg 0.2061 lr 3.28e-05 grad 0.0399 2.14 s"),
        (60, "step 39 loss .206 avg .206 lr 3.3e-05 grad 0.04 2.1 s"),
        (48, "step 39 loss .206 avg .206 lr 3.3e-05 2.1 s"),
        (20, "step 39 loss .206"),
    ],
)
def test_a_step_is_told_in_whole_numbers_with_their_units(width: int, line: str) -> None:
    assert readout(view_with(), LOSS, 39, width) == line


@pytest.mark.parametrize(
    ("width", "line"),
    [
        (
            120,
            "validation at 0  loss 0.3301  timesteps 0–249 0.9510  250–499 0.2793  500–749 0.0767  750–999 0.0132",
        ),
        (80, "step 0  loss 0.3301  t<250 0.9510  <500 0.2793  <750 0.0767  ≥750 0.0132"),
        (60, "step 0 loss .330 t<250 .951 <500 .279 <750 .077 ≥750 .013"),
        (48, "step 0 loss .330 1 .951 2 .279 3 .077 4 .013"),
    ],
)
def test_bands_are_told_by_their_timesteps(width: int, line: str) -> None:
    assert readout(view_with(), VALIDATION, 39, width) == line


@pytest.mark.parametrize("tab", [LOSS, RATE, GRADIENT, SECONDS], ids=lambda tab: tab.id)
@pytest.mark.parametrize("loss", [0.2061, 12345.678, float("nan")])
def test_no_width_cuts_a_number_in_two(tab: Tab, loss: float) -> None:
    parts = rf"( {{1,2}}{NUMBER})*"
    for width in range(10, 120):
        line = readout(view_with(31_039, loss), tab, 31_039, width)
        assert len(line) <= width
        assert re.fullmatch(rf"step 31039{parts}", line), line


def test_the_number_of_the_tab_is_kept_longest() -> None:
    view = view_with(31_039)
    assert "grad" in readout(view, GRADIENT, 31_039, 48)
    assert "lr" in readout(view, RATE, 31_039, 40)
    assert readout(view, SECONDS, 31_039, 30).endswith("2.1 s")
