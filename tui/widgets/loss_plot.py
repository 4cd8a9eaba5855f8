"""The loss over the steps: raw dim, smoothed bright, validations and checkpoints as marks."""

import math
from collections.abc import Sequence

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.color import Color
from textual.content import Content
from textual.strip import Strip
from textual.widget import Widget
from textual_plotext.plot import Plot

from engine.contract.protocol import CheckpointSaved, StepCompleted, ValidationLossMeasured
from tui.loss_series import Point, limits, sample, smooth, smoothing_span, thin, tick_labels, ticks
from tui.widgets.ansi_strips import strips_from_ansi

NOTHING_YET = "No loss yet: it comes with step 1"
VALIDATION_MARK, CHECKPOINT_MARK = "◆", "▲"
SMALLEST = (16, 5)  # columns and rows below which axes leave no room for a curve
LEGEND_COLUMNS = 54  # below that the help screen explains the marks
AXIS_COLUMNS = 7  # what the y axis takes of the width, about


class LossPlot(Widget):
    """Draws when it is told of something new, when its size changes or the theme does; then paints from memory."""

    DEFAULT_CSS = """
    LossPlot { background: $surface; color: $foreground; }
    """

    def __init__(self, max_train_steps: int, id: str | None = None) -> None:
        super().__init__(id=id)
        self._span = smoothing_span(max_train_steps)
        self._raw: list[Point] = []
        self._validation: list[Point] = []
        self._checkpoints: list[int] = []
        self._shown: object = None
        self._strips: list[Strip] = []

    def show(
        self,
        steps: Sequence[StepCompleted],
        validation_losses: Sequence[ValidationLossMeasured],
        checkpoints: Sequence[CheckpointSaved],
    ) -> None:
        """Draw these; does nothing if they are drawn already."""
        marks = tuple(checkpoint.step for checkpoint in checkpoints)
        new = (len(steps), steps[-1:], len(validation_losses), validation_losses[-1:], marks)
        if new == self._shown:
            return
        self._shown = new
        self._raw = [(step.step, step.train_loss) for step in steps if math.isfinite(step.train_loss)]
        self._validation = [(one.step, one.loss) for one in validation_losses if math.isfinite(one.loss)]
        self._checkpoints = list(marks)
        self._draw()

    def on_mount(self) -> None:
        """Explain the marks, and follow the theme's colours."""
        self.border_title = self._legend()
        self.app.theme_changed_signal.subscribe(self, lambda _theme: self._draw())

    def on_resize(self, _event: events.Resize) -> None:
        """Draw for the new size."""
        self.border_title = self._legend()
        self._draw()

    def _legend(self) -> Content:
        if self.size.width < LEGEND_COLUMNS:
            return Content("Loss")
        return Content.assemble(
            "Loss  ",
            ("─ each step  ", "$foreground 60%"),
            ("━ smoothed  ", "$primary"),
            (f"{VALIDATION_MARK} validation  ", "$warning"),
            (f"{CHECKPOINT_MARK} checkpoint", "$success"),
        )

    def _colour(self, name: str, share: float = 1.0) -> tuple[int, int, int]:
        """A colour of the theme, blended into the background up to a share."""
        background = self.background_colors[1]
        return background.blend(Color.parse(self.app.theme_variables[name]), share).rgb

    def _draw(self) -> None:
        width, height = self.size
        if (self._raw or self._validation) and width >= SMALLEST[0] and height >= SMALLEST[1]:
            self._strips = strips_from_ansi(self._figure(width, height).build())
        else:
            self._strips = []
        self.refresh()

    def _figure(self, width: int, height: int) -> Plot:
        """A plotext figure of exactly this size."""
        plot = Plot()
        plot.plotsize(width, height)
        plot._set_size(width, height)  # plotsize alone keeps an older size (textual-plotext #5)
        columns = width - AXIS_COLUMNS
        low, high = limits([loss for _, loss in self._raw + self._validation])
        last = max(step for step, _ in self._raw + self._validation)
        self._set_axes(plot, low, high, max(last, 1), (width, height))
        # What is above the limits is drawn at the upper edge, so that a spike is seen but bends no average.
        raw = [(step, min(loss, high)) for step, loss in self._raw]
        validation = [(step, min(loss, high)) for step, loss in self._validation]
        self._line(plot, thin(raw, columns), self._colour("foreground", 0.4))
        self._line(plot, sample(smooth(raw, self._span), columns), self._colour("primary"))
        self._marks(plot, [(step, low) for step in self._checkpoints], CHECKPOINT_MARK, self._colour("success"))
        self._marks(plot, validation, VALIDATION_MARK, self._colour("warning"))
        return plot

    def _set_axes(self, plot: Plot, low: float, high: float, last: float, size: tuple[int, int]) -> None:
        width, height = size
        background = self._colour("surface", 0.0)
        plot.canvas_color(background)
        plot.axes_color(background)
        plot.ticks_color(self._colour("foreground", 0.6))
        plot.xlim(0, last)
        plot.ylim(low, high)
        heights = ticks(low, high, max(height // 3, 2))
        plot.yticks(heights, tick_labels(heights))
        steps = [step for step in ticks(0, last, max(width // 12, 2)) if step == round(step)]
        plot.xticks(steps, [f"{step:.0f}" for step in steps])
        plot.xaxes(True, False)
        plot.yaxes(True, False)

    @staticmethod
    def _line(plot: Plot, points: Sequence[Point], colour: tuple[int, int, int]) -> None:
        if points:
            plot.plot(*zip(*points, strict=True), marker="braille", color=colour)

    @staticmethod
    def _marks(plot: Plot, points: Sequence[Point], mark: str, colour: tuple[int, int, int]) -> None:
        if points:
            plot.scatter(*zip(*points, strict=True), marker=mark, color=colour)

    def render_line(self, y: int) -> Strip:
        """One row of the drawing, or of the words in place of it."""
        width = self.size.width
        if y < len(self._strips):
            return self._strips[y].adjust_cell_length(width, self.rich_style)
        if not self._strips and y == self.size.height // 2 and not (self._raw or self._validation):
            words = Content(NOTHING_YET).truncate(width, ellipsis=True).plain.center(width)
            return Strip([Segment(words, self.rich_style + Style(dim=True))])
        return Strip.blank(width, self.rich_style)
