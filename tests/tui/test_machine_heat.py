"""The heat of a machine, from answers and files as systems have them."""

import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from engine.contract import protocol as p
from tui.diagnosis import Facts, Finding
from tui.diagnosis.pace import too_slow
from tui.machine_heat import Heat, HeatReader, macos_heat
from tui.machine_memory import MachineMemory
from tui.run_view import RunView
from tui.terminal_facts import FACT, heat_fact

KEY = "com.apple.system.thermalpressurelevel"


def refuse() -> str:
    raise FileNotFoundError("notifyutil")


def hang() -> str:
    raise subprocess.TimeoutExpired("notifyutil", 2.0)


@pytest.mark.parametrize(
    ("answer", "heat"),
    [
        (f"{KEY} 0\n", Heat("normal", "nominal, level 0 of 4")),
        (f"{KEY} 1\n", Heat("warm", "moderate, level 1 of 4")),
        (f"{KEY} 2\n", Heat("throttled", "heavy, level 2 of 4")),
        (f"{KEY} 4\n", Heat("throttled", "sleeping, level 4 of 4")),
        (f"{KEY} 70\n", None),
        (f"{KEY}: Failed with code 1\n", None),
        ("", None),
    ],
)
def test_macos_answers_with_a_level(answer: str, heat: Heat | None) -> None:
    assert macos_heat(lambda: answer) == heat


@pytest.mark.parametrize("ask", [refuse, hang])
def test_a_tool_that_is_not_there_or_hangs_tells_nothing(ask: object) -> None:
    assert macos_heat(ask) is None  # type: ignore[arg-type]


def laptop(sysfs: Path, degrees: float, count: int | None = None) -> None:
    """Files as a kernel shows them: a fan starts at 50 °C, cores are slowed down from 95 on."""
    for name, temperature, trips in (
        ("acpitz", 27.8, {}),
        ("x86_pkg_temp", degrees, {"active": 50_000, "passive": 95_000, "critical": 100_000, "hot": -274_000}),
    ):
        zone = sysfs / "class/thermal" / f"thermal_zone_{name}"
        zone.mkdir(parents=True, exist_ok=True)
        (zone / "type").write_text(f"{name}\n")
        (zone / "temp").write_text(f"{temperature * 1000:.0f}\n")
        for number, (kind, limit) in enumerate(trips.items()):
            (zone / f"trip_point_{number}_type").write_text(f"{kind}\n")
            (zone / f"trip_point_{number}_temp").write_text(f"{limit}\n")
    if count is not None:
        throttle = sysfs / "devices/system/cpu/cpu0/thermal_throttle"
        throttle.mkdir(parents=True, exist_ok=True)
        (throttle / "core_throttle_count").write_text(f"{count}\n")


@pytest.mark.parametrize(
    ("degrees", "level"), [(54.0, "normal"), (91.0, "warm"), (95.0, "throttled"), (99.0, "throttled")]
)
def test_linux_is_read_off_the_zone_nearest_to_its_trip_point(tmp_path: Path, degrees: float, level: str) -> None:
    laptop(tmp_path, degrees)
    heat = HeatReader(tmp_path).linux_heat()
    assert heat and heat.level == level
    assert heat.text == f"x86_pkg_temp {degrees:.0f} °C, slows down from 95"


def test_cores_that_were_slowed_down_since_the_last_look_count_and_those_before_do_not(tmp_path: Path) -> None:
    laptop(tmp_path, 60.0, count=1700)
    reader = HeatReader(tmp_path)
    levels = []
    for count in (1700, 1709, 1709):
        laptop(tmp_path, 60.0, count)
        heat = reader.linux_heat()
        assert heat
        levels.append((heat.level, "slowed down 9 times" in heat.text))
    assert levels == [("normal", False), ("throttled", True), ("normal", False)]


def test_a_machine_that_tells_nothing_is_not_called_cool(tmp_path: Path) -> None:
    assert HeatReader(tmp_path).linux_heat() is None
    laptop(tmp_path, float("nan"))
    (tmp_path / "class/thermal/thermal_zone_x86_pkg_temp/temp").write_text("")
    assert HeatReader(tmp_path).linux_heat() is None


# ---- what a diagnosis makes of it -----------------------------------------------------------------------------------

NOMINAL, HEAVY = Heat("normal", "nominal, level 0 of 4"), Heat("throttled", "heavy, level 2 of 4")
SLOW = "Training too slow"


def run_at(paces: Sequence[float], *more: p.Event) -> RunView:
    """A live run with so many seconds for each of its steps."""
    view = RunView("one", 1000)
    steps = [p.StepCompleted(n, 0, 0.5, 1e-4, 0.5, seconds) for n, seconds in enumerate(paces, start=1)]
    for seq, event in enumerate([p.StateChanged("preparing"), p.StateChanged("running"), *steps, *more], start=1):
        view.apply(p.Record(seq, float(seq), event))
    return view


def finding(view: RunView, heat: Heat | None) -> Finding:
    return too_slow(Facts(view, MachineMemory(2, 1, 0, 0), {}, (), heat))


def test_heat_is_named_from_the_first_steps_on_and_only_while_the_run_is_live() -> None:
    (cause,) = finding(run_at([1.5] * 5), HEAVY).diagnoses
    assert cause.what == "The machine is slowed down by heat"
    assert "heavy, level 2 of 4" in cause.evidence
    assert not finding(run_at([1.5] * 5, p.StateChanged("stopping"), p.StateChanged("finished")), HEAVY).diagnoses


def test_a_fallen_pace_is_not_put_down_to_heat_that_is_not_there() -> None:
    fallen = run_at([1.5] * 200 + [2.4] * 150)
    (cause,) = finding(fallen, NOMINAL).diagnoses
    assert cause.what == "The machine has slowed down: power saving or other programs"
    assert "nor heat (nominal, level 0 of 4)" in cause.evidence
    (cause,) = finding(fallen, None).diagnoses
    assert cause.what == "The machine has slowed down: heat, power saving or other programs"


def test_what_was_measured_of_the_heat_is_told_or_that_it_is_not() -> None:
    view = run_at([1.5] * 5)
    assert finding(view, NOMINAL).measured.endswith("heat: nominal, level 0 of 4")
    assert finding(view, None).measured.endswith("heat is not told by this system")


@pytest.mark.parametrize(("heat", "verdict"), [(NOMINAL, "OK"), (HEAVY, "WARN"), (None, FACT)])
def test_environment_has_a_row_for_it(heat: Heat | None, verdict: str) -> None:
    row = heat_fact(heat)
    assert (row.name, row.verdict) == ("heat", verdict)
    assert ("Let air to it" in row.remedy) == (heat is not None)
