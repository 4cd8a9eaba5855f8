"""What must hold of a run when it has ended, whatever was done to it on its way."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file

from engine.checkpoint import verify
from engine.contract.errors import CheckpointError
from engine.contract.protocol import (
    CheckpointSaved,
    LogRecorded,
    MicroBatchChanged,
    Record,
    RunResumed,
    RunStarted,
    StateChanged,
    StepCompleted,
    StepSkipped,
    ValidationImageSaved,
    WarningRaised,
    WorkerDied,
)
from engine.contract.run_dir import RunDir
from engine.contract.run_state import RunState
from tests.torture.trial import STEPS, Trial

NOTICE = 2.0  # seconds in which a worker's death has to be told (issue #3)
SPLIT = 1e-5  # how much a split micro-batch may change an adapter, relative to it (issue #3)
IMAGES = ["epoch000_step000000_00.png", "epoch000_step000006_00.png", "epoch000_step000012_00.png"]
EXPORTS = ["README.md", "adapter_config.json", "adapter_model.safetensors", "pytorch_lora_weights.safetensors",
           "trial_kohya.safetensors"]  # fmt: skip


def complaints(trial: Trial, reference: RunDir, kind: str) -> Iterator[str]:
    """Everything that should hold and does not."""
    trial.reread()
    state = trial.run.state()
    if state is not RunState.FINISHED:
        yield f"it ended as {state.value}"
        return
    yield from _of_adapter(trial, reference)
    yield from _of_steps(trial)
    yield from _of_files(trial)
    yield from _of_what_was_told(trial, kind)


def _of_adapter(trial: Trial, reference: RunDir) -> Iterator[str]:
    ours, theirs = (load_file(run.lora_weights / "adapter_model.safetensors") for run in (trial.run, reference))
    if ours.keys() != theirs.keys():
        yield "the adapter has other tensors"
        return
    split = any(isinstance(record.event, MicroBatchChanged) for record in trial.events)
    worst = max(_distance(ours[name], theirs[name]) for name in theirs)
    if worst > (SPLIT if split else 0):
        yield f"the adapter differs by {worst:.1e} relative{' though split' if split else ''}"


def _distance(ours: NDArray[np.float32], theirs: NDArray[np.float32]) -> float:
    """Relative to the tensor's norm; 0 only for the same bits."""
    if ours.tobytes() == theirs.tobytes():
        return 0.0
    difference = np.linalg.norm(ours.astype(np.float64) - theirs) / np.linalg.norm(theirs.astype(np.float64))
    return max(float(difference), 1e-12)


def surviving_steps(records: list[Record]) -> tuple[list[int], int, list[str]]:
    """The steps that count in the end, how many were lost, and where the journal does not say so."""
    steps: list[int] = []
    lost = 0
    faults: list[str] = []
    for record in records:
        match record.event:
            case RunResumed(from_step=step):
                lost += sum(done > step for done in steps)
                steps = [done for done in steps if done <= step]
            case StepCompleted(step=step) | StepSkipped(step=step):
                if steps and step <= steps[-1]:
                    faults.append(f"step {step} came again, and no RunResumed marked the first as lost")
                    lost += sum(done >= step for done in steps)
                    steps = [done for done in steps if done < step]
                steps.append(step)
            case _:
                pass
    return steps, lost, faults


def _of_steps(trial: Trial) -> Iterator[str]:
    numbers = [record.seq for record in trial.events]
    if numbers != sorted(set(numbers)):
        yield "the journal's numbers do not rise"
    _, _, faults = surviving_steps(trial.events)
    yield from faults[:1]


def _of_files(trial: Trial) -> Iterator[str]:
    run = trial.run
    images = sorted(path.name for path in run.validation.iterdir())
    if images != IMAGES:
        yield f"validation holds {images}"
    told = {record.event.path for record in trial.events if isinstance(record.event, ValidationImageSaved)}
    if told != {f"validation/{name}" for name in images}:
        yield f"images told of: {sorted(told)}"
    if (exports := sorted(path.name for path in run.lora_weights.iterdir())) != EXPORTS:
        yield f"lora_weights holds {exports}"
    checkpoints = sorted(path.name for path in run.checkpoints.iterdir())
    if f"checkpoint-{STEPS}" not in checkpoints:
        yield f"checkpoints are {checkpoints}"
    for record in trial.events:
        if isinstance(record.event, CheckpointSaved):
            path = run.path / record.event.path
            if path.exists() and path not in trial.torn:
                yield from _unless_good(path)
    litter = [path for folder in (run.path, trial.workspace.cache) for path in folder.rglob("*") if _is_litter(path)]
    if litter:
        yield f"left lying: {[str(path.relative_to(trial.workspace.outputs)) for path in litter]}"
    if run.control.exists():
        yield "control.json is still there"


def _unless_good(path: Path) -> Iterator[str]:
    try:
        verify(path)
    except CheckpointError as error:
        yield str(error)


def _is_litter(path: Path) -> bool:
    return path.suffix in {".tmp", ".new", ".old", ".removed"}


def _of_what_was_told(trial: Trial, kind: str) -> Iterator[str]:
    events = [record.event for record in trial.events]
    told = {type(event) for event in events}
    if late := [after for after in trial.noticed_after if after > NOTICE]:
        yield f"a death was told after {late[0]:.1f} s"
    if errors := [event.text for event in events if isinstance(event, LogRecorded) and event.level == "error"]:
        yield f"an error was logged: {errors[0].splitlines()[-1]}"
    yield from _of_outputs(trial, kind)
    if kind == "console" and sum(isinstance(event, RunStarted | WorkerDied | RunResumed) for event in events) != 1:
        yield "a console's end was felt by the run"
    came = any("above" in fault or ("marker" in fault and Path(fault["marker"]).exists()) for fault in trial.faults)
    if kind == "out_of_memory" and came and MicroBatchChanged not in told:
        yield "memory ran out, and no MicroBatchChanged"
    if kind.startswith("not_a_number") and StepSkipped not in told:
        yield "no StepSkipped"
    killed = any("killed" in deed or "power" in deed for deed in trial.deeds)
    borne = kind in {"disk_full", "out_of_memory", "not_a_number", "not_a_number_thrice"} and not killed
    if borne and (trial.starts > 1 or WorkerDied in told):
        yield "a process did not survive what it should have borne"
    refused = trial.refused.read_text() if trial.refused.exists() else ""
    paused = any(isinstance(event, StateChanged) and event.state == "paused" for event in events)
    if "/checkpoints/" in refused and not (paused and WarningRaised in told):
        yield "a checkpoint found no room, and the run did not pause with a warning"


def _of_outputs(trial: Trial, kind: str) -> Iterator[str]:
    """What the processes wrote past all logs."""
    log_dirs = {record.event.log_dir for record in trial.events if isinstance(record.event, RunStarted)}
    for log_dir in sorted(log_dirs):
        output = (trial.workspace.root / log_dir / "worker_output.txt").read_text(errors="replace")
        # TensorBoard's own thread tells of a full disk there; Python's keeper of semaphores has outlived the power cut.
        if ("Traceback" in output and kind != "disk_full") or ("leaked" in output and "power cut" not in trial.deeds):
            yield f"worker_output.txt: {output.strip()[:200]}"
            return
