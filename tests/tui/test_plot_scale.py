"""Heights in a plot, and the numbers beside them."""

from hypothesis import given
from hypothesis import strategies as st

from tui.plot_scale import Scale, scale_of

VALUES = st.lists(st.floats(-1e6, 1e6), max_size=50)


@given(VALUES, st.booleans(), st.integers(2, 20))
def test_every_value_has_a_height_and_every_mark_a_label_of_its_own(
    values: list[float], logarithmic: bool, most: int
) -> None:
    scale = scale_of(values, logarithmic)
    assert scale.low < scale.high
    assert all(0 <= scale.height(value) <= 1 for value in values)
    marks = scale.marks(most)
    assert all(scale.low <= value <= scale.high for value, _ in marks)
    assert len(marks) <= 3 * most + 2


def test_a_logarithmic_scale_gives_each_decade_the_same_room() -> None:
    scale = Scale(0.001, 1.0, True)
    assert [round(scale.height(value), 6) for value in (0.001, 0.01, 0.1, 1.0)] == [0, 0.333333, 0.666667, 1]
    assert [label for _, label in scale.marks(5)] == ["0.001", "0.01", "0.1", "1"]


def test_a_scale_without_anything_greater_than_zero_is_plain() -> None:
    assert not scale_of([0.0, -1.0], logarithmic=True).logarithmic


def test_small_numbers_are_written_short() -> None:
    assert all(len(label) <= 7 for _, label in scale_of([1e-5, 2e-4], logarithmic=False).marks(6))
