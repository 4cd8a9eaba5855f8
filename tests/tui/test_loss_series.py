"""Smoothing, limits and ticks of the loss plot."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.loss_series import limits, sample, smooth, smoothing_span, tick_labels, ticks

LOSSES = st.lists(st.floats(0, 1000), min_size=1, max_size=300)


def numbered(losses: list[float]) -> list[tuple[float, float]]:
    return [(float(step), loss) for step, loss in enumerate(losses, start=1)]


def test_smoothing_starts_at_the_first_loss_and_forgets_slowly() -> None:
    averaged = smooth([(1, 1.0), (2, 0.0), (3, 0.0)], span=3)  # weights 1, 1/2, 1/4
    assert averaged == [(1, 1.0), (2, pytest.approx(1 / 3)), (3, pytest.approx(1 / 7))]


@given(LOSSES)
def test_smoothing_stays_within_the_losses(losses: list[float]) -> None:
    assert all(min(losses) - 1e-6 <= loss <= max(losses) + 1e-6 for _, loss in smooth(numbered(losses), 10))


def test_the_span_grows_with_the_run_within_bounds() -> None:
    assert [smoothing_span(steps) for steps in (10, 600, 1_000_000)] == [10, 20, 100]


@given(LOSSES, st.integers(1, 50))
def test_a_sample_has_a_point_a_column_and_the_newest(losses: list[float], columns: int) -> None:
    points = numbered(losses)
    sampled = sample(points, columns)
    assert len(sampled) <= columns
    assert sampled[-1] == points[-1]


def test_limits_show_everything_unless_a_spike_towers() -> None:
    low, high = limits([0.1, 0.2, 0.3])
    assert low < 0.1
    assert high > 0.3
    assert high < 0.35
    low, high = limits([0.1 + index / 1000 for index in range(100)] + [50.0])
    assert 0.2 < high < 1


@given(LOSSES)
def test_limits_always_leave_room(losses: list[float]) -> None:
    low, high = limits(losses)
    assert low < high
    assert low <= min(losses)


@given(st.floats(-100, 100), st.floats(0.001, 10_000), st.integers(2, 12))
def test_ticks_are_inside_and_told_apart(low: float, height: float, count: int) -> None:
    values = ticks(low, low + height, count)
    assert 2 <= len(values) <= 3 * count + 2
    assert low - 1e-6 * height <= values[0]
    assert values[-1] <= low + height * (1 + 1e-6)
    labels = tick_labels(values)
    assert len(set(labels)) == len(labels)


def test_ticks_are_round_numbers() -> None:
    assert tick_labels(ticks(0.12, 0.55, 4)) == ["0.2", "0.3", "0.4", "0.5"]
    assert tick_labels(ticks(0, 3000, 6)) == ["0", "500", "1000", "1500", "2000", "2500", "3000"]
    assert ticks(5, 5, 4) == [5]
