"""Folders appear whole or not at all."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from engine.atomic_folder import atomic_folder


def write(folder: Path, text: str, *, replace: bool = True) -> None:
    with atomic_folder(folder, replace=replace) as fresh:
        (fresh / "file").write_text(text)
        assert not (folder / "file").exists() or (folder / "file").read_text() != text


def test_a_folder_takes_the_place_of_an_older_one_when_it_is_complete(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "folder"
    write(folder, "first")
    (folder / "more").write_text("x")
    write(folder, "second")
    assert [(path.name, path.read_text()) for path in folder.iterdir()] == [("file", "second")]
    assert list(folder.parent.iterdir()) == [folder]


def test_without_replace_the_first_one_stays(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    write(folder, "first", replace=False)
    write(folder, "second", replace=False)
    assert (folder / "file").read_text() == "first"
    assert list(tmp_path.iterdir()) == [folder]


@pytest.mark.parametrize("replace", [True, False])
def test_an_error_while_writing_changes_nothing(tmp_path: Path, replace: bool) -> None:
    folder = tmp_path / "folder"
    write(folder, "first")
    with pytest.raises(OSError, match="disk full"), atomic_folder(folder, replace=replace) as fresh:
        (fresh / "file").write_text("half")
        raise OSError("disk full")
    assert (folder / "file").read_text() == "first"
    assert list(tmp_path.iterdir()) == [folder]


def test_what_a_dead_process_left_over_is_removed_and_a_live_ones_is_not(tmp_path: Path) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    leftovers = [tmp_path / f".folder.{pid}.new" for pid in (dead.pid, os.getpid(), os.getppid())]
    for leftover in [*leftovers, tmp_path / ".folder.notes"]:
        leftover.mkdir()
    write(tmp_path / "folder", "text")
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"folder", ".folder.notes", f".folder.{os.getppid()}.new"}


def test_an_old_folder_whose_place_is_empty_goes_back_there(tmp_path: Path) -> None:
    """A process that died between the two renames must not cost the only copy, also if the next write fails."""
    dead = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    old = tmp_path / f".folder.{int(dead.stdout)}.old"
    old.mkdir()
    (old / "file").write_text("the only copy")
    with pytest.raises(OSError, match="full"), atomic_folder(tmp_path / "folder"):
        raise OSError("full")
    assert (tmp_path / "folder" / "file").read_text() == "the only copy"
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]
