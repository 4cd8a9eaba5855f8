"""How high a value stands in a plot, on a plain or a logarithmic scale, and which heights have a number beside them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from tui.loss_series import limits, tick_labels, ticks

MOST_DECADES = 12  # of a logarithmic scale; what is smaller lies at the bottom
SMALL = 1e-3  # numbers below that are written with their power of ten


@dataclass(frozen=True)
class Scale:
    """From `low` at 0 to `high` at 1; on a logarithmic one both are greater than 0."""

    low: float
    high: float
    logarithmic: bool = False

    def height(self, value: float) -> float:
        """Where a value stands, from 0 to 1; what lies beyond an end stands at it."""
        low, high = self.low, self.high
        if self.logarithmic:
            value, low, high = math.log10(max(value, low)), math.log10(low), math.log10(high)
        return min(max((value - low) / (high - low), 0.0), 1.0)

    def marks(self, most: int) -> list[tuple[float, str]]:
        """Heights with their numbers, about `most` of them."""
        values = self._decades(most) if self.logarithmic else ticks(self.low, self.high, most)
        inside = [value for value in values if self.low <= value <= self.high]
        return list(zip(inside, self._labels(inside), strict=True))

    def _decades(self, most: int) -> list[float]:
        """Powers of ten, with their halves and fifths where there is room."""
        first, last = math.floor(math.log10(self.low)), math.ceil(math.log10(self.high))
        for factors in ((1, 2, 5), (1, 3), (1,)):
            values = [factor * 10.0**power for power in range(first, last + 1) for factor in factors]
            values = [value for value in values if self.low <= value <= self.high]
            if len(values) <= most:
                break
        if len(values) < 2:
            return ticks(self.low, self.high, most)
        return values[:: -(-len(values) // most)]

    def _labels(self, values: Sequence[float]) -> list[str]:
        if max(map(abs, values), default=1.0) < SMALL:
            return [f"{value:.1e}".replace("e-0", "e-") for value in values]
        return [f"{value:g}" for value in values] if self.logarithmic else tick_labels(values)


def scale_of(values: Sequence[float], logarithmic: bool) -> Scale:
    """The scale that shows these values, but no spike that would flatten the rest; `values` are finite."""
    positive = [math.log10(value) for value in values if value > 0]
    if logarithmic and positive:
        low, high = max(min(positive), max(positive) - MOST_DECADES), max(positive)
        margin = 0.03 * (high - low) or 0.05
        return Scale(10 ** (low - margin), 10 ** (high + margin), True)
    return Scale(*limits(values or [0.0, 1.0]))
