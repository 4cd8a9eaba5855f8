"""The plot of a run: one of five numbers over the steps, at any zoom, with a cursor; paints only what has changed."""

from collections.abc import Callable
from dataclasses import dataclass

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.color import Color
from textual.content import Content
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from tui.braille import Ink, Span
from tui.curves import TABS
from tui.plot_figure import CURSOR, SMALLEST, Figure, Look, draw
from tui.plot_readout import nearest_step, readout
from tui.plot_window import Window
from tui.run_view import RunView

NOTHING_YET = "No loss yet: it comes with step 1"
NOTHING_HERE = "Nothing of this yet"


class RunPlot(Widget):
    """Draws when the run has something new, or when it is looked at in another way; then paints from memory."""

    DEFAULT_CSS = """
    RunPlot { background: $surface; color: $foreground; }
    """

    @dataclass
    class Looked(Message):
        """What is shown, or how, has changed."""

    def __init__(self, view: RunView, id: str | None = None) -> None:
        super().__init__(id=id)
        self._view = view
        self.tab = 0
        self.logarithmic = False
        self.window = Window()
        self.cursor: int | None = None
        self.clipped = 0
        self._figure: Figure | None = None
        self._strips: list[Strip] = []
        self._styles: dict[Ink | None, Style] = {}
        self._shown: object = None

    def show(self) -> None:
        """Draw the view as it is now; does nothing if that is drawn already."""
        view = self._view
        new = (
            len(view.steps), view.step, view.max_train_steps, view.validation_losses[-1:], view.checkpoints[-1:],
            len(view.checkpoints), len(view.noted), len(view.lost), len(view.setbacks),
        )  # fmt: skip
        if new != self._shown:
            self._shown = new
            self._draw()

    # ---- ways to look ------------------------------------------------------------------------------------------------

    def choose(self, tab: int) -> None:
        """Show another number; zoom and cursor stay."""
        self.tab = tab % len(TABS)
        self._look_anew()

    def toggle_logarithmic(self) -> None:
        """Between a plain and a logarithmic scale."""
        self.logarithmic = not self.logarithmic
        self._look_anew()

    def zoom(self, change: Callable[[Window, int], Window]) -> None:
        """Change the stretch of steps that is shown."""
        self.window = change(self.window, self._view.step)
        self._look_anew()

    def zoom_in(self) -> None:
        """Half as many steps, around the cursor if there is one."""
        self.zoom(lambda window, newest: window.zoomed_in(newest, self.cursor))

    def zoom_out(self) -> None:
        """Twice as many steps."""
        self.zoom(lambda window, newest: window.zoomed_out(newest, self.cursor))

    def follow(self) -> None:
        """Stay at the newest step from here on."""
        self.cursor = None
        self.zoom(lambda window, _newest: Window(window.width))

    def inspect(self, direction: int) -> None:
        """Move the cursor by a column; it begins at the newest step, and ends beyond it."""
        newest = self._view.step
        if self._figure is None or not newest:
            return
        if self.cursor is None:
            self._set_cursor(min(self.window.bounds(newest)[1], newest))
            return
        by = max(1.0, (self._figure.last - self._figure.first) / max(self._figure.columns - 1, 1))
        if direction > 0 and self.cursor >= newest:
            self.end_inspection()
        else:
            self._set_cursor(self.cursor + direction * by)

    def end_inspection(self) -> None:
        """Take the cursor away."""
        self.cursor = None
        self._look_anew()

    def _set_cursor(self, step: float) -> None:
        self.cursor = nearest_step(self._view, step)
        if self.cursor is not None:
            self.window = self.window.containing(self._view.step, self.cursor)
        self._look_anew()

    def _look_anew(self) -> None:
        self._draw()
        self.post_message(self.Looked())

    # ---- events ------------------------------------------------------------------------------------------------------

    def on_mount(self) -> None:
        """Follow the theme's colours."""
        self.app.theme_changed_signal.subscribe(self, lambda _theme: self._recolour())

    def on_resize(self, _event: events.Resize) -> None:
        """Draw for the new size."""
        self._draw()

    def on_click(self, event: events.Click) -> None:
        """Look at the step that was clicked."""
        if self._figure and event.x >= self._figure.left:
            self._set_cursor(self._figure.step_at(event.x))

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Zoom in around the pointer."""
        self._zoom_at(event, Window.zoomed_in)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Zoom out around the pointer."""
        self._zoom_at(event, Window.zoomed_out)

    def _zoom_at(self, event: events.MouseEvent, change: Callable[[Window, int, float], Window]) -> None:
        event.stop()
        if self._figure:
            centre = self._figure.step_at(event.x)
            self.zoom(lambda window, newest: change(window, newest, centre))

    def _recolour(self) -> None:
        self._styles.clear()
        self._draw()

    # ---- drawing -----------------------------------------------------------------------------------------------------

    def _draw(self) -> None:
        width, height = self.size
        first, last = self.window.bounds(self._view.step)
        if self.cursor is not None and self.cursor > self._view.step:
            self.cursor = None  # it was taken back
        look = Look(TABS[self.tab], first, last, self.logarithmic, self.cursor)
        self._figure = draw(self._view, look, width, height)
        self.clipped = self._figure.clipped if self._figure else 0
        rows = self._figure.rows if self._figure else self._words(width, height)
        if self._figure and self.cursor is not None:
            rows[-1] = [(readout(self._view, look.tab, self.cursor, width), CURSOR)]
        self._put([self._strip(row, width) for row in rows], width)

    def _words(self, width: int, height: int) -> list[list[Span]]:
        """What to say where there is no curve."""
        if width < SMALLEST[0] or height < SMALLEST[1]:
            text = ""
        else:
            text = NOTHING_HERE if self._view.steps or self._view.validation_losses else NOTHING_YET
        words = Content(text).truncate(width, ellipsis=True).plain.center(width)
        return [[(words if y == height // 2 else "", Ink("foreground", 0.6))] for y in range(height)]

    def _put(self, strips: list[Strip], width: int) -> None:
        """Repaint the rows that differ, from the first to the last column that does."""
        if len(strips) != len(self._strips):
            self._strips = strips
            self.refresh()
            return
        before, self._strips = self._strips, strips
        for y, (old, new) in enumerate(zip(before, strips, strict=True)):
            if old != new:
                first, last = differing(old, new)
                self.refresh(Region(first, y, max(min(last, width) - first, 1), 1))

    def _strip(self, row: list[Span], width: int) -> Strip:
        return Strip([Segment(text, self._style(ink)) for text, ink in row if text]).adjust_cell_length(
            width, self._style(None)
        )

    def _style(self, ink: Ink | None) -> Style:
        """An ink in the colours of the theme."""
        if ink not in self._styles:
            background = self.background_colors[1]
            style = Style.from_color(None, background.rich_color)
            if ink:
                colour = background.blend(Color.parse(self.app.theme_variables[ink.colour]), ink.share)
                style = Style.from_color(colour.rich_color, background.rich_color)
            self._styles[ink] = style
        return self._styles[ink]

    def render_line(self, y: int) -> Strip:
        """One row of the drawing."""
        return self._strips[y] if y < len(self._strips) else Strip.blank(self.size.width, self._style(None))


def differing(old: Strip, new: Strip) -> tuple[int, int]:
    """The first column in which two strips of one width differ, and the one after the last."""
    cells = [[(sign, segment.style) for segment in strip for sign in segment.text] for strip in (old, new)]
    unlike = [column for column, (one, other) in enumerate(zip(*cells, strict=False)) if one != other]
    if not unlike or len(cells[0]) != len(cells[1]):
        return 0, max(map(len, cells))
    return unlike[0], unlike[-1] + 1
