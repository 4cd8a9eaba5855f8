"""How pictures share a pane: as large as they can be, all of them if they are then still worth looking at."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.cells import cell_len, set_cell_size

SMALLEST = 10  # columns of a picture below which nothing can be made out; the pane scrolls instead
GAP = 1  # columns between pictures
MARK = re.compile(r"(preview|step \d+): ")  # of a picture that is not one of the newest validation


@dataclass(frozen=True)
class Tile:
    """A picture, or the words in its place, and its caption."""

    path: Path | None
    caption: str
    empty: str = ""
    is_chosen: bool = False


@dataclass(frozen=True)
class TileLayout:
    """Square pictures in a grid, each with a caption of one row below; sizes in cells."""

    across: int  # pictures side by side
    down: int
    columns: int  # of one picture
    rows: int

    @property
    def tile_rows(self) -> int:
        """Rows of a picture, its caption and the space below."""
        return self.rows + 1

    @property
    def width(self) -> int:
        """Columns of the whole grid."""
        return self.across * (self.columns + GAP) - GAP

    @property
    def height(self) -> int:
        """Rows of the whole grid; more than the pane has if it must scroll."""
        return self.down * self.tile_rows


def arrange(count: int, width: int, height: int, cell_ratio: float) -> TileLayout:
    """The grid of `count` pictures for a pane; `cell_ratio` is a cell's width over its height."""
    fitting = (_fit(count, across, width, height, cell_ratio) for across in range(1, count + 1))
    best = max(fitting, key=lambda layout: layout.columns)
    if best.columns >= SMALLEST:
        return best
    columns = min(SMALLEST, width)
    across = min(max(1, (width + GAP) // (columns + GAP)), count)
    columns = (width + GAP) // across - GAP
    rows = max(1, round(columns * cell_ratio))
    return TileLayout(across, math.ceil(count / across), columns, rows)


def _fit(count: int, across: int, width: int, height: int, cell_ratio: float) -> TileLayout:
    """The largest pictures with `across` side by side; of no size if they do not fit."""
    down = math.ceil(count / across)
    most_rows = height // down - 1
    columns = min((width + GAP) // across - GAP, math.floor(most_rows / cell_ratio))
    return TileLayout(across, down, max(columns, 0), max(1, min(round(columns * cell_ratio), most_rows)))


def distinct_captions(prompts: Sequence[str]) -> list[str]:
    """Each prompt without the words with which it begins like another one, so that a short caption tells them apart."""
    words = [prompt.split() for prompt in prompts]
    captions = []
    for own in words:
        shared = max((_common(own, other) for other in words if other != own), default=0)
        captions.append(" ".join(own[shared:] or own))
    return captions


def fitting(caption: str, width: int) -> str:
    """A caption cut to a width; one that does not fit first loses its "photo of", then its end, never its mark."""
    if cell_len(caption) > width:
        mark = found[0] if (found := MARK.match(caption)) else ""
        words = caption.removeprefix(mark)
        caption = mark + (words.partition(" of ")[2] or words)
    return caption if cell_len(caption) <= width else f"{set_cell_size(caption, max(width - 1, 0)).rstrip()}…"


def _common(one: Sequence[str], other: Sequence[str]) -> int:
    """How many words two prompts have in common at their beginning."""
    for index, (mine, yours) in enumerate(zip(one, other, strict=False)):
        if mine != yours:
            return index
    return min(len(one), len(other))
