"""What the run reported: that it hangs or was cut off, failure, warnings, dead workers; and what else `check` found."""

from engine.contract import protocol as p
from engine.contract.describe import duration
from engine.contract.run_state import RunState
from tui.diagnosis.finding import Diagnosis, Facts, Finding, without_run
from tui.run_view import RunView
from tui.wording import unreadable

QUESTION = "Other trouble"
TOLD_ELSEWHERE = frozenset({"memory", "data set"})  # checks that answer another question
MOST = 20  # that are told


def reports(facts: Facts, told: set[str]) -> Finding:
    """All that is not yet told under another question."""
    view = facts.view
    checks = tuple(one for check in facts.checks if check.name not in TOLD_ELSEWHERE for one in facts.check(check.name))
    if view is None:
        made = f"no run is looked at, {len(facts.checks)} checks were made"
        return Finding(QUESTION, checks, made, is_looked_at=True) if facts.checks else without_run(QUESTION)
    found: list[Diagnosis] = []
    if view.stalled_seconds is not None:
        found.append(_stalled(view.stalled_seconds))
    if view.unreadable_lines:
        found.append(_damaged(view))
    if view.state is RunState.INTERRUPTED and not view.is_unreadable:
        found.append(_interrupted(view.step))
    if view.failure:
        found.append(Diagnosis(view.failure.what, view.failure.why, view.failure.remedy))
    found += [Diagnosis(one.what, one.why, one.remedy) for one in reversed(view.warnings)]
    deaths = [
        (step, event.cause)
        for step, event in view.setbacks
        if isinstance(event, p.WorkerDied) and event.cause != p.ENDED_ON_COMMAND
    ]
    if deaths:
        step, cause = deaths[-1]
        times = "once" if len(deaths) == 1 else f"{len(deaths)} times"
        again = "It was started again from the newest checkpoint, or from the beginning where there is none."
        remedy = f"{again} What it said last is in {view.log_dir}."
        found.append(Diagnosis(f"The worker died {times}", f"The last time after step {step}: {cause}.", remedy))
    distinct: dict[str, Diagnosis] = {}
    for one in found:
        if one.what not in told:
            distinct.setdefault(one.what, one)
    newest = tuple(distinct.values())[:MOST]
    count = len(view.warnings)
    measured = f"{count} warning{'' if count == 1 else 's'}, {len(deaths)} dead worker{'' if len(deaths) == 1 else 's'}"
    return Finding(QUESTION, (*newest, *checks), measured)


def _stalled(seconds: float) -> Diagnosis:
    return Diagnosis(
        "The worker hangs",
        f"Nothing was heard of it for {duration(seconds)}, much longer than its own pace explains.",
        "Wait if the machine sleeps, swaps or has other work; else end it by force with k on the Monitor, or "
        "`shoelora-tui restart-worker`: it goes on from the newest good checkpoint.",
    )


def _interrupted(step: int) -> Diagnosis:
    return Diagnosis(
        "The run was cut off",
        f"Its supervisor was gone after step {step}: a power cut, a restart of the machine, or a kill.",
        "Resume it with p on the Monitor, or `shoelora-tui resume`: it goes on from the newest good checkpoint.",
    )


def _damaged(view: RunView) -> Diagnosis:
    words = unreadable(view.unreadable_lines, of_all=view.is_unreadable)
    return Diagnosis(
        "The journal is damaged",
        f"{words[0].upper()}{words[1:]}.",
        "Look whether the disk is sound. Checkpoints have hashes of their own: `shoelora-tui resume` goes on from the "
        "newest good one, and the journal is written on.",
    )
