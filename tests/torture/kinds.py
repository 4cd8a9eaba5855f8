"""The kinds of torture: what is done to a run, and when, as the seed decides."""

import json
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from engine.contract.config_file import find_config, read_settings
from engine.contract.protocol import (
    AdapterExported,
    CheckpointSaved,
    Event,
    RunFinished,
    RunStarted,
    StateChanged,
    StepCompleted,
    ValidationImageSaved,
    ValidationLossMeasured,
    WorkerStarted,
)
from tests.torture.tearing import tear_files
from tests.torture.terminal import Console
from tests.torture.trial import SETTINGS, STEPS, Moment, Trial

Torture = Callable[[Trial], None]


def draw_moment(rng: random.Random) -> Moment:
    """Where in a run a fault comes: mostly within steps, seldom at its rarer events or while it starts."""

    def of(kind: type, longest: float) -> Moment:
        return Moment(kind.__name__, lambda event: isinstance(event, kind), rng.uniform(0, longest))

    def at_step() -> Moment:
        step = rng.randint(1, STEPS)
        return Moment(
            f"step {step}", lambda event: isinstance(event, StepCompleted) and event.step >= step, rng.uniform(0, 0.08)
        )

    def at_checkpoint() -> Moment:
        step = rng.randint(1, STEPS)
        return Moment(
            f"checkpoint from step {step} on",
            lambda event: isinstance(event, CheckpointSaved) and event.step >= step,
            rng.uniform(0, 0.02),
        )

    def stopping(event: Event) -> bool:
        return isinstance(event, StateChanged) and event.state == "stopping"

    def at_stopping() -> Moment:
        return Moment("stopping", stopping, rng.uniform(0, 0.06))

    rarer = [(WorkerStarted, 4.5), (ValidationLossMeasured, 0.06), (ValidationImageSaved, 0.02),
             (AdapterExported, 0.02), (RunFinished, 1.0)]  # fmt: skip
    draws: list[Callable[[], Moment]] = [at_step, at_checkpoint, at_stopping, lambda: of(*rng.choice(rarer))]
    return rng.choices(draws, [8, 3, 1, 6])[0]()


# ---- kills ----------------------------------------------------------------------------------------------------------


def kill_worker(trial: Trial) -> None:
    """SIGKILL to the worker at some moment."""
    if trial.await_moment(draw_moment(trial.random)):
        trial.kill_worker()


def kill_supervisor(trial: Trial) -> None:
    """SIGKILL to the supervisor at some moment; then the worker has to leave by itself."""
    if trial.await_moment(draw_moment(trial.random)):
        trial.kill_supervisor()


def cut_power(trial: Trial) -> None:
    """Everything killed at once, and files torn."""
    if trial.await_moment(draw_moment(trial.random)) and trial.cut_power():
        tear_files(trial)


def worker(trial: Trial) -> None:
    """The worker is killed, sometimes a second time."""
    trial.launch()
    kill_worker(trial)
    again(trial, kill_worker)


def supervisor(trial: Trial) -> None:
    """The supervisor is killed; after the resume perhaps something else."""
    trial.launch()
    kill_supervisor(trial)
    again(trial, kill_worker, kill_supervisor, cut_power)


def power_cut(trial: Trial) -> None:
    """The power goes; after the resume perhaps once more."""
    trial.launch()
    cut_power(trial)
    again(trial, kill_worker, kill_supervisor, cut_power)


def again(trial: Trial, *wounds: Torture) -> None:
    """In one trial of three, another wound after the first."""
    if trial.random.random() < 1 / 3:
        if trial.run.state().is_resumable:
            trial.resume()
        trial.random.choice(wounds)(trial)


def torn_write(trial: Trial) -> None:
    """The process that writes a file is killed in the middle of the write."""
    pattern, most = trial.random.choice(
        [
            ("*/checkpoints/*", 16), ("*/checkpoints/*", 16), ("*/events.jsonl", 45), ("*/events.jsonl", 45),
            ("*/lora_weights.*", 5), ("*/validation/*", 8), ("*/outputs/.cache/*", 6), ("*/main_log.txt", 30),
            ("*/tensorboard/*", 40), ("*/.control.json.*", 1),
        ]
    )  # fmt: skip
    if "cache" in pattern:
        for file in trial.workspace.cache.rglob("*.records"):
            file.unlink()
    marker = trial.marker("torn write")
    trial.faults.append(
        {"kind": "torn write", "pattern": pattern, "nth": trial.random.randint(1, most), "marker": str(marker)}
    )
    trial.launch()
    note_own_death(trial, marker)
    again(trial, kill_worker, cut_power)


