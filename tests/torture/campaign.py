"""Trials and the runs that they are compared with."""

import shutil
import time
import traceback
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.contract.run_dir import RunDir, Workspace
from engine.contract.run_state import RunState
from tests.torture.kinds import NAN_FOR_A_WHILE, NAN_FOR_SOME_INPUTS, kind_of
from tests.torture.trial import Trial
from tests.torture.verdict import complaints, surviving_steps

REFERENCES: dict[str, list[dict[str, Any]]] = {
    "undisturbed": [],
    "not_a_number": [NAN_FOR_SOME_INPUTS],
    "not_a_number_thrice": [NAN_FOR_A_WHILE],
}


@dataclass
class Result:
    """What became of one trial."""

    seed: int
    kind: str
    failures: list[str] = field(default_factory=list)
    deeds: list[str] = field(default_factory=list)
    steps_lost: int = 0
    starts: int = 0
    noticed_after: list[float] = field(default_factory=list)
    orphaned_for: list[float] = field(default_factory=list)
    seconds: float = 0.0


def torture(seed: int, place: Path) -> Result:
    """One trial: wound, resume, judge. Its folder stays if it failed."""
    started = time.monotonic()
    kind = kind_of(seed)
    result = Result(seed, kind.__name__)
    trial = Trial(place / f"seed-{seed}", Workspace(place / "undisturbed" / "workspace"), seed)
    try:
        kind(trial)
        trial.until_finished()
        name = kind.__name__ if kind.__name__ in REFERENCES else "undisturbed"
        result.failures += complaints(trial, reference_run(place, name), kind.__name__)
    except Exception as error:
        expected = type(error).__name__ in {"TrialFailure", "RunError"}
        result.failures.append(str(error) if expected else traceback.format_exc())
    finally:
        trial.end_everything()
    _, result.steps_lost, _ = surviving_steps(trial.events)
    result.deeds = [*map(str, trial.faults), *trial.deeds]
    result.starts, result.noticed_after = trial.starts, trial.noticed_after
    result.orphaned_for = trial.orphaned_for
    result.seconds = time.monotonic() - started
    if not result.failures:
        shutil.rmtree(trial.folder)
    return result


def reference_run(place: Path, name: str) -> RunDir:
    """The run with the same device, but that nothing has disturbed."""
    return RunDir(place / name / "workspace" / "outputs" / "trial")


def make_reference(place: Path, name: str) -> None:
    """Bring a reference run to its end. Raises SystemExit if it does not get there."""
    faults = [dict(fault) for fault in REFERENCES[name]]
    trial = Trial(place / name, Workspace(place / "undisturbed" / "workspace"), seed=0)
    for fault in faults:
        if "remainder" not in fault:
            fault["marker"] = str(trial.marker("not a number"))
    trial.faults += faults
    trial.launch()
    trial.until_finished()
    if trial.run.state() is not RunState.FINISHED:
        print(f"The reference run {name} ended as {trial.run.state().value}; see {trial.folder}", flush=True)
