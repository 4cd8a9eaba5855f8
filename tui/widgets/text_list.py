"""A list of texts, one per line, that can be edited in place, added to, thinned out and put into another order."""

from collections.abc import Sequence
from dataclasses import dataclass

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import Input, Static


class TextLine(Input):
    """One text; Backspace in an empty one takes it out of the list."""

    class Emptied(Message):
        """Backspace was pressed where nothing is left to delete."""

    def __init__(self, text: str) -> None:
        super().__init__(text, "empty", compact=True, select_on_focus=False)

    def on_blur(self) -> None:
        """A line that is not being edited shows its beginning."""
        self.cursor_position = 0

    def action_delete_left(self) -> None:
        """As in every text field, unless there is nothing."""
        if self.value:
            super().action_delete_left()
        else:
            self.post_message(self.Emptied())


class ListTools(Static):
    """What can be done with the list, for the mouse."""

    DEFAULT_CSS = "ListTools { height: 1; color: $text-muted; link-color: $text-muted; }"

    def __init__(self) -> None:
        words = (("+ add", "add()"), ("− remove", "remove()"), ("↑ up", "move(-1)"), ("↓ down", "move(1)"))
        super().__init__(Content("  ").join(Content(word).stylize(f"@click={act}") for word, act in words))

    def action_add(self) -> None:
        """Add a line."""
        self._list.add()

    def action_remove(self) -> None:
        """Take the line with the cursor out."""
        self._list.remove_line()

    def action_move(self, by: int) -> None:
        """Move the line with the cursor."""
        self._list.move(by)

    @property
    def _list(self) -> "TextList":
        assert isinstance(self.parent, TextList)
        return self.parent


class TextList(Vertical):
    """Enter adds a line below the cursor; the screen's actions call `add`, `remove_line` and `move`."""

    DEFAULT_CSS = """
    TextList { height: auto; }
    TextList Input { background: $surface; }
    TextList Input:focus { background: $primary-muted; }
    """

    @dataclass
    class Changed(Message):
        """The texts, or their order, are others."""

        text_list: "TextList"
        texts: tuple[str, ...]

    def __init__(self, texts: Sequence[str] = (), id: str | None = None) -> None:
        super().__init__(id=id)
        self._texts = list(texts)

    def compose(self) -> ComposeResult:
        """One field for each text; an empty list has one empty field, which is no text."""
        for text in self._texts or [""]:
            yield TextLine(text)
        yield ListTools()

    @property
    def texts(self) -> tuple[str, ...]:
        """The texts in their order."""
        return tuple(self._texts)

    def show(self, texts: Sequence[str]) -> None:
        """Put other texts in place, and tell nobody."""
        self._texts = list(texts)
        self._repaint()

    def add(self) -> None:
        """An empty line below the cursor."""
        place = self._place + 1 if self._texts else 0
        self._texts.insert(place, "")
        self._change(place)

    def remove_line(self) -> None:
        """Drop the line with the cursor."""
        if self._texts:
            place = self._place
            del self._texts[place]
            self._change(max(0, min(place, len(self._texts) - 1)))

    def move(self, by: int) -> None:
        """Let the line with the cursor change places with its neighbour."""
        place = self._place
        other = place + by
        if self._texts and 0 <= other < len(self._texts):
            self._texts[place], self._texts[other] = self._texts[other], self._texts[place]
            self._change(other)

    @property
    def _fields(self) -> list[TextLine]:
        return [field for field in self.children if isinstance(field, TextLine)]

    @property
    def _place(self) -> int:
        """The line with the cursor, or the last one."""
        fields = self._fields
        last = max(0, len(self._texts) - 1)
        return min(last, next((place for place, field in enumerate(fields) if field.has_focus), last))

    def _change(self, place: int) -> None:
        self._repaint()
        self._fields[place].focus()
        self.call_after_refresh(self._keep_in_sight, place)
        self.post_message(self.Changed(self, self.texts))

    def _keep_in_sight(self, place: int) -> None:
        """The tools, and above all the line with the cursor."""
        self.query_one(ListTools).scroll_visible(animate=False)
        self._fields[place].scroll_visible(animate=False)

    def _repaint(self) -> None:
        """As many fields as texts, at least one; those to spare are hidden, ready for the next text."""
        wanted = self._texts or [""]
        fields = self._fields
        with self.prevent(Input.Changed):
            for field, text in zip(fields, wanted, strict=False):
                field.value = text
            self.mount_all([TextLine(text) for text in wanted[len(fields) :]], before=self.query_one(ListTools))
        for number, field in enumerate(fields):
            field.display = number < len(wanted)

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        fields = self._fields
        place = next((place for place, field in enumerate(fields) if field is event.input), len(fields))
        text = event.input.value  # what stands there now; the message may be older than the last change of the list
        if not self._texts and text:
            self._texts = [""]
        if place < len(self._texts) and self._texts[place] != text:
            self._texts[place] = text
            self.post_message(self.Changed(self, self.texts))

    @on(TextLine.Emptied)
    def _emptied(self, event: TextLine.Emptied) -> None:
        event.stop()
        self.remove_line()

    @on(Input.Submitted)
    def _entered(self, event: Input.Submitted) -> None:
        event.stop()
        self.add()
