"""The object of `status --json`: where one run stands, as plain values."""

from typing import Any

from tui.run_view import RunView


def status(view: RunView) -> dict[str, Any]:
    """What of a run scripts may want to know; what is not known yet, or is over, is None."""
    steps_per_minute, eta, stalled = view.steps_per_minute, view.eta_seconds, view.stalled_seconds
    live = not view.state.is_final
    return {
        "name": view.name,
        "state": view.state.value,
        "step": view.step,
        "max_train_steps": view.max_train_steps,
        "train_loss": view.steps[-1].train_loss if view.steps else None,
        "validation_loss": view.validation_losses[-1].loss if view.validation_losses else None,
        "steps_per_minute": None if steps_per_minute is None else round(steps_per_minute, 2),
        "eta_seconds": None if eta is None else round(eta),
        "supervisor_pid": view.supervisor_pid if live else None,
        "worker_pid": view.worker_pid if live else None,
        "stalled_seconds": None if stalled is None else round(stalled, 1),
        "restarts": view.restarts,
        "checkpoints": [{"step": c.step, "path": c.path, "why": c.why} for c in view.checkpoints],
        "last_seq": view.last_seq,
        "warnings": [{"what": w.what, "why": w.why, "remedy": w.remedy} for w in view.warnings],
    }
