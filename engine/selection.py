"""ids.txt: chooses and orders the captions to train on, by id or by the picture's name."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

from engine.captions import IDS_TXT, Entry, Problem, read_text
from engine.picture import PictureError
from engine.picture_folder import PictureFolder, bare_name, loose_name


def select(entries: Iterable[Entry], path: Path, pictures: PictureFolder) -> tuple[list[Entry], list[Problem]]:
    """The entries that ids.txt lists, in its order, and the ids that are nowhere. Raises DataError if it is no text."""
    named = _Names(entries, pictures)
    selected: dict[str, list[Entry]] = {}
    problems: list[Problem] = []
    for identity in _lines(path):
        matches = named.find(identity)
        meant = sorted({entry.id for entry in matches})
        if len(meant) != 1:
            why = f"may mean any of {', '.join(meant)}" if meant else _whereabouts(identity, pictures)
            problems.append(Problem(identity, f"listed in {IDS_TXT}, but {why}"))
        elif meant[0] in selected:
            problems.append(Problem(identity, f"listed in {IDS_TXT} twice"))
        else:
            selected[meant[0]] = matches
    return [entry for matches in selected.values() for entry in matches], problems


def _lines(path: Path) -> Iterator[str]:
    return filter(None, map(str.strip, read_text(path).splitlines()))


def _whereabouts(identity: str, pictures: PictureFolder) -> str:
    try:
        pictures.find(identity)
    except PictureError:
        return "neither a caption nor a picture has this id"
    return "it has no caption"


class _Names:
    """Entries by id and by picture, with and without suffix; to the letter, else without case and leading zeros."""

    def __init__(self, entries: Iterable[Entry], pictures: PictureFolder) -> None:
        self._pictures = pictures
        self._exact: dict[str, list[Entry]] = defaultdict(list)
        self._alike: dict[str, list[Entry]] = defaultdict(list)
        for entry in entries:
            whole = {pictures.short(entry.id), pictures.short(entry.picture)}
            names = whole | {bare_name(name) for name in whole}
            for name in names:
                self._exact[name].append(entry)
            for name in {loose_name(name) for name in names}:
                self._alike[name].append(entry)

    def find(self, identity: str) -> list[Entry]:
        """All entries that are meant."""
        name = self._pictures.short(identity)
        bare = bare_name(name)
        return (
            self._exact.get(name)
            or self._exact.get(bare)
            or self._alike.get(loose_name(name))
            or self._alike.get(loose_name(bare))
            or []
        )
