"""What lies between two steps of a curve."""

import math
from array import array

from hypothesis import given
from hypothesis import strategies as st

from tui.braille import Ink
from tui.curves import Piece, PointCurve, StepCurve
from tui.series import Series

LOSSES = st.lists(st.floats(0, 1000) | st.just(math.nan), max_size=300)


def curve(losses: list[float]) -> StepCurve:
    series = Series()
    for loss in losses:
        series.append(loss)
    return StepCurve(array("q", range(1, len(losses) + 1)), series, Ink("primary"))


def columns(count: int, last: float) -> list[float]:
    """The edges of so many columns from 0 to beyond `last`."""
    return [(last + 1) * edge / count for edge in range(count + 1)]


@given(LOSSES, st.integers(1, 50))
def test_no_extreme_is_lost_whatever_the_number_of_columns(losses: list[float], count: int) -> None:
    pieces = [piece for piece in curve(losses).pieces(columns(count, len(losses))) if piece]
    finite = [loss for loss in losses if math.isfinite(loss)]
    assert min((piece.low for piece in pieces), default=None) == min(finite, default=None)
    assert max((piece.high for piece in pieces), default=None) == max(finite, default=None)
    assert all(piece.low <= end <= piece.high for piece in pieces for end in (piece.first, piece.last))


def test_a_single_spike_among_ten_thousand_survives() -> None:
    losses = [0.1] * 10_000
    losses[6_789] = 9.0
    pieces = curve(losses).pieces(columns(80, 10_000))
    assert [column for column, piece in enumerate(pieces) if piece and piece.high == 9.0] == [54]
    assert 9.0 in curve(losses).values(0, 10_000)


def test_a_spike_counts_once_among_few_values() -> None:
    assert sorted(curve([0.1, 0.2, 9.0]).values(0, 3)) == [0.1, 0.2, 9.0]


def test_points_are_joined_within_and_across_columns() -> None:
    points = PointCurve([(0, 0.5), (1, 0.3), (9, 0.2), (30, 0.1)], Ink("warning"), "◆")
    assert points.pieces([0.0, 5.0, 10.0, 15.0]) == [Piece(0.3, 0.5, 0.5, 0.3), Piece(0.2, 0.2, 0.2, 0.2), None]
    assert points.count_above(0, 10, 0.25) == 2
