"""Black images: what validation found wrong with its own pictures and losses."""

import re

from engine.contract import protocol as p
from tui.diagnosis.finding import Diagnosis, Facts, Finding, without_run
from tui.run_view import RunView

QUESTION = "Black images"
# As validation words it: `Validation image epoch001_step000500_03.png is black`, `… holds numbers that are not finite`.
FAULTY_IMAGE = re.compile(r"^(?:Validation image|Preview) \S*step(\d+)\S* (is black|holds numbers that are not finite)")
FAULTY_LOSS = re.compile(r"^The validation loss of step (\d+) is not finite")


def black_images(facts: Facts) -> Finding:
    """Pictures that were black, or whose numbers were not finite; the newest first."""
    view = facts.view
    if view is None:
        return without_run(QUESTION)
    found = [one for pattern in (FAULTY_IMAGE, FAULTY_LOSS) if (one := _newest(view, pattern))]
    steps = {image.step for image in view.images}
    seen = f"{len(view.images)} validation pictures looked at" if view.images else "no validation picture yet"
    return Finding(QUESTION, tuple(found), f"{seen}, the newest of step {max(steps)}" if steps else seen)


def _newest(view: RunView, pattern: re.Pattern[str]) -> Diagnosis | None:
    """The newest warning of a kind, with how many there were, and whether validations since then were sound."""
    hits = [(warning, match) for warning in view.warnings if (match := pattern.match(warning.what))]
    if not hits:
        return None
    warning, match = hits[-1]
    step = int(match[1])
    alike = sum(int(other[1]) == step for _, other in hits)
    evidence = [f"{alike} at step {step}, {len(hits)} in all"] if pattern is FAULTY_IMAGE else [f"step {step}"]
    if any(image.step > step for image in view.images):
        evidence.append("the pictures since then are sound")
    if skipped := sum(isinstance(event, p.StepSkipped) for _, event in view.setbacks):
        evidence.append(f"{skipped} steps were left out, since their numbers were not finite")
    if view.prepared:
        evidence.append(f"computed in {view.prepared.dtype} on {view.prepared.device}")
    return Diagnosis(warning.what, f"{warning.why} Measured: {'; '.join(evidence)}.", warning.remedy)
