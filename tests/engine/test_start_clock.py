"""What a worker says of its start."""

import time

import pytest

from engine.start_clock import StartClock


def test_laps_of_the_same_part_are_added_up(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(time, "perf_counter", lambda: now)
    clock = StartClock(began=99.5)
    for seconds, part in ((4.0, "imports"), (0.25, "data"), (0.5, "weights"), (0.25, "data")):
        now += seconds
        clock.lap(part)
    assert str(clock) == "Ready to train 5.5 s after the worker's start: imports 4.5 s, data 0.5 s, weights 0.5 s"


def test_of_this_process_counts_what_it_has_computed_already() -> None:
    clock = StartClock.of_this_process()
    clock.lap("all of it")
    assert float(str(clock).split()[3]) >= round(time.process_time(), 1) - 0.1
