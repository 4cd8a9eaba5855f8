"""What the run itself reported: its failure first, then its warnings and dead workers, the newest first."""

from engine.contract import protocol as p
from tui.diagnosis.finding import Diagnosis, Facts, Finding

QUESTION = "Other trouble"
MOST = 20  # that are told


def reports(facts: Facts, told: set[str]) -> Finding:
    """All that is not yet told under another question."""
    view = facts.view
    if view is None:
        return Finding(QUESTION, (), "no run is looked at")
    found: list[Diagnosis] = []
    if view.failure:
        found.append(Diagnosis(view.failure.what, view.failure.why, view.failure.remedy))
    found += [Diagnosis(one.what, one.why, one.remedy) for one in reversed(view.warnings)]
    deaths = [(step, event.cause) for step, event in view.setbacks if isinstance(event, p.WorkerDied)]
    if deaths:
        step, cause = deaths[-1]
        times = "once" if len(deaths) == 1 else f"{len(deaths)} times"
        remedy = f"It was started again from the newest checkpoint. What it said last is in {view.log_dir}."
        found.append(Diagnosis(f"The worker died {times}", f"The last time after step {step}: {cause}.", remedy))
    distinct: dict[str, Diagnosis] = {}
    for one in found:
        if one.what not in told:
            distinct.setdefault(one.what, one)
    newest = tuple(distinct.values())[:MOST]
    count = len(view.warnings)
    measured = f"{count} warning{'' if count == 1 else 's'}, {len(deaths)} dead worker{'' if len(deaths) == 1 else 's'}"
    return Finding(QUESTION, newest, measured)
