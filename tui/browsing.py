"""Where someone is in an album: the sheet, the prompt, what it is compared with, and whether the end is followed."""

from collections.abc import Sequence

from tui.album import Photo, Sheet


class Browsing:
    """Keeps its place when sheets come; moves on to the newest one as long as it was at the end."""

    def __init__(self) -> None:
        self.sheets: tuple[Sheet, ...] = ()
        self.at = 0  # which sheet
        self._wanted = 0  # the place that was chosen last, which some sheets may not have
        self.follows = True
        self._mark: str | None = None  # the name of the sheet that others are compared with

    def update(self, sheets: Sequence[Sheet]) -> None:
        """Take over the sheets that there are now."""
        name = self.sheet.name if self.sheet else None
        self.sheets = tuple(sheets)
        names = [sheet.name for sheet in sheets]
        if self.follows or name is None:
            self.at = max(len(names) - 1, 0)
        else:
            self.at = names.index(name) if name in names else min(self.at, max(len(names) - 1, 0))
        if self._mark not in names:
            self._mark = None

    @property
    def sheet(self) -> Sheet | None:
        """The sheet that is looked at."""
        return self.sheets[self.at] if self.at < len(self.sheets) else None

    @property
    def place(self) -> int:
        """Which prompt: the chosen one; on a sheet with fewer pictures, such as one of previews, at most its last."""
        return min(self._wanted, max(len(self.sheet.photos) - 1, 0)) if self.sheet else 0

    @property
    def photo(self) -> Photo | None:
        """The picture of the chosen prompt on that sheet."""
        return self.photo_of(self.sheet)

    def photo_of(self, sheet: Sheet | None) -> Photo | None:
        """The picture of the chosen prompt on any sheet."""
        return sheet.photos[self.place] if sheet and self.place < len(sheet.photos) else None

    def go(self, at: int) -> None:
        """Look at another sheet; whoever goes to the end follows from then on."""
        self.at = min(max(at, 0), max(len(self.sheets) - 1, 0))
        self.follows = self.at >= len(self.sheets) - 1

    def choose(self, place: int) -> None:
        """Choose a prompt."""
        self._wanted = min(max(place, 0), max(len(self.sheet.photos) - 1, 0)) if self.sheet else 0

    def moved(self, action: str) -> bool:
        """Go where an action of the table says. Returns whether it is one that goes anywhere."""
        match action:
            case "earlier":
                self.go(self.at - 1)
            case "later":
                self.go(self.at + 1)
            case "first":
                self.go(0)
            case "newest":
                self.go(len(self.sheets) - 1)
            case "up":
                self.choose(self.place - 1)
            case "down":
                self.choose(self.place + 1)
            case _:
                return False
        return True

    def mark(self) -> None:
        """Compare with this sheet from now on; with the usual one if it was marked before."""
        if self.sheet:
            self._mark = None if self._mark == self.sheet.name else self.sheet.name

    def mark_base(self) -> bool:
        """Compare with what the base model drew. Returns whether there is such a sheet."""
        base = next((sheet for sheet in self.sheets if sheet.is_base), None)
        if base:
            self._mark = base.name
        return base is not None

    @property
    def marked(self) -> int | None:
        """Which sheet is marked."""
        return next((index for index, sheet in enumerate(self.sheets) if sheet.name == self._mark), None)

    @property
    def other(self) -> Sheet | None:
        """What the sheet is compared with: the marked one, else the base model's, else the one before."""
        if not self.sheets:
            return None
        if self.marked is not None:
            return self.sheets[self.marked]
        base = next((sheet for sheet in self.sheets if sheet.is_base), None)
        return base or self.sheets[max(self.at - 1, 0)]
