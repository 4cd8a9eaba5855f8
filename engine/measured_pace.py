"""What training was measured to take on this machine: by preflights, which are kept in a file, and by runs."""

import json
import time
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from statistics import median

from pydantic import TypeAdapter, ValidationError

from engine import machine
from engine.contract.adjustments import MEMORY_RAN_OUT, apply, read_adjustments
from engine.contract.atomic_file import write_atomically
from engine.contract.config import CheckpointingMode, TrainingConfig
from engine.contract.errors import ShoeloraError
from engine.contract.protocol import StepCompleted
from engine.contract.run_dir import RunDir, Workspace, list_runs
from engine.contract.wire import ProtocolError, decode_record

PREFLIGHTS_KEPT = 100  # each of other work; a bench of one model leaves a dozen
RUNS_LOOKED_AT = 8  # the newest; older ones say nothing new
TAIL = 64 * 1024  # bytes at the end of a journal, some hundred steps


@dataclass(frozen=True)
class Work:
    """The settings that decide how long a micro-batch takes."""

    model: str
    resolution: int
    train_batch_size: int
    gradient_checkpointing: CheckpointingMode
    mixed_precision: str
    device: str
    torch_compile: bool = False

    @classmethod
    def of(cls, config: TrainingConfig) -> "Work":
        """The work of a config whose paths are absolute."""
        return cls(
            config.pretrained_model_name_or_path,
            config.resolution,
            config.micro_batch_size,
            config.checkpointing_mode,
            config.mixed_precision,
            config.device,
            config.torch_compile,
        )

    def is_comparable(self, other: "Work") -> bool:
        """Whether the same machine computes both at about the same rate of operations."""
        mine, others = ((work.model, work.mixed_precision, work.device, work.torch_compile) for work in (self, other))
        return mine == others


@dataclass(frozen=True)
class Measured:
    """Seconds that one micro-batch of some work took, and who measured it.

    The peak of memory is 0 where nobody looked, and the limit where it was a CPU's.
    """

    work: Work
    seconds: float
    source: str
    moment: float  # seconds since 1970
    node: str
    peak_memory: int = 0
    memory_limit: int = 0


_PREFLIGHTS = TypeAdapter(list[Measured])


def preflights_file(workspace: Workspace) -> Path:
    """Where preflights leave their figures."""
    return workspace.cache / "preflights.json"


def keep_measurement(
    workspace: Workspace,
    config: TrainingConfig,
    seconds_per_step: float,
    peak_memory: int,
    memory_limit: int,
    by: str = "preflight",
) -> None:
    """Keep what a preflight or a bench measured, the newest last, in place of what was known of the same work here.

    Raises OSError if it cannot be written.
    """
    now = time.time()
    source = f"the {by} of {time.strftime('%Y-%m-%d %H:%M', time.localtime(now))}"
    seconds = seconds_per_step / config.gradient_accumulation_steps
    new = Measured(Work.of(config), seconds, source, now, machine.node(), peak_memory, memory_limit)
    others = [one for one in read_preflights(workspace) if (one.work, one.node) != (new.work, new.node)]
    kept = [*others, new][-PREFLIGHTS_KEPT:]
    workspace.cache.mkdir(parents=True, exist_ok=True)
    text = json.dumps(_PREFLIGHTS.dump_python(kept, mode="json"), indent=1)
    write_atomically(preflights_file(workspace), text + "\n")


def read_preflights(workspace: Workspace) -> list[Measured]:
    """What preflights measured, the newest last; nothing if the file is missing or damaged, since all can be redone."""
    try:
        return _PREFLIGHTS.validate_json(preflights_file(workspace).read_bytes())
    except (OSError, ValidationError):
        return []


def measured_here(workspace: Workspace) -> list[Measured]:
    """All that preflights on this machine and the newest runs of the workspace have measured, the newest first."""
    found = [one for one in read_preflights(workspace) if one.node == machine.node()]
    for run in list_runs(workspace)[-RUNS_LOOKED_AT:]:
        try:
            stat = run.journal.stat()
        except OSError:  # not begun, or removed meanwhile
            continue
        if measured := _of_run(run, stat.st_size, stat.st_mtime):
            found.append(measured)
    return sorted(found, key=lambda one: one.moment, reverse=True)


@lru_cache(maxsize=4 * RUNS_LOOKED_AT)
def _of_run(run: RunDir, journal_size: int, moment: float) -> Measured | None:
    """The median of a run's last steps; nothing if there is none, or if other settings or several processes made it."""
    try:
        adjusted = read_adjustments(run)
        config = apply(run.config(), adjusted)
        seconds = _step_seconds(run.journal, journal_size)
    except (ShoeloraError, OSError):
        return None
    if not seconds or adjusted.why == MEMORY_RAN_OUT or config.num_processes > 1:
        return None
    pace = median(seconds) / config.gradient_accumulation_steps
    return Measured(Work.of(config), pace, f"run {run.name}", moment, machine.node())


def _step_seconds(journal: Path, size: int) -> list[float]:
    """Seconds of the last steps; the first step of all, which also warms up, only if there is no other."""
    with journal.open("rb") as file:
        file.seek(max(0, size - TAIL))
        lines = file.read(TAIL).splitlines()
    steps = []
    for line in lines:
        try:
            event = decode_record(line).event
        except ProtocolError:  # the first line is a piece, the last may be
            continue
        if isinstance(event, StepCompleted):
            steps.append(event)
    return [step.seconds for step in steps if step.step > 1] or [step.seconds for step in steps]
