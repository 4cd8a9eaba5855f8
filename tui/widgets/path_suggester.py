"""Completes a path in a text field, off the event loop."""

import asyncio
import os
from pathlib import Path

from textual.suggester import Suggester


class PathSuggester(Suggester):
    """Offers the first fitting word of a few, else the first fitting file or folder; → takes it."""

    def __init__(self, root: Path, words: tuple[str, ...] = (), suffix: str = "") -> None:
        super().__init__(use_cache=False, case_sensitive=True)
        self._root = root  # what a relative path is relative to
        self._words = words
        self._suffix = suffix  # files with another are not offered

    async def get_suggestion(self, value: str) -> str | None:
        """The whole text that this beginning could become."""
        for word in self._words:
            if word.startswith(value):
                return word
        return await asyncio.to_thread(complete_path, self._root, value, self._suffix)


def complete_path(root: Path, value: str, suffix: str = "") -> str | None:
    """The first entry, by name, that a typed path could mean; folders end with a slash."""
    head, _, beginning = value.rpartition("/")
    try:
        folder = root / Path(f"{head}/").expanduser() if head or value.startswith("/") else root
        with os.scandir(folder) as entries:
            fitting = sorted(
                entry.name + "/" * entry.is_dir()
                for entry in entries
                if entry.name.startswith(beginning)
                and (beginning.startswith(".") or not entry.name.startswith("."))
                and (entry.is_dir() or entry.name.endswith(suffix))
            )
    except (OSError, RuntimeError, ValueError):  # no such folder, no such user, a zero byte
        return None
    return f"{value[: len(value) - len(beginning)]}{fitting[0]}" if fitting else None
