"""The console as a person uses it, by keys and clicks in a real terminal, on a real run of the demo."""

import os
import re
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psutil
import pytest

from engine.contract import protocol as p
from engine.contract.run_dir import RunDir, Workspace, list_runs
from engine.contract.run_state import RunState
from tests.end_to_end.conftest import end
from tests.terminal import PATIENCE, RUBBISH, Terminal
from tui.run_view import view_run

pytestmark = pytest.mark.timeout(300)  # most of it for machines that are busy

Open = Callable[..., Terminal]
WatchRun = Callable[[RunDir], Any]
SHELL = ["/bin/sh", "-i"]
SIZE = (80, 24)
TYPED = {
    "resolution": ("Resolution", 32), "train_batch_size": ("Batch size", 2), "max_train_steps": ("Steps", 100_000),
    "validation_steps": ("Validate every", 20), "num_validation_images": ("Images", 2),
    "validation_inference_steps": ("Denoising steps", 2),
}  # fmt: skip
LAST_LOGGED = re.compile(r":\d\d +Checkpoint done")  # the log's line, not the answer above the plot
SOON = 15.0  # seconds in which a console without a terminal ends


@pytest.fixture
def windows(tmp_path: Path) -> Iterator[Open]:
    """Opens terminals in an empty folder; at the end none is left, nor what was started in them."""
    with ExitStack() as stack:
        variables = {
            "XDG_CONFIG_HOME": str(tmp_path / "config"), "PS1": "$ ", "ENV": "",
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        }  # fmt: skip

        def open_window(*command: str) -> Terminal:
            terminal = Terminal(command or SHELL, tmp_path, SIZE, **variables)
            stack.callback(terminal.end)
            return terminal

        yield open_window
    for run in list_runs(Workspace(tmp_path)):
        end(run)


def test_from_the_form_to_the_end_of_the_run_through_a_closed_terminal(
    windows: Open, watch: WatchRun, tmp_path: Path
) -> None:
    window = windows()
    window.shows("$")
    window.press("shoelora-tui", "Enter")
    window.shows("There is no run here yet", "2  New run: choose the preset demo and start it")
    run = start_from_the_form(window, Workspace(tmp_path))
    journal = watch(run)

    steps_rise_on(window)
    journal.until(lambda event: isinstance(event, p.ValidationImageSaved) and event.step > 0)
    pause_and_save(window, run)
    resizing_leaves_no_rubbish(window)
    look_at_the_pictures(window, run)
    window.press("p")
    window.shows("▶ running", "Resume done")
    steps_rise_on(window)

    way_back = detach(window, run)
    journal.until_step(view_run(run).step + 5)
    window.press(way_back, "Enter")
    window.shows("▶ running", "p Pause")
    console = psutil.Process(window.process.pid).children()[0]
    window.close()
    console.wait(SOON)
    assert window.process.wait(SOON) == -signal.SIGHUP
    journal.until_step(view_run(run).step + 5)

    window = windows()
    window.press(way_back, "Enter")
    window.shows("▶ running", "p Pause")
    stop(window, run)
    window.press("q")
    at_the_prompt(window, f"Go on with: shoelora-tui resume {run.name}")
    window.press("clear; shoelora-tui status", "Enter")
    at_the_prompt(window, f"checkpoints/checkpoint-{view_run(run).step} (stop)")
    assert f"{run.name}: ■ stopped" in "\n".join(window.lines)
    assert started_in(tmp_path) == [window.process.pid], "neither console nor supervisor nor worker is left"


def start_from_the_form(window: Terminal, workspace: Workspace) -> RunDir:
    """By mouse the preset, by keys the settings, so that a step takes little and the run does not end by itself."""
    window.press("2")
    window.click("training_config")
    window.shows("low_memory")  # the list has opened
    window.click("demo")
    window.shows_in_a_row("Batch size", "24")
    for name, (title, value) in TYPED.items():
        window.press("Ctrl+f", name, "Enter", "End", "Ctrl+u", str(value))
        window.shows_in_a_row(f"●{title}", str(value))
    window.shows("✓ can start")
    window.press("F5")
    window.shows("step 0/100000", "Pictures", "c Checkpoint")
    return list_runs(workspace)[-1]


def steps_rise_on(window: Terminal) -> None:
    """The Monitor counts."""

    def step(lines: list[str]) -> int:
        found = re.search(r"step (\d+)/", "\n".join(lines))
        return int(found[1]) if found else -1

    first = step(window.lines)
    window.until(lambda lines: step(lines) > first + 2, f"a step after {first}")


