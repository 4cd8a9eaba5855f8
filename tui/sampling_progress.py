"""How far the drawing of pictures is, and how it ended, in words."""

import time
from dataclasses import dataclass, field

from engine.contract.generated import GeneratedPicture
from engine.contract.protocol import PhaseProgressed
from tui.sampling import Ended, Said
from tui.wording import duration

BAR = 20  # columns


@dataclass(frozen=True)
class Outcome:
    """How it ended; the tone is success, warning or error."""

    tone: str
    what: str
    why: str = ""
    remedy: str = ""


@dataclass
class SamplingProgress:
    """What the tool has said so far."""

    wanted: int
    pictures: list[GeneratedPicture] = field(default_factory=list)
    phase: PhaseProgressed | None = None
    ended: Ended | None = None
    _phase_began: float = 0.0

    def apply(self, said: Said) -> None:
        """Take one word into account."""
        match said:
            case PhaseProgressed():
                if self.phase is None or self.phase.phase != said.phase or said.done < self.phase.done:
                    self._phase_began = time.monotonic()
                self.phase = said
            case GeneratedPicture():
                self.pictures.append(said)
            case Ended():
                self.ended = said

    def line(self, bar: int = BAR) -> str:
        """One line while it is at work."""
        if self.phase is None:
            return "Starting; the libraries take some seconds …"
        done, total = self.phase.done, max(self.phase.total, 1)
        full = round(bar * min(done / total, 1))
        drawn = f"  {len(self.pictures)} of {self.wanted} pictures" if self.phase.phase == "denoising" else ""
        return f"{self.phase.phase} {'━' * full}{'─' * (bar - full)} {done}/{self.phase.total}{drawn}{self._left()}"

    def _left(self) -> str:
        """The rest of the phase at the pace so far; nothing before the second second, when it is a guess."""
        elapsed = time.monotonic() - self._phase_began
        if self.phase is None or self.phase.phase != "denoising" or not self.phase.done or elapsed < 2:
            return ""
        return f"  about {duration(elapsed / self.phase.done * (self.phase.total - self.phase.done))} left"

    def outcome(self) -> Outcome | None:
        """How it ended; None while it is at work."""
        if self.ended is None:
            return None
        made = len(self.pictures)
        drawn = f"{made} picture{'' if made == 1 else 's'}"
        if self.ended.stopped:
            return Outcome("warning", f"Stopped; {drawn if made else 'no picture'} drawn")
        if faulty := [picture for picture in self.pictures if picture.fault]:
            return Outcome(
                "warning", f"{drawn} drawn, {len(faulty)} cannot be right", f"The first one {faulty[0].fault}.",
                "Try a lower adapter weight; half precision overflows too, and mixed_precision no does not.",
            )  # fmt: skip
        if self.ended.code == 0:
            return Outcome("success", f"{drawn} drawn")
        return _failure(self.ended)


def _failure(ended: Ended) -> Outcome:
    """What a tool wrote on standard error before it gave up, taken apart."""
    if ended.code < 0:
        why = f"Signal {-ended.code} ended it; most often memory ran out."
        return Outcome("error", "The tool was killed", why, "Draw fewer pictures at once, or end what else is running.")
    lines = [line for line in ended.said.splitlines() if line.strip()]
    if any(line.startswith("Traceback") for line in lines):
        return Outcome("error", "The tool failed, which is a fault of this program", lines[-1])
    parts = {"Why:": "", "Do:": ""}
    for line in lines:
        for mark in parts:
            if line.strip().startswith(mark):
                parts[mark] = line.strip().removeprefix(mark).strip()
    told = [line for line in lines if not line.startswith((" ", "[WARN]"))]
    what = told[-1] if told else f"The tool ended with code {ended.code}"
    return Outcome("error", what, parts["Why:"], parts["Do:"])
