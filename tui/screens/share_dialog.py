"""Asks whether pictures are to be drawn although a live run needs the same memory."""

from collections.abc import Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType

from tui.screens.question import Answer, Question


class ShareDialog(Question[bool]):
    """Says what may happen to either of them; cancelling comes first, since a run is worth more than a picture."""

    AUTO_FOCUS = "#cancel"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("g", "choose('draw')", "Generate")]
    QUESTION = "Draw beside a live run?"
    MEANING = (
        "It is live on this device. Drawing loads the base model a second time, so memory may run out: the run then "
        "goes on in smaller batches, and the drawing ends. Both are slower meanwhile."
    )
    ANSWERS = (Answer("draw", "g Generate", "primary", True),)

    def __init__(self, runs: Sequence[str]) -> None:
        super().__init__(", ".join(runs))