def pause_and_save(window: Terminal, run: RunDir) -> None:
    """The worker is held for a moment, so that what was asked for can be read before it is obeyed."""
    worker = view_run(run).worker_pid
    assert worker
    os.kill(worker, signal.SIGSTOP)
    window.press("p")
    window.shows("Pause asked for…", "▶ running")
    os.kill(worker, signal.SIGCONT)
    window.shows("‖ paused", "Pause done", "p Resume")
    assert run.state() is RunState.PAUSED
    window.press("c")
    window.shows(f"done: checkpoint-{view_run(run).step} saved", "Checkpoints 1")
    window.press("w")
    window.shows(f"▲ step {view_run(run).step}", "on command")
    window.press("w", "w")
    window.until(lambda lines: any(LAST_LOGGED.search(line) for line in lines), "the log to its last line")


def resizing_leaves_no_rubbish(window: Terminal) -> None:
    """A terminal leaves anything on its screen when its size changes; all of it must be painted over."""
    before = window.lines
    for size, sign in [((60, 20), "w: log"), ((200, 60), "Learning rate"), ((40, 10), "Too small"), (SIZE, "Rate")]:
        window.resize(*size)
        window.shows(sign)
        lines = window.until(lambda lines: RUBBISH not in "".join(lines), f"nothing but its own at {size}")
        assert sum("3 Monitor" in line for line in lines) == (sign != "Too small")
    window.until(lambda lines: lines == before, "again what it had shown:\n" + "\n".join(before) + "\nbut")


def look_at_the_pictures(window: Terminal, run: RunDir) -> None:
    """Those of the newest validation, then those of the base model, and back."""
    steps = sorted({image.step for image in view_run(run).images})
    window.press("g")
    window.shows(f"step {steps[-1]}  {len(steps)}/{len(steps)}", "▀▀▀▀▀▀▀▀")
    row = next(row for row, line in enumerate(window.lines) if "▀▀▀▀▀▀▀▀" in line)
    assert len(window.colours(row)) > 8, "a picture, not an empty frame"
    window.press("Home")
    window.shows(f"step 0 (base)  1/{len(steps)}")
    window.press("3")
    window.shows("‖ paused", "p Resume")


def detach(window: Terminal, run: RunDir) -> str:
    """Leave; returns the command that was told to come back."""
    window.press("q")
    lines = at_the_prompt(window, "Come back with: ")
    assert f"Run {run.name} goes on by itself: ▶ running" in "\n".join(lines)
    return next(line for line in lines if "Come back with: " in line).removeprefix("Come back with: ")


def stop(window: Terminal, run: RunDir) -> None:
    """Saving first."""
    window.press("s")
    window.shows("Stop the run?", "s Save and stop")
    window.press("s")
    window.shows("■ stopped", "a checkpoint and the adapter were saved")
    assert run.state() is RunState.STOPPED and (run.lora_weights / "adapter_model.safetensors").exists()


def at_the_prompt(window: Terminal, words: str) -> list[str]:
    """Wait for some words and for the shell after them; returns the lines."""
    window.shows(words)
    return window.until(lambda lines: "".join(lines).endswith("$"), "the prompt of the shell")


def started_in(folder: Path) -> list[int]:
    """The ids of live processes that were started in a window of the test, by what they have in their environment."""

    def is_one(process: psutil.Process) -> bool:
        try:
            settings = process.environ().get("XDG_CONFIG_HOME")
            return settings == str(folder / "config") and process.status() != psutil.STATUS_ZOMBIE
        except psutil.Error:
            return False

    return [process.pid for process in psutil.process_iter() if is_one(process)]


@pytest.mark.parametrize(
    ("before", "last_keys"), [("", "2"), ("trap '' HUP;", ""), ("trap '' HUP;", "2")],
    ids=["while-painting", "without-a-signal", "without-a-signal-while-painting"],
)  # fmt: skip
def test_a_console_ends_with_its_terminal(windows: Open, before: str, last_keys: str) -> None:
    window = windows("/bin/sh", "-c", f"{before} exec shoelora-tui")
    window.shows("There is no run here yet")
    window.close(*last_keys)
    assert window.process.wait(SOON) == (128 + signal.SIGHUP if before else -signal.SIGHUP)


@pytest.mark.parametrize(("elsewhere", "name"), [("</dev/null", "input"), ("2>errors.txt", "error")])
def test_half_a_terminal_is_none(windows: Open, elsewhere: str, name: str) -> None:
    window = windows(
        "/bin/sh", "-c", f"touch errors.txt; shoelora-tui {elsewhere}; code=$?; cat errors.txt; exit $code"
    )
    window.shows("The console needs a terminal", f"Standard {name} is none.", "shoelora-tui runs")
    assert window.process.wait(PATIENCE) == 1
