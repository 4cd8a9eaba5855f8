"""Starts a run of the form's settings, or says in words why it would not get far."""

from dataclasses import dataclass

from engine import control
from engine.contract.config import TrainingConfig
from engine.contract.errors import RunError, ShoeloraError
from engine.contract.run_dir import RunDir, Workspace
from tui.device_sharing import runs_on_the_device
from tui.estimator import Estimator
from tui.wording import UNFORESEEN_REMEDY, unforeseen


@dataclass(frozen=True)
class Refusal:
    """Every reason, with the setting that is to blame, or none."""

    reasons: tuple[tuple[str, ShoeloraError], ...]

    def by_setting(self) -> dict[str, str]:
        """What is wrong, for the reasons that belong to a setting."""
        return {name: error.what for name, error in self.reasons if name}

    def lines(self) -> list[str]:
        """What, why and what to do, for a report."""
        lines: list[str] = []
        for _, error in self.reasons:
            lines += [f"[FAIL] {error.what}", *error.why.splitlines()]
            lines += [f"→ {error.remedy}"] if error.remedy else []
        return lines


@dataclass(frozen=True)
class Crowded:
    """Live runs with which it would have to share the device; the user decides."""

    runs: tuple[str, ...]


def start_run(
    workspace: Workspace, estimator: Estimator, config: TrainingConfig, preset: str, beside_others: bool
) -> RunDir | Refusal | Crowded:
    """Launch, unless something is known to stand in the way; takes its time, so it is for a thread."""
    try:
        found = estimator.estimate(config)
        if found.obstacles:
            return Refusal(tuple((obstacle.setting, obstacle.error) for obstacle in found.obstacles))
        if not beside_others and (live := runs_on_the_device(workspace, config)):
            return Crowded(tuple(live))
        with estimator.lock:
            return control.launch(workspace, config, preset)
    except ShoeloraError as error:
        return Refusal((("", error),))
    except OSError as error:
        what = f"The run's folder in {workspace.outputs} cannot be written"
        return Refusal((("", RunError(what, f"{error.strerror}.", "Make room, or look at its permissions.")),))
    except Exception as error:  # what nobody foresaw is told, and the form can be used again
        return Refusal((("", RunError("The run could not be started", unforeseen(error), UNFORESEEN_REMEDY)),))
