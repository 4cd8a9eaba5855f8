"""The user's key map: a file that gives actions other keys, checked against the table of actions."""

import difflib
import json
from collections.abc import Mapping
from pathlib import Path

from textual.keys import KEY_TO_UNICODE_NAME, Keys

from tui.actions import TABLE, Action, Place
from tui.actions.action import KEY_SIGNS

FILE_NAME = "keymap.json"
EATEN = {  # by whom, so that the words say it
    "ctrl+a": "screen", "ctrl+b": "tmux", "ctrl+c": "the console", "ctrl+h": "the terminal", "ctrl+i": "the terminal",
    "ctrl+j": "the terminal", "ctrl+m": "the terminal", "ctrl+o": "the terminal", "ctrl+p": "the command palette",
    "ctrl+q": "the terminal", "ctrl+s": "the terminal", "ctrl+z": "the shell",
}  # fmt: skip
KNOWN_KEYS = {key.value for key in Keys} | set(KEY_SIGNS) | set(KEY_TO_UNICODE_NAME)
MODIFIERS = ("ctrl+", "shift+", "alt+")
EXAMPLE = '{"monitor.pause": "space"}'

KeyMap = dict[str, str]  # an action, as in "monitor.pause", to its keys as Textual names them, comma between


def read_keymap(folder: Path) -> tuple[KeyMap, list[str]]:
    """What applies of the file in a folder, and in plain words what does not; nothing of both if there is none."""
    file = folder / FILE_NAME
    try:
        asked = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}, []
    except (OSError, ValueError) as error:
        return {}, [f"{file}: {error}"]
    if not isinstance(asked, dict):
        return {}, [f"{file}: it should look like {EXAMPLE}"]
    known = {f"{place}.{entry.id}": entry for place in TABLE for entry in TABLE[place]}
    keymap: KeyMap = {}
    problems = []
    for identity, keys in asked.items():
        if problem := _problem(identity, keys, known):
            problems.append(problem)
        else:
            keymap[identity] = ",".join(key.strip() for key in keys.split(","))
    return _without_clashes(keymap, problems), problems


def _problem(identity: str, keys: object, known: Mapping[str, Action]) -> str:
    if identity not in known:
        near = difflib.get_close_matches(identity, known, n=1)
        return f"there is no action {identity}" + (f"; did you mean {near[0]}?" if near else "")
    if not isinstance(keys, str) or not keys.strip():
        return f"{identity} should have a key, as in {EXAMPLE}"
    for key in (key.strip() for key in keys.split(",")):
        if key in EATEN:
            return f"{identity} cannot be {key}, which {EATEN[key]} takes"
        bare = key
        for modifier in MODIFIERS:
            bare = bare.removeprefix(modifier)
        if len(bare) != 1 and bare not in KNOWN_KEYS:
            return f"{identity}: there is no key {key}"
    return ""


def _without_clashes(keymap: KeyMap, problems: list[str]) -> KeyMap:
    """Leave out what would give a key two meanings on one screen; what the table itself shares may be shared."""
    for place in TABLE:
        while clash := _clash(place, keymap):
            changed, other, key = clash
            problems.append(f"{changed} cannot be {key}, which is {other}")
            keymap = {identity: keys for identity, keys in keymap.items() if identity != changed}
    return keymap


def _clash(place: Place, keymap: KeyMap) -> tuple[str, str, str] | None:
    """A changed action, the other with the same key, and the key."""
    places: set[Place] = {place, "everywhere"}
    entries = {f"{one}.{entry.id}": entry for one in places for entry in TABLE[one]}
    taken: dict[str, str] = {}
    # Unchanged ones first, so that it is the changed one that gives way.
    for identity, entry in sorted(entries.items(), key=lambda item: item[0] in keymap):
        for key in keymap.get(identity, entry.keys).split(","):
            other = taken.setdefault(key, identity)
            shared = entry.keys == entries[other].keys  # pause and resume, of which one is offered
            if other != identity and not shared and identity in keymap:
                return identity, other, key
    return None


def for_textual(keymap: KeyMap) -> KeyMap:
    """The key map with the unchanged partners of shared keys, which Textual would drop (8.2)."""
    complete = dict(keymap)
    for place in TABLE:
        for entry in TABLE[place]:
            for partner in TABLE[place]:
                if partner.keys == entry.keys and f"{place}.{entry.id}" in keymap:
                    complete.setdefault(f"{place}.{partner.id}", partner.keys)
    return complete


def show_changed_keys(keymap: KeyMap) -> None:
    """Let bars, buttons and help print the changed keys."""
    for place in TABLE:
        for entry in TABLE[place]:
            entry.changed_keys = keymap.get(f"{place}.{entry.id}", "")
