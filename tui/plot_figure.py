"""A plot of a run as rows of text and ink: axes, curves, marks of what happened, and the step that is looked at."""

from collections.abc import Sequence
from dataclasses import dataclass

from engine.contract.protocol import StepSkipped
from tui.braille import Canvas, Ink, Span
from tui.curves import MEASURED, Curve, Piece, PointCurve, Tab, curves_of
from tui.loss_series import ticks
from tui.plot_scale import Scale, scale_of
from tui.run_view import RunView

SMALLEST = (16, 5)  # columns and rows below which axes leave no room for a curve
AXIS, CURSOR = Ink("foreground", 0.6), Ink("accent")
CHECKPOINT, VALIDATION, WARNING, LOST, SKIPPED = "▲", "◆", "!", "◂", "✗"
CLIPPED = "▴"
SIGN_SPACE = 5  # columns from one sign of a curve to the next, where there are many
SIGN_INKS = {
    VALIDATION: MEASURED, CHECKPOINT: Ink("success"), SKIPPED: Ink("error"), WARNING: Ink("warning"), LOST: Ink("error")
}  # fmt: skip  # where two meet, the later one is shown


@dataclass(frozen=True)
class Look:
    """What is asked to be seen: which numbers, from which step to which, how, and the step under the cursor."""

    tab: Tab
    first: float
    last: float
    logarithmic: bool = False
    cursor: int | None = None


@dataclass(frozen=True)
class Figure:
    """The rows of a plot, and what a place in it stands for."""

    rows: list[list[Span]]
    left: int  # columns of the numbers at the left
    columns: int  # of the plot itself
    first: float
    last: float
    clipped: int  # values above the upper edge

    def step_at(self, column: int) -> float:
        """The step at a column of the widget."""
        share = (column - self.left) / max(self.columns - 1, 1)
        return self.first + min(max(share, 0.0), 1.0) * (self.last - self.first)


def draw(view: RunView, look: Look, width: int, height: int) -> Figure | None:
    """The figure at exactly this size; None where there is nothing to show or no room."""
    curves = curves_of(look.tab, view)
    values = [value for curve in curves for value in curve.values(look.first, look.last)]
    if not values or width < SMALLEST[0] or height < SMALLEST[1]:
        return None
    scale = scale_of(values, look.logarithmic)
    numbers = scale.marks(max((height - 2) // 3, 2))
    left = max(len(label) for _, label in numbers) + 1
    canvas = Canvas(width - left, height - 2)
    painter = Painter(canvas, scale, look)
    for curve in curves:
        painter.curve(curve)
    clipped = painter.clipped(curves)
    if look.cursor is not None:
        painter.cursor(look.cursor)
    rows = [canvas.spans(row) for row in range(canvas.rows)]
    beside = {painter.row(value): label for value, label in numbers}
    rows = [[(f"{beside[y]:>{left - 1}}┤" if y in beside else " " * (left - 1) + "│", AXIS), *row]
            for y, row in enumerate(rows)]  # fmt: skip
    below = painter.axis(marks_of(view, look.tab))
    rows += [[(" " * (left - 1) + "└", AXIS), *below.spans(0)], [(" " * left, AXIS), *below.spans(1)]]
    return Figure(rows, left, canvas.columns, look.first, look.last, clipped)


def marks_of(view: RunView, tab: Tab) -> list[tuple[int, str]]:
    """What happened at which step, the most important last."""
    skipped = [event.step for _, event in view.setbacks if isinstance(event, StepSkipped)]
    signs = [
        (CHECKPOINT, [checkpoint.step for checkpoint in view.checkpoints]),
        (SKIPPED, skipped),
        (WARNING, [noted.step for noted in view.noted]),
        (LOST, [lost.first - 1 for lost in view.lost]),
    ]
    if tab.id not in {"loss", "validation"}:  # there they stand at their values
        signs.insert(0, (VALIDATION, [one.step for one in view.validation_losses]))
    return [(step, sign) for sign, steps in signs for step in steps]


class Painter:
    """Brings steps and values to the places of a canvas."""

    def __init__(self, canvas: Canvas, scale: Scale, look: Look) -> None:
        self._canvas = canvas
        self._scale = scale
        self._look = look
        self._spacing = (look.last - look.first) / (canvas.width - 1)  # steps from one column of dots to the next

    def x(self, step: float) -> int:
        """The column of dots of a step."""
        return round((step - self._look.first) / self._spacing)

    def y(self, value: float) -> int:
        """The row of dots of a value, from the top."""
        return round((1 - self._scale.height(value)) * (self._canvas.height - 1))

    def row(self, value: float) -> int:
        """The row of cells of a value."""
        return self.y(value) // 4

    def curve(self, curve: Curve) -> None:
        """A curve, and the signs of its points."""
        first = self._look.first
        edges = [first + (column - 0.5) * self._spacing for column in range(self._canvas.width + 1)]
        before: tuple[int, Piece] | None = None
        for x, piece in enumerate(curve.pieces(edges)):
            if piece is None:
                continue
            if before:
                self._canvas.line(before[0], self.y(before[1].last), x, self.y(piece.first), curve.ink)
            self._canvas.upright(x, self.y(piece.high), self.y(piece.low), curve.ink)
            before = (x, piece)
        if isinstance(curve, PointCurve):
            self._signs(curve)

    def _signs(self, curve: PointCurve) -> None:
        """The signs of a curve's points, the newest first, and so many that the line is still seen."""
        points = [point for point in curve.points if self._look.first <= point[0] <= self._look.last]
        apart = 0 if len(points) * SIGN_SPACE <= self._canvas.columns else SIGN_SPACE
        before = self._canvas.columns + apart
        for step, value in reversed(points):
            column = self.x(step) // 2
            if column <= before - apart:
                self._canvas.sign(column, self.row(value), curve.sign, curve.ink)
                before = column

    def clipped(self, curves: Sequence[Curve]) -> int:
        """Mark at the upper edge what lies beyond it; returns how many values those are."""
        look, high = self._look, self._scale.high
        count = sum(curve.count_above(look.first, look.last, high) for curve in curves)
        if not count:
            return 0
        for column in range(self._canvas.columns):
            begin = look.first + (2 * column - 0.5) * self._spacing
            if any(curve.count_above(begin, begin + 2 * self._spacing, high) for curve in curves):
                self._canvas.sign(column, 0, CLIPPED, Ink("error"))
        return count

    def cursor(self, step: int) -> None:
        """An upright line at the step that is looked at."""
        for row in range(self._canvas.rows):
            self._canvas.sign(self.x(step) // 2, row, "┊", CURSOR)

    def axis(self, marks: Sequence[tuple[int, str]]) -> Canvas:
        """The line below with its marks, and the numbers of steps under it."""
        look, columns = self._look, self._canvas.columns
        below = Canvas(columns, 2)
        below.text(0, 0, "─" * columns, AXIS)
        for step in ticks(look.first, look.last, max(columns // 12, 2)):
            if step != round(step):
                continue
            column, label = self.x(step) // 2, f"{step:.0f}"
            below.sign(column, 0, "┬", AXIS)
            below.text(min(max(column - len(label) // 2, 0), columns - len(label)), 1, label, AXIS)
        for step, sign in marks:
            if look.first <= step <= look.last:
                below.sign(self.x(step) // 2, 0, sign, SIGN_INKS[sign])
        return below
