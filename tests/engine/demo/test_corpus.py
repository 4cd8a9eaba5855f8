"""The corpus: the same number is the same example, captions are true, and nothing in it is a shoe."""

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest

from engine.demo.corpus import Example, draw_scribble, draw_stitched, draw_thing
from engine.demo.palette import BACKGROUNDS, COLOURS
from engine.demo.things import KINDS

COUNT = 10 * len(KINDS)


@pytest.fixture(scope="module")
def examples() -> list[Example]:
    return [draw_thing(number) for number in range(COUNT)]


def test_the_same_number_is_the_same_example_and_another_is_not(examples: list[Example]) -> None:
    again = draw_thing(7)
    assert again.picture.tobytes() == examples[7].picture.tobytes()
    assert again.caption == examples[7].caption
    assert len({example.picture.tobytes() for example in examples}) == COUNT
    assert draw_thing(7, seed=1).picture.tobytes() != examples[7].picture.tobytes()
    assert draw_thing(7, resolution=96).picture.size == (96, 96)


def test_kinds_come_equally_often_and_every_colour_and_background_comes(examples: list[Example]) -> None:
    assert Counter(example.kind for example in examples) == dict.fromkeys(KINDS, 10)
    assert {example.colour for example in examples} == set(COLOURS)
    assert {example.background for example in examples} == set(BACKGROUNDS)
    assert all(example.colour != example.background for example in examples)
    assert 0.4 < sum(example.background == "white" for example in examples) / COUNT < 0.6


def test_captions_say_what_is_there_and_nothing_else(examples: list[Example]) -> None:
    without_colour = without_background = 0
    for example in examples:
        words = example.caption.replace(",", "").split()
        at = words.index(example.kind)
        if words[at - 1] in COLOURS:
            assert words[at - 1] == example.colour
        else:
            without_colour += 1
        if "background" in words:
            assert words[words.index("background") - 1] == example.background
        else:
            without_background += 1
        assert not ({"shoe", "shoes", *KINDS} - {example.kind}) & set(words)
    assert 0 < without_colour < 0.12 * COUNT
    assert 0.08 * COUNT < without_background < 0.24 * COUNT


def test_articles_are_right(examples: list[Example]) -> None:
    for example in examples:
        for article, word in pairwise(example.caption.replace(",", "").split()):
            if article in {"a", "an"}:
                assert (article == "an") == (word[0] in "aeiou"), example.caption
        if example.kind == "trousers":
            before = example.caption.split(" trousers")[0].removesuffix(f" {example.colour}")
            assert not before.endswith((" a", " an")), example.caption


def test_scribbles_differ_and_are_the_same_each_time() -> None:
    scribbles = [draw_scribble(number) for number in range(40)]
    assert {(scribble.size, scribble.mode) for scribble in scribbles} == {((64, 64), "RGB")}
    assert len({scribble.tobytes() for scribble in scribbles}) == 40
    assert draw_scribble(3).tobytes() == scribbles[3].tobytes()


def test_scribbles_are_full_of_edges() -> None:
    pixels = np.stack([np.asarray(draw_scribble(number)) for number in range(40)]).astype(int)
    assert (np.abs(np.diff(pixels, axis=2)).max(axis=3) > 60).mean() > 0.06


def test_stitched_things_differ_from_plain_ones_in_fine_lines_only() -> None:
    for number in range(20):
        plain, stitched = (
            np.asarray(picture).astype(int) for picture in (draw_thing(number).picture, draw_stitched(number))
        )
        changed = (np.abs(stitched - plain).max(axis=2) > 20).mean()
        assert changed < 0.25
    assert draw_stitched(3).tobytes() == draw_stitched(3).tobytes()
