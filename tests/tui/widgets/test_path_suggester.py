"""Paths are completed by the first entry that fits, and nothing that is typed can break it."""

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tui.widgets.path_suggester import PathSuggester, complete_path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in ("data/boots", "data/shoes/images", "outputs"):
        (tmp_path / name).mkdir(parents=True)
    for name in ("data/.hidden", "data/shoes/captions.json", "data/notes.txt"):
        (tmp_path / name).write_text("")
    return tmp_path


@pytest.mark.parametrize(
    ("typed", "whole"),
    [("d", "data/"), ("data/", "data/boots/"), ("data/sh", "data/shoes/"), ("data/shoes/c", "data/shoes/captions.json"),
     ("data/.h", "data/.hidden"), ("data/n", "data/notes.txt"), ("x", None), ("nowhere/x", None),
     ("data/notes.txt/x", None), ("~nobody-here/x", None), ("\0", None)],
)  # fmt: skip
def test_a_beginning_becomes_the_first_entry_that_fits(root: Path, typed: str, whole: str | None) -> None:
    assert complete_path(root, typed) == whole


def test_absolute_paths_and_the_home_folder_are_known(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert complete_path(Path("/"), f"{root}/da") == f"{root}/data/"
    monkeypatch.setenv("HOME", str(root))
    assert complete_path(Path("/"), "~/da") == "~/data/"


def test_files_of_another_kind_are_not_offered(root: Path) -> None:
    assert complete_path(root, "data/n", ".json") is None
    assert complete_path(root, "data/shoes/c", ".json") == "data/shoes/captions.json"


async def test_words_come_before_files(root: Path) -> None:
    suggester = PathSuggester(root, ("demo",))
    assert await suggester.get_suggestion("d") == "demo"
    assert await suggester.get_suggestion("da") == "data/"


@settings(deadline=None)  # a disk may be slow
@given(st.text(max_size=12))
def test_whatever_is_typed_is_kept(typed: str) -> None:
    whole = complete_path(Path(os.curdir), typed)
    assert whole is None or whole.startswith(typed)
