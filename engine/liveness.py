"""Liveness: notices that nothing was heard of a worker for much longer than its own pace explains."""

import time
from collections import deque
from collections.abc import Callable

from engine.contract import protocol as p

SHORTEST_PATIENCE = 10.0  # seconds; no worker is called stalled before that
# Seconds while a worker has not trained yet, or no longer does: imports, reading weights from a slow disk, and writing
# the merged pipeline say nothing for a minute.
UNMEASURED_PATIENCE = 120.0
FACTOR = 10.0  # times the longest recent silence
RECENT = 100  # silences; some minutes of SD 1.5


class Liveness:
    """Told of every report of one worker; says when its silence is remarkable. A paused worker may be silent."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._heard = clock()
        self._silences: deque[float] = deque(maxlen=RECENT)
        self._paused = False
        self._training = False
        self._told = 0.0  # seconds of the present silence when it was last remarked on

    def hear(self, event: p.Event) -> None:
        """A report of the worker has come."""
        now = self._clock()
        if isinstance(event, p.StepCompleted) and not self._training:
            self._silences.clear()  # how long imports and caching took says nothing of the steps
        if not self._paused:
            self._silences.append(now - self._heard)
        self._heard, self._told = now, 0.0
        match event:
            case p.StateChanged(state=state):
                self._paused = state == "paused"
                self._training = self._training and state != "stopping"
            case p.StepCompleted():
                self._training = True
            case _:
                pass

    def remarkable_silence(self) -> float | None:
        """Seconds since anything was heard, when they exceed the patience, and again whenever they have doubled."""
        silence = self._clock() - self._heard
        if self._paused or silence < max(self._patience(), 2 * self._told):
            return None
        self._told = silence
        return silence

    def _patience(self) -> float:
        least = SHORTEST_PATIENCE if self._training else UNMEASURED_PATIENCE
        return max(least, FACTOR * max(self._silences, default=0.0))
