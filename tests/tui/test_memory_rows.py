"""Memory in figures, words and history, and the sources that it is read from."""

import subprocess
from pathlib import Path

import pytest

from engine.contract import protocol as p
from tui.machine_memory import MachineMemory, read_machine_memory
from tui.memory_pressure import Pressure, linux_pressure, macos_pressure, read_memory_pressure
from tui.memory_rows import SPAN, machine_rows, memory_rows, run_rows, spark
from tui.run_view import RunView

GIB = 2**30


def machine(used: float, swap: float = 0.0, swap_total: float = 8.0) -> MachineMemory:
    return MachineMemory(32 * GIB, int((32 - used) * GIB), int(swap_total * GIB), int(swap * GIB))


def view_of(*events: p.Event) -> RunView:
    view = RunView("one", 10)
    for seq, event in enumerate(events, start=1):
        view.apply(p.Record(seq, float(seq), event))
    return view


# ---- rows -----------------------------------------------------------------------------------------------------------


def test_nothing_known_is_nothing_shown() -> None:
    assert memory_rows(None, []) == []
    assert run_rows(view_of(), [(0.0, machine(1))]) == []


def test_a_device_without_a_bound_of_its_own_has_only_its_process() -> None:
    rows = run_rows(view_of(p.MemorySampled(GIB, 0, 0, 9 * GIB)), [(0.0, machine(1))])
    assert [(row.name, row.figures) for row in rows] == [("process", "1.0 of 32.0 GiB")]


def test_a_run_of_an_older_version_told_no_tensors() -> None:
    rows = run_rows(view_of(p.MemorySampled(GIB, 5 * GIB, 10 * GIB, 9 * GIB)), [(0.0, machine(1))])
    assert [row.name for row in rows] == ["driver", "process"]


def test_what_an_ended_run_last_told_is_not_judged() -> None:
    full = p.MemorySampled(GIB, 10 * GIB, 10 * GIB, 9 * GIB, 9 * GIB)
    ended = [p.StateChanged("stopping"), p.StateChanged("finished")]
    assert {row.words for row in run_rows(view_of(full, *ended), [])} == {"■ ended"}
    assert [row.words for row in run_rows(view_of(full), [])] == ["", "✗ full", ""]


@pytest.mark.parametrize(
    ("used", "words", "tone"), [(16, "✓ fine", "success"), (26, "! high", "warning"), (31, "✗ full", "error")]
)
def test_how_full_the_machine_is(used: float, words: str, tone: str) -> None:
    system = machine_rows([(0.0, machine(used))])[0]
    assert (system.words, system.tone) == (words, tone)


def test_swap_is_judged_by_its_use() -> None:
    assert machine_rows([(0.0, machine(1, swap=0.5))])[1].words == "✓ fine"
    assert machine_rows([(0.0, machine(1, swap=2))])[1].words == "! swaps"
    assert machine_rows([(0.0, machine(1, swap_total=0))])[1].figures == "there is none"


# ---- history --------------------------------------------------------------------------------------------------------


def test_history_shows_the_highest_of_each_column_and_nothing_older() -> None:
    past = [(0.0, 1.0), (100.0, 0.5), (399.0, 0.25), (400.0, 1.0)]
    assert spark(past, 400.0, 4) == ["   █"]
    assert spark([(300.0, 0.0), (400.0, 0.5)], 400.0, 3) == [" ▁▄"]


def test_short_gaps_are_bridged_and_long_ones_are_not() -> None:
    columns = int(SPAN / 5)  # five seconds each
    assert spark([(0.0, 1.0), (20.0, 1.0)], 20.0, columns)[0].strip() == "█████"
    assert spark([(0.0, 1.0), (100.0, 1.0)], 100.0, columns)[0].split() == ["█", "█"]


def test_a_taller_history_has_finer_steps() -> None:
    assert spark([(0.0, 0.75)], 0.0, 1, rows=4) == [" ", "█", "█", "█"]
    assert spark([(0.0, 0.0)], 0.0, 1, rows=2) == [" ", "▁"]
    assert spark([(0.0, 7.0)], 0.0, 1, rows=2) == ["█", "█"]


# ---- where it is read -----------------------------------------------------------------------------------------------


def test_this_machine_can_be_read() -> None:
    reading = read_machine_memory()
    assert 0 < reading.available < reading.total
    assert reading.used + reading.available == reading.total
    assert 0 <= reading.swap_used <= reading.swap_total
    assert reading.pressure is None or reading.pressure.level in {"normal", "warning", "critical"}
    assert read_memory_pressure() is None or reading.pressure is not None


@pytest.mark.parametrize(("answer", "level"), [("1\n", "normal"), ("2\n", "warning"), ("4\n", "critical")])
def test_pressure_as_macos_tells_it(answer: str, level: str) -> None:
    pressure = macos_pressure(lambda: answer)
    assert pressure is not None
    assert pressure.level == level


def test_a_system_that_does_not_tell_its_pressure(tmp_path: Path) -> None:
    def missing() -> str:
        raise FileNotFoundError

    def unknown() -> str:
        raise subprocess.CalledProcessError(1, "sysctl")

    assert macos_pressure(missing) is macos_pressure(unknown) is macos_pressure(lambda: "7") is None
    assert linux_pressure(tmp_path / "memory") is None
    (tmp_path / "memory").write_text("some avg10=x\n")
    assert linux_pressure(tmp_path / "memory") is None


@pytest.mark.parametrize(
    ("some", "full", "pressure"),
    [
        (0.0, 0.0, Pressure("normal", "waits 0 %")),
        (12.4, 1.0, Pressure("warning", "waits 12 %")),
        (40.0, 9.0, Pressure("critical", "waits 40 %")),
    ],
)
def test_pressure_as_linux_tells_it(tmp_path: Path, some: float, full: float, pressure: Pressure) -> None:
    file = tmp_path / "memory"
    rest = "avg60=0.00 avg300=0.00 total=0"
    file.write_text(f"some avg10={some:.2f} {rest}\nfull avg10={full:.2f} {rest}\n")
    assert linux_pressure(file) == pressure
