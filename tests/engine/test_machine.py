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


def test_free_memory_is_part_of_all() -> None:
    total, available = machine.memory()
    assert 0 < available < total
