"""Asks how a run is to be stopped."""

from typing import ClassVar

from textual.binding import Binding, BindingType

from engine.contract.protocol import Stop
from tui.screens.command_dialog import CommandDialog
from tui.screens.question import Answer


class StopDialog(CommandDialog):
    """Saving is the answer that loses nothing."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("s", "choose('save')", "Save and stop"),
        Binding("d", "choose('discard')", "Stop without saving"),
    ]
    QUESTION = "Stop the run?"
    MEANING = (
        "Saving writes a checkpoint and the adapter first. Either way the run can be resumed: "
        "without saving, from its newest checkpoint."
    )
    ANSWERS = (
        Answer("save", "s Save and stop", "primary", Stop(save=True)),
        Answer("discard", "d Do not save", "error", Stop(save=False)),
    )
