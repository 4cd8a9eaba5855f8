"""What of a run's events becomes a line of its log."""

from dataclasses import dataclass

from engine.contract import protocol as p
from engine.contract.describe import describe, level

# These have places of their own on the screen.
SHOWN_ELSEWHERE = p.StepCompleted | p.StepTimed | p.PhaseProgressed | p.MemorySampled | p.ValidationImageSaved


@dataclass
class LogLine:
    """A line of the console's log."""

    time: float
    level: p.Level
    text: str


def log_line(record: p.Record) -> LogLine | None:
    """The line that a record leaves; None where there is nothing to say."""
    event = record.event
    if isinstance(event, SHOWN_ELSEWHERE):
        return None
    text = describe(event)
    return LogLine(record.time, level(event), text) if text else None
