"""What is known of one step, in a line that fits: for the cursor of the plot."""

import math
from collections.abc import Iterator
from typing import NamedTuple

from tui.curves import BAND_EDGES, BAND_RANGES, Tab
from tui.loss_series import smoothing_span
from tui.run_view import RunView

LEAST = ("gradient", "rate", "smoothed", "seconds")  # what a narrow line does without first; never the tab's own number


class Part(NamedTuple):
    """A number with its name, in full and in short."""

    id: str
    full: str
    short: str


def nearest_step(view: RunView, step: float) -> int | None:
    """The completed step nearest to a place in the plot; None before the first."""
    numbers = view.steps.numbers
    if not numbers:
        return None
    index = view.steps.index_of(step)
    around = numbers[max(index - 1, 0) : index + 1]
    return min(around, key=lambda number: abs(number - step))


def readout(view: RunView, tab: Tab, step: int, width: int) -> str:
    """Step, loss, smoothed loss, rate, norm and seconds; or the bands of the last validation up to there.

    Nothing is cut in the middle: what has no room is left out.
    """
    if view.steps.index_of(step) >= len(view.steps):
        return ""
    lines = list(_bands(view, step) if tab.id == "validation" else _numbers(view, tab, step))
    return next((line for line in lines if len(line) <= width), "")


def _bands(view: RunView, step: int) -> Iterator[str]:
    """The bands by their timesteps, or by the numbers that they have in the plot."""
    before = [one for one in view.validation_losses if one.step <= step]
    if not before:
        yield f"step {step}  no validation yet"
        return
    newest = before[-1]
    full, short = [_exact(band) for band in newest.bands], [_rounded(band) for band in newest.bands]
    named = [f"{name} {band}" for name, band in zip(BAND_RANGES, full, strict=True)]
    yield "  ".join(
        [f"validation at {newest.step}", f"loss {_exact(newest.loss)}", f"timesteps {named[0]}", *named[1:]]
    )
    edges = [f"{name} {band}" for name, band in zip(BAND_EDGES, full, strict=True)]
    yield "  ".join([f"step {newest.step}", f"loss {_exact(newest.loss)}", *edges])
    begin = f"step {newest.step} loss {_rounded(newest.loss)}"
    yield " ".join([begin, *(f"{name} {band}" for name, band in zip(BAND_EDGES, short, strict=True))])
    yield " ".join([begin, *(f"{number} {band}" for number, band in enumerate(short, start=1))])
    yield begin


def _numbers(view: RunView, tab: Tab, step: int) -> Iterator[str]:
    index = view.steps.index_of(step)
    completed, smoothed = view.steps[index], view.steps.smoothed(smoothing_span(view.max_train_steps))[index]
    loss, rate, norm = completed.train_loss, completed.learning_rate, completed.gradient_norm
    parts = [
        Part("step", f"step {completed.step}", f"step {completed.step}"),
        Part("loss", f"loss {_exact(loss)}", f"loss {_rounded(loss)}"),
        Part("smoothed", f"smoothed {_exact(smoothed)}", f"avg {_rounded(smoothed)}"),
        Part("rate", f"lr {rate:.2e}", f"lr {rate:.1e}"),
        Part("gradient", f"gradient {norm:.3g}", f"grad {norm:.2g}"),
        Part("seconds", f"{completed.seconds:.3g} s", f"{completed.seconds:.2g} s"),
    ]
    yield "  ".join(part.full for part in parts)
    yield " ".join(part.full.replace("smoothed", "avg").replace("gradient", "grad") for part in parts)
    yield " ".join(part.short for part in parts)
    for least in LEAST:
        if least != tab.id:
            parts = [part for part in parts if part.id != least]
            yield " ".join(part.short for part in parts)
    yield parts[0].short


def _exact(value: float) -> str:
    return f"{value:.4f}" if math.isfinite(value) else "not finite"


def _rounded(value: float) -> str:
    return f"{value:.3f}".removeprefix("0") if math.isfinite(value) else "not finite"
