"""A run for each cause, whose cause, figures and remedy are named; and a healthy one, of which nothing is said."""

from __future__ import annotations

import math
from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.contract import protocol as p
from tui.diagnosis import Diagnosis, Facts, diagnose
from tui.diagnosis.finding import GIB
from tui.diagnosis.trend import trend
from tui.environment_check import CheckResult
from tui.machine_memory import MachineMemory
from tui.memory_pressure import Pressure
from tui.run_view import RunView
from tui.screens.diagnosis import page

PREPARED = p.TrainingPrepared("mps", "Apple GPU", "fp32", "exact", 88, 8, 0, 12_288)
MACHINE = MachineMemory(32 * GIB, 16 * GIB, 4 * GIB, 0, Pressure("normal", "level 1 of 1, 2, 4"))
SHARES = {"data": 0.02, "forward": 0.4, "backward": 0.9, "optimizer": 0.05}


def view_of(*events: p.Event) -> RunView:
    view = RunView("one", 1000)
    for seq, event in enumerate(events, start=1):
        view.apply(p.Record(seq, float(seq), event))
    return view


def steps(first: int, last: int, seconds: float = 1.5, falling: float = 0.001) -> list[p.StepCompleted]:
    """Steps whose loss jitters far more than it falls."""
    return [
        p.StepCompleted(n, 0, 0.5 - falling * n + 0.1 * math.sin(n * 2.4), 1e-4, 0.5, seconds + 0.01 * (n % 3))
        for n in range(first, last + 1)
    ]


def validations(*losses: float, every: int = 100) -> list[p.ValidationLossMeasured]:
    return [p.ValidationLossMeasured(every * n, loss, (loss,) * 4) for n, loss in enumerate(losses)]


def memory(device: float = 8, limit: float = 20, swap: float = 0) -> p.MemorySampled:
    return p.MemorySampled(2 * GIB, int(device * GIB), int(limit * GIB), 9 * GIB, int(device * GIB), int(swap * GIB))


def beginning() -> list[p.Event]:
    return [p.RunStarted("one", 1, 1000, "logs/one"), p.StateChanged("preparing"), PREPARED, p.StateChanged("running")]


HEALTHY: list[p.Event] = [
    *beginning(), memory(), *steps(1, 300), *validations(0.5, 0.4, 0.35, 0.34), memory(device=9),
    p.ValidationImageSaved(300, 0, "validation/epoch003_step000300_00.png", "a shoe", 42),
]  # fmt: skip


def found(*events: p.Event, **facts: object) -> dict[str, tuple[Diagnosis, ...]]:
    """What is found, by question."""
    known: dict[str, object] = {"machine": MACHINE, "shares": SHARES, **facts}
    return {one.question: one.diagnoses for one in diagnose(Facts(view_of(*events), **known))}  # type: ignore[arg-type]


def only(results: dict[str, tuple[Diagnosis, ...]], question: str) -> Diagnosis:
    """The one diagnosis there is; it belongs to a question."""
    (diagnosis,) = [one for diagnoses in results.values() for one in diagnoses]
    assert results[question] == (diagnosis,)
    assert diagnosis.evidence
    assert diagnosis.remedy
    return diagnosis


def nothing(results: dict[str, tuple[Diagnosis, ...]]) -> bool:
    return not any(results.values())


def test_of_a_healthy_run_nothing_is_said_and_all_is_measured() -> None:
    assert nothing(found(*HEALTHY))
    measured = {one.question: one.measured for one in diagnose(Facts(view_of(*HEALTHY), MACHINE, SHARES))}
    assert measured["Out of memory"] == "device 9.0 GiB of 20.0 GiB, worker 2.0 GiB, machine 16.0 GiB left of 32.0 GiB"
    pace = "1.51 s per step, data 1%, forward 29%, backward 66%, optimizer 4%"
    assert measured["Training too slow"] == f"{pace}, heat is not told by this system"
    assert measured["Loss that does not fall"] == "first 0.5 at step 0, best 0.34 at step 300, last 0.34 at step 300"
    assert measured["Data set not found, or not usable"] == "88 training and 8 validation samples, 0 skipped"


def test_a_check_that_failed_is_told_though_no_question_is_its_own() -> None:
    checks = [
        CheckResult("base model", "FAIL", "It is not on this computer.", "hf download owner/model"),
        CheckResult("device", "WARN", "cpu", "Use another."),
        CheckResult("disk", "OK", "enough"),
        CheckResult("memory", "WARN", "about 9 GiB needed", "Close other programs."),
    ]
    for facts in (Facts(checks=checks), Facts(view_of(*HEALTHY), MACHINE, SHARES, checks)):
        (other,) = (one for one in diagnose(facts) if one.question == "Other trouble")
        assert [one.what for one in other.diagnoses] == [
            "The check of the base model says FAIL", "The check of the device says WARN",
        ]  # fmt: skip
        assert other.diagnoses[0].remedy == "hf download owner/model"