def torn_message(trial: Trial) -> None:
    """The worker is killed in the middle of a message to the supervisor."""
    marker = trial.marker("torn message")
    trial.faults.append({"kind": "torn message", "nth": trial.random.randint(1, 40), "marker": str(marker)})
    trial.launch()
    note_own_death(trial, marker)
    again(trial, kill_worker, kill_supervisor)


def note_own_death(trial: Trial, marker: Path) -> None:
    """Wait until a process has torn a write and itself, or the run has ended without."""
    while not marker.exists() and trial.run.is_live():
        trial.read()
        time.sleep(0.01)
    if marker.exists() and trial.run.is_live():
        trial.note_death(marker.stat().st_mtime)


# ---- consoles -------------------------------------------------------------------------------------------------------


def console(trial: Trial) -> None:
    """The console that started the run and one that watches it: killed, hung up, suspended, or never read."""
    settings = read_settings(find_config("demo", trial.workspace.root)) | SETTINGS
    config = trial.folder / "trial.json"
    config.write_text(json.dumps(settings))
    first = Console(trial, ["train", "--config", str(config), "--console"])
    trial.starts += 1
    while not trial.run.journal.exists():
        time.sleep(0.01)
    trial.await_event(lambda event: isinstance(event, RunStarted))
    second = Console(trial, [trial.random.choice(["attach", "watch"]), "trial"])
    for one in (first, second):
        if trial.await_moment(draw_moment(trial.random)):
            one.hurt(trial.random)
    while trial.run.is_live():
        trial.read()
        time.sleep(0.02)
    for one in (first, second):
        one.end()


# ---- disk, memory, numbers ------------------------------------------------------------------------------------------


def disk_full(trial: Trial) -> None:
    """The disk is full for a while; the run pauses, and goes on when there is room and somebody says so."""
    if trial.random.random() < 0.5:
        trial.spared += ["*/events.jsonl", "*/main_log.txt"]
    trial.launch()
    if not trial.await_moment(draw_moment(trial.random)):
        return
    trial.deeds.append("disk full")
    trial.disk_full.touch()
    waited = time.monotonic() + 6
    while trial.run.is_live() and not trial.refused.exists() and time.monotonic() < waited:
        time.sleep(0.02)
    time.sleep(trial.random.uniform(0, 1.5))
    trial.disk_full.unlink()
    again(trial, kill_worker, kill_supervisor)


def out_of_memory(trial: Trial) -> None:
    """The device runs out of memory in a training step, once or whenever more than one sample is computed."""
    fault: dict[str, Any] = {"kind": "out of memory", "text": trial.random.choice(["mps", "cuda", "cpu"])}
    if trial.random.random() < 0.5:
        fault["above"] = 1
    else:
        fault |= {"nth": trial.random.randint(1, 150), "marker": str(trial.marker("out of memory"))}
    trial.faults.append(fault)
    trial.launch()
    again(trial, kill_worker, kill_supervisor, cut_power)


def not_a_number(trial: Trial) -> None:
    """The device computes NaN for some inputs; the reference has the same."""
    trial.faults.append(NAN_FOR_SOME_INPUTS)
    trial.launch()
    again(trial, kill_worker, kill_supervisor, cut_power)


def not_a_number_thrice(trial: Trial) -> None:
    """The device computes nothing but NaN for some steps: back to the last good checkpoint; the reference the same."""
    trial.faults.append({**NAN_FOR_A_WHILE, "marker": str(trial.marker("not a number"))})
    trial.launch()
    while not trial.marker("not a number").exists() and trial.run.is_live():
        trial.read()
        time.sleep(0.01)
    again(trial, kill_worker, kill_supervisor)


NAN_FOR_SOME_INPUTS: dict[str, Any] = {"kind": "not a number", "modulus": 60, "remainder": 7}
NAN_FOR_A_WHILE: dict[str, Any] = {"kind": "not a number", "first": 70, "last": 130}

# How often each comes among 20 trials.
KINDS: dict[Torture, int] = {
    worker: 3, supervisor: 2, power_cut: 4, torn_write: 3, torn_message: 1, console: 1, disk_full: 2, out_of_memory: 2,
    not_a_number: 1, not_a_number_thrice: 1,
}  # fmt: skip


def kind_of(seed: int) -> Torture:
    """Decided by the seed, in a fixed turn, so that any 20 seeds in a row have every kind."""
    turn = [kind for kind, count in KINDS.items() for _ in range(count)]
    random.Random(0).shuffle(turn)
    return turn[seed % len(turn)]
