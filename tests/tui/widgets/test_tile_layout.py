"""How pictures share a pane, and how their captions are shortened."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.widgets.tile_layout import SMALLEST, arrange, distinct_captions, fitting


@pytest.mark.parametrize(
    ("count", "width", "height", "grid", "size"),
    [
        (4, 32, 12, (2, 2), (10, 5)),
        (4, 66, 28, (2, 2), (26, 13)),
        (1, 60, 21, (1, 1), (40, 20)),
        (16, 98, 40, (4, 4), (18, 9)),
        (3, 120, 11, (3, 1), (20, 10)),
    ],
)
def test_as_large_as_they_can_be(
    count: int, width: int, height: int, grid: tuple[int, int], size: tuple[int, int]
) -> None:
    layout = arrange(count, width, height, cell_ratio=0.5)
    assert (layout.across, layout.down) == grid
    assert (layout.columns, layout.rows) == size


@given(st.integers(1, 40), st.integers(1, 200), st.integers(1, 70), st.floats(0.3, 0.8))
def test_all_have_a_place_and_the_width_is_kept(count: int, width: int, height: int, ratio: float) -> None:
    layout = arrange(count, width, height, ratio)
    assert layout.across * layout.down >= count
    assert layout.width <= width
    assert layout.columns >= min(SMALLEST, width)
    assert layout.rows >= 1


def test_captions_lose_what_they_share_with_another() -> None:
    assert distinct_captions(
        ["a photo of red shoes on white", "a photo of blue shoes on white", "a pair of boots", "", "a photo of red"]
    ) == ["shoes on white", "blue shoes on white", "pair of boots", "", "a photo of red"]
    assert distinct_captions(["same", "same"]) == ["same", "same"]


def test_a_caption_that_does_not_fit_is_cut_where_it_says_least() -> None:
    assert fitting("photo of red shoes", 18) == "photo of red shoes"
    assert fitting("photo of red shoes", 10) == "red shoes"
    assert fitting("photo of red shoes", 6) == "red s…"
    assert fitting("preview: a photo of red shoes", 18) == "preview: red shoes"
    assert fitting("step 20: a photo of red shoes", 15) == "step 20: red s…"
    assert fitting("運動靴の写真", 7) == "運動靴…"
    assert fitting("shoes", 0) == "…"
