"""Asks whether a run is to be removed from the disk."""

from typing import ClassVar

from textual.binding import Binding, BindingType

from engine.contract.run_dir import RunDir
from tui.naming import short_path
from tui.run_removal import belongings
from tui.screens.question import Answer, Question
from tui.wording import size


class DeleteDialog(Question[bool]):
    """Names what goes, and how much it is; cancelling comes first, since nothing brings a run back.

    The key is another than the one that asks, so that a key held down too long asks and no more.
    """

    AUTO_FOCUS = "#cancel"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("x", "choose('delete')", "Delete")]
    QUESTION = "Delete the run?"
    ANSWERS = (Answer("delete", "x Delete it", "error", True),)

    def __init__(self, run: RunDir, total: int) -> None:
        super().__init__(f"{run.name}, {size(total)}")
        paths = "\n".join(f"  {short_path(path)}" for path in belongings(run))
        self.MEANING = (
            f"Checkpoints, adapter, pictures and logs go, and nothing brings them back:\n{paths}\n"
            "The cache of latents stays, since other runs share it."
        )
