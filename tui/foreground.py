"""Follow a run in this terminal: line by line, or with a progress bar; Ctrl-C asks it to save and stop."""

import sys
from collections.abc import Iterable
from pathlib import Path

from engine import control
from engine.contract import protocol as p
from engine.contract.describe import describe, level
from engine.contract.errors import RunError
from engine.contract.journal import follow
from engine.contract.run_dir import RunDir
from engine.contract.run_state import RunState
from engine.contract.wire import encode_record
from tui.naming import reference
from tui.phase_pace import PhasePace
from tui.run_view import RunView, new_view, view_run
from tui.wording import duration, loss, pace

READERS = (  # by how the names of an adapter's files end
    ("pytorch_lora_weights.safetensors", "diffusers"),
    ("adapter_model.safetensors", "peft"),
    ("_kohya.safetensors", "ComfyUI, A1111"),
)
PHASE_INTERVAL = 5.0  # seconds between two lines about one phase; caching reports every single picture
DETACHED = 130  # what a shell reports for a command that Ctrl-C ended
SHOWN_BY_THE_BAR = p.StepCompleted | p.PhaseProgressed | p.MemorySampled
NO_MILESTONES = p.ValidationImageSaved | p.CheckpointRemoved | p.CommandAccepted


class LineWriter:
    """Turns records into lines, leaving out all but a few of the many about one phase."""

    def __init__(self) -> None:
        self._phase = ""
        self._phase_time = 0.0
        self._pace = PhasePace()

    def line(self, record: p.Record) -> str:
        """The line for a record; empty where there is nothing to say."""
        event = record.event
        if isinstance(event, p.StateChanged):
            self._pace.rest()
        if isinstance(event, p.PhaseProgressed):
            self._pace.see(record.time, event)
            due = event.phase != self._phase or record.time - self._phase_time >= PHASE_INTERVAL
            if not due and event.done < event.total:
                return ""
            self._phase, self._phase_time = event.phase, record.time
            return ", ".join(filter(None, [describe(event), self._pace.left]))
        return describe(event)

    def show(self, record: p.Record) -> None:
        """Print a record's line at once, so that whoever reads a pipe or a file sees it as it happens."""
        if line := self.line(record):
            print(line, flush=True)


def watch_lines(run: RunDir, as_json: bool = False) -> int:
    """Print all that happened and happens, until the run ends. Returns 0 if it ended well, else 1."""
    writer = LineWriter()
    for record in follow(run.journal, until=lambda: not run.is_live()):
        if as_json:
            print(encode_record(record), flush=True)
        else:
            writer.show(record)
    return _end(run)


def follow_training(run: RunDir) -> int:
    """Show a run that was just started here, until it ends, and then what it made.

    The first Ctrl-C asks the run to save and stop, the second leaves it to itself. Returns 0 if the run finished or
    stopped on request, 1 if it failed, 130 if it was left.
    """
    view = new_view(run)
    try:
        try:
            _show_until_end(run, view)
        except KeyboardInterrupt:
            _ask_to_stop(run)
            _show_until_end(run, view)
    except KeyboardInterrupt:
        print(f"\nLeft run {run.name} to itself. Come back with `shoelora-tui attach {reference(run)}`.", flush=True)
        return DETACHED
    code = _end(run)
    print("\n".join(made(run, view_run(run))), flush=True)
    return code


def _ask_to_stop(run: RunDir) -> None:
    print("\nAsking the run to save and stop. Ctrl-C again leaves it to itself.", flush=True)
    try:
        control.send(run, p.Stop(save=True))
    except RunError as error:
        print(error, file=sys.stderr)


def _show_until_end(run: RunDir, view: RunView) -> None:
    """Show the records that `view` does not have yet, as they come; the view keeps count."""
    records = follow(run.journal, until=lambda: not run.is_live(), after_seq=view.last_seq)
    if sys.stdout.isatty():
        _show_bar(records, view)
        return
    writer = LineWriter()
    for record in records:
        view.apply(record)
        writer.show(record)


