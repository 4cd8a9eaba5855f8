"""The curves of the five plots, each able to say what lies between two steps; no drawing in it."""

import math
from array import array
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from tui.braille import Ink
from tui.loss_series import smoothing_span
from tui.run_view import RunView
from tui.series import Series

SAMPLE = 1500  # values by which the height of a plot is found


class Piece(NamedTuple):
    """A curve within one column of dots: its range, and where it comes in and goes out."""

    low: float
    high: float
    first: float
    last: float


class Curve(Protocol):
    """Something to be drawn over the steps."""

    @property
    def ink(self) -> Ink:
        """What it is drawn with."""
        ...

    def values(self, first: float, last: float) -> list[float]:
        """Values that stand for all of those between two steps, the extremes among them."""
        ...

    def pieces(self, edges: Sequence[float]) -> list[Piece | None]:
        """The curve in each column; `edges` has one number more than there are columns."""
        ...

    def count_above(self, first: float, last: float, limit: float) -> int:
        """How many values between two steps are greater than `limit`."""
        ...


@dataclass(frozen=True)
class StepCurve:
    """A number that every step has."""

    steps: "array[int]"
    series: Series
    ink: Ink

    def _range(self, first: float, last: float) -> tuple[int, int]:
        return bisect_left(self.steps, first), bisect_left(self.steps, math.nextafter(last, math.inf))

    def values(self, first: float, last: float) -> list[float]:
        """All of them, or a sample and the extremes; each once, so that one spike stays a small share."""
        begin, end = self._range(first, last)
        sample = self.series.sample(begin, end, SAMPLE)
        extremes = self.series.extremes(begin, end) if end - begin > SAMPLE else None
        return [*sample, *(extremes or ())]

    def pieces(self, edges: Sequence[float]) -> list[Piece | None]:
        """Columns without a step have none."""
        pieces: list[Piece | None] = []
        begin = bisect_left(self.steps, edges[0])
        for edge in edges[1:]:
            end = bisect_left(self.steps, edge, begin)
            extremes = self.series.extremes(begin, end)
            pieces.append(Piece(*extremes, *self._ends(begin, end, extremes)) if extremes else None)
            begin = end
        return pieces

    def _ends(self, begin: int, end: int, extremes: tuple[float, float]) -> tuple[float, float]:
        """First and last value; where they are not finite, the nearest that is known."""
        first, last = self.series[begin], self.series[end - 1]
        return first if math.isfinite(first) else extremes[0], last if math.isfinite(last) else extremes[1]

    def count_above(self, first: float, last: float, limit: float) -> int:
        """Counted block by block."""
        return self.series.count_above(*self._range(first, last), limit)


@dataclass(frozen=True)
class PointCurve:
    """Few points with a sign of their own and a line between them."""

    points: Sequence[tuple[int, float]]
    ink: Ink
    sign: str

    def values(self, first: float, last: float) -> list[float]:
        """All of them."""
        return [value for step, value in self.points if first <= step <= last]

    def pieces(self, edges: Sequence[float]) -> list[Piece | None]:
        """The line between the points."""
        pieces: list[Piece | None] = [None] * (len(edges) - 1)
        for step, value in self.points:
            column = bisect_left(edges, math.nextafter(step, math.inf)) - 1
            if 0 <= column < len(pieces):
                before = pieces[column]
                low, high = (min(before.low, value), max(before.high, value)) if before else (value, value)
                pieces[column] = Piece(low, high, before.first if before else value, value)
        return pieces

    def count_above(self, first: float, last: float, limit: float) -> int:
        """Counted one by one."""
        return sum(value > limit for value in self.values(first, last))


@dataclass(frozen=True)
class Tab:
    """One of the plots."""

    id: str
    label: str
    short: str


TABS = (
    Tab("loss", "Loss", "Loss"),
    Tab("validation", "Validation", "Val"),
    Tab("rate", "Learning rate", "Rate"),
    Tab("gradient", "Gradient norm", "Grad"),
    Tab("seconds", "Seconds", "Sec"),
)
RAW, SMOOTHED = Ink("foreground", 0.4), Ink("primary")
MEASURED = Ink("warning")
BANDS = (Ink("success"), Ink("accent"), Ink("warning"), Ink("error"))  # from low noise to high
BAND_RANGES = ("0–249", "250–499", "500–749", "750–999")  # quarters of the 1000 timesteps of SD 1.5's schedule
BAND_EDGES = ("t<250", "<500", "<750", "≥750")  # the same, where there is little room


def curves_of(tab: Tab, view: RunView) -> list[Curve]:
    """The curves of a tab, those on top last."""
    steps, validations = view.steps, view.validation_losses
    match tab.id:
        case "loss":
            measured = [(one.step, one.loss) for one in validations if math.isfinite(one.loss)]
            return [
                StepCurve(steps.numbers, steps.loss, RAW),
                PointCurve(measured, MEASURED, "◆"),
                StepCurve(steps.numbers, steps.smoothed(smoothing_span(view.max_train_steps)), SMOOTHED),
            ]
        case "validation":
            return [
                PointCurve([(one.step, one.bands[i]) for one in validations if math.isfinite(one.bands[i])], ink, sign)
                for i, (ink, sign) in enumerate(zip(BANDS, "1234", strict=True))
            ]
        case "rate":
            return [StepCurve(steps.numbers, steps.learning_rate, SMOOTHED)]
        case "gradient":
            return [StepCurve(steps.numbers, steps.gradient_norm, SMOOTHED)]
        case _:
            return [StepCurve(steps.numbers, steps.seconds, SMOOTHED)]
