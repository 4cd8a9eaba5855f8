"""The commands on runs that exist: list them, look at one, steer one. Each returns its exit code."""

import json
import math
import shutil
import sys
import time
from typing import Any

from engine import control
from engine.contract import protocol as p
from engine.contract.errors import RunError, ShoeloraError
from engine.contract.journal import follow, replay
from engine.contract.run_dir import RunDir, Workspace, list_runs
from engine.contract.run_state import RunState
from tui.foreground import LineWriter
from tui.run_status import status, status_lines
from tui.run_view import RunView, view_run
from tui.wording import NOTHING, duration, loss, pace, state_words

DAMAGED = "? damaged"
HEADINGS = ("RUN", "STATE", "STEP", "VALIDATION", "PACE", "LEFT", "STARTED")
OF_LESS_WEIGHT = ("PACE", "STARTED", "VALIDATION", "LEFT")  # the first goes first
GAP = "  "


def show_runs(workspace: Workspace, as_json: bool = False) -> int:
    """Print a table of all runs, the one last started on top; or of each the object of `status --json`."""
    runs = list_runs(workspace)
    if as_json:
        for run in reversed(runs):
            print(json.dumps(_object(run)))
        return 0
    if not runs:
        print(f"No runs in {workspace.outputs} yet. Start one with `shoelora-tui train --config demo`.")
        return 0
    _print_table([HEADINGS, *(_row(run) for run in reversed(runs))])
    return 0


def _print_table(rows: list[tuple[str, ...]]) -> None:
    """In columns, without those of the least weight where a terminal has no room for all."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADINGS))]
    shown = list(range(len(HEADINGS)))
    room = shutil.get_terminal_size().columns if sys.stdout.isatty() else math.inf
    for heading in OF_LESS_WEIGHT:
        if sum(widths[column] + len(GAP) for column in shown) - len(GAP) > room:
            shown.remove(HEADINGS.index(heading))
    for row in rows:
        print(GAP.join(row[column].ljust(widths[column]) for column in shown).rstrip())


def _object(run: RunDir) -> dict[str, Any]:
    """A run's status; of one whose files are damaged, name and state alone."""
    try:
        return status(view_run(run))
    except (ShoeloraError, OSError, ValueError):
        return {"name": run.name, "state": "damaged"}


def _row(run: RunDir) -> tuple[str, ...]:
    started = time.strftime("%Y-%m-%d %H:%M", time.localtime(run.config_file.stat().st_mtime))
    try:
        view = view_run(run)
    except (ShoeloraError, OSError, ValueError):  # whatever was done to its files, the other runs are still listed
        return run.name, DAMAGED, NOTHING, NOTHING, NOTHING, NOTHING, started
    if view.is_unreadable:
        return run.name, DAMAGED, NOTHING, NOTHING, NOTHING, NOTHING, started
    return (
        run.name,
        state_words(view.state, view.stalled_seconds),
        f"{view.step}/{view.max_train_steps}",
        loss(_validation_loss(view)),
        pace(view.steps_per_minute),
        duration(view.eta_seconds),
        started,
    )


def _validation_loss(view: RunView) -> float | None:
    return view.validation_losses[-1].loss if view.validation_losses else None


def show_status(run: RunDir, as_json: bool) -> int:
    """Print where one run stands."""
    view = view_run(run)
    print(json.dumps(status(view), indent=2) if as_json else "\n".join(status_lines(view)))
    return 0


def command(run: RunDir, order: p.Command) -> int:
    """Send one command, wait until it was obeyed, and say what happened."""
    outcome = control.send_and_wait(run, order, on_record=_PhaseLines().show)
    print(f"{run.name}: {outcome.text}", file=sys.stdout if outcome.obeyed else sys.stderr)
    return 0 if outcome.obeyed else 1


class _PhaseLines(LineWriter):
    """Shows only what makes a person wait."""

    def show(self, record: p.Record) -> None:
        if isinstance(record.event, p.PhaseProgressed):
            super().show(record)


def resume(run: RunDir, allow_changed_data: bool = False) -> int:
    """Let a paused run go on, or start an ended one again from its newest good checkpoint.

    With `allow_changed_data` also if its pictures or captions have changed. Raises RunError if the run is at work or
    has done all its steps.
    """
    state = run.state()
    if state is RunState.PAUSED:
        return command(run, p.Resume())
    if not state.is_resumable:
        held = "" if state.is_final else f" Process {run.holder()} works on it."
        raise RunError(f"Run {run.name} needs no resume", f"It is {state.value}: {state.meaning}.{held}")
    seen = max((record.seq for record in replay(run.journal)), default=0)
    control.restart(run, allow_changed_data)
    return _wait_until_training(run, seen)


def _wait_until_training(run: RunDir, after_seq: int) -> int:
    """Follow a run that was started again until it trains, and say from where; 1 if it ended before that."""
    lines = _PhaseLines()
    for record in follow(run.journal, until=lambda: not run.is_live(), after_seq=after_seq):
        lines.show(record)
        match record.event:
            case p.RunResumed(from_step=step, checkpoint=checkpoint):
                print(f"{run.name}: goes on from step {step}, {checkpoint}.")
                return 0
            case p.StateChanged(state="running"):
                print(f"{run.name}: starts from the beginning, since it has no checkpoint.")
                return 0
            case p.RunFailed(what=what, why=why, remedy=remedy):
                raise RunError(what, why, remedy)
            case _:
                pass
    state = run.state()
    raise RunError(f"Run {run.name} ended before it trained", f"It is {state.value}: {state.meaning}.")
