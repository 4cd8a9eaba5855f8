"""A canvas of braille dots, two across and four down in a cell, with signs above them; no Textual in it."""

from typing import NamedTuple

DOTS = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))  # of the left and the right column, from the top
EMPTY = 0x2800


class Ink(NamedTuple):
    """A colour of the theme by its name, blended into the background up to a share."""

    colour: str
    share: float = 1.0


Span = tuple[str, Ink | None]


class Canvas:
    """Dots from the upper left; in a cell where two inks meet, the later one has it."""

    def __init__(self, columns: int, rows: int) -> None:
        self.columns = columns
        self.rows = rows
        self._dots = [bytearray(columns) for _ in range(rows)]
        self._inks: list[list[Ink | None]] = [[None] * columns for _ in range(rows)]
        self._signs: dict[tuple[int, int], tuple[str, Ink]] = {}

    @property
    def width(self) -> int:
        """In dots."""
        return 2 * self.columns

    @property
    def height(self) -> int:
        """In dots."""
        return 4 * self.rows

    def dot(self, x: int, y: int, ink: Ink) -> None:
        """One dot; nothing happens outside."""
        column, row = x >> 1, y >> 2
        if not (0 <= column < self.columns and 0 <= row < self.rows):
            return
        if self._inks[row][column] != ink:
            self._inks[row][column] = ink
            self._dots[row][column] = 0
        self._dots[row][column] |= DOTS[x & 1][y & 3]

    def upright(self, x: int, top: int, bottom: int, ink: Ink) -> None:
        """All dots of a column from `top` to `bottom`."""
        for y in range(top, bottom + 1):
            self.dot(x, y, ink)

    def line(self, x: int, y: int, to_x: int, to_y: int, ink: Ink) -> None:
        """A straight line to the right, in each column as high as it climbs there."""
        if to_x <= x:
            self.upright(x, min(y, to_y), max(y, to_y), ink)
            return
        before = y
        for column in range(x, to_x + 1):
            here = round(y + (to_y - y) * (column - x) / (to_x - x))
            self.upright(column, min(before, here), max(before, here), ink)
            before = here

    def sign(self, column: int, row: int, sign: str, ink: Ink) -> None:
        """A sign of one cell above all dots."""
        if 0 <= column < self.columns and 0 <= row < self.rows:
            self._signs[column, row] = (sign, ink)

    def text(self, column: int, row: int, text: str, ink: Ink) -> None:
        """Several signs in a row."""
        for offset, sign in enumerate(text):
            self.sign(column + offset, row, sign, ink)

    def spans(self, row: int) -> list[Span]:
        """A row as pieces of one ink each."""
        spans: list[Span] = []
        for column in range(self.columns):
            sign, ink = self._cell(column, row)
            if spans and (spans[-1][1] == ink or sign == " "):
                spans[-1] = (spans[-1][0] + sign, spans[-1][1])
            else:
                spans.append((sign, ink))
        return spans

    def _cell(self, column: int, row: int) -> tuple[str, Ink | None]:
        if (column, row) in self._signs:
            return self._signs[column, row]
        dots = self._dots[row][column]
        return (chr(EMPTY + dots), self._inks[row][column]) if dots else (" ", None)
