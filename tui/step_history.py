"""StepHistory: every step of a run as columns of numbers, a sixth of what the events themselves would take."""

import math
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from typing import overload

from engine.contract.protocol import StepCompleted
from tui.series import Series

TALLEST = 3.0  # times the average: the most that a single loss counts, so that a spike bends no average


class StepHistory(Sequence[StepCompleted]):
    """Steps in the order of their numbers; one that is told again replaces itself and all that came after it."""

    def __init__(self) -> None:
        self.numbers = array("q")
        self._epochs = array("q")
        self.loss = Series()
        self.learning_rate = Series()
        self.gradient_norm = Series()
        self.seconds = Series()
        self._smoothed = Series()
        self._span = 0

    def append(self, step: StepCompleted) -> None:
        """Add a step."""
        if self.numbers and step.step <= self.numbers[-1]:
            self.take_back(step.step - 1)
        self.numbers.append(step.step)
        self._epochs.append(step.epoch)
        self.loss.append(step.train_loss)
        self.learning_rate.append(step.learning_rate)
        self.gradient_norm.append(step.gradient_norm)
        self.seconds.append(step.seconds)

    def take_back(self, last: int) -> None:
        """Forget the steps after number `last`."""
        length = bisect_right(self.numbers, last)
        if length == len(self):
            return
        del self.numbers[length:], self._epochs[length:]
        for series in (self.loss, self.learning_rate, self.gradient_norm, self.seconds):
            series.cut(length)
        self._smoothed = Series()

    def index_of(self, step: float) -> int:
        """The index of the first step with this number or a higher one; the length if there is none."""
        return bisect_left(self.numbers, step)

    def smoothed(self, span: int) -> Series:
        """The loss as an exponential moving average over about `span` steps, without a bias towards a start at 0."""
        if span != self._span:
            self._span, self._smoothed = span, Series()
        self._smoothed.extend(self._averages(len(self._smoothed), 1 - 2 / (span + 1)))
        return self._smoothed

    def _averages(self, first: int, keep: float) -> Iterator[float]:
        """The averages from index `first` on; each keeps that share of the one before."""
        average = self._smoothed[-1] if first else math.nan
        for number, loss in enumerate(self.loss.between(first, len(self)), first + 1):
            if math.isfinite(loss):
                if math.isnan(average):
                    average = loss
                else:
                    share = (1 - keep) / (1 - keep**number)
                    average += share * (min(loss, TALLEST * abs(average)) - average)
            yield average

    @overload
    def __getitem__(self, index: int) -> StepCompleted: ...

    @overload
    def __getitem__(self, index: slice) -> list[StepCompleted]: ...

    def __getitem__(self, index: int | slice) -> StepCompleted | list[StepCompleted]:
        """A step, or several, as they were told."""
        if isinstance(index, slice):
            return [self[position] for position in range(*index.indices(len(self)))]
        return StepCompleted(
            self.numbers[index],
            self._epochs[index],
            self.loss[index],
            self.learning_rate[index],
            self.gradient_norm[index],
            self.seconds[index],
        )

    def __len__(self) -> int:
        return len(self.numbers)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and len(self) == len(other) and all(map(StepCompleted.__eq__, self, other))
