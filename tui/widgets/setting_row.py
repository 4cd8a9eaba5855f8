"""One setting of the form: title, control, unit, and under them its help and what is wrong with it."""

import textwrap
from dataclasses import dataclass
from pathlib import Path

from textual import events, on
from textual.app import ComposeResult
from textual.content import Content
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Input, Select, Switch

from tui.setting_fields import PATHS, SettingField, Shown
from tui.widgets.path_suggester import PathSuggester
from tui.widgets.text_list import TextList

CHANGED_SIGN, ERROR_SIGN, OBSTACLE_SIGN = "●", "✗", "!"
EDITED = (Input.Changed, Switch.Changed, Select.Changed, TextList.Changed)
WIDE, NARROW = 24, 20  # columns of the title
UNIT = 14  # columns of the unit, for those that have one
WIDE_FROM = 64  # columns of the row


class SettingRow(Widget):
    """Paints title, unit and note by itself, around its one child; forty rows of labels would make typing slow.

    Tells by a message what is typed; shows what it is told, and repaints only what is new.
    """

    DEFAULT_CSS = """
    SettingRow {
        height: auto; max-width: 130;
        &:focus-within { background: $boost; }
        Input { background: $surface; }
        Input:focus { background: $primary-muted; }
        Switch { border: none; height: 1; padding: 0; width: 4; }
        Switch:focus { border: none; background: $primary-muted; }
        SelectCurrent { background: $surface; }
        Select:focus > SelectCurrent { background: $primary-muted; }
    }
    """

    @dataclass
    class Edited(Message):
        """The user has put another value in place."""

        name: str
        value: Shown

    def __init__(self, field: SettingField, value: Shown, root: Path) -> None:
        super().__init__(id=f"row-{field.name}")
        self.field = field
        self._root = root
        self._value = value
        self._marks: tuple[bool, str, str] = (False, "", "")  # changed, error, obstacle
        self._has_help = False

    def compose(self) -> ComposeResult:
        """The control alone."""
        self._child = self._control()
        yield self._child

    def _control(self) -> Widget:
        match self._value:
            case bool() as on:
                return Switch(on, animate=False)
            case tuple() as texts:
                return TextList(texts)
            case str() as text if self.field.kind == "choice":
                options = [(choice, choice) for choice in self.field.choices]
                return Select(options, value=text, allow_blank=False, compact=True)
            case text:
                suggester = PathSuggester(self._root, words) if (words := PATHS.get(self.field.name)) else None
                empty = "none" if self.field.may_be_empty else ""
                return Input(text, empty, suggester=suggester, compact=True, select_on_focus=False)

    # ---- what it shows -----------------------------------------------------------------------------------------------

    def put(self, value: Shown) -> None:
        """Show another value, and tell nobody."""
        if value == self._value:
            return
        self._value = value
        with self.prevent(*EDITED):
            match self._child, value:
                case TextList() as control, tuple():
                    control.show(value)
                case (Input() | Select() | Switch()) as control, bool() | str():
                    control.value = value
        self.refresh()

    def mark(self, *, changed: bool, error: str, obstacle: str) -> None:
        """Say how the value stands: whether it is the preset's, and what is wrong with it or stands in its way."""
        if (changed, error, obstacle) != self._marks:
            self._marks = changed, error, obstacle
            self._make_room()
            self.refresh()

    def show_help(self, wanted: bool) -> None:
        """Whether the help stands under the control, where there is room for it."""
        if wanted != self._has_help:
            self._has_help = wanted
            self._make_room()
            self.refresh()

    def on_resize(self) -> None:
        """The note may wrap at other words."""
        self._make_room()

    def _columns(self) -> tuple[int, int]:
        """How wide title and unit are."""
        has_unit = bool(self.field.unit) or self.field.kind == "switch"
        return WIDE if self.size.width >= WIDE_FROM else NARROW, UNIT if has_unit else 0

    def _make_room(self) -> None:
        """Leave columns for title and unit beside the control, and lines for the note below it."""
        title, unit = self._columns()
        lines = sum(len(part) for _, part in self._note()) if self.size.width else 0
        self._child.styles.margin = (0, unit, lines, title)

    def _note(self) -> list[tuple[str, list[str]]]:
        """Colour and lines of what is wrong, and of the help."""
        _, error, obstacle = self._marks
        parts = []
        if error or obstacle:
            parts.append(("$text-error", f"{ERROR_SIGN} {error}" if error else f"{OBSTACLE_SIGN} {obstacle}"))
        if self._has_help:
            bounds = f" [{self.field.bounds}]" if self.field.bounds else ""
            parts.append(("$text-muted", self.field.help + bounds))
        width = max(10, self.size.width - self._columns()[0] - 1)
        return [(colour, textwrap.wrap(text, width)) for colour, text in parts]

    def render(self) -> Content:
        """The title and the unit in the first line, the note in the last ones; the control lies over the rest."""
        changed, error, obstacle = self._marks
        title, unit_columns = self._columns()
        sign = ERROR_SIGN if error else OBSTACLE_SIGN if obstacle else " "
        label = f"{sign}{CHANGED_SIGN if changed else ' '}{self.field.title}"[: title - 1].ljust(title)
        style = "$text-error" if error or obstacle else "bold $text-accent" if changed else ""
        unit = (" on" if self._value else " off") if isinstance(self._value, bool) else f" {self.field.unit}"
        between = " " * (self.size.width - title - unit_columns)
        lines = [Content.assemble((label, style), between, (unit[:unit_columns], "$text-muted"))]
        lines += [Content("")] * (self._child.size.height - 1)
        for colour, note in self._note():
            lines += [Content.styled(" " * title + line, colour) for line in note]
        return Content("\n").join(lines)

    def focus_control(self) -> None:
        """Put the cursor into the control."""
        (self._child.query(Input).first() if isinstance(self._child, TextList) else self._child).focus()

    def on_click(self, event: events.Click) -> None:
        """The title stands for its control."""
        if event.widget is self:
            self.focus_control()

    # ---- what the user does ------------------------------------------------------------------------------------------

    @on(Input.Changed)
    @on(Switch.Changed)
    @on(Select.Changed)
    def _control_changed(self, event: Input.Changed | Switch.Changed | Select.Changed) -> None:
        event.stop()
        if isinstance(event.value, bool | str):
            self._tell(event.value)

    @on(TextList.Changed)
    def _texts_changed(self, event: TextList.Changed) -> None:
        event.stop()
        self._tell(event.texts)

    def _tell(self, value: Shown) -> None:
        if value != self._value:  # a control that was just mounted tells what it was given
            self._value = value
            self.refresh()
            self.post_message(self.Edited(self.field.name, value))
