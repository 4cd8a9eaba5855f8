"""Open files for processes that another program has started."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from engine.handover import Handover, ask_for_files


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return Path("files.sock")  # relative: socket paths are short


def test_each_gets_what_is_its_own_and_can_use_it(path: Path) -> None:
    read, write = os.pipe()
    other_read, other_write = os.pipe()
    _handover = Handover(path, lambda rank: [write] if rank == 7 else [other_write, read])
    connection, (mine,) = ask_for_files(path, 7)
    assert not os.get_inheritable(mine)
    os.write(mine, b"seven")
    assert os.read(read, 100) == b"seven"
    _, files = ask_for_files(path, 1)
    assert len(files) == 2
    os.write(files[0], b"one")
    assert os.read(other_read, 100) == b"one"
    for file in (read, write, other_read, other_write, mine, *files):
        os.close(file)
    connection.close()


def test_one_that_comes_and_dies_locks_nobody_out(path: Path) -> None:
    _handover = Handover(path, lambda _: [0])
    for _ in range(3):
        with socket.socket(socket.AF_UNIX) as stranger:
            stranger.connect(str(path))
    connection, files = ask_for_files(path, 0)
    assert len(files) == 1
    os.close(files[0])
    connection.close()


def test_the_connection_ends_with_the_process_that_handed_over(path: Path) -> None:
    """However it ends, so that nothing that it started stays behind."""
    code = (
        "import os, pathlib, sys\nfrom engine.handover import Handover\n"
        "keep = Handover(pathlib.Path('files.sock'), lambda _: [1])\nprint('ready', flush=True)\nsys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=os.environ | path_of_engine()
    ) as giver:
        assert giver.stdout
        assert giver.stdout.readline() == b"ready\n"
        connection, files = ask_for_files(path, 0)
        giver.kill()
        assert connection.recv(1) == b""
        os.close(files[0])
        connection.close()


def path_of_engine() -> dict[str, str]:
    return {"PYTHONPATH": str(Path(__file__).resolve().parents[2])}
