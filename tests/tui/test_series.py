"""Numbers over the steps: their blocks must never be seen from outside."""

import math

from hypothesis import given
from hypothesis import strategies as st

from tui.series import BLOCK, Series

VALUES = st.lists(st.floats(-1e6, 1e6) | st.sampled_from([math.nan, math.inf, -math.inf]), max_size=300)
ENDS = st.tuples(st.integers(0, 400), st.integers(0, 400)).map(lambda pair: (min(pair), max(pair)))


def series_of(values: list[float], repeated: int = 1) -> Series:
    series = Series()
    for value in values * repeated:
        series.append(value)
    return series


@given(VALUES, ENDS, st.integers(1, 9))
def test_extremes_and_counts_are_those_of_the_finite_values(
    values: list[float], ends: tuple[int, int], repeated: int
) -> None:
    first, last = ends[0] * repeated, ends[1] * repeated
    series = series_of(values, repeated)
    finite = [value for value in (values * repeated)[first:last] if math.isfinite(value)]
    assert series.extremes(first, last) == ((min(finite), max(finite)) if finite else None)
    assert series.count_above(first, last, 3.0) == sum(value > 3.0 for value in finite)


@given(VALUES, VALUES, st.integers(0, 300), ENDS)
def test_what_was_cut_off_leaves_no_trace(
    before: list[float], after: list[float], length: int, ends: tuple[int, int]
) -> None:
    series = series_of(before)
    series.extremes(0, len(series))  # blocks are made of what will go
    series.cut(length)
    for value in after:
        series.append(value)
    assert series.extremes(*ends) == series_of(before[:length] + after).extremes(*ends)


def test_blocks_of_blocks_are_used_and_right() -> None:
    series = series_of([float(number) for number in range(3 * BLOCK * BLOCK)])
    assert series.extremes(1, 3 * BLOCK * BLOCK - 1) == (1.0, 3 * BLOCK * BLOCK - 2.0)
    assert series.extremes(BLOCK, 2 * BLOCK * BLOCK) == (BLOCK, 2 * BLOCK * BLOCK - 1.0)


def test_a_sample_is_small_and_finite() -> None:
    series = series_of([1.0, math.nan, 3.0] * 1000)
    sample = series.sample(0, 3000, 100)
    assert 50 <= len(sample) <= 200
    assert all(map(math.isfinite, sample))


@given(VALUES, ENDS)
def test_a_total_is_that_of_the_finite_values(values: list[float], ends: tuple[int, int]) -> None:
    finite = [value for value in values[slice(*ends)] if math.isfinite(value)]
    assert series_of(values).total(*ends) == sum(finite)
