"""Which steps a plot shows."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.plot_window import SHORTEST, Window, round_up

NEWEST = st.integers(0, 200_000)
MOVES = st.lists(
    st.sampled_from(["in", "out", "left", "right"]) | st.integers(0, 200_000).map(lambda step: ("at", step)),
    max_size=20,
)


@given(NEWEST, MOVES, st.integers(0, 5000))
def test_whatever_was_done_the_window_lies_within_the_run_and_has_room(
    newest: int, moves: list[str | tuple[str, int]], more: int
) -> None:
    window = Window()
    for move in moves:
        match move:
            case "in":
                window = window.zoomed_in(newest)
            case "out":
                window = window.zoomed_out(newest)
            case "left" | "right":
                window = window.panned(newest, -1 if move == "left" else 1)
            case (_, step):
                window = window.zoomed_in(newest, min(int(step), newest)).containing(newest, min(int(step), newest))
    for end in (newest, newest + more):
        first, last = window.bounds(end)
        assert first >= 0
        assert last <= round_up(max(end, 1))
        assert last - first >= min(SHORTEST, round_up(max(end, 1)))


def test_zooming_in_follows_and_zooming_out_comes_back_to_the_whole() -> None:
    window = Window().zoomed_in(1000)
    assert (window.bounds(1000), window.follows) == ((500, 1000), True)
    assert window.bounds(1200) == (700, 1200)
    assert window.zoomed_out(1000).is_whole


def test_zooming_keeps_the_step_under_the_cursor_where_it_is() -> None:
    first, last = Window().zoomed_in(1000, 250).bounds(1000)
    assert (250 - first) / (last - first) == pytest.approx(0.25)


def test_moving_to_the_end_follows_again() -> None:
    window = Window().zoomed_in(1000).panned(1000, -1)
    assert not window.follows
    assert window.bounds(5000) == window.bounds(1000)
    assert window.panned(1000, 1).follows


@given(st.integers(1, 10**7))
def test_an_axis_grows_by_jumps_of_a_few_hundredths(newest: int) -> None:
    end = round_up(newest)
    assert newest <= end <= newest * 1.1 + 1
    assert round_up(end) == end
