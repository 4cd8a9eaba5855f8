"""RunLine: what the list of runs shows of one, and how it is kept up to date from the run's journal."""

import time
from dataclasses import dataclass
from pathlib import Path

from engine.contract.errors import ShoeloraError
from engine.contract.journal import JournalReader
from engine.contract.run_dir import RunDir
from engine.contract.run_state import RunState
from tui.run_view import RunView, new_view
from tui.wording import unreadable


@dataclass(frozen=True)
class RunLine:
    """One run; `state` is None if its files are damaged. Times are seconds since 1970."""

    run: RunDir
    started: float
    state: RunState | None = None
    stalled_since: float | None = None
    step: int = 0
    max_train_steps: int = 0
    validation: tuple[float, ...] = ()  # the last two losses, the newest at the end
    steps_per_minute: float | None = None
    eta_seconds: float | None = None
    picture: Path | None = None  # the newest
    picture_caption: str = ""
    remark: str = ""  # what it is doing, or why it ended

    @property
    def is_live(self) -> bool:
        """Whether somebody works on it."""
        return self.state is not None and not self.state.is_final

    @property
    def change(self) -> float | None:
        """How the validation loss differs from the one before; below zero is better."""
        return self.validation[1] - self.validation[0] if len(self.validation) > 1 else None


class RunTracker:
    """Reads of a run's journal only what is new; keeps nothing but the line of a run that has ended."""

    def __init__(self, run: RunDir) -> None:
        self._run = run
        self._reader = JournalReader(run.journal)
        self._view: RunView | None = None
        self._seen: object = None  # sizes and times of the files at the last look
        self._settled = False
        self._line = RunLine(run, 0.0)

    def look(self) -> RunLine:
        """The line as it is now."""
        seen = self._files()
        if self._settled and seen == self._seen:
            return self._line
        if self._settled:  # it was resumed, or mended
            self._reader, self._view = JournalReader(self._run.journal), None
        self._seen = seen
        started = seen[0]
        try:
            self._line = self._fold(started)
        except (ShoeloraError, OSError, ValueError) as error:  # whatever was done to it, the others are still shown
            self._line = RunLine(self._run, started, remark=str(error).splitlines()[0])
        if settled := not self._line.is_live:
            self._view = None
        self._settled = settled
        return self._line

    def _files(self) -> tuple[float, int]:
        """When the run was created, and the length of its journal."""
        try:
            return self._run.config_file.stat().st_mtime, self._run.journal.stat().st_size
        except OSError:
            return 0.0, -1

    def _fold(self, started: float) -> RunLine:
        live = self._run.is_live()  # asked first: a run that ends in between has then recorded its last state
        if self._view is None:
            self._view = new_view(self._run)
        for record in self._reader.read_new():
            self._view.apply(record)
        self._view.conclude(live)
        self._view.unreadable_lines = self._reader.unreadable_lines(live)
        if self._view.is_unreadable:
            return RunLine(self._run, started, remark=unreadable(self._view.unreadable_lines, of_all=True))
        return line_of(self._run, self._view, started)


def line_of(run: RunDir, view: RunView, started: float) -> RunLine:
    """What a view comes down to in a list."""
    picture = view.images[-1] if view.images else None
    return RunLine(
        run=run,
        started=started,
        state=view.state,
        stalled_since=view.stalled_since,
        step=view.step,
        max_train_steps=view.max_train_steps,
        validation=tuple(one.loss for one in view.validation_losses[-2:]),
        steps_per_minute=view.steps_per_minute,
        eta_seconds=view.eta_seconds,
        picture=run.path / picture.path if picture else None,
        picture_caption=f"{'preview, ' * picture.preview}step {picture.step}: {picture.prompt}" if picture else "",
        remark=_remark(view),
    )


def _remark(view: RunView) -> str:
    words = _doing(view)
    return f"{words}; {unreadable(view.unreadable_lines)}" if view.unreadable_lines else words


def _doing(view: RunView) -> str:
    if view.stalled_since is not None and not view.state.is_final:
        since = time.strftime("%H:%M:%S", time.localtime(view.stalled_since))
        return f"nothing is heard of the worker since {since}"
    if view.phase:
        return f"{view.phase.phase} {view.phase.done}/{view.phase.total}"
    failure = view.failure.what if view.failure and view.state is RunState.FAILED else ""
    return failure or view.state_reason or view.state.meaning
