"""Help for the setting with the cursor, where the rows have no room for it."""

from textual.content import Content
from textual.widgets import Static

from tui.setting_fields import SettingField

FIRST_WORDS = (
    "Choose a preset, change what you like, start. In front of a setting ● means changed, ✗ wrong, ! in the way of "
    "the start. Tab goes to the next one."
)


class FieldHelp(Static):
    """Title, help, bounds, and the name by which files and flags know it."""

    def __init__(self) -> None:
        super().__init__(FIRST_WORDS, id="field-help", markup=False)

    def show(self, field: SettingField) -> None:
        """Explain another setting."""
        bounds = f" [{field.bounds}]" if field.bounds else ""
        words = Content.assemble((f"{field.title} ", "bold"), f"{field.help}{bounds} ", (field.name, "$text-muted"))
        self.update(words, layout=False)