def test_what_was_not_looked_at_is_not_called_well() -> None:
    assert not any(finding.is_looked_at for finding in diagnose(Facts()))
    assert all(finding.is_looked_at for finding in diagnose(Facts(view_of(*HEALTHY), MACHINE, SHARES)))
    machine_alone = {one.question: one.is_looked_at for one in diagnose(Facts(machine=MACHINE))}
    assert [question for question, looked in machine_alone.items() if looked] == ["Out of memory"]
    signs = [line[:1] for line in page(diagnose(Facts(machine=MACHINE)), 80).plain.splitlines()]
    assert signs.count("✓") == 1 and signs.count("·") == 5


def test_with_nothing_known_nothing_is_said() -> None:
    assert not any(finding.diagnoses for finding in diagnose(Facts()))
    assert nothing(found())


# ---- memory ---------------------------------------------------------------------------------------------------------


def test_a_failure_for_lack_of_memory_comes_first() -> None:
    failure = p.RunFailed("Memory ran out.", "RuntimeError: MPS backend out of memory", "Close other programs.")
    view = view_of(*HEALTHY, p.WarningRaised("The disk is nearly full", "1 GiB is left.", "Make room."), failure)
    first, second, *rest = diagnose(Facts(view, MACHINE, SHARES))
    assert first.question == "Out of memory"
    assert first.diagnoses == (Diagnosis(failure.what, failure.why, failure.remedy),)
    assert second.diagnoses == (Diagnosis("The disk is nearly full", "1 GiB is left.", "Make room."),)
    assert not any(finding.diagnoses for finding in rest)


def test_a_smaller_micro_batch_is_told_with_its_step_and_settings() -> None:
    change = p.MicroBatchChanged(1, 16, "full", "MPS backend out of memory (MPS allocated: 17.60 GB)")
    diagnosis = only(found(*HEALTHY, change), "Out of memory")
    assert "once" in diagnosis.what
    assert "after step 300: MPS backend" in diagnosis.evidence
    assert "train_batch_size 1, gradient_accumulation_steps 16, gradient_checkpointing full" in diagnosis.remedy


def test_a_worker_that_the_system_ended() -> None:
    death = p.WorkerDied("it was ended by SIGKILL, since the system ran out of memory", 300)
    results = found(*HEALTHY, death)
    assert results["Out of memory"][0].what == "The system ended the worker for lack of memory"


def test_a_device_that_is_nearly_full() -> None:
    diagnosis = only(found(*HEALTHY, memory(device=19.5)), "Out of memory")
    assert "19.5 GiB of 20.0 GiB" in diagnosis.evidence


def test_a_machine_short_of_memory_concerns_a_run_that_lives() -> None:
    short = MachineMemory(32 * GIB, GIB, 4 * GIB, 0, Pressure("critical", "level 4 of 1, 2, 4"))
    assert "1.0 GiB of 32.0 GiB" in only(found(*HEALTHY, machine=short), "Out of memory").evidence
    assert nothing(found(*HEALTHY, p.StateChanged("stopping"), p.StateChanged("finished"), machine=short))


# ---- pictures -------------------------------------------------------------------------------------------------------


def black(step: int, index: int) -> p.WarningRaised:
    name = f"epoch001_step{step:06d}_{index:02d}.png"
    return p.WarningRaised(f"Validation image {name} is black", "Attention overflowed.", "Use mixed_precision no.")


def test_black_images_are_counted() -> None:
    diagnosis = found(*HEALTHY, black(200, 0), black(300, 0), black(300, 3))["Black images"][0]
    assert diagnosis.what == "Validation image epoch001_step000300_03.png is black"
    assert "2 at step 300, 3 in all; computed in fp32 on mps" in diagnosis.evidence
    assert "since then are sound" not in diagnosis.evidence
    assert diagnosis.remedy == "Use mixed_precision no."


def test_a_black_preview_is_found_as_well() -> None:
    preview = p.WarningRaised(
        "Preview epoch001_step000350_01_preview.png is black", "The adapter diverged.", "Lower it."
    )
    assert found(*HEALTHY, preview)["Black images"][0].what == preview.what


def test_black_images_that_are_over() -> None:
    assert "since then are sound" in found(*HEALTHY, black(200, 0))["Black images"][0].evidence


