"""What preflights and runs leave for estimates: kept, bounded, and nothing that damage could break."""

from pathlib import Path

import pytest

from engine import machine
from engine.contract import protocol as p
from engine.contract.adjustments import Adjustments, next_smaller, write_adjustments
from engine.contract.config import TrainingConfig
from engine.contract.journal import JournalWriter
from engine.contract.run_dir import RunDir, Workspace, create_run
from engine.measured_pace import (
    PREFLIGHTS_KEPT,
    Work,
    keep_measurement,
    measured_here,
    preflights_file,
    read_preflights,
)

CONFIG = TrainingConfig(gradient_accumulation_steps=4)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path)


def a_run(workspace: Workspace, name: str, seconds: list[float], config: TrainingConfig = CONFIG) -> RunDir:
    run = create_run(workspace, name, config)
    writer = JournalWriter(run.journal)
    for step, one in enumerate(seconds, 1):
        writer.append(p.StepCompleted(step, 0, 0.1, 1e-4, 1.0, one))
    writer.close()
    return run


def test_a_preflight_is_kept_as_seconds_of_a_micro_batch(workspace: Workspace) -> None:
    keep_measurement(workspace, CONFIG, 8.0, peak_memory=5, memory_limit=9)
    (kept,) = measured_here(workspace)
    assert (kept.seconds, kept.work, kept.peak_memory, kept.memory_limit) == (2.0, Work.of(CONFIG), 5, 9)
    assert kept.source.startswith("the preflight of 20")


def test_only_the_newest_preflights_are_kept(workspace: Workspace) -> None:
    for number in range(1, PREFLIGHTS_KEPT + 4):
        keep_measurement(workspace, CONFIG.model_copy(update={"train_batch_size": number}), 1.0, 0, 0)
    kept = read_preflights(workspace)
    assert [one.work.train_batch_size for one in kept] == list(range(4, PREFLIGHTS_KEPT + 4))


def test_measuring_again_pushes_out_what_was_known_of_the_same_work_here_and_nothing_else(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = CONFIG.model_copy(update={"resolution": 256})
    for number in range(PREFLIGHTS_KEPT):
        keep_measurement(workspace, other if number == 0 else CONFIG, 4.0 * number, 0, 0)
    monkeypatch.setattr(machine, "node", lambda: "elsewhere")
    keep_measurement(workspace, CONFIG, 0.0, 0, 0)
    kept = [(one.work.resolution, one.seconds, one.node == "elsewhere") for one in read_preflights(workspace)]
    assert kept == [(256, 0.0, False), (512, PREFLIGHTS_KEPT - 1, False), (512, 0.0, True)]


@pytest.mark.parametrize("text", ["", "{", "[{}]", "[1]", '{"work": 1}', "\0"])
def test_a_damaged_file_is_no_file(workspace: Workspace, text: str) -> None:
    keep_measurement(workspace, CONFIG, 1.0, 0, 0)
    preflights_file(workspace).write_text(text)
    assert read_preflights(workspace) == []
    keep_measurement(workspace, CONFIG, 2.0, 0, 0)
    assert len(read_preflights(workspace)) == 1


def test_what_another_machine_measured_does_not_count(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    keep_measurement(workspace, CONFIG, 1.0, 0, 0)
    monkeypatch.setattr(machine, "node", lambda: "elsewhere")
    assert measured_here(workspace) == []


def test_a_run_counts_by_the_median_of_its_steps_but_the_first(workspace: Workspace) -> None:
    a_run(workspace, "slow_start", [100.0, 4.0, 8.0, 5.0])
    (found,) = measured_here(workspace)
    assert found.seconds == 5.0 / 4
    assert found.source == "run slow_start"


def test_a_long_journal_is_read_at_its_end_only(workspace: Workspace) -> None:
    a_run(workspace, "long", [9.0] * 2000 + [4.0] * 1000)
    assert measured_here(workspace)[0].seconds == 1.0


def test_runs_without_steps_with_other_settings_or_damaged_are_passed_over(workspace: Workspace) -> None:
    a_run(workspace, "empty", [])
    smaller = next_smaller(CONFIG)
    assert smaller
    write_adjustments(a_run(workspace, "split", [1.0, 1.0]), smaller)
    a_run(workspace, "torn", [1.0, 1.0]).config_file.write_text("{")
    together = {"num_processes": 2, "gradient_accumulation_steps": 2}
    a_run(workspace, "of_several_processes", [1.0, 1.0], CONFIG.model_copy(update=together))
    create_run(workspace, "not_begun", CONFIG)
    assert measured_here(workspace) == []


def test_a_run_counts_for_what_it_made_of_auto(workspace: Workspace) -> None:
    auto = TrainingConfig(train_batch_size="auto", gradient_accumulation_steps=8, gradient_checkpointing="auto")
    run = a_run(workspace, "auto", [2.0, 2.0], auto)
    chosen = Adjustments(
        train_batch_size=4, gradient_accumulation_steps=2, gradient_checkpointing="full", why="auto: it fits"
    )
    write_adjustments(run, chosen)
    (found,) = measured_here(workspace)
    assert (found.work.train_batch_size, found.work.gradient_checkpointing, found.seconds) == (4, "full", 1.0)


def test_the_newest_comes_first(workspace: Workspace) -> None:
    a_run(workspace, "older", [1.0, 1.0])
    keep_measurement(workspace, CONFIG, 1.0, 0, 0)
    assert [one.source.split()[0] for one in measured_here(workspace)] == ["the", "run"]


def test_what_compiled_steps_took_says_nothing_of_others(workspace: Workspace) -> None:
    compiled = CONFIG.model_copy(update={"torch_compile": True})
    a_run(workspace, "compiled", [1.0, 1.0], compiled)
    (found,) = measured_here(workspace)
    assert found.work.is_comparable(Work.of(compiled)) and not found.work.is_comparable(Work.of(CONFIG))
