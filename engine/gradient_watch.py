"""Warns of a gradient that is far larger than the ones before it: divergence begins so, and so does pytorch #177116."""

from collections import deque
from statistics import median

from engine.contract.protocol import StepCompleted, WarningRaised

WINDOW = 100  # steps that the median is taken over
ENOUGH = 10  # steps before anything can be called unusual
TOO_LARGE = 100.0  # times the median


class GradientWatch:
    """Remembers the gradient norms of the last steps."""

    def __init__(self) -> None:
        self._norms: deque[float] = deque(maxlen=WINDOW)

    def see(self, completed: StepCompleted) -> WarningRaised | None:
        """A warning if this step's norm is out of all proportion."""
        usual = median(self._norms) if len(self._norms) >= ENOUGH else None
        norm = completed.gradient_norm
        self._norms.append(norm)
        if usual is None or norm <= TOO_LARGE * usual:
            return None
        return WarningRaised(
            f"The gradient norm of step {completed.step} is {norm / usual:.0f} times the usual one",
            f"It is {norm:.3g}, the median of the last steps {usual:.3g}; it was clipped.",
            "If it happens again, lower learning_rate; on MPS also lower train_batch_size (pytorch #177116).",
        )
