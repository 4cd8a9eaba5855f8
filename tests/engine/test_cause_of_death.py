"""Why a worker died, read from its exit code and from what the system counts."""

import signal
from pathlib import Path

import pytest

from engine import cause_of_death
from engine.cause_of_death import MemoryWatch, describe_exit, machine_memory, memory_kills

KILLED = -signal.SIGKILL


class System:
    """The files in which Linux counts."""

    def __init__(self, folder: Path) -> None:
        self.proc, self.cgroups = folder / "proc", folder / "cgroup"

    def write(self, path: str, text: str) -> None:
        (self.proc.parent / path).parent.mkdir(parents=True, exist_ok=True)
        (self.proc.parent / path).write_text(text)

    def counts(self, kills: int) -> None:
        self.write("proc/vmstat", f"nr_free_pages 7\noom_kill {kills}\npgfault 3\n")


@pytest.fixture(autouse=True)
def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> System:
    system = System(tmp_path)
    monkeypatch.setattr(cause_of_death, "PROC", system.proc)
    monkeypatch.setattr(cause_of_death, "CGROUPS", system.cgroups)
    return system


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (0, "it exited with code 0"),
        (3, "it exited with code 3"),
        (-15, "it was ended by SIGTERM"),
        (-6, "it was ended by SIGABRT; a Metal or C++ assertion does that"),
        (-9, "it was ended by SIGKILL"),
        (-40, "it was ended by signal 40"),
    ],
)
def test_words_for_signals_and_exit_codes(code: int, words: str) -> None:
    assert describe_exit(code) == words


def test_a_kill_that_the_system_counted_was_for_memory(system: System) -> None:
    system.counts(4)
    watch = MemoryWatch()
    assert not watch.killed(KILLED), "somebody else killed it"
    system.counts(5)
    assert watch.killed(KILLED)
    assert not watch.killed(-signal.SIGSEGV), "another process was killed for memory"
    assert "out of memory" in describe_exit(KILLED, memory_ran_out=True)


@pytest.mark.parametrize(
    ("cgroup", "counter"),
    [
        ("0::/user/run\n", "cgroup/user/run/memory.events"),
        ("9:cpu:/a\n4:memory:/run\n0::/\n", "cgroup/memory/run/memory.oom_control"),
    ],
)
def test_the_counter_of_ones_own_group_is_believed_more_than_that_of_the_machine(
    system: System, cgroup: str, counter: str
) -> None:
    system.counts(100)
    system.write("proc/self/cgroup", cgroup)
    system.write(counter, "under_oom 0\noom_kill 2\n")
    assert memory_kills() == 2


@pytest.mark.parametrize(("share", "was_memory"), [(0.01, True), (0.2, False), (None, False)])
def test_where_nobody_counts_the_memory_left_decides(share: float | None, was_memory: bool) -> None:
    watch = MemoryWatch()
    assert memory_kills() is None
    if share is not None:
        watch.sampled(int(share * machine_memory()))
    assert watch.killed(KILLED) is was_memory


def test_strange_files_count_nothing(system: System) -> None:
    system.write("proc/vmstat", "oom_kill many\n")
    system.write("proc/self/cgroup", "0::/gone\n")
    assert memory_kills() is None
