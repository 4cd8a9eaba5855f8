"""What a diagnosis is made of: the facts it may look at, and what it finds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tui.environment_check import CheckResult
from tui.machine_heat import Heat
from tui.machine_memory import MachineMemory
from tui.run_view import RunView

GIB = 2**30


@dataclass(frozen=True)
class Facts:
    """All that is known; every part may be missing."""

    view: RunView | None = None
    machine: MachineMemory | None = None
    shares: Mapping[str, float] = field(default_factory=dict)  # seconds, or parts of a whole, by what they went to
    checks: Sequence[CheckResult] = ()
    heat: Heat | None = None  # of the machine, now

    def check(self, name: str) -> list["Diagnosis"]:
        """What the check of one thing found wrong, if anything."""
        return [
            Diagnosis(f"The check of the {name} says {one.verdict}", one.text, one.remedy)
            for one in self.checks
            if one.name == name and one.verdict != "OK"
        ]


@dataclass(frozen=True)
class Diagnosis:
    """A cause, the figures that point to it, and what to do."""

    what: str
    evidence: str
    remedy: str


@dataclass(frozen=True)
class Finding:
    """One question, what answers it, and what was measured whether or not something was found."""

    question: str
    diagnoses: tuple[Diagnosis, ...]
    measured: str
    is_looked_at: bool = True  # False where nothing is known that could answer it


def without_run(question: str, diagnoses: tuple[Diagnosis, ...] = ()) -> Finding:
    """What can be said of a question to which only a run has the answer."""
    return Finding(question, diagnoses, "no run is looked at", is_looked_at=False)


def gib(size: float) -> str:
    """Bytes in GiB."""
    return f"{size / GIB:.1f} GiB"
