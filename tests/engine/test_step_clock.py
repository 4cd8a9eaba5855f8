"""Where the seconds of a step go, and that a GPU is waited for only where it is measured."""

import pytest

from engine import device as devices
from engine.contract.protocol import StepTimed
from engine.step_clock import StepClock


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time, in seconds; set by the test."""
    moment = [0.0]
    monkeypatch.setattr("engine.step_clock.time.perf_counter", lambda: moment[0])
    return moment


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The devices that were waited for."""
    names: list[str] = []
    monkeypatch.setattr(devices, "synchronize", lambda device: names.append(device.name))
    return names


def a_step(clock: StepClock, number: int, now: list[float], slower: float = 1.0) -> None:
    """A step of two micro-batches with a command obeyed before each."""
    clock.start(number)
    for _ in range(2):
        now[0] += 100
        clock.skip()
        for part, seconds in (("data", 1), ("forward", 2), ("backward", 4)):
            now[0] += seconds * slower
            clock.lap(part)  # type: ignore[arg-type]
    now[0] += 8 * slower
    clock.lap("optimizer")


@pytest.mark.usefixtures("waits")
def test_every_tenth_step_tells_the_means_without_what_was_no_part_of_a_step(now: list[float]) -> None:
    clock = StepClock(devices.CPU)
    for number in range(1, 21):
        a_step(clock, number, now, slower=1.0 if number <= 10 else 3.0)
        clock.finish()
        report = clock.report(number)
        if number == 10:
            assert report == StepTimed(10, data=2, forward=4, backward=8, optimizer=8)
        elif number == 20:
            assert report == StepTimed(20, data=6, forward=12, backward=24, optimizer=24)
        else:
            assert report is None


@pytest.mark.usefixtures("waits")
def test_a_step_that_failed_and_is_done_again_counts_once(now: list[float]) -> None:
    clock = StepClock(devices.CPU)
    a_step(clock, 10, now, slower=50)
    a_step(clock, 10, now)
    clock.finish()
    assert clock.report(10) == StepTimed(10, data=2, forward=4, backward=8, optimizer=8)


def test_a_gpu_is_waited_for_in_every_tenth_step_alone(now: list[float], waits: list[str]) -> None:
    clock = StepClock(devices.Device("mps", "in a test"))
    for number in range(1, 10):
        a_step(clock, number, now)
        clock.finish()
        assert clock.report(number) is None
    assert waits == []
    a_step(clock, 10, now)
    clock.finish()
    assert set(waits) == {"mps"}
    assert clock.report(10) == StepTimed(10, data=2, forward=4, backward=8, optimizer=8)


@pytest.mark.usefixtures("now", "waits")
def test_nothing_is_told_where_nothing_was_measured() -> None:
    assert StepClock(devices.CPU).report(10) is None