def _show_bar(records: Iterable[p.Record], view: RunView) -> None:
    from rich import progress  # only a terminal pays for it

    bar = progress.Progress(
        progress.TextColumn("{task.description}", markup=False),
        progress.BarColumn(),
        progress.MofNCompleteColumn(),
        progress.TextColumn("{task.fields[numbers]}", markup=False),
    )
    with bar:
        task = bar.add_task("preparing", total=view.max_train_steps, numbers="")
        for record in records:
            view.apply(record)
            if line := milestone(record.event):
                bar.console.print(line, markup=False, highlight=False)
            description, done, total, numbers = bar_of(view)
            bar.update(task, description=description, completed=done, total=total, numbers=numbers)


def milestone(event: p.Event) -> str:
    """The line that an event leaves above the progress bar; empty for what the bar shows or nobody waits for."""
    if isinstance(event, SHOWN_BY_THE_BAR | NO_MILESTONES):
        return ""
    if isinstance(event, p.LogRecorded) and level(event) == "info":
        return ""
    return describe(event)


def bar_of(view: RunView) -> tuple[str, int, int, str]:
    """What the progress bar says now: a word, done, total, and the numbers behind it."""
    if phase := view.phase:
        return phase.phase, phase.done, phase.total, view.phase_pace.left
    if not view.steps:
        return view.state.value, 0, view.max_train_steps, ""
    numbers = (
        f"loss {loss(view.steps[-1].train_loss)}  {pace(view.steps_per_minute)}  {duration(view.eta_seconds)} left"
    )
    return view.state.value, view.step, view.max_train_steps, numbers


def _end(run: RunDir) -> int:
    """Say how the run ended; 0 if it did what it was asked to."""
    view = view_run(run)
    if view.state in {RunState.FINISHED, RunState.STOPPED}:
        return 0
    print(f"\nRun {run.name} is {view.state.value}: {view.state.meaning}.", file=sys.stderr)
    if view.failure:
        print(RunError(view.failure.what, view.failure.why, view.failure.remedy), file=sys.stderr)
    print(f"Go on with: shoelora-tui resume {reference(run)}; other settings need a new run.", file=sys.stderr)
    return 1


def learned(view: RunView) -> list[str]:
    """The held-out loss before and after, if it was measured twice."""
    if len(view.validation_losses) < 2:
        return []
    first, last = view.validation_losses[0], view.validation_losses[-1]
    change = (last.loss - first.loss) / first.loss if first.loss else 0.0
    than = f"at step {first.step}" if first.step else "of the base model"
    more = "more" if change > 0 else "less"
    return [
        f"Held-out loss {loss(last.loss)} at step {last.step}, {loss(first.loss)} {than}: {abs(change):.0%} {more}."
    ]


def made(run: RunDir, view: RunView) -> list[str]:
    """What a run learned and left behind, one path a line, beginning with how it ended."""
    places = [
        ("Adapter", run.lora_weights),
        ("Merged pipeline", run.final_pipeline),
        ("Validation images", run.validation),
        ("Checkpoints", run.checkpoints),
        ("Log", run.workspace.root / view.log_dir / "main_log.txt"),
    ]
    lines = [f"Run {run.name} {view.state.value} at step {view.step} of {view.max_train_steps}.", *learned(view)]
    for name, path in places:
        if path.exists():
            lines.append(f"{name}: {path}")
            lines += adapter_files(path) if path == run.lora_weights else []
    if view.state is RunState.STOPPED:
        lines.append(f"Go on with: shoelora-tui resume {reference(run)}")
    return lines


def adapter_files(folder: Path) -> list[str]:
    """The files of an adapter that are there, each with the software that reads it."""
    named = [(file.name, reader) for ending, reader in READERS for file in sorted(folder.glob(f"*{ending}"))]
    width = max((len(name) for name, _ in named), default=0)
    return [f"  {name:{width}}  for {reader}" for name, reader in named]
