"""The curves of two runs in one plot, told apart by the shape of lines and marks as well as by colour."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from rich.segment import Segment
from textual import events
from textual.color import Color
from textual.content import Content
from textual.strip import Strip
from textual.widget import Widget
from textual_plotext.plot import Plot

from tui.loss_series import Point, sample, smooth, smoothing_span, ticks
from tui.plot_scale import Scale, scale_of
from tui.widgets.ansi_strips import strips_from_ansi

SMALLEST = (24, 6)  # columns and rows
AXIS_COLUMNS = 7  # what the y axis takes of the width, about
NOTHING_YET = "Neither run has a loss yet"


@dataclass(frozen=True)
class Look:
    """How one of the two is drawn."""

    line: str  # plotext's name of a marker
    line_sign: str  # for the legend
    mark: str  # of a validation
    colour: str  # the theme's name


LOOKS = (Look("braille", "⠒", "◆", "primary"), Look("dot", "•", "○", "warning"))


@dataclass(frozen=True)
class Curve:
    """The losses of a run."""

    train: Sequence[Point]
    validation: Sequence[Point]
    max_train_steps: int


class ComparePlot(Widget):
    """Smoothed loss as lines, validations as marks; draws when it is told of something new, then paints from memory."""

    DEFAULT_CSS = """
    ComparePlot { height: 1fr; background: $background; color: $foreground; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._curves: list[Curve] = []
        self._is_logarithmic = False
        self._strips: list[Strip] = []

    def show(self, curves: list[Curve]) -> None:
        """Draw these; does nothing if they are drawn already."""
        if curves != self._curves:
            self._curves = curves
            self._draw()

    def toggle_logarithmic(self) -> None:
        """Between a plain and a logarithmic scale."""
        self._is_logarithmic = not self._is_logarithmic
        self._draw()

    def on_mount(self) -> None:
        """Follow the theme's colours."""
        self.app.theme_changed_signal.subscribe(self, lambda _theme: self._draw())

    def on_resize(self, _event: events.Resize) -> None:
        """Draw for the new size."""
        self._draw()

    def _colour(self, name: str, share: float = 1.0) -> tuple[int, int, int]:
        """A colour of the theme, blended into the background up to a share."""
        background = self.background_colors[1]
        return background.blend(Color.parse(self.app.theme_variables[name]), share).rgb

    def _draw(self) -> None:
        width, height = self.size
        points = [point for curve in self._curves for point in (*curve.train, *curve.validation)]
        drawable = points and width >= SMALLEST[0] and height >= SMALLEST[1]
        self._strips = strips_from_ansi(self._figure(width, height, points).build()) if drawable else []
        self.refresh()

    def _figure(self, width: int, height: int, points: Sequence[Point]) -> Plot:
        """A plotext figure of exactly this size."""
        plot = Plot()
        plot.plotsize(width, height)
        plot._set_size(width, height)  # plotsize alone keeps an older size (textual-plotext #5)
        smoothed = [
            sample(smooth(curve.train, smoothing_span(curve.max_train_steps)), width - AXIS_COLUMNS)
            for curve in self._curves
        ]
        shown = [loss for line in smoothed for _, loss in line]
        shown += [loss for curve in self._curves for _, loss in curve.validation]
        scale = scale_of(shown, self._is_logarithmic)
        self._set_axes(plot, scale, max(step for step, _ in points) or 1, (width, height))
        for curve, line, look in zip(self._curves, smoothed, LOOKS, strict=False):
            colour = self._colour(look.colour)
            if line:
                plot.plot(*zip(*_placed(line, scale), strict=True), marker=look.line, color=colour)
            if curve.validation:
                plot.scatter(*zip(*_placed(curve.validation, scale), strict=True), marker=look.mark, color=colour)
        return plot

    def _set_axes(self, plot: Plot, scale: Scale, last: float, size: tuple[int, int]) -> None:
        background = self._colour("surface", 0.0)
        plot.canvas_color(background)
        plot.axes_color(background)
        plot.ticks_color(self._colour("foreground", 0.6))
        plot.xlim(0, last)
        plot.ylim(0, 1)
        marks = scale.marks(max(size[1] // 3, 2))
        plot.yticks([scale.height(value) for value, _ in marks], [label for _, label in marks])
        steps = [step for step in ticks(0, last, max(size[0] // 12, 2)) if step == round(step)]
        plot.xticks(steps, [f"{step:.0f}" for step in steps])
        plot.xaxes(True, False)
        plot.yaxes(True, False)

    def render_line(self, y: int) -> Strip:
        """One row of the drawing, or of the words in place of it."""
        width = self.size.width
        if y < len(self._strips):
            return self._strips[y].adjust_cell_length(width, self.rich_style)
        if not self._strips and y == self.size.height // 2:
            words = Content(NOTHING_YET).truncate(width, ellipsis=True).plain.center(width)
            return Strip([Segment(words, self.rich_style)])
        return Strip.blank(width, self.rich_style)


def _placed(points: Sequence[Point], scale: Scale) -> list[Point]:
    """Each loss at its height, what is above the upper edge at that."""
    return [(step, scale.height(loss)) for step, loss in points if math.isfinite(loss)]
