"""Where the seconds of an optimizer step go: data, forward, backward or optimizer."""

import time
from typing import Literal, get_args

from engine import device as devices
from engine.contract.protocol import StepTimed

Part = Literal["data", "forward", "backward", "optimizer"]
REPORT_EVERY = 10  # steps; on a GPU also the distance between two measured steps


class StepClock:
    """Laps within a step; a GPU works behind the clock's back, so a lap of a measured step waits for it."""

    def __init__(self, device: devices.Device) -> None:
        self._device = device
        self._measuring = False
        self._last = 0.0
        self._laps = dict.fromkeys(get_args(Part), 0.0)  # seconds of the step that is under way
        self._totals = self._laps.copy()  # seconds of the measured steps since the last report
        self._steps = 0

    def start(self, step: int) -> None:
        """Step number `step` begins, or begins anew after it failed."""
        self._measuring = self._device.name == "cpu" or step % REPORT_EVERY == 0
        self._laps = dict.fromkeys(self._laps, 0.0)
        self.skip()

    def skip(self) -> None:
        """The time since the last lap was no part of the step."""
        if self._measuring:
            self._last = self._now()

    def lap(self, part: Part) -> None:
        """The time since the last lap was spent on this part."""
        if self._measuring:
            now = self._now()
            self._laps[part] += now - self._last
            self._last = now

    def finish(self) -> None:
        """The step was completed, so that it counts."""
        if self._measuring:
            self._steps += 1
            for part, seconds in self._laps.items():
                self._totals[part] += seconds

    def report(self, step: int) -> StepTimed | None:
        """The means since the last report, if one is due after this step and anything was measured."""
        if step % REPORT_EVERY or not self._steps:
            return None
        timed = StepTimed(step, **{part: seconds / self._steps for part, seconds in self._totals.items()})
        self._steps, self._totals = 0, dict.fromkeys(self._totals, 0.0)
        return timed

    def _now(self) -> float:
        devices.synchronize(self._device)
        return time.perf_counter()
