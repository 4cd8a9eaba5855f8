"""The arithmetic of a loss plot: smoothing, limits and ticks; no drawing in it."""

import math
from collections.abc import Sequence

Point = tuple[float, float]  # step, loss
SPIKE = 4.0  # times the height of the bulk above which a loss is cut off, so that one spike does not flatten the rest
BULK = 0.98  # share of the losses that the limits must show in full
SHORTEST_SPAN, LONGEST_SPAN = 10, 100  # steps


def smoothing_span(max_train_steps: int) -> int:
    """Steps over which the loss of a run is averaged; fixed for the run, so that its past never changes shape."""
    return min(max(max_train_steps // 30, SHORTEST_SPAN), LONGEST_SPAN)


def smooth(points: Sequence[Point], span: int) -> list[Point]:
    """Exponential moving average over about `span` points, without the usual bias towards a start at zero."""
    keep = 1 - 2 / (span + 1)
    total = weight = 0.0
    averaged = []
    for step, value in points:
        total, weight = keep * total + value, keep * weight + 1
        averaged.append((step, total / weight))
    return averaged


def sample(points: Sequence[Point], columns: int) -> list[Point]:
    """At most one point for each column, and always the last one: enough for a curve that is smooth already."""
    stride = max(1, math.ceil(len(points) / max(columns, 1)))
    return list(points[::-1][::stride][::-1])


def limits(values: Sequence[float]) -> tuple[float, float]:
    """The lowest and highest loss to show; all of them unless a spike towers over the bulk. `values` is not empty."""
    ordered = sorted(values)
    low, high, bulk = ordered[0], ordered[-1], ordered[int(BULK * (len(ordered) - 1))]
    if high - low > SPIKE * (bulk - low) > 0:
        high = low + SPIKE / 2 * (bulk - low)
    margin = 0.05 * (high - low) or 0.05 * abs(high) or 0.05
    return low - margin, high + margin


def ticks(low: float, high: float, count: int) -> list[float]:
    """About `count` round numbers from low to high, evenly spaced by 1, 2 or 5 times a power of ten; at least two."""
    if not high > low:
        return [low]
    power = 10.0 ** math.ceil(math.log10((high - low) / count))
    for spacing in (power, power / 2, power / 5, power / 10, power / 20):
        first = math.ceil(low / spacing - 1e-9)
        last = math.floor(high / spacing + 1e-9)
        if last - first >= 1 and (high - low) / spacing >= 0.6 * count:
            break
    return [number * spacing for number in range(first, last + 1)]


def tick_labels(values: Sequence[float]) -> list[str]:
    """Ticks as text, all with the decimals that tell neighbours apart."""
    spacing = values[1] - values[0] if len(values) > 1 else abs(values[0]) or 1.0
    decimals = max(0, -math.floor(math.log10(spacing) + 1e-9))
    return [f"{value:.{decimals}f}" for value in values]
