"""Asks whether a run is to be started although a live one needs the same device."""

from collections.abc import Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType

from tui.screens.question import Answer, Question


class StartDialog(Question[bool]):
    """Says what may happen to either of them; cancelling comes first, since the run that is under way is worth more."""

    AUTO_FOCUS = "#cancel"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("s", "choose('start')", "Start")]
    QUESTION = "Start beside a live run?"
    MEANING = (
        "It is live on this device. Two runs share its memory and its time: both are much slower, and where memory "
        "runs out they go on in smaller batches. Stop or pause the other one first, or wait until it is done."
    )
    ANSWERS = (Answer("start", "s Start", "primary", True),)

    def __init__(self, runs: Sequence[str]) -> None:
        super().__init__(", ".join(runs))
