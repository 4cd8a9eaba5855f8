"""What is told of pictures on request, and the list that lies beside them."""

import json
from argparse import ArgumentTypeError
from dataclasses import replace
from pathlib import Path

import pytest

from engine.contract.generated import (
    GeneratedPicture,
    adapter_weight,
    decode,
    encode,
    picture_count,
    read_list,
    write_list,
)
from engine.contract.protocol import PhaseProgressed

PICTURE = GeneratedPicture("/there/00.png", "rote Schuhe, größer", "blurry", 7, 25, 7.5, "demo", None)


@pytest.mark.parametrize(
    "said", [PICTURE, replace(PICTURE, adapter="/x", fault="is black"), PhaseProgressed("a", 1, 2)]
)
def test_what_is_said_is_understood(said: GeneratedPicture | PhaseProgressed) -> None:
    assert "\n" not in encode(said)
    assert decode(encode(said)) == said


@pytest.mark.parametrize("line", ["", "Loading weights: 100%", "{", "[]", '{"phase": "a"}'])
def test_other_words_are_passed_over(line: str) -> None:
    assert decode(line) is None


def test_a_folder_may_be_moved_with_its_list(tmp_path: Path) -> None:
    before, after = tmp_path / "before", tmp_path / "after"
    before.mkdir()
    write_list(before, [replace(PICTURE, file=str(before / "00.png"))])
    before.rename(after)
    assert read_list(after) == [replace(PICTURE, file=str(after / "00.png"))]
    assert json.loads((after / "samples.json").read_text())[0]["prompt"] == PICTURE.prompt


@pytest.mark.parametrize("text", [None, "", "[{}]", "{"])
def test_a_missing_or_damaged_list_lists_nothing(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "samples.json").write_text(text)
    assert read_list(tmp_path) == []


def test_numbers_have_bounds() -> None:
    assert (picture_count("64"), adapter_weight("0"), adapter_weight(" 2.0 ")) == (64, 0.0, 2.0)
    for text in ("0", "65", "-1", "1.5", "", "x"):
        with pytest.raises(ArgumentTypeError, match="from 1 to 64"):
            picture_count(text)
    for text in ("-0.1", "2.01", "nan", "inf", ""):
        with pytest.raises(ArgumentTypeError, match="from 0 to 2"):
            adapter_weight(text)