# ---- data -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "failure",
    [
        p.RunFailed("There is no folder /pictures", "", "Give train_data_dir a folder with images/ and captions.json."),
        p.RunFailed("3 usable pictures are too few", "8 are held out.", "Add pictures."),
    ],
)
def test_a_data_set_that_is_not_there(failure: p.RunFailed) -> None:
    events: list[p.Event] = [
        p.RunStarted("one", 1, 1000, "logs"),
        p.StateChanged("preparing"),
        failure,
        p.StateChanged("failed"),
    ]
    results = found(*events, machine=None, shares={})
    assert results["Data set not found, or not usable"][0].what == failure.what
    assert next(iter(results)) == "Data set not found, or not usable"


def test_what_the_check_says_of_the_data_and_of_memory() -> None:
    checks = [
        CheckResult("data set", "FAIL", "There is no folder /pictures.", "Give train_data_dir another."),
        CheckResult("memory", "WARN", "about 9 GiB needed", "Close other programs."),
        CheckResult("disk", "OK", "enough"),
    ]
    results = {one.question: one.diagnoses for one in diagnose(Facts(checks=checks))}
    assert results["Data set not found, or not usable"][0].evidence == "There is no folder /pictures."
    assert results["Out of memory"][0].remedy == "Close other programs."


# ---- pace -----------------------------------------------------------------------------------------------------------


def test_data_that_take_their_time() -> None:
    shares = {"data": 1.0, "forward": 0.5, "backward": 1.0}
    diagnosis = only(found(*HEALTHY, shares=shares), "Training too slow")
    assert diagnosis.what == "The data take 40% of the time"
    assert "forward 20%" in diagnosis.evidence


def test_validations_that_take_their_time() -> None:
    diagnosis = only(found(*HEALTHY, shares={"data": 0.0, "forward": 1.0, "validation": 1.0}), "Training too slow")
    assert "validation_steps" in diagnosis.remedy


def test_an_operator_that_falls_back() -> None:
    why = "The operator 'aten::qr' is not currently supported on the MPS backend and will fall back to run on the CPU."
    warning = p.WarningRaised("An operator falls back from the device to the CPU", why, "Update torch.")
    assert only(found(*HEALTHY, warning), "Training too slow").evidence == why


def test_a_large_model_on_a_cpu() -> None:
    on_cpu = p.TrainingPrepared("cpu", "neither is available", "fp32", "exact", 88, 8, 0, 12_288)
    slow = found(*HEALTHY, on_cpu, *steps(301, 400, seconds=40.0))
    assert "40.0 s per step on cpu (neither is available)" in only(slow, "Training too slow").evidence
    assert nothing(found(*HEALTHY, on_cpu))  # fast enough as it is


def test_swap_that_grew_during_the_run() -> None:
    diagnosis = only(found(*HEALTHY, memory(swap=3.5)), "Training too slow")
    assert "grown by 3.5 GiB since the run was started" in diagnosis.evidence


def test_swap_under_pressure() -> None:
    pressed = MachineMemory(32 * GIB, 4 * GIB, 4 * GIB, 2 * GIB, Pressure("warning", "level 2 of 1, 2, 4"))
    assert "2.0 GiB of swap" in only(found(*HEALTHY, machine=pressed), "Training too slow").evidence


def test_a_pace_that_fell_without_another_cause_is_heat() -> None:
    hot = [*HEALTHY, *steps(301, 450, seconds=2.4)]
    diagnosis = only(found(*hot), "Training too slow")
    assert "heat" in diagnosis.what
    assert "The last 100 steps took 2.41 s each" in diagnosis.evidence
    assert "the pace fell by 37%" in diagnosis.evidence


def test_a_fallen_pace_with_another_cause_is_not_heat() -> None:
    smaller = p.MicroBatchChanged(1, 16, "full", "out of memory")
    results = found(*HEALTHY, smaller, *steps(301, 450, seconds=2.4))
    assert results["Training too slow"][0].what == "Slower since memory ran out at step 300"
    swapping = found(*HEALTHY, *steps(301, 450, seconds=2.4), memory(swap=3))
    assert [one.what for one in swapping["Training too slow"]] == ["The machine swaps"]


def test_single_slow_steps_are_no_heat() -> None:
    assert nothing(found(*HEALTHY, *steps(301, 430), *steps(431, 440, seconds=60.0)))


# ---- loss -----------------------------------------------------------------------------------------------------------


def losing(*losses: float) -> list[p.Event]:
    return [*beginning(), *steps(1, 500), p.CheckpointSaved(200, "checkpoints/checkpoint-200", "schedule", 1),
            *validations(*losses)]  # fmt: skip


def test_a_flat_validation_loss_asks_for_a_higher_learning_rate() -> None:
    diagnosis = only(found(*losing(0.5, 0.501, 0.499, 0.5, 0.5005, 0.4999)), "Loss that does not fall")
    assert diagnosis.what == "The validation loss does not fall"
    assert diagnosis.remedy.startswith("Raise learning_rate (now 1.0e-04), say to 3.0e-04")
    assert "First 0.5 at step 0, last 0.4999 at step 500, 6 measured" in diagnosis.evidence


