"""Replacing a file as a whole."""

from pathlib import Path

import pytest

from engine.contract.atomic_file import remove_unfinished, write_atomically


def test_replacing_a_file_leaves_nothing_else_behind(tmp_path: Path) -> None:
    path = tmp_path / "control.json"
    for text in ("old", "new"):
        write_atomically(path, text, mode=0o600)
    assert path.read_text() == "new"
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_a_failed_replacement_keeps_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "control.json"
    write_atomically(path, "old")
    with pytest.raises(UnicodeEncodeError):
        write_atomically(path, "\udc80")
    assert path.read_text() == "old"


def test_what_a_killed_writer_left_is_removed_and_nothing_beside_it(tmp_path: Path) -> None:
    path, unfinished, others = (
        tmp_path / "data.json",
        tmp_path / ".data.json.77.tmp",
        tmp_path / ".adjustments.json.7.tmp",
    )
    for file in (path, unfinished, others):
        file.write_text("{")
    remove_unfinished(path)
    assert sorted(tmp_path.iterdir()) == [others, path]
