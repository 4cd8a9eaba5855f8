"""Which live runs would have to share their device, and so its memory, with something else."""

from engine.contract.config import TrainingConfig
from engine.contract.errors import ConfigError
from engine.contract.run_dir import RunDir, Workspace, list_runs


def runs_on_the_device(workspace: Workspace, config: TrainingConfig) -> list[str]:
    """Names of live runs that share a device, and so its memory, with what is drawn; auto may be any device."""
    return [
        run.name
        for run in list_runs(workspace)
        if run.is_live() and (theirs := _device(run)) and ("auto" in {theirs, config.device} or theirs == config.device)
    ]


def _device(run: RunDir) -> str | None:
    """What a run was told to use; None if its config is damaged, which the Runs screen tells."""
    try:
        return run.config().device
    except ConfigError:
        return None
