"""Which steps a plot shows: all of them, or a stretch that stays or follows the newest step; arithmetic only."""

import math
from dataclasses import dataclass, replace

SHORTEST = 8.0  # steps; nobody needs to see fewer
ZOOM = 2.0
PAN = 0.25  # of what is shown


@dataclass(frozen=True)
class Window:
    """`width` steps, the last of which is `last`, or the newest where `last` is None; all where `width` is None."""

    width: float | None = None
    last: float | None = None

    @property
    def is_whole(self) -> bool:
        """Whether every step is shown."""
        return self.width is None

    @property
    def follows(self) -> bool:
        """Whether the newest step is always shown."""
        return self.last is None

    def bounds(self, newest: int) -> tuple[float, float]:
        """The first and last step that are shown of a run that has come to `newest`."""
        end = round_up(max(newest, 1))
        if self.width is None or self.width >= end:
            return 0.0, float(end)
        last = min(max(newest if self.last is None else self.last, self.width), end)
        return last - self.width, last

    def zoomed_in(self, newest: int, centre: float | None = None) -> "Window":
        """Half as many steps around `centre`; without one the end stays if it follows, else the middle."""
        return self._scaled(newest, 1 / ZOOM, centre)

    def zoomed_out(self, newest: int, centre: float | None = None) -> "Window":
        """Twice as many steps, up to all of them."""
        return self._scaled(newest, ZOOM, centre)

    def _scaled(self, newest: int, factor: float, centre: float | None) -> "Window":
        first, last = self.bounds(newest)
        width = max((last - first) * factor, SHORTEST)
        if width >= round_up(max(newest, 1)):
            return Window()
        if centre is None:
            if self.follows:
                return Window(width)
            centre = (first + last) / 2
        share = (centre - first) / (last - first)
        return Window(width, centre + (1 - share) * width).settled(newest)

    def panned(self, newest: int, direction: int) -> "Window":
        """A part of what is shown further to the left (-1) or right (1); at the newest step it follows again."""
        if self.width is None:
            return self
        last = self.bounds(newest)[1] + direction * PAN * self.width
        return replace(self, last=max(last, self.width)).settled(newest)

    def settled(self, newest: int) -> "Window":
        """The same, following if it has come to the end."""
        return replace(self, last=None) if self.last is not None and self.last >= newest else self

    def containing(self, newest: int, step: int) -> "Window":
        """The same, moved by no more than is needed to show a step."""
        first, last = self.bounds(newest)
        if self.width is None or first <= step <= last:
            return self
        return replace(self, last=step if step > last else step + self.width).settled(newest)


def round_up(newest: int) -> int:
    """A round number of steps from `newest` on, so that an axis grows by jumps and not with each step."""
    spacing = int(10 ** max(math.floor(math.log10(newest)) - 1, 0))
    spacing *= next((factor for factor in (5, 2) if newest / (spacing * factor) >= 40), 1)
    return math.ceil(newest / spacing) * spacing
