"""A screen as an SVG that is the same everywhere: only letters are text, all else is drawn, and nothing is fetched.

Textual's own export names a font on a server, leaves gaps between half-blocks, and is four times as large.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from html import escape

from rich.cells import cell_len
from rich.color import Color
from rich.segment import Segment
from rich.style import Style

WIDTH, HEIGHT = 10, 20  # of a cell
MARGIN = 8
FONT = "ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace"
FONT_SIZE = 16.6  # letters of these fonts are 0.6 as wide, so that they fill a cell
BASELINE = 15.5
NO_COLOUR = "#000000"
BRAILLE = 0x2800
DOTS = ((0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (0, 3), (1, 3))  # column and row of each bit
# Parts of a cell that a block fills: top and height, in halves of it.
BLOCKS = {"▀": (0.0, 1.0), "▄": (1.0, 1.0), "█": (0.0, 2.0)} | {
    sign: (2 - eighths / 4, eighths / 4) for eighths, sign in enumerate("▁▂▃▄▅▆▇", 1)
}
# To which sides a line goes from the middle.
LINES = {
    "─": "lr", "│": "ud", "┌": "rd", "┐": "ld", "└": "ru", "┘": "lu", "├": "rud", "┤": "lud", "┬": "lrd", "┴": "lru",
    "┼": "lrud", "╭": "rd", "╮": "ld", "╰": "ru", "╯": "lu",
}  # fmt: skip
ARMS = {"l": "M{0} {1}h5v1h-5z", "r": "M{2} {1}h5v1h-5z", "u": "M{2} {3}v10h1v-10z", "d": "M{2} {1}v10h1v-10z"}


class Drawing:
    """Collects what is on the screen, by colour, so that each colour is written once."""

    def __init__(self) -> None:
        self._grounds: dict[str, list[list[float]]] = defaultdict(list)  # rectangles, in halves of a cell
        self._blocks: dict[str, list[list[float]]] = defaultdict(list)
        self._strokes: dict[str, list[str]] = defaultdict(list)
        self._texts: dict[str, list[str]] = defaultdict(list)

    def row(self, y: int, segments: Iterable[Segment]) -> int:
        """Draw a row; returns how many columns it has."""
        x = 0
        for text, style, _ in segments:
            style = style or Style()
            ink, ground = _colour(style.color), _colour(style.bgcolor)
            if style.reverse:
                ink, ground = ground, ink
            self._fill(self._grounds, ground, x, 2 * y, cell_len(text), 2)
            letters = "".join(sign if self._is_letter(sign, x + at, y, ink) else " " for at, sign in enumerate(text))
            self._write(letters, x, y, ink, style)
            x += cell_len(text)
        return x

    def _is_letter(self, sign: str, x: int, y: int, ink: str) -> bool:
        """Whether a sign is one, and not something that is drawn here."""
        if sign in BLOCKS:
            top, height = BLOCKS[sign]
            self._fill(self._blocks, ink, x, 2 * y + top, 1, height)
        elif sign in LINES:
            left, top = x * WIDTH, y * HEIGHT
            arms = (ARMS[side].format(left, top + 10, left + 5, top) for side in LINES[sign])
            self._strokes[ink].extend(arms)
        elif BRAILLE < ord(sign) < BRAILLE + 256:
            places = [place for bit, place in enumerate(DOTS) if ord(sign) - BRAILLE >> bit & 1]
            self._strokes[ink].extend(
                f"M{x * WIDTH + 5 * column + 1.25:g} {y * HEIGHT + 5 * row + 1.25:g}h2.5v2.5h-2.5z"
                for column, row in places
            )
        else:
            return True
        return False

    @staticmethod
    def _fill(
        layer: dict[str, list[list[float]]], colour: str, x: float, y: float, width: float, height: float
    ) -> None:
        """A rectangle; it is joined to the one before it in its row."""
        same = layer[colour]
        if same and same[-1][1] == y and same[-1][3] == height and same[-1][0] + same[-1][2] == x:
            same[-1][2] += width
        else:
            same.append([x, y, width, height])

    def _write(self, text: str, x: int, y: int, ink: str, style: Style) -> None:
        """A run of letters, stretched to its cells."""
        words = text.strip(" ")
        if not words:
            return
        left = x + len(text) - len(text.lstrip(" "))
        marks = ' font-weight="bold"' * bool(style.bold) + ' font-style="italic"' * bool(style.italic)
        marks += ' text-decoration="underline"' * bool(style.underline)
        letters = escape(words, quote=False).replace(" ", "\N{NO-BREAK SPACE}")
        place = f'x="{left * WIDTH}" y="{y * HEIGHT + BASELINE:g}" textLength="{cell_len(words) * WIDTH}"'
        self._texts[f'fill="{ink}"{marks}'].append(f"<text {place}>{letters}</text>")

    def svg(self, columns: int, rows: int) -> str:
        """All of it."""
        width, height = columns * WIDTH + 2 * MARGIN, rows * HEIGHT + 2 * MARGIN
        ground = max(self._grounds, key=lambda colour: sum(place[2] for place in self._grounds[colour]))
        rest = {colour: places for colour, places in self._grounds.items() if colour != ground}
        texts = "\n".join(f"<g {look}>{''.join(texts)}</g>" for look, texts in self._texts.items())
        return f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}">
<rect width="{width}" height="{height}" rx="{MARGIN}" fill="{ground}"/>
<g transform="translate({MARGIN} {MARGIN})" font-family="{FONT}" font-size="{FONT_SIZE}">
<g transform="scale({WIDTH} {HEIGHT // 2})" shape-rendering="crispEdges">
{_rectangles(rest)}
{_rectangles(self._blocks)}
</g>
{"".join(f'<path fill="{ink}" d="{"".join(strokes)}"/>' for ink, strokes in self._strokes.items())}
{texts}
</g>
</svg>
"""


def drawn(rows: Sequence[Iterable[Segment]]) -> str:
    """The rows of a screen as an SVG."""
    drawing = Drawing()
    columns = max([drawing.row(y, row) for y, row in enumerate(rows)])
    return drawing.svg(columns, len(rows))


def _rectangles(layer: dict[str, list[list[float]]]) -> str:
    """A path for each colour."""
    paths = []
    for colour, places in layer.items():
        steps = "".join(f"M{x:g} {y:g}h{width:g}v{height:g}h-{width:g}z" for x, y, width, height in places)
        paths.append(f'<path fill="{colour}" d="{steps}"/>')
    return "".join(paths)


def _colour(colour: Color | None) -> str:
    return colour.triplet.hex if colour and colour.triplet else NO_COLOUR
