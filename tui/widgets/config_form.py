"""The form: every setting of TrainingConfig by group, scrolling; a search leaves only the rows that fit."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from textual import events
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Static

from tui.config_draft import ConfigDraft
from tui.config_flags import GROUP_TITLES
from tui.setting_fields import FIELDS, SettingField
from tui.widgets.setting_row import CHANGED_SIGN, SettingRow
from tui.widgets.text_list import TextList

NOTHING_FOUND = "No setting has these letters in its name or help. Esc shows all again."


class ConfigForm(VerticalScroll, can_focus=False):
    """All rows are made once; which of them are seen is a matter of display."""

    DEFAULT_CSS = """
    ConfigForm {
        padding: 0 1 0 0;
        .heading { height: 1; padding: 0 1; color: $primary; text-style: bold; background: $surface; }
        #nothing-found { display: none; padding: 1 2; color: $text-muted; }
    }
    """

    @dataclass
    class Reached(Message):
        """Another setting has the cursor."""

        field: SettingField

    def __init__(self, draft: ConfigDraft, root: Path) -> None:
        super().__init__(id="form")
        self._draft = draft
        self.current: str | None = None  # the setting that had the cursor last
        self._rows = {name: SettingRow(field, draft.values[name], root) for name, field in FIELDS.items()}
        self._headings = {
            group: Static(_heading(title), classes="heading", markup=False) for group, title in GROUP_TITLES.items()
        }
        self._shown_changes = dict.fromkeys(GROUP_TITLES, 0)

    def compose(self) -> ComposeResult:
        """Headings and rows, in the order of the groups."""
        for group, heading in self._headings.items():
            yield heading
            yield from (row for row in self._rows.values() if row.field.group == group)
        yield Static(NOTHING_FOUND, id="nothing-found", markup=False)

    def row(self, name: str) -> SettingRow:
        """The row of a setting."""
        return self._rows[name]

    def show(self) -> None:
        """Bring every control up to the draft."""
        for name, row in self._rows.items():
            row.put(self._draft.values[name])

    def mark(self, obstacles: Mapping[str, str]) -> None:
        """Bring signs and errors up to the draft; `obstacles` is what else stands in the way, by setting."""
        changed = dict.fromkeys(GROUP_TITLES, 0)
        for name, row in self._rows.items():
            is_changed = self._draft.is_changed(name)
            changed[row.field.group] += is_changed
            row.mark(changed=is_changed, error=self._draft.errors.get(name, ""), obstacle=obstacles.get(name, ""))
        for group, count in changed.items():
            if count != self._shown_changes[group]:
                remark = f"  {CHANGED_SIGN} {count} changed" if count else ""
                self._headings[group].update(f"{_heading(GROUP_TITLES[group])}{remark}", layout=False)
        self._shown_changes = changed

    def show_help(self, wanted: bool) -> None:
        """Whether each row has its help under it."""
        for row in self._rows.values():
            row.show_help(wanted)

    def filter(self, words: str) -> None:
        """Leave only the settings in which all the words are found, and the headings that have any."""
        found = {name for name, field in FIELDS.items() if field.matches(words)}
        groups = {FIELDS[name].group for name in found}
        for name, row in self._rows.items():
            row.display = name in found
        for group, heading in self._headings.items():
            heading.display = group in groups
        self.query_one("#nothing-found").display = not found

    def focus_first(self) -> None:
        """Put the cursor into the first setting that is seen."""
        for row in self._rows.values():
            if row.display:
                row.focus_control()
                return

    def list_at_hand(self) -> TextList | None:
        """The list of texts that the cursor is in, or was in last."""
        return next(iter(self.row(self.current).query(TextList)), None) if self.current else None

    def change_list(self, change: str) -> None:
        """Add, remove or move a text in the list at hand, if there is one."""
        if texts := self.list_at_hand():
            match change:
                case "add":
                    texts.add()
                case "remove":
                    texts.remove_line()
                case "up":
                    texts.move(-1)
                case "down":
                    texts.move(1)

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        """Remember where the cursor is, and tell, so that its help can be shown."""
        widget: Widget | None = event.widget
        row = next((parent for parent in widget.ancestors if isinstance(parent, SettingRow)), None) if widget else None
        if row is not None and row.field.name != self.current:
            self.current = row.field.name
            self.call_after_refresh(self.scroll_to_widget, row, animate=False)  # all of it: its note, a list's end
            self.post_message(self.Reached(row.field))


def _heading(title: str) -> str:
    """The first letter large, and the others as they are: LoRA."""
    return f"{title[0].upper()}{title[1:]}"
