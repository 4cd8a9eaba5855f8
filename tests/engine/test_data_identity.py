"""A run remembers its data, names every difference, and goes on with other data only if that is allowed."""

import dataclasses
from pathlib import Path

import pytest

from engine.contract.errors import DataError
from engine.contract.protocol import Event, WarningRaised
from engine.data_identity import require_same_data
from engine.dataset import Sample

DATA = [(Sample(name, Path(f"{name}.png"), (f"shoe {name}",)), name * 64) for name in "abc"]


def silent(_event: Event, _cause: str | None) -> None:
    raise AssertionError("nothing was to be said")


def test_the_same_data_say_nothing(tmp_path: Path) -> None:
    require_same_data(tmp_path / "data.json", DATA, False, silent)
    require_same_data(tmp_path / "data.json", DATA, False, silent)


def test_another_order_is_a_difference_since_samples_are_numbered_by_it(tmp_path: Path) -> None:
    require_same_data(tmp_path / "data.json", DATA, False, silent)
    with pytest.raises(DataError) as raised:
        require_same_data(tmp_path / "data.json", DATA[::-1], False, silent)
    assert raised.value.why == "the order of the samples."


def test_every_difference_is_named_and_refused(tmp_path: Path) -> None:
    require_same_data(tmp_path / "data.json", DATA, False, silent)
    other_caption = (dataclasses.replace(DATA[0][0], captions=("boot a",)), DATA[0][1])
    other_picture = (DATA[1][0], "z" * 64)
    new = (Sample("d", Path("d.png"), ("shoe d",)), "d" * 64)
    with pytest.raises(DataError) as raised:
        require_same_data(tmp_path / "data.json", [other_caption, other_picture, new], False, silent)
    assert raised.value.why == "c is gone; a has another caption; b has another picture; d is new."
    assert "--allow-changed-data" in raised.value.remedy


def test_allowed_changes_warn_once_and_are_remembered(tmp_path: Path) -> None:
    require_same_data(tmp_path / "data.json", DATA, False, silent)
    said: list[Event] = []
    require_same_data(tmp_path / "data.json", DATA[:2], True, lambda event, _: said.append(event))
    assert [type(event) for event in said] == [WarningRaised]
    require_same_data(tmp_path / "data.json", DATA[:2], False, silent)


@pytest.mark.parametrize("content", ["{", "[1]", '"text"', ""])
def test_a_damaged_file_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "data.json").write_text(content)
    with pytest.raises(DataError, match=r"data\.json is damaged"):
        require_same_data(tmp_path / "data.json", DATA, False, silent)
