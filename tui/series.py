"""Series: one number over the steps; it keeps the extremes of every block, so that a plot never reads all of it."""

import math
from array import array
from collections.abc import Iterable, Iterator

BLOCK = 32  # values whose extremes are kept together, and blocks whose extremes are kept together in turn
LEVELS = 2


class Series:
    """Numbers in their order, 8 bytes each; those that are not finite are kept and never counted."""

    def __init__(self) -> None:
        self._values = array("d")
        self.append = self._values.append  # adds one; the array's own, since a long run has half a million
        self._lows = [array("d") for _ in range(LEVELS)]  # of whole blocks; inf where a block has no finite number
        self._highs = [array("d") for _ in range(LEVELS)]

    def __len__(self) -> int:
        return len(self._values)

    def __getitem__(self, index: int) -> float:
        return self._values[index]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Series) and self._values == other._values

    def extend(self, values: Iterable[float]) -> None:
        """Add several."""
        self._values.extend(values)

    def cut(self, length: int) -> None:
        """Keep the first `length`."""
        del self._values[length:]
        size = 1
        for lows, highs in zip(self._lows, self._highs, strict=True):
            size *= BLOCK
            del lows[length // size :], highs[length // size :]

    def between(self, first: int, last: int) -> "array[float]":
        """The values from index `first` up to, not including, `last`."""
        return self._values[max(first, 0) : last]

    def total(self, first: int = 0, last: int | None = None) -> float:
        """The sum of the finite values from index `first` up to, not including, `last`, or to the end."""
        values = self._values[first:last]
        total = sum(values)
        return total if math.isfinite(total) else sum(filter(math.isfinite, values))

    def extremes(self, first: int, last: int) -> tuple[float, float] | None:
        """Least and greatest finite value from index `first` up to, not including, `last`; None if there is none."""
        self._build()
        low, high = math.inf, -math.inf
        for lows, highs in self._pieces(first, min(last, len(self)), LEVELS - 1):
            low, high = min(low, *lows), max(high, *highs)
        return (low, high) if low <= high else None

    def count_above(self, first: int, last: int, limit: float) -> int:
        """How many finite values from index `first` up to, not including, `last` are greater than `limit`."""
        self._build()
        highs, count = self._highs[0], 0
        last = min(last, len(self))
        while first < last:
            block, offset = divmod(first, BLOCK)
            end = min(first - offset + BLOCK, last)
            if block >= len(highs) or highs[block] > limit:
                count += sum(value > limit for value in self._finite(first, end))
            first = end
        return count

    def sample(self, first: int, last: int, most: int) -> list[float]:
        """At most about `most` finite values, evenly spread."""
        stride = max(1, (last - first) // most)
        return [value for value in self._values[max(first, 0) : last : stride] if math.isfinite(value)]

    def _pieces(self, first: int, last: int, level: int) -> Iterator[tuple["array[float]", "array[float]"]]:
        """Lows and highs that together cover a range of values: of the largest blocks where whole ones fit."""
        if level < 0:
            if finite := self._finite(first, last):
                yield finite, finite
            return
        size = BLOCK ** (level + 1)
        begin, end = -(-first // size), min(last // size, len(self._lows[level]))
        if begin >= end:
            yield from self._pieces(first, last, level - 1)
            return
        yield from self._pieces(first, begin * size, level - 1)
        yield self._lows[level][begin:end], self._highs[level][begin:end]
        yield from self._pieces(end * size, last, level - 1)

    def _finite(self, first: int, last: int) -> "array[float]":
        values = self._values[first:last]
        return values if math.isfinite(sum(values)) else array("d", filter(math.isfinite, values))

    def _build(self) -> None:
        """Take the whole blocks into account that have come since the last look."""
        for begin in range(len(self._lows[0]) * BLOCK, len(self) - BLOCK + 1, BLOCK):
            values = self._finite(begin, begin + BLOCK)
            self._lows[0].append(min(values, default=math.inf))
            self._highs[0].append(max(values, default=-math.inf))
        for level in range(1, LEVELS):
            lows, highs = self._lows[level - 1], self._highs[level - 1]
            for begin in range(len(self._lows[level]) * BLOCK, len(lows) - BLOCK + 1, BLOCK):
                self._lows[level].append(min(lows[begin : begin + BLOCK]))
                self._highs[level].append(max(highs[begin : begin + BLOCK]))
