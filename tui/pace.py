"""How fast a run trains: steps per minute now, on the whole and in which direction, and where its time goes."""

from collections.abc import Mapping
from dataclasses import dataclass

from engine.contract.protocol import Event, PhaseProgressed, ValidationImageSaved, ValidationLossMeasured
from tui.step_history import StepHistory

WINDOW = 20  # steps over which the pace is averaged: seconds on the demo, two minutes on SD 1.5
EARLIER = 100  # steps before those, with which they are compared
STEADY = 0.03  # a change of the pace by less than this share is none


@dataclass(frozen=True)
class Share:
    """A part of the time, between 0 and 1."""

    name: str
    share: float


def now(steps: StepHistory) -> float | None:
    """Steps per minute over the last steps, without pauses and validations; None before the first step."""
    return _pace(steps, len(steps) - WINDOW, len(steps))


def mean(steps: StepHistory) -> float | None:
    """Steps per minute over all steps."""
    return _pace(steps, 0, len(steps))


def trend(steps: StepHistory) -> float | None:
    """By what share of itself the pace has changed against the steps before; 0 if steady, None if nobody can tell."""
    end = len(steps) - WINDOW
    earlier, present = _pace(steps, end - EARLIER, end), now(steps)
    if earlier is None or present is None:
        return None
    change = present / earlier - 1
    return change if abs(change) >= STEADY else 0.0


def validations_left(step: int, max_train_steps: int, validation_steps: int) -> int:
    """Validations by schedule after a step: at every multiple of the interval, and after the last step. 0 where the
    interval is unknown.
    """
    if not validation_steps or step >= max_train_steps:
        return 0
    return -(-max_train_steps // validation_steps) - step // validation_steps


def _pace(steps: StepHistory, first: int, last: int) -> float | None:
    first = max(first, 0)
    seconds = steps.seconds.total(first, last) if last > first else 0.0
    return 60 * (last - first) / seconds if seconds > 0 else None


def shares(steps: StepHistory, parts: Mapping[str, float], validation_seconds: float) -> list[Share]:
    """Where the time goes, in the order of a step; empty before anything was measured. They add up to 1.

    `parts` are the seconds of a step by what they went to.
    """
    whole = sum(parts.values())
    if whole <= 0:
        return []
    training = steps.seconds.total()
    validation = validation_seconds / (training + validation_seconds) if training > 0 else 0.0
    shares = [Share(name, seconds / whole * (1 - validation)) for name, seconds in parts.items()]
    return [*shares, Share("validation", validation)]


def is_validation(event: Event) -> bool:
    """Whether an event tells of validation losses or images; the time since the record before it went into them."""
    if isinstance(event, PhaseProgressed):
        return event.phase.startswith("validation") and event.done > 0
    return isinstance(event, ValidationLossMeasured | ValidationImageSaved)
