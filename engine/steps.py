"""One step after the other: commands obeyed in between, and what fails is done again, left out or taken back."""

from collections.abc import Callable

from engine import device as devices
from engine.checkpoint import load_checkpoint
from engine.contract import adjustments
from engine.contract import protocol as p
from engine.contract.errors import NonFiniteError, TrainingError, first_line
from engine.contract.run_dir import RunDir
from engine.disk_space import when_there_is_room
from engine.inbox import Emit, Inbox, StopRequested
from engine.preparation import Prepared
from engine.process_group import MemoryRanOutElsewhere, Word
from engine.resuming import newest_good, resume
from engine.trainer import Trainer

MOST_SKIPPED = 3  # steps in a row that are not finite before the run goes back
LOWERED = 0.5  # the learning rate after the run had to go back


class Steps:
    """Taken by every process of a run alike; the main one alone takes commands and writes."""

    def __init__(
        self, run: RunDir, prepared: Prepared, trainer: Trainer, inbox: Inbox, emit: Emit, save: Callable[[str], object]
    ) -> None:
        """`save` is told why a checkpoint is due, and writes it in the main process."""
        self._run = run
        self._prepared = prepared
        self._trainer = trainer
        self._inbox = inbox
        self._emit = emit
        self._save = save
        self._beginning = trainer.state()

    def begin(self) -> None:
        """Go to where the run was. Raises CheckpointError if the checkpoint is of other settings."""
        resume(self._run, self._prepared.config, self._trainer, self._emit)
        self._meet()

    def next(self) -> p.StepCompleted | p.StepSkipped | p.RunResumed:
        """Do the next step, leave it out, or go back instead; the event that is returned has been emitted.

        Raises StopRequested when the run shall end, and TrainingError if nothing helps any more.
        """
        trainer = self._trainer
        while True:
            try:
                completed = trainer.step(self._boundary)
                self._meet()  # a step counts once all have moved their weights
            except NonFiniteError as fault:
                return self._skip(fault)
            except MemoryRanOutElsewhere as error:
                cause, word = str(error), error.word
            except Exception as error:
                if not devices.is_out_of_memory(error):
                    raise
                cause, word = first_line(error), Word.GO_ON
            else:
                trainer.skipped_in_a_row = 0
                self._emit(completed, None)
                return completed
            # outside of the handler, whose traceback holds the tensors of the step
            if word is Word.GO_ON:
                word = self._meet(Word.LESS_MEMORY if trainer.step_can_be_repeated else Word.GO_BACK)
            trainer.abandon_step()
            devices.empty_cache(self._prepared.device)
            # first, since a full disk may hold the run below, where it can be told to save
            resumed = self._go_back() if word is Word.GO_BACK else None
            self._need_less_memory(cause)
            if resumed:
                return resumed

    def _boundary(self) -> float:
        """Where commands are obeyed, in all processes at the same place; returns the seconds that they took."""
        held = self._inbox.poll()
        self._meet()
        return held

    def _meet(self, word: Word = Word.GO_ON) -> Word:
        """Wait for the other processes, if there are any; returns what holds for all.

        Raises what one of them has to say to a process that would have gone on.
        """
        greatest = self._trainer.group.agree(word, self._trainer.steps_done)
        if greatest is Word.STOP:
            raise StopRequested(save=False, command_id=None, reason="the main process stops")
        if greatest is not Word.GO_ON and word is Word.GO_ON:
            raise MemoryRanOutElsewhere(greatest)
        return greatest

    def _need_less_memory(self, cause: str) -> None:
        """Find a smaller way to the same result."""
        trainer = self._trainer
        smaller = adjustments.next_smaller(trainer.config)
        if smaller is None:
            raise TrainingError(
                "Memory ran out, with batch size 1 and full checkpointing",
                cause,
                "Close other programs, or lower resolution or lora_rank.",
            )
        self._emit(adjustments.changed(smaller, trainer.config), None)
        if trainer.group.is_main:
            when_there_is_room(
                "adjustments.json", lambda: adjustments.write_adjustments(self._run, smaller), self._inbox, self._emit
            )
        trainer.adapt(adjustments.apply(trainer.config, smaller))

    def _skip(self, fault: NonFiniteError) -> p.StepSkipped | p.RunResumed:
        """Leave the step out; after three in a row go back with a lower learning rate, once."""
        trainer = self._trainer
        trainer.skip_step()
        trainer.skipped_in_a_row += 1
        skipped = p.StepSkipped(trainer.steps_done, fault.samples, fault.why)
        self._emit(skipped, None)
        if trainer.skipped_in_a_row < MOST_SKIPPED:
            return skipped
        if trainer.learning_rate_factor < 1:
            raise TrainingError(
                f"{MOST_SKIPPED} steps in a row gave numbers that are not finite, also with half the learning rate",
                fault.why,
                "Look at the samples that are named; start a run with a lower learning_rate and mixed_precision no.",
            )
        resumed = self._go_back()
        trainer.skipped_in_a_row, trainer.learning_rate_factor = 0, LOWERED
        self._save("went back")
        what = f"{MOST_SKIPPED} steps in a row gave numbers that are not finite: back to step {trainer.steps_done}"
        remedy = f"The run goes on with {LOWERED:g} times the learning rate; look at the samples that are named."
        self._emit(p.WarningRaised(what, fault.why, remedy), None)
        return resumed

    def _go_back(self) -> p.RunResumed:
        """To the newest good checkpoint, or to the beginning."""
        path = newest_good(self._run.checkpoints, self._emit)
        state = load_checkpoint(path)[0] if path else self._beginning
        self._trainer.restore(state)
        self._meet()  # before the main process replaces what another still reads
        resumed = p.RunResumed(state.step, str(path or "the beginning"))
        self._emit(resumed, None)
        return resumed
