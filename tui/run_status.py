"""Where one run stands: as plain values for scripts, and in lines for people."""

from typing import Any

from msgspec import to_builtins

from engine.contract.protocol import MemorySampled
from tui import pace
from tui.run_view import RunView
from tui.wording import NOTHING, duration, loss, size, state_words, unreadable
from tui.wording import pace as pace_words


def status(view: RunView) -> dict[str, Any]:
    """What of a run scripts may want to know; what is not known yet, or is over, is None. Times are seconds since 1970,
    sizes bytes, paths relative to the run's folder.
    """
    live = not view.state.is_final
    stalled = view.stalled_seconds
    return {
        "name": view.name,
        "state": view.state.value,
        "reason": view.state_reason,
        "started": view.started,
        "last_event": view.last_time or None,
        "phase": to_builtins(view.phase) if view.phase else None,
        **_progress(view),
        **_losses(view),
        "supervisor_pid": view.supervisor_pid if live else None,
        "worker_pid": view.worker_pid if live else None,
        "stalled_seconds": None if stalled is None else round(stalled, 1),
        "restarts": view.restarts,
        "prepared": to_builtins(view.prepared) if view.prepared else None,
        "memory": to_builtins(view.memory) if view.memory else None,
        "checkpoints": [
            {"step": c.step, "path": c.path, "why": c.why, "bytes": c.bytes, "saved": view.saved_at[c.path]}
            for c in view.checkpoints
        ],
        "pictures": [
            {"step": i.step, "path": i.path, "prompt": i.prompt, "seed": i.seed, "preview": i.preview}
            for i in view.images
        ],
        "adapter": list(view.exported),
        "asked": list(view.pending.values()),
        "warnings": [
            {"step": n.step, "time": n.time, "what": n.warning.what, "why": n.warning.why, "remedy": n.warning.remedy}
            for n in view.noted
        ],
        "failure": to_builtins(view.failure) if view.failure else None,
        "log_dir": view.log_dir,
        "last_seq": view.last_seq,
        "unreadable_lines": view.unreadable_lines,
    }


def _progress(view: RunView) -> dict[str, Any]:
    """Steps, pace, time left, and the shares of what the time goes into."""
    steps_per_minute, mean, eta = view.steps_per_minute, pace.mean(view.steps), view.eta_seconds
    return {
        "step": view.step,
        "max_train_steps": view.max_train_steps,
        "steps_per_minute": None if steps_per_minute is None else round(steps_per_minute, 2),
        "mean_steps_per_minute": None if mean is None else round(mean, 2),
        "eta_seconds": None if eta is None else round(eta),
        "time_shares": {one.name: round(one.share, 4) for one in view.time_shares},
    }


def _losses(view: RunView) -> dict[str, Any]:
    """The numbers of the last step, and every validation loss with its bands, low to high timesteps."""
    newest = view.steps[-1] if view.steps else None
    return {
        "epoch": newest.epoch if newest else None,
        "train_loss": newest.train_loss if newest else None,
        "learning_rate": newest.learning_rate if newest else None,
        "gradient_norm": newest.gradient_norm if newest else None,
        "validation_loss": view.validation_losses[-1].loss if view.validation_losses else None,
        "validation_losses": [to_builtins(one) for one in view.validation_losses],
    }


def status_lines(view: RunView) -> list[str]:
    """Where a run stands, for people."""
    known = status(view)
    reason = f" Reason: {view.state_reason}." if view.state_reason else ""
    lines = [
        f"{view.name}: {state_words(view.state, view.stalled_seconds)}, {view.state.meaning}.{reason}",
        f"  step          {view.step} of {view.max_train_steps}",
        f"  train loss    {loss(known['train_loss'])}",
        f"  validation    {loss(known['validation_loss'])}",
        f"  pace          {pace_words(view.steps_per_minute)}",
    ]
    if view.unreadable_lines:
        lines.insert(1, f"  journal       {unreadable(view.unreadable_lines, of_all=view.is_unreadable)}")
    if view.eta_seconds is not None:
        lines[-1] += f", {duration(view.eta_seconds)} left"
    if view.time_shares:
        lines.append("  time          " + ", ".join(f"{one.name} {one.share:.0%}" for one in view.time_shares))
    if view.memory:
        lines.append(f"  memory        {memory_words(view.memory)}")
    if view.phase:
        now = f"{view.phase.phase} {view.phase.done}/{view.phase.total}"
        lines.append("  now           " + ", ".join(filter(None, [now, view.phase_pace.left])))
    if not view.state.is_final:
        lines.append(f"  processes     supervisor {view.supervisor_pid}, worker {view.worker_pid or NOTHING}")
    if view.stalled_seconds is not None:
        lines.append("  stalled       `shoelora-tui restart-worker` goes on from the newest good checkpoint")
    if view.restarts:
        lines.append(f"  restarts      {view.restarts}")
    lines += [f"  checkpoint    {saved.path} ({saved.why})" for saved in view.checkpoints]
    if view.images:
        newest = view.images[-1]
        lines.append(f"  pictures      {len(view.images)}, the newest at step {newest.step}: {newest.path}")
    lines += [f"  warning       {warning.what}. {warning.remedy}" for warning in view.warnings]
    if view.failure:
        lines.append(f"  failed        {view.failure.what} Why: {view.failure.why} Do: {view.failure.remedy}")
    return lines


def memory_words(memory: MemorySampled) -> str:
    """What the worker has, of the device and of the machine."""
    device = f"device {size(memory.device)} of {size(memory.device_limit)}, " if memory.device_limit else ""
    return f"{device}worker {size(memory.process)}, {size(memory.system_available)} left on the machine"
