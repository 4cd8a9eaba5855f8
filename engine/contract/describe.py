"""One event as one line of plain text: for the log file, `watch`, headless runs and the console's log."""

import time

from engine.contract import protocol as p

COMMAND_WORDS = {
    "Pause": "Pause", "Resume": "Resume", "SaveCheckpoint": "Checkpoint", "Validate": "Validation", "Stop": "Stop",
    "RestartWorker": "Restart of the worker",
}  # fmt: skip


def command_words(command: str) -> str:
    """What people call a command, by its class name as events carry it."""
    return COMMAND_WORDS.get(command, command)


def describe(event: p.Event) -> str:
    """What happened, in one line; empty for events that only a machine reads."""
    match event:
        case p.RunStarted():
            return f"Run {event.run} is in the hands of process {event.supervisor_pid}; log in {event.log_dir}"
        case p.WorkerStarted(pid=pid, restarts=restarts):
            return f"Worker {pid} started" + (f", restart {restarts}" if restarts else "")
        case p.StateChanged(state=state, reason=reason):
            return f"State: {state}" + (f" ({reason})" if reason else "")
        case p.PhaseProgressed(phase=phase, done=done, total=total):
            return f"{phase} {done}/{total}"
        case p.TrainingPrepared():
            return _prepared(event)
        case p.RunResumed(from_step=step, checkpoint=checkpoint):
            return f"Resumed from step {step} ({checkpoint})"
        case p.StepCompleted():
            return (
                f"step {event.step} epoch {event.epoch} loss {event.train_loss:.4f} lr {event.learning_rate:.2e} "
                f"grad {event.gradient_norm:.3g} {event.seconds:.2f} s"
            )
        case p.StepTimed():
            return (
                f"Seconds of a step: data {event.data:.3g}, forward {event.forward:.3g}, "
                f"backward {event.backward:.3g}, optimizer {event.optimizer:.3g}"
            )
        case p.StepSkipped(step=step, samples=samples, why=why):
            return f"Step {step} was skipped: {why} (samples {', '.join(samples)})"
        case p.MicroBatchChanged():
            return (
                f"{event.why}: going on with train_batch_size {event.train_batch_size}, gradient_accumulation_steps "
                f"{event.gradient_accumulation_steps}, gradient_checkpointing {event.gradient_checkpointing}; "
                "the effective batch stays"
            )
        case p.ValidationLossMeasured(step=step, loss=loss, bands=bands):
            return f"Validation loss at step {step}: {loss:.4f} (bands {' '.join(f'{band:.4f}' for band in bands)})"
        case p.ValidationImageSaved(path=path, prompt=prompt, preview=preview):
            return f"{'Preview' if preview else 'Image'} {path}: {prompt}"
        case p.CheckpointSaved(path=path, why=why, bytes=size):
            return f"Checkpoint {path} saved ({why}, {size / 2**20:.1f} MiB)"
        case p.CheckpointRemoved(path=path):
            return f"Checkpoint {path} removed"
        case p.AdapterExported(paths=paths):
            return "Adapter written: " + ", ".join(paths)
        case p.MemorySampled():
            return ""
        case p.LogRecorded(text=text):
            return text
        case p.WarningRaised(what=what, why=why, remedy=remedy):
            return f"Warning: {what}. Why: {why} Do: {remedy}"
        case p.CommandAccepted(command=command):
            return f"{command_words(command)} was asked for"
        case p.CommandRejected(command=command, reason=reason):
            return f"{command_words(command)} was refused: {reason}"
        case p.CommandCompleted(command=command, outcome=outcome):
            return f"{command_words(command)} done: {outcome}"
        case p.WorkerStalled(seconds=seconds):
            return f"Nothing was heard of the worker for {duration(seconds)}"
        case p.WorkerDied(cause=cause, step=step):
            return f"Worker died at step {step}: {cause}"
        case p.RunFinished(step=step, completed=completed):
            return f"Run {'finished' if completed else 'stopped'} at step {step}"
        case p.RunFailed(what=what, why=why, remedy=remedy):
            return f"Run failed: {what} Why: {why} Do: {remedy}"
        case p.UnknownEvent(type=kind, data=data):
            return f"{kind} (from a newer version): {data}"


def _prepared(event: p.TrainingPrepared) -> str:
    how = (
        f"; micro-batches of {event.train_batch_size} x {event.gradient_accumulation_steps}, "
        f"gradient_checkpointing {event.gradient_checkpointing}"
    )
    return (
        f"Prepared: {event.train_samples} training and {event.validation_samples} validation samples, "
        f"{event.skipped_samples} skipped; {event.trainable_parameters:,} trainable parameters; "
        f"{event.device} ({event.device_reason}), {event.dtype} ({event.dtype_reason})"
        + (how if event.train_batch_size else "")
        + (f" ({event.memory_reason})" if event.memory_reason else "")
    )


def level(event: p.Event) -> p.Level:
    """How much attention an event deserves."""
    match event:
        case p.LogRecorded(level=own):
            return own
        case p.WarningRaised() | p.CommandRejected() | p.StepSkipped() | p.MicroBatchChanged() | p.WorkerStalled():
            return "warning"
        case p.WorkerDied() | p.RunFailed():
            return "error"
        case _:
            return "info"


def log_line(record: p.Record) -> str:
    """A line of main_log.txt: local time, level, text; empty where there is nothing to say."""
    text = describe(record.event)
    stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(record.time))
    return f"{stamp} {level(record.event).upper():7} {text}" if text else ""


def size(count: float) -> str:
    """Bytes as KiB, MiB or GiB."""
    for unit, name in ((2**30, "GiB"), (2**20, "MiB")):
        if count >= unit:
            return f"{count / unit:.1f} {name}"
    return f"{count / 2**10:.0f} KiB"


def duration(seconds: float) -> str:
    """Seconds as `42 s`, `3 min 07 s`, `2 h 05 min` or `3 d 04 h`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    if whole < 86400:
        return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
    return f"{whole // 86400} d {whole % 86400 // 3600:02d} h"
