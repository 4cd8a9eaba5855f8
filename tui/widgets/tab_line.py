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
    TabLine { height: 1; text-wrap: nowrap; text-overflow: ellipsis; link-style: none; }
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
        self._remarks: tuple[Content, ...] = ()
        self._counts: tuple[int, ...] = (0,) * len(self._labels)

    def show(self, chosen: int, remarks: Sequence[Content] = (), counts: Sequence[int] = ()) -> None:
        """Mark a name, put numbers behind the names, and say the first remark that has room; the last is the shortest.

        Paints nothing where all is the same.
        """
        new = (chosen, tuple(remarks), tuple(counts) or self._counts)
        if new != (self._chosen, self._remarks, self._counts):
            self._chosen, self._remarks, self._counts = new
            self.refresh()

    def render(self) -> Content:
        """The names, shortened if a remark has room beside them only so, and the remark."""
        names, remark = self._fitting(self.size.width - 1)
        tail = Content.assemble(" ", remark, " ") if remark else Content("")
        rule = "─" * max(self.size.width - 1 - names.cell_length - tail.cell_length, 0)
        return Content.assemble(("─", RULE), names, (rule, RULE), tail)

    def _fitting(self, room: int) -> tuple[Content, Content]:
        """Names and remark that fit together."""
        ways = [self._names(self._labels), self._names(self._short), self._names(self._short, margin="")]
        for remark in self._remarks:
            for names in ways:
                if names.cell_length + remark.cell_length + 3 <= room:
                    return names, remark
        return next((names for names in ways if names.cell_length <= room), ways[-1]), Content("")

    def _names(self, labels: Sequence[str], margin: str = " ") -> Content:
        parts = []
        for index, (label, count) in enumerate(zip(labels, self._counts, strict=True)):
            text = f"{label} {count}" if count else label
            if index == self._chosen:  # no link: that would have a colour of its own
                parts.append(Content.styled(f" {text} ", "bold $background on $primary"))
            else:
                parts.append(Content(f"{margin}{text}{margin}").stylize(f"@click=choose({index})"))
        return Content.styled("│", RULE).join(parts)

    def action_choose(self, index: int) -> None:
        """Choose a name, as a click does."""
        if index != self._chosen:
            self.post_message(self.Chosen(self, index))
