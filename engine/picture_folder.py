"""Finds the picture files of a data set by name or by id, and never outside its folder."""

import os
import unicodedata
from collections import defaultdict
from pathlib import Path, PurePosixPath

from engine.picture import PictureError

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp")


class PictureFolder:
    """The picture files in images/, or in the folder itself where it has no images/."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = folder / "images" if (folder / "images").is_dir() else folder
        self._root = folder.resolve()
        # Hidden files are left out: macOS writes a ._0001.png beside 0001.png on foreign disks.
        self._by_name = {
            normal_name(path.name): path
            for path in self.home.iterdir()
            if path.suffix.lower() in SUFFIXES and not path.name.startswith(".")
        }
        self._by_bare_name: dict[str, list[str]] = defaultdict(list)
        for name in sorted(self._by_name):
            self._by_bare_name[bare_name(name)].append(name)

    def listed(self) -> set[Path]:
        """Every picture that lies in `home` itself."""
        return set(self._by_name.values())

    def find(self, reference: str) -> Path:
        """The file meant by a name, with or without its suffix or `images/`. Raises PictureError if not exactly one."""
        relative = PurePosixPath(normal_name(reference))
        if relative.is_absolute() or ".." in relative.parts:
            raise PictureError("leads out of the data folder")
        if self.home != self.folder and relative.parts[:1] == (self.home.name,):
            relative = PurePosixPath(*relative.parts[1:])
        path = self._listed(str(relative)) or self._deeper(relative)
        if path is None:
            raise PictureError("picture is missing")
        return path

    def require_inside(self, path: Path) -> None:
        """Raises PictureError if a symbolic link leads out of the folder."""
        if not path.resolve().is_relative_to(self._root):
            raise PictureError("leads out of the data folder")

    def _listed(self, name: str) -> Path | None:
        if name in self._by_name:
            return self._by_name[name]
        same = self._by_bare_name.get(name, [])
        if len(same) > 1:
            raise PictureError(f"may mean any of {', '.join(same)}")
        return self._by_name[same[0]] if same else None

    def _deeper(self, relative: PurePosixPath) -> Path | None:
        candidates = (self.home / relative, self.folder / relative)
        # os.path: Path.is_file raises where a whole caption stands in the place of a name, too long for the file system
        return next((path for path in candidates if os.path.isfile(path)), None)  # noqa: PTH113


def normal_name(name: str) -> str:
    """One spelling for what macOS and Linux write as different bytes (NFD and NFC)."""
    return unicodedata.normalize("NFC", name.strip())


def bare_name(name: str) -> str:
    """The name without a picture's suffix; other dots belong to the name."""
    name = normal_name(name)
    return name.rpartition(".")[0] if name.lower().endswith(SUFFIXES) else name
