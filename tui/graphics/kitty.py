"""The kitty graphics protocol with placeholders: a picture is sent once and then stands wherever its text stands.

Placeholders are text, so what covers, scrolls or erases text does so to the picture. The data stays in the terminal
until it is deleted, which whoever sends it has to do.
"""

import io
import itertools
import random
from base64 import standard_b64encode

from PIL import Image

PLACEHOLDER = "\U0010eeee"
CHUNK = 4096  # most characters of data in one escape sequence
# Row and column numbers are written as combining marks above: those of Unicode 6.0 that take no part in composition.
MARKS = """
305 30d-30e 310 312 33d-33f 346 34a-34c 350-352 357 35b 363-36f 483-487 592-595 597-599 59c-5a1 5a8-5a9
5ab-5ac 5af 5c4 610-617 657-65b 65d-65e 6d6-6dc 6df-6e2 6e4 6e7-6e8 6eb-6ec 730 732-733 735-736 73a 73d
73f-741 743 745 747 749-74a 7eb-7f1 7f3 816-819 81b-823 825-827 829-82d 951 953-954 f82-f83 f86-f87 135d-135f
17dd 193a 1a17 1a75-1a7c 1b6b 1b6d-1b73 1cd0-1cd2 1cda-1cdb 1ce0 1dc0-1dc1 1dc3-1dc9 1dcb-1dcc 1dd1-1de6 1dfe
20d0-20d1 20d4-20d7 20db-20dc 20e1 20e7 20e9 20f0 2cef-2cf1 2de0-2dff a66f a67c-a67d a6f0-a6f1 a8e0-a8f1 aab0
aab2-aab3 aab7-aab8 aabe-aabf aac1 fe20-fe26 10a0f 10a38 1d185-1d189 1d1aa-1d1ad 1d242-1d244
"""


def _marks() -> tuple[str, ...]:
    spans = [[int(end, 16) for end in span.split("-")] for span in MARKS.split()]
    return tuple(chr(code) for span in spans for code in range(span[0], span[-1] + 1))


NUMBERS = _marks()
MOST_CELLS = len(NUMBERS)  # across or down
# Ids begin anywhere, so that they are not those of another program in the same terminal.
_ids = itertools.count(random.randrange(1 << 16, 1 << 23))


def new_id() -> int:
    """A picture's id; it is also the colour of its placeholders, 0xRRGGBB."""
    return next(_ids)


def send(image: Image.Image, identity: int, columns: int, rows: int) -> str:
    """Store a picture in the terminal, to be stretched over `columns` by `rows` placeholders; shows nothing yet."""
    file = io.BytesIO()
    image.save(file, format="PNG", compress_level=4)
    data = standard_b64encode(file.getvalue()).decode()
    first = f"a=T,U=1,i={identity},f=100,c={columns},r={rows},q=2,"
    pieces = []
    for start in range(0, len(data), CHUNK):
        more = int(start + CHUNK < len(data))
        pieces.append(f"\x1b_G{first if start == 0 else 'q=2,'}m={more};{data[start : start + CHUNK]}\x1b\\")
    return "".join(pieces)


def delete(identity: int) -> str:
    """Take a picture off the screen and free its data."""
    return f"\x1b_Ga=d,d=I,i={identity},q=2\x1b\\"


def placeholders(row: int, columns: int) -> str:
    """One row of the text that stands for a picture. Each cell has both numbers, so that any of them may be covered."""
    return "".join(f"{PLACEHOLDER}{NUMBERS[row]}{NUMBERS[column]}" for column in range(columns))
