"""What a process that is not the main one does of a run: the same steps, and nothing else."""

import queue
import signal

from engine.contract import adjustments
from engine.contract.run_dir import RunDir
from engine.inbox import Inbox, StopRequested
from engine.latent_cache import Progress
from engine.preparation import prepare
from engine.process_group import ProcessGroup, Word
from engine.steps import Steps
from engine.trainer import Trainer


def follow(run: RunDir) -> None:
    """Help the main process until the last step is done or it stops. Raises PartedError if it has ended."""
    group = ProcessGroup.join(run.config())
    # A shutdown of the system reaches all processes; the main one decides when they stop, so that it can save.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if group.agree(Word.GO_ON, 0) is Word.STOP:
        return
    config = adjustments.apply(run.config(), adjustments.read_adjustments(run))
    prepared = prepare(config, run.workspace, _silent_phase, _say_nothing)
    trainer = Trainer(prepared, group=group)
    steps = Steps(run, prepared, trainer, Inbox(queue.Queue(), _say_nothing), _say_nothing, _say_nothing)
    try:
        steps.begin()
        while trainer.steps_done < config.max_train_steps:
            steps.next()
    except StopRequested:
        pass  # the main process saves


def _silent_phase(_: str) -> Progress:
    return _say_nothing


def _say_nothing(*_: object) -> None:
    """The main process reports what all of them do."""
