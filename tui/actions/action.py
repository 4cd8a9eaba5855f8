"""What an action is: something a user can do, with its keys, its words, and what is sent to the run, if anything."""

from dataclasses import dataclass

from engine.contract.protocol import Command

KEY_SIGNS = {
    "question_mark": "?", "escape": "Esc", "slash": "/", "space": "Space", "enter": "Enter", "delete": "Del",
    "left_square_bracket": "[", "right_square_bracket": "]", "plus": "+", "minus": "-", "equals_sign": "=",
    "less_than_sign": "<", "greater_than_sign": ">", "comma": ",", "full_stop": ".", "up": "↑", "down": "↓",
    "left": "←", "right": "→", "pageup": "PgUp", "pagedown": "PgDn", "home": "Home", "end": "End",
    "backslash": "\\", "number_sign": "#", "asterisk": "*", "tab": "Tab",
}  # fmt: skip


@dataclass(eq=False)
class Action:
    """Something a user can do; `command` is what is sent to the run, if anything is."""

    id: str
    keys: str  # as Textual names them, comma between; none that tmux or screen eats: ctrl+a, b, j, o, s
    label: str
    help: str
    command: type[Command] | None = None
    changed_keys: str = ""  # by the user's key map, when the console starts

    @property
    def signs(self) -> tuple[str, ...]:
        """The keys as they are printed on a keyboard."""
        return tuple(_sign(key.strip()) for key in (self.changed_keys or self.keys).split(","))


def _sign(key: str) -> str:
    *modifiers, name = key.split("+")
    if len(name) > 1 and name[0] == "f" and name[1:].isdecimal():
        name = name.upper()
    return "+".join([*(modifier.capitalize() for modifier in modifiers), KEY_SIGNS.get(name, name)])
