"""How long what goes on between steps will still take: caching, checking, validating."""

from dataclasses import dataclass

from engine.contract.protocol import PhaseProgressed
from tui.wording import duration

SHORTEST = 2.0  # seconds of a phase before its pace says anything


@dataclass
class PhasePace:
    """Follows one phase after the other; a pace is that since the phase was first seen, or seen again after a rest."""

    _first: tuple[float, PhaseProgressed] | None = None
    _last: tuple[float, PhaseProgressed] | None = None

    def see(self, time: float, event: PhaseProgressed) -> None:
        """Take a report of progress into account; `time` in seconds."""
        last = self._last[1] if self._last else None
        if last is None or last.phase != event.phase or event.done < last.done:
            self._first = (time, event)
        self._last = (time, event)

    def rest(self) -> None:
        """The run was paused or goes on: what comes next is measured anew."""
        self._first = self._last = None

    @property
    def left(self) -> str:
        """`3 min 07 s left`, counted from the last report; empty where nothing is known yet."""
        if not self._first or not self._last:
            return ""
        (began, first), (now, last) = self._first, self._last
        done = last.done - first.done
        if done <= 0 or now - began < SHORTEST or last.done >= last.total:
            return ""
        return f"{duration((now - began) / done * (last.total - last.done))} left"
