"""Commands asked for here, from the key press until the journal speaks of them."""

from collections.abc import Iterable


class AskedCommands:
    """Bridges the moment between a key press and the first record about it, so that a press shows at once."""

    def __init__(self) -> None:
        self._waiting: dict[int, str] = {}  # number of the press to command
        self._sent: dict[str, int] = {}  # command id to number of the press
        self._recorded: set[str] = set()
        self._presses = 0

    @property
    def commands(self) -> list[str]:
        """What was asked for and is not yet in the journal, oldest first."""
        return list(self._waiting.values())

    def ask(self, command: str) -> int:
        """Note a press; returns its number."""
        self._presses += 1
        self._waiting[self._presses] = command
        return self._presses

    def sent(self, press: int, command_id: str) -> None:
        """The supervisor took it; the journal may have been faster than its answer."""
        if command_id in self._recorded:
            self._waiting.pop(press, None)
        else:
            self._sent[command_id] = press

    def forget(self, press: int) -> None:
        """Nothing will be recorded of it: the supervisor did not take it, or no supervisor was needed."""
        self._waiting.pop(press, None)

    def recorded(self, command_ids: Iterable[str]) -> None:
        """The journal speaks of these commands, so the view has them from here on."""
        for command_id in command_ids:
            self._recorded.add(command_id)
            self._waiting.pop(self._sent.pop(command_id, 0), None)
