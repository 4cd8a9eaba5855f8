"""Asks whether a worker that does not seem to hang is to be ended by force."""

from typing import ClassVar

from textual.binding import Binding, BindingType

from engine.contract.protocol import RestartWorker
from tui.screens.command_dialog import CommandDialog
from tui.screens.question import Answer


class RestartDialog(CommandDialog):
    """Not shown for a stalled worker, which has nothing left to lose."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("k", "choose('restart')", "Restart the worker")]
    QUESTION = "Restart the worker?"
    MEANING = (
        "The worker is heard of as usual. It would be ended by force, and another would go on from the newest good "
        "checkpoint: the steps since then are done again."
    )
    ANSWERS = (Answer("restart", "k Restart it", "error", RestartWorker()),)
