"""Finds the picture files of a data set by name or by id, however they are spelled; links may lead anywhere."""

import os
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path, PurePosixPath

from engine.picture import PictureError

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp")
OTHER_KINDS = {".gif": "GIF", ".tif": "TIFF", ".tiff": "TIFF", ".heic": "HEIC", ".avif": "AVIF"}


class PictureFolder:
    """The picture files in images/, or in the folder itself where it has no images/."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = folder / "images" if (folder / "images").is_dir() else folder
        # Hidden files are left out: macOS writes a ._0001.png beside 0001.png on foreign disks.
        paths = sorted(path for path in self.home.iterdir() if not path.name.startswith("."))
        accepted = [path for path in paths if path.suffix.lower() in SUFFIXES]
        others = [path for path in paths if path.suffix.lower() in OTHER_KINDS]
        converted = {bare_name(path.name) for path in accepted}
        others = [path for path in others if bare_name(path.name) not in converted]  # an original is no item
        self._listed = {*accepted, *others}
        self._exact, self._alike = _Index(accepted, normal_name), _Index(accepted, loose_name)
        self._others_exact, self._others_alike = _Index(others, normal_name), _Index(others, loose_name)

    def listed(self) -> set[Path]:
        """Every picture that lies in `home` itself, of an accepted kind or not."""
        return self._listed

    def short(self, reference: str) -> str:
        """A name without `images/`."""
        relative = PurePosixPath(normal_name(reference))
        # Compared without case, since macOS does so.
        if self.home != self.folder and relative.parts[:1] and relative.parts[0].casefold() == self.home.name:
            relative = PurePosixPath(*relative.parts[1:])
        return str(relative)

    def spelled(self, references: Iterable[str]) -> set[Path]:
        """The pictures that these names mean to the letter, with or without their suffix."""
        return {path for reference in references for path in self._exact.find(self.short(reference))}

    def find(self, reference: str, taken: Collection[Path] = ()) -> Path:
        """The file meant by a name or a number, with or without its suffix or `images/`.

        Another case or other leading zeros will do, except for the pictures `taken` by names that fit to the letter.
        Raises PictureError if not exactly one file is meant.
        """
        relative = PurePosixPath(normal_name(reference))
        if relative.is_absolute() or ".." in relative.parts:
            raise PictureError("leads out of the data folder")
        paths = next(filter(None, self._meant(self.short(reference), taken)), [])
        if len(paths) > 1:
            raise PictureError(f"may mean any of {', '.join(path.name for path in paths)}")
        if not paths:
            raise PictureError("picture is missing")
        return paths[0]

    def _meant(self, name: str, taken: Collection[Path]) -> Iterator[list[Path]]:
        """What a name may mean, the nearest first; only what is asked for is looked up."""
        yield self._exact.find(name)
        yield [path for path in self._alike.find(name) if path not in taken]
        yield self._others_exact.find(name)
        yield self._others_alike.find(name)
        yield self._deeper(name)

    def _deeper(self, name: str) -> list[Path]:
        candidates = (self.home / name, self.folder / name)
        # os.path: Path.is_file raises where a whole caption stands in the place of a name, too long for the file system
        return [path for path in candidates if os.path.isfile(path)][:1]  # noqa: PTH113


class _Index:
    """Paths by name, else by name without suffix, in one spelling."""

    def __init__(self, paths: Iterable[Path], spelling: Callable[[str], str]) -> None:
        self._spelling = spelling
        self._by_name: dict[str, list[Path]] = defaultdict(list)
        self._by_bare_name: dict[str, list[Path]] = defaultdict(list)
        for path in paths:
            self._by_name[spelling(path.name)].append(path)
            self._by_bare_name[spelling(bare_name(path.name))].append(path)

    def find(self, name: str) -> list[Path]:
        spelled = self._spelling(name)
        return self._by_name.get(spelled) or self._by_bare_name.get(spelled, [])


def refusal(path: Path) -> str:
    """Why a picture of this kind cannot be used; empty for the accepted kinds."""
    kind = OTHER_KINDS.get(path.suffix.lower())
    return f"{kind} is not accepted; save it as PNG or JPEG" if kind else ""


def normal_name(name: str) -> str:
    """One spelling for what macOS and Linux write as different bytes (NFD and NFC)."""
    return unicodedata.normalize("NFC", name.strip())


def bare_name(name: str) -> str:
    """The name without a picture's suffix; other dots belong to the name."""
    name = normal_name(name)
    return name.rpartition(".")[0] if name.lower().endswith((*SUFFIXES, *OTHER_KINDS)) else name


def loose_name(name: str) -> str:
    """One spelling for names that differ in case or, if they are whole numbers, in leading zeros: 0007.PNG, 7.png."""
    bare = bare_name(name)
    suffix = normal_name(name)[len(bare) :]
    if bare.isascii() and bare.isdigit():
        bare = bare.lstrip("0") or "0"
    return (bare + suffix).casefold()
