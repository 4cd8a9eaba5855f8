"""What is known of one step, in a line: for the cursor of the plot."""

import math

from tui.curves import Tab
from tui.loss_series import smoothing_span
from tui.run_view import RunView


def nearest_step(view: RunView, step: float) -> int | None:
    """The completed step nearest to a place in the plot; None before the first."""
    numbers = view.steps.numbers
    if not numbers:
        return None
    index = view.steps.index_of(step)
    around = numbers[max(index - 1, 0) : index + 1]
    return min(around, key=lambda number: abs(number - step))


def readout(view: RunView, tab: Tab, step: int, width: int) -> str:
    """Step, loss, smoothed loss, rate, norm and seconds; or the bands of the last validation up to there."""
    index = view.steps.index_of(step)
    if index >= len(view.steps):
        return ""
    if tab.id == "validation":
        before = [one for one in view.validation_losses if one.step <= step]
        if not before:
            return f"step {step}  no validation yet"
        newest = before[-1]
        parts = [f"validation at {newest.step}", _number("loss", newest.loss)]
        parts += [_number(str(i), band) for i, band in enumerate(newest.bands, start=1)]
    else:
        completed = view.steps[index]
        smoothed = view.steps.smoothed(smoothing_span(view.max_train_steps))[index]
        parts = [
            f"step {completed.step}", _number("loss", completed.train_loss), _number("smoothed", smoothed),
            f"lr {completed.learning_rate:.2e}", f"gradient {completed.gradient_norm:.3g}",
            f"{completed.seconds:.3g} s",
        ]  # fmt: skip
    line = "  ".join(parts)
    if len(line) > width:
        line = line.replace("smoothed", "avg").replace("gradient", "grad").replace("validation at", "step")
    return line if len(line) <= width else line.replace("  ", " ")[:width]


def _number(name: str, value: float) -> str:
    return f"{name} {value:.4f}" if math.isfinite(value) else f"{name} not finite"
