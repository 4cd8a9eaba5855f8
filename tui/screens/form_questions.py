"""What the form asks before something typed or saved would be lost."""

from pathlib import Path
from typing import ClassVar

from textual.binding import Binding, BindingType

from tui.naming import short_path
from tui.screens.question import Answer, Question


class OverwriteQuestion(Question[bool]):
    """Whether a config file is to be replaced."""

    AUTO_FOCUS = "#cancel"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("o", "choose('overwrite')", "Overwrite")]
    QUESTION = "Overwrite the file?"
    MEANING = "What it holds now is lost. A preset that came with the program stays, whatever lies in configs/."
    ANSWERS = (Answer("overwrite", "o Overwrite", "error", True),)

    def __init__(self, path: Path) -> None:
        super().__init__(short_path(path))


class PresetQuestion(Question[bool]):
    """What becomes of changed settings when another preset is chosen; returns whether they are kept."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("k", "choose('keep')", "Keep them"),
        Binding("d", "choose('drop')", "Drop them"),
    ]
    QUESTION = "Take the changes along?"
    MEANING = "Kept, they are laid over the new preset; dropped, the preset is taken as it is."
    ANSWERS = (
        Answer("keep", "k Keep the changes", "primary", True),
        Answer("drop", "d Drop them", "error", False),
    )


class ResetQuestion(Question[bool]):
    """Whether all changed settings go back to the preset's."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("r", "choose('reset')", "Reset all")]
    QUESTION = "Reset all settings?"
    MEANING = "Every setting goes back to what the preset says."
    ANSWERS = (Answer("reset", "r Reset all", "error", True),)
