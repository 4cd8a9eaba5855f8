"""A question before a command to a run."""

from engine.contract.protocol import Command
from tui.screens.question import Question


class CommandDialog(Question[Command]):
    """Returns the command to send, or nothing if the run is to go on as it is."""
