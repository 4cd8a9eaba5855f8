"""The worker's side of the commands: obeys them at the boundaries that training offers, and holds while paused."""

import os
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import wait
from queue import Empty
from typing import Any, Protocol

from engine.contract.errors import ShoeloraError
from engine.contract.protocol import (
    CommandCompleted,
    CommandRejected,
    Event,
    Pause,
    Request,
    Resume,
    RunStateName,
    SaveCheckpoint,
    StateChanged,
    Stop,
    Validate,
)

PAUSE_LOOK = 0.2  # seconds between looks at a lost supervisor while paused
ORPHAN_PATIENCE = 120.0  # seconds for an orphan to save and exit, before it is ended: nothing may hold the GPU
STILL_PREPARING = "the run is still preparing"

Emit = Callable[[Event, str | None], None]


class CommandQueue(Protocol):
    """The part of a multiprocessing queue that the inbox needs."""

    def get(self, block: bool = True, timeout: float | None = None) -> Request:
        """The next request; raises queue.Empty."""


class StopRequested(Exception):  # noqa: N818 (a wish, not an error)
    """Raised at a boundary when the run shall end."""

    def __init__(self, save: bool, command_id: str | None, reason: str) -> None:
        super().__init__(reason)
        self.save = save
        self.command_id = command_id
        self.reason = reason


class Actions(Protocol):
    """What a training loop offers to do on command."""

    def save_checkpoint(self, why: str, command_id: str | None) -> str:
        """Save the state after the last completed step; returns the sentence that says what was done."""

    def validate(self, command_id: str | None) -> None:
        """Measure the validation loss and draw the images."""

    def rest(self) -> None:
        """Give back the memory that only steps need: a pause may be long, and others may want it."""


class Inbox:
    """Takes commands one by one. All work of the worker calls `poll` at least every second or two."""

    def __init__(self, commands: CommandQueue, emit: Emit) -> None:
        self._commands = commands
        self._emit = emit
        self._depth = 0  # 1 inside a validation that was begun from a boundary
        self._paused_at: int | None = None  # depth of the boundary at which the pause was asked for
        self._validations: list[Request] = []  # asked for, to be answered when the one going on has ended
        self._ending: StopRequested | None = None  # set from a thread or a signal handler
        self.is_orphan = False
        self.state: RunStateName = "preparing"  # what a resumed run goes back to
        self.actions: Actions | None = None  # None until training can be acted on
        self.validation_running = False  # told by the training loop, whoever asked for it

    def end_from_outside(self, reason: str) -> None:
        """Make the next `poll` raise a StopRequested that saves; safe in signal handlers and threads."""
        self._ending = StopRequested(save=True, command_id=None, reason=reason)

    def watch_supervisor(self, sentinel: Any) -> None:
        """End the worker when the supervisor is gone: gently at the next boundary, by force if none comes."""

        def watch() -> None:
            wait([sentinel])
            self.is_orphan = True
            self.end_from_outside("the supervisor is gone")
            time.sleep(ORPHAN_PATIENCE)
            os._exit(1)

        threading.Thread(target=watch, daemon=True, name="supervisor-watch").start()

    def poll(self) -> float:
        """Obey what has arrived, and hold while paused; returns the seconds that took from the caller's own work.

        Raises StopRequested when the run shall end.
        """
        started = time.perf_counter()
        while True:
            if self._ending:
                raise self._ending
            request = self._next()
            if request is not None:
                self._obey(request)
            elif not self._holding:
                return time.perf_counter() - started

    def hold(self, reason: str) -> None:
        """Pause without having been asked to, until somebody says resume. Raises StopRequested as `poll` does."""
        self._pause(reason, None)
        self.poll()

    @property
    def _holding(self) -> bool:
        """A run that was paused may still be asked to validate; that validation runs, unless it is paused itself."""
        return self._paused_at is not None and self._paused_at >= self._depth

    def _next(self) -> Request | None:
        try:
            return self._commands.get(block=self._holding, timeout=PAUSE_LOOK)
        except Empty:
            return None
        except (EOFError, OSError):
            time.sleep(PAUSE_LOOK)  # the supervisor died; its watch says so in a moment
            return None

    def _obey(self, request: Request) -> None:
        match request.command:
            case Stop(save=save):
                raise StopRequested(save, request.id, "asked for")
            case Pause():
                self._pause("", request.id)
                self._complete(request, "paused; model and gradients are kept in memory")
            case Resume():
                self._paused_at = None
                self._emit(StateChanged(self.state), request.id)
                self._complete(request, f"{self.state} again")
            case SaveCheckpoint():
                self._save(request)
            case Validate():
                self._validate(request)

    def _pause(self, reason: str, command_id: str | None) -> None:
        self._paused_at = self._depth
        if self.actions is not None:
            self.actions.rest()
        self._emit(StateChanged("paused", reason), command_id)

    def validation_ended(self, outcome: str) -> None:
        """Answer everyone who asked for a validation before or while it was going on."""
        self.validation_running = False
        for request in self._validations:
            self._complete(request, outcome)
        self._validations.clear()

    def _validate(self, request: Request) -> None:
        """Validate now, unless a validation is going on, which then answers this request too."""
        if self.actions is None:
            self._emit(CommandRejected("Validate", STILL_PREPARING), request.id)
            return
        self._validations.append(request)
        if not self.validation_running:
            self._depth += 1
            try:
                self.actions.validate(request.id)
            finally:
                self._depth -= 1

    def _save(self, request: Request) -> None:
        if self.actions is None:
            self._emit(CommandRejected("SaveCheckpoint", STILL_PREPARING), request.id)
            return
        try:
            self._complete(request, self.actions.save_checkpoint("command", request.id))
        except (OSError, ShoeloraError, RuntimeError, MemoryError) as error:  # torch lacks memory in a RuntimeError
            self._emit(CommandRejected("SaveCheckpoint", str(error)), request.id)

    def _complete(self, request: Request, outcome: str) -> None:
        self._emit(CommandCompleted(type(request.command).__name__, outcome), request.id)
