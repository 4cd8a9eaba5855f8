"""What the Gallery shows of the place where the user is: tiles, head and details; no Textual screen in it."""

from dataclasses import dataclass
from typing import Literal

from textual.content import Content

from tui.album import Photo, Sheet, prompts
from tui.browsing import Browsing
from tui.widgets.tile_layout import Tile, distinct_captions

Source = Literal["validation", "generated"]
View = Literal["all", "one", "pair"]
LABELS: dict[Source, str] = {"validation": "Validation", "generated": "Generated"}
NO_RUN = "No run in hand. 1 lists the runs, v shows pictures drawn on request."
NO_VALIDATION = "This run draws no pictures: num_validation_images is 0."
NOTHING_YET = "No pictures yet: the first come before step 1."
NOTHING_GENERATED = "No pictures drawn on request yet. 5 draws some, v shows those of the run."
TO_COME = "not drawn yet"


@dataclass(frozen=True)
class Page:
    """A view of the pictures at hand; `flipped` shows A in place of the sheet."""

    source: Source
    view: View
    flipped: bool
    browsing: Browsing
    words: str = ""  # where there is no picture at all

    @property
    def sheet(self) -> Sheet | None:
        """The sheet that is shown."""
        return self.browsing.other if self.flipped else self.browsing.sheet

    @property
    def photo(self) -> Photo | None:
        """The chosen picture."""
        return self.browsing.photo_of(self.sheet)

    def tiles(self) -> list[Tile]:
        """The pictures with their captions."""
        browsing, sheet = self.browsing, self.sheet
        if sheet is None:
            return [Tile(None, "", self.words)]
        if self.view == "pair" and browsing.other:
            pair = (("A", browsing.other), ("B", browsing.sheet))
            return [_tile(browsing.photo_of(one), f"{sign}  {_title(one)}") for sign, one in pair if one]
        if self.view == "one":
            return [_tile(self.photo, f"{'A  ' if self.flipped else ''}{_title(sheet)}")]
        # Captions of all steps together, so that a caption stays when the step changes.
        captions = distinct_captions(prompts(browsing.sheets if self.source == "validation" else [sheet]))
        return [
            _tile(photo, caption or (photo.path.name if photo else TO_COME), place == browsing.place)
            for place, (photo, caption) in enumerate(zip(sheet.photos, captions, strict=False))
        ]

    def large(self) -> Tile | None:
        """The chosen picture, to stand beside the others where there is room; None where it is shown large anyway."""
        if self.view != "all" or self.sheet is None or len(self.sheet.photos) < 2:
            return None
        return _tile(self.photo, self.photo.prompt if self.photo else "")

    def head(self) -> Content:
        """The sources, the sheet, whether new ones are followed, and what A is."""
        browsing, sheet = self.browsing, self.sheet
        parts: list[str | tuple[str, str]] = []
        for source, label in LABELS.items():
            here = source == self.source
            parts.append((f" {label} ", "bold $background on $primary" if here else "$text-muted"))
        if sheet is None:
            return Content.assemble(*parts)
        parts.append((f"  {'A: ' if self.flipped else ''}{_title(sheet)}", "bold"))
        parts.append((f"  {browsing.at + 1}/{len(browsing.sheets)}", "$text-muted"))
        newer = len(browsing.sheets) - 1 - browsing.at
        parts.append(
            ("  ↓ follows", "$text-success") if browsing.follows else (f"  {newer} newer, End", "$text-warning")
        )
        if browsing.other and not self.flipped:
            parts.append((f"  A: {_title(browsing.other)}", "$text-muted"))
        return Content.assemble(*parts)

    def details(self) -> Content:
        """Prompt, seed and file of the chosen picture."""
        sheet, photo = self.sheet, self.photo
        if sheet is None:
            return Content("")
        if photo is None:
            return Content(TO_COME)
        known = [f"seed {photo.seed}"] if photo.seed is not None else []
        known += [_title(sheet)] + ([photo.details] if photo.details else []) + [photo.path.name]
        return Content.assemble((photo.prompt or "prompt unknown", "bold"), "\n", ("  ".join(known), "$text-muted"))


def words_for_nothing(source: Source, has_run: bool, expected: int) -> str:
    """Why there are no pictures, and what to do; `expected` is how many a validation of the run draws."""
    if source == "generated":
        return NOTHING_GENERATED
    if not has_run:
        return NO_RUN
    return NOTHING_YET if expected else NO_VALIDATION


def _title(sheet: Sheet) -> str:
    return f"{sheet.title} (base)" if sheet.is_base else sheet.title


def _tile(photo: Photo | None, caption: str, is_chosen: bool = False) -> Tile:
    return Tile(photo.path if photo else None, caption, TO_COME, is_chosen)
