"""Judges pictures, holds the figures against their targets, and keeps contact sheets of what was judged."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from engine.demo.things import KINDS
from tests.judge import asked as prompts
from tests.judge.asked import Asked
from tests.judge.classifier import Judge
from tests.judge.colour import colour_of
from tests.judge.painters import Painter
from tests.judge.specimens import SHOE, SIDE

ENLARGED, LINE, GAP = 2, 12, 4  # times; pixels
SMALL = 11  # pixels, height of the letters


@dataclass(frozen=True)
class Verdict:
    """A picture, what it should show, and what the judge sees in it."""

    asked: Asked
    picture: Image.Image
    kind: str
    colour: str

    @property
    def is_kind(self) -> bool:
        """Whether it shows what was asked for, in whatever colour."""
        return self.kind == self.asked.kind

    @property
    def is_colour(self) -> bool:
        """Whether it has the colour that was asked for, whatever it shows."""
        return self.colour == self.asked.colour


@dataclass(frozen=True)
class Figure:
    """A count of pictures, out of so many, with the least or the most that it should be."""

    what: str
    count: int
    total: int
    least: int = 0
    most: int | None = None

    @property
    def is_met(self) -> bool:
        """Whether the target is met."""
        return self.least <= self.count and (self.most is None or self.count <= self.most)

    @property
    def target(self) -> str:
        """The target in words."""
        return f"at least {self.least}" if self.most is None else f"at most {self.most}"


class Court:
    """Has pictures made, judges them and writes each set as a contact sheet into `folder`."""

    def __init__(self, judge: Judge, folder: Path) -> None:
        self._judge = judge
        self._folder = folder

    def kinds(self, painter: Painter) -> Figure:
        """Whether a base model knows all kinds. Prints how each of them fares."""
        seen = self._verdicts(painter, prompts.every_kind(), "kinds")
        _print_kinds(seen)
        return Figure("pictures of the kind asked for", _right(seen), len(seen), least=-(-len(seen) * 8 // 10))

    def no_shoes(self, painter: Painter) -> Figure:
        """Whether a base model knows no shoes."""
        seen = self._verdicts(painter, prompts.shoes(), "shoes_before")
        return Figure("shoes for shoe prompts, before", _right(seen), len(seen), most=2)

    def shoes(self, painter: Painter) -> list[Figure]:
        """Whether an adapter makes shoes, of the colour that was asked for."""
        seen = self._verdicts(painter, prompts.shoes(), "shoes_after")
        coloured = sum(verdict.is_colour for verdict in seen)
        return [
            Figure("shoes for shoe prompts, after", _right(seen), len(seen), least=20),
            Figure("colour as asked, after", coloured, len(seen), least=22),
        ]

    def kept(self, before: Painter, after: Painter) -> Iterator[Figure]:
        """Whether what has nothing to do with shoes is still drawn with the adapter."""
        for kind in ("mug", "handbag"):
            for when, painter, least in (("before", before, 6), ("after", after, 4)):
                seen = self._verdicts(painter, prompts.one_kind(kind), f"{kind}s_{when}")
                yield Figure(f"{kind}s for {kind} prompts, {when}", _right(seen), len(seen), least=least)

    def _verdicts(self, painter: Painter, asked: list[Asked], name: str) -> list[Verdict]:
        pictures = painter(asked)
        told = zip(asked, pictures, self._judge.kinds(pictures), strict=True)
        verdicts = [Verdict(one, picture, kind, colour_of(picture)) for one, picture, kind in told]
        self._folder.mkdir(parents=True, exist_ok=True)
        _sheet(verdicts, columns=8).save(self._folder / f"{name}.png")
        return verdicts


def tell(figures: list[Figure]) -> bool:
    """Print target and measured; whether all targets are met."""
    print(f"\n{'':<38}{'target':>14}{'measured':>12}{'of':>5}")
    for figure in figures:
        miss = "" if figure.is_met else "   MISSED"
        print(f"{figure.what:<38}{figure.target:>14}{figure.count:>12}{figure.total:>5}{miss}")
    return all(figure.is_met for figure in figures)


def _right(verdicts: list[Verdict]) -> int:
    return sum(verdict.is_kind for verdict in verdicts)


def _print_kinds(verdicts: list[Verdict]) -> None:
    print(f"\n{'kind':<12}{'kind right':>11}{'colour right':>13}   seen instead")
    for kind in KINDS:
        of_kind = [verdict for verdict in verdicts if verdict.asked.kind == kind]
        coloured = sum(verdict.is_colour for verdict in of_kind)
        others = ", ".join(verdict.kind for verdict in of_kind if not verdict.is_kind)
        print(f"{kind:<12}{_right(of_kind):>11}{coloured:>13}   {others}".rstrip())
    shoes = sum(verdict.kind == SHOE for verdict in verdicts)
    print(f"of {len(verdicts)} pictures {shoes} show a shoe, which nobody asked for")


def _sheet(verdicts: list[Verdict], columns: int) -> Image.Image:
    """The pictures in rows, each with what was asked for and, green if right and red if not, what is seen."""
    wide, high = SIDE * ENLARGED + GAP, SIDE * ENLARGED + 2 * LINE + GAP
    sheet = Image.new("RGB", (columns * wide, -(-len(verdicts) // columns) * high), (32, 32, 36))
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(SMALL)
    for number, verdict in enumerate(verdicts):
        row, column = divmod(number, columns)
        x, y = column * wide, row * high
        large = verdict.picture.resize((SIDE * ENLARGED,) * 2, Image.Resampling.NEAREST)
        sheet.paste(large, (x, y))
        below = y + SIDE * ENLARGED
        pen.text((x, below), f"{verdict.asked.colour} {verdict.asked.kind}", (220, 220, 220), font)
        seen = (110, 220, 120) if verdict.is_kind else (250, 110, 100)
        pen.text((x, below + LINE), f"{verdict.colour} {verdict.kind}", seen, font)
    return sheet
