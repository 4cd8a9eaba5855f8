"""Loss that does not fall: the trend of the validation loss, or of the training loss where that is all there is."""

import math
from collections.abc import Sequence
from itertools import combinations

from engine.contract import protocol as p
from tui.diagnosis.finding import Diagnosis, Facts, Finding, without_run
from tui.run_view import RunView

QUESTION = "Loss that does not fall"
FALLEN = 0.99  # of the first validation loss; the noise is the same every time, so that one percent counts
RISEN = 1.05  # of the best validation loss
SURE = 1.28  # standard deviations: below 10 % of rows without a trend fall as clearly as that
ENOUGH_STEPS = 200  # before the training loss alone, or two validations, say anything
FEW_STEPS = 50  # from the first to the last validation, within which no loss has to fall yet
BLOCKS = 20  # means that the training loss is reduced to
TRY = 3.0  # times, or by which to divide, a learning rate that is wrong


def loss_not_falling(facts: Facts) -> Finding:
    """Steps left out, a validation loss that is flat or rises again, or a training loss without a fall."""
    view = facts.view
    if view is None:
        return without_run(QUESTION)
    found = [one for one in (_left_out(view), _validation(view) or _training(view)) if one]
    return Finding(QUESTION, tuple(found), measured(view))


def measured(view: RunView) -> str:
    """First, best and last validation loss."""
    losses = view.validation_losses
    if not losses:
        return "no validation loss yet"
    best = min(losses, key=lambda one: one.loss)
    return ", ".join(
        f"{name} {_told(one)}" for name, one in (("first", losses[0]), ("best", best), ("last", losses[-1]))
    )


def trend(values: Sequence[float]) -> float:
    """Mann-Kendall: how many standard deviations the row rises (above 0) or falls (below 0)."""
    count = len(values)
    if count < 3:
        return 0.0
    score = sum((later > earlier) - (later < earlier) for earlier, later in combinations(values, 2))
    deviation = math.sqrt(count * (count - 1) * (2 * count + 5) / 18)
    return (score - (score > 0) + (score < 0)) / deviation


def block_means(values: Sequence[float], blocks: int) -> list[float]:
    """The row reduced to means of equal parts."""
    size = max(1, len(values) // blocks)
    starts = range(0, len(values) - size + 1, size)
    return [sum(values[start : start + size]) / size for start in starts]


def _told(one: p.ValidationLossMeasured) -> str:
    return f"{one.loss:.4g} at step {one.step}"


def _rate(view: RunView, wrong: str) -> str:
    """The first remedy, with the figure to try; `wrong` is low or high."""
    _, peak = view.steps.learning_rate.extremes(0, len(view.steps)) or (0.0, 0.0)
    if wrong == "low":
        first = f"Raise learning_rate (now {peak:.1e}), say to {peak * TRY:.1e}" if peak > 0 else "Raise learning_rate"
        return f"{first}; if the loss then jumps, lower it instead. Else raise lora_rank, or mend the captions."
    first = f"Lower learning_rate (now {peak:.1e}), say to {peak / TRY:.1e}" if peak > 0 else "Lower learning_rate"
    return f"{first}."


def _left_out(view: RunView) -> Diagnosis | None:
    skipped = [event for _, event in view.setbacks if isinstance(event, p.StepSkipped)]
    if not skipped:
        return None
    last = skipped[-1]
    named = ", ".join(last.samples[:4])
    return Diagnosis(
        f"{len(skipped)} step{'s were' if len(skipped) > 1 else ' was'} left out, for numbers that are not finite",
        f"The last was step {last.step}: {last.why}" + (f" (samples {named})." if named else "."),
        f"{_rate(view, 'high')} Look at the samples that are named; use mixed_precision no.",
    )


def _validation(view: RunView) -> Diagnosis | None:
    losses = view.validation_losses
    if len(losses) < 2 or losses[-1].step - losses[0].step < FEW_STEPS:
        return None
    first, last, best = losses[0], losses[-1], min(losses, key=lambda one: one.loss)
    if sum(one.step > best.step for one in losses) >= 2 and last.loss > RISEN * best.loss and best is not first:
        evidence = f"Best {_told(best)}, last {_told(last)}; the first was {_told(first)}."
        kept = [saved.step for saved in view.checkpoints]
        near = (
            f"checkpoint-{min(kept, key=lambda step: abs(step - best.step))}" if kept else f"a run of {best.step} steps"
        )
        remedy = f"Use {near}, which is nearest to the best. For the next run: fewer steps or more pictures. "
        return Diagnosis(
            "The validation loss rises again: the run learns its pictures by heart",
            evidence,
            remedy + _rate(view, "high"),
        )
    if last.loss <= FALLEN * first.loss or (len(losses) < 3 and last.step - first.step < ENOUGH_STEPS):
        return None
    slope = trend(block_means([one.loss for one in losses], 3 * BLOCKS))
    evidence = (
        f"First {_told(first)}, last {_told(last)}, {len(losses)} measured; trend {slope:+.1f} standard deviations."
    )
    if last.loss > RISEN * first.loss or slope > SURE:
        return Diagnosis("The validation loss rises", evidence, _rate(view, "high"))
    return None if slope < -SURE else Diagnosis("The validation loss does not fall", evidence, _rate(view, "low"))


def _training(view: RunView) -> Diagnosis | None:
    """Only without validations: the loss of a step depends on its timesteps more than on what was learned."""
    if len(view.validation_losses) >= 2 or len(view.steps) < ENOUGH_STEPS:
        return None
    means = block_means(view.steps.loss.between(0, len(view.steps)), BLOCKS)
    slope = trend(means)
    if slope < -SURE:
        return None
    what = "The training loss rises" if slope > SURE else "The training loss does not fall"
    evidence = (
        f"Over {len(view.steps)} steps the mean went from {means[0]:.4g} to {means[-1]:.4g}; "
        f"trend {slope:+.1f} standard deviations."
    )
    remedy = _rate(view, "high" if slope > SURE else "low")
    return Diagnosis(what, evidence, f"{remedy} A validation would say it surer.")
