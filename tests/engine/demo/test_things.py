"""The things: every kind paints, is large enough to be seen, and has its own colour."""

from random import Random

import numpy as np
import numpy.typing as npt
import pytest

from engine.demo.palette import BACKGROUNDS, COLOURS
from engine.demo.things import KINDS, paint_thing


def painted(kind: str, colour: str, seed: int = 0) -> npt.NDArray[np.int64]:
    picture = paint_thing(kind, COLOURS[colour], BACKGROUNDS["white"], Random(seed), 64)
    assert (picture.size, picture.mode) == ((64, 64), "RGB")
    return np.asarray(picture).astype(np.int64)


def test_there_are_28_kinds_and_none_is_a_shoe() -> None:
    assert len(KINDS) == 28
    assert not any("shoe" in kind for kind in KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_a_thing_covers_8_to_60_percent_of_the_picture(kind: str) -> None:
    """What is red and what is blue differ where the thing is, save for parts that have a colour of their own."""
    for seed in range(24):
        differs = np.abs(painted(kind, "red", seed) - painted(kind, "blue", seed)).max(axis=2) > 40
        assert 0.08 < differs.mean() < 0.6


@pytest.mark.parametrize("kind", KINDS)
def test_most_of_what_is_coloured_is_near_the_colour(kind: str) -> None:
    for seed in range(4):
        red = painted(kind, "red", seed)
        coloured = red[..., 0] - red[..., 1:].max(axis=2) > 60
        near = np.abs(red - COLOURS["red"]).max(axis=2) < 75  # shading moves it by that much
        assert (near & coloured).sum() > 0.5 * coloured.sum()


@pytest.mark.parametrize("kind", KINDS)
def test_a_thing_is_not_cut_off(kind: str) -> None:
    """At the picture's edges there is only the backdrop, which has no colour to speak of."""
    for seed in range(24):
        red = painted(kind, "red", seed)
        edges = np.concatenate([red[0], red[-1], red[:, 0], red[:, -1]])
        assert (edges[:, 0] - edges[:, 1]).max() < 40
