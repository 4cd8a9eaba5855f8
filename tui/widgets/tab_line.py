"""TabLine: the line above a pane that names what it shows and what it could show; a click or a key changes it."""

from collections.abc import Sequence
from dataclasses import dataclass

from textual.content import Content
from textual.message import Message
from textual.widget import Widget

RULE = "$primary 40%"


class TabLine(Widget):
    """Names side by side, the chosen one marked; at the right a remark."""

    DEFAULT_CSS = """
    TabLine { height: 1; text-wrap: nowrap; text-overflow: ellipsis; }
    """

    @dataclass
    class Chosen(Message):
        """Another name was chosen."""

        line: "TabLine"
        index: int

        @property
        def control(self) -> "TabLine":
            """The line, for handlers that are told which one they are for."""
            return self.line

    def __init__(self, labels: Sequence[str], short: Sequence[str], id: str | None = None) -> None:
        super().__init__(id=id)
        self._labels = tuple(labels)
        self._short = tuple(short)
        self._chosen = 0
        self._remark = Content("")
        self._counts: tuple[int, ...] = (0,) * len(self._labels)

    def show(self, chosen: int, remark: Content | str = "", counts: Sequence[int] = ()) -> None:
        """Mark a name, say something at the right, and put numbers behind the names; nothing where all is the same."""
        new = (chosen, Content(remark) if isinstance(remark, str) else remark, tuple(counts) or self._counts)
        if new != (self._chosen, self._remark, self._counts):
            self._chosen, self._remark, self._counts = new
            self.refresh()

    def render(self) -> Content:
        """The names, shortened where there is no room, and the remark as far as there is room."""
        width = self.size.width
        names = self._names(self._labels)
        if names.cell_length + 2 > width:
            names = self._names(self._short)
        room = width - names.cell_length - 1
        remark = self._remark if self._remark.cell_length + 2 <= room else Content("")
        rule = "─" * max(room - remark.cell_length - (2 if remark else 0), 0)
        tail = Content.assemble(" ", remark, " ") if remark else Content("")
        return Content.assemble(("─", RULE), names, (rule, RULE), tail)

    def _names(self, labels: Sequence[str]) -> Content:
        parts = []
        for index, (label, count) in enumerate(zip(labels, self._counts, strict=True)):
            text = f" {label} {count} " if count else f" {label} "
            style = "bold $background on $primary" if index == self._chosen else "$foreground 70%"
            parts.append(Content.styled(text, style).stylize(f"@click=choose({index})"))
        return Content.styled("│", RULE).join(parts)

    def action_choose(self, index: int) -> None:
        """Choose a name, as a click does."""
        if index != self._chosen:
            self.post_message(self.Chosen(self, index))
