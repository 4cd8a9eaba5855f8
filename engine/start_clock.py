"""How long a worker takes from its start until it can train, and what for."""

import time


class StartClock:
    """Laps, each for a part of the work; what has the same name is added up."""

    def __init__(self, began: float | None = None) -> None:
        """`began` is a time of `time.perf_counter`, or now."""
        self._began = self._last = time.perf_counter() if began is None else began
        self._laps: dict[str, float] = {}

    @classmethod
    def of_this_process(cls) -> "StartClock":
        """Began with the process, if that has done nothing but compute since, as one that imports modules does."""
        return cls(time.perf_counter() - time.process_time())

    def lap(self, part: str) -> None:
        """The time since the last lap went into a part."""
        now = time.perf_counter()
        self._laps[part] = self._laps.get(part, 0.0) + now - self._last
        self._last = now

    def __str__(self) -> str:
        parts = ", ".join(f"{part} {seconds:.1f} s" for part, seconds in self._laps.items())
        return f"Ready to train {self._last - self._began:.1f} s after the worker's start: {parts}"
