"""The machine's name and assumed speed."""

import pytest

from engine import machine
from engine.machine import REACHED, TERA, apple


@pytest.mark.parametrize(("chip", "peak"), [("Apple M2 Max", 13.6), ("Apple M1", 2.6), ("Apple M99 Extreme", 5.0)])
def test_a_chip_of_apple_is_known_by_its_name(chip: str, peak: float) -> None:
    assert apple(chip).name == chip
    assert apple(chip).operations_per_second == pytest.approx(peak * REACHED * TERA)


def test_an_m2_max_takes_four_to_eight_seconds_for_the_usual_step() -> None:
    assert 4 < 28.4e12 / apple("Apple M2 Max").operations_per_second < 8


def test_the_cpu_is_told_by_its_cores() -> None:
    here = machine.machine(cpu_only=True)
    assert "CPU core" in here.name
    assert here.operations_per_second > 0


def test_a_small_model_has_one_core_of_it() -> None:
    here = machine.machine(cpu_only=True)
    assert here.rate(machine.SMALL_MODEL) == here.operations_per_second > here.rate(machine.SMALL_MODEL - 1)
    assert apple("Apple M2").rate(1) == apple("Apple M2").operations_per_second


def test_processes_share_a_cpu_but_each_has_a_gpu() -> None:
    assert (machine.at_once(4, is_cpu=True), machine.at_once(4, is_cpu=False)) == (1, 4)


def test_free_memory_is_part_of_all() -> None:
    total, available = machine.memory()
    assert 0 < available < total


@pytest.mark.parametrize(("gibibytes", "share"), [(8, 2 / 3), (16, 2 / 3), (32, 2 / 3), (36, 3 / 4), (96, 3 / 4)])
def test_metal_recommends_a_share_of_a_macs_memory(gibibytes: int, share: float) -> None:
    """As such machines report recommendedMaxWorkingSetSize: 5.33, 10.67, 21.33, 27 and 72 GiB."""
    assert machine.metal_memory(gibibytes * 2**30) / 2**30 == pytest.approx(gibibytes * share, abs=0.01)


def test_processes_share_the_systems_memory_but_each_has_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "memory", lambda: (32 * 2**30, 2**30))
    assert machine.machine(cpu_only=True).room(4) == machine.Room(8 * 2**30, "machine")
    assert machine.Machine("a GPU", 1e12, own_memory=24 * 2**30).room(4) == machine.Room(24 * 2**30, "device")
    mac = apple("Apple M2 Max").room(1)
    assert mac.keeps_scores and mac.forgets_dropout and mac.owner == "device"
    assert (mac.largest_batch(512), mac.largest_batch(2048)) == (8, 0)
    assert machine.Room(1, "machine").largest_batch(2048) is None
