"""The machine is kept awake while a process lives and is wanted awake, by a caffeinate that is here a fake."""

import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from engine.wakefulness import Wakefulness

FAKE = f"""#!{sys.executable}
import signal
signal.pause()
"""


@pytest.fixture(autouse=True)
def fake_caffeinate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fake one on PATH, on what looks like macOS."""
    fake = tmp_path / "caffeinate"
    fake.write_text(FAKE)
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("engine.wakefulness.platform.system", lambda: "Darwin")


@pytest.fixture
def wakefulness() -> Iterator[Wakefulness]:
    wakefulness = Wakefulness()
    yield wakefulness
    wakefulness.keep_for(None)
    assert caffeinates() == []


def caffeinates() -> list[list[str]]:
    """The last five words of each that this test has started and not yet waited for."""
    return [child.cmdline()[-5:] for child in psutil.Process().children() if "-w" in child.cmdline()]


def test_it_runs_for_a_worker_until_it_is_wanted_no_more(wakefulness: Wakefulness) -> None:
    wakefulness.keep_for(4711)
    wakefulness.keep_for(4711)
    assert [call[1:] for call in caffeinates()] == [["-i", "-s", "-w", "4711"]]
    wakefulness.keep_for(None)
    assert caffeinates() == []
    wakefulness.keep_for(4712)
    wakefulness.keep_for(4713)
    assert [call[-1] for call in caffeinates()] == ["4713"]


def test_one_that_has_ended_with_its_worker_leaves_no_zombie(wakefulness: Wakefulness) -> None:
    wakefulness.keep_for(4711)
    (process,) = [child for child in psutil.Process().children() if "-w" in child.cmdline()]
    process.kill()
    wakefulness.keep_for(None)
    assert not psutil.pid_exists(process.pid)


def test_without_a_caffeinate_the_run_goes_on(wakefulness: Wakefulness, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    wakefulness.keep_for(4711)
    assert caffeinates() == []


def test_elsewhere_nothing_is_started(wakefulness: Wakefulness, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.wakefulness.platform.system", lambda: "Linux")
    wakefulness.keep_for(4711)
    assert caffeinates() == []