def test_a_rising_validation_loss_asks_for_a_lower_learning_rate() -> None:
    diagnosis = only(found(*losing(0.5, 0.52, 0.56, 0.6)), "Loss that does not fall")
    assert diagnosis.what == "The validation loss rises"
    assert diagnosis.remedy.startswith("Lower learning_rate (now 1.0e-04), say to 3.3e-05")


def test_a_loss_that_rises_again_names_the_checkpoint_to_use() -> None:
    diagnosis = only(found(*losing(0.5, 0.4, 0.35, 0.38, 0.42)), "Loss that does not fall")
    assert "rises again" in diagnosis.what
    assert diagnosis.remedy.startswith("Use checkpoint-200, which is nearest to the best.")


def test_without_validations_the_training_loss_has_to_fall() -> None:
    flat = only(found(*beginning(), *steps(1, 400, falling=0)), "Loss that does not fall")
    assert flat.what == "The training loss does not fall"
    assert nothing(found(*beginning(), *steps(1, 400)))
    assert nothing(found(*beginning(), *steps(1, 150, falling=0)))  # too early to say


def test_steps_left_out_are_told_with_their_samples() -> None:
    skip = p.StepSkipped(301, ("img_07", "img_31"), "the loss is not finite")
    diagnosis = only(found(*HEALTHY, skip), "Loss that does not fall")
    assert "step 301: the loss is not finite (samples img_07, img_31)" in diagnosis.evidence


def test_trend_by_mann_and_kendall() -> None:
    assert trend([1, 2, 3, 4, 5]) == pytest.approx(2.2045, abs=1e-4)  # (10 - 1) / sqrt(5 * 4 * 15 / 18)
    assert trend([5, 4, 3, 2, 1]) == pytest.approx(-2.2045, abs=1e-4)
    assert trend([1, 1, 1, 1]) == 0


# ---- all of it ------------------------------------------------------------------------------------------------------


def test_what_the_run_reported_besides_is_told_newest_first() -> None:
    first = p.WarningRaised("TensorBoard's curves end here", "no room", "The journal has them.")
    second = p.WarningRaised("1 damaged cache file was removed", "torn", "It is computed anew.")
    results = found(*HEALTHY, first, second, first, p.WorkerDied("it was ended by SIGSEGV", 300))
    told = [one.what for one in results["Other trouble"]]
    assert told == [first.what, second.what, "The worker died once"]


extremes = st.floats() | st.sampled_from([0.0, 1.0, 1e308, -1e308])
KINDS = (
    p.RunStarted, p.StateChanged, p.TrainingPrepared, p.StepSkipped, p.MicroBatchChanged, p.CheckpointSaved,
    p.MemorySampled, p.WarningRaised, p.WorkerDied, p.RunFailed, p.StepTimed,
)  # fmt: skip
numbers = st.integers(0, 10**6)  # of steps
any_event = st.one_of(
    [st.from_type(kind) for kind in KINDS]
    + [
        st.builds(p.StepCompleted, numbers, numbers, extremes, extremes, extremes, extremes),
        st.builds(p.ValidationLossMeasured, numbers, extremes),
        st.builds(p.ValidationImageSaved, numbers, numbers),
        st.builds(p.RunResumed, numbers),
    ]
)
any_events = st.lists(any_event, max_size=30)
any_machine = st.none() | st.from_type(MachineMemory)


@settings(max_examples=200, deadline=None)
@given(any_events, any_machine, st.dictionaries(st.sampled_from(list(SHARES)), extremes), st.integers(0, 250))
def test_no_row_of_events_makes_it_stumble(
    events: Iterable[p.Event], machine: MachineMemory | None, shares: dict[str, float], more: int
) -> None:
    view = view_of(*steps(1, more), *events)
    for finding in diagnose(Facts(view, machine, shares)):
        assert finding.measured
        assert all(one.what is not None and one.evidence is not None for one in finding.diagnoses)


def test_a_worker_that_hangs_is_named_with_how_to_end_it() -> None:
    (one,) = found(*HEALTHY, p.WorkerStalled(7200.0))["Other trouble"]
    assert one.what == "The worker hangs" and "restart-worker" in one.remedy


def test_a_run_that_was_cut_off_is_named_with_how_to_go_on() -> None:
    view = view_of(*HEALTHY)
    view.conclude(live=False)
    (one,) = next(one.diagnoses for one in diagnose(Facts(view)) if one.question == "Other trouble")
    assert "step 300" in one.evidence and "shoelora-tui resume" in one.remedy


def test_a_worker_that_was_restarted_on_command_is_no_trouble() -> None:
    assert found(*HEALTHY, p.WorkerDied(p.ENDED_ON_COMMAND, 300))["Other trouble"] == ()
