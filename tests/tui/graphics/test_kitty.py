"""The kitty graphics protocol with placeholders."""

import io
import re
import unicodedata
from base64 import standard_b64decode

import pytest
from PIL import Image
from rich.cells import cell_len

from tui.graphics import kitty


def test_a_picture_is_sent_in_chunks_that_make_a_whole_png() -> None:
    image = Image.effect_noise((120, 80), 60).convert("RGB")
    pieces = re.findall(r"\x1b_G([^;]*);([^\x1b]*)\x1b\\", kitty.send(image, 77, 30, 10))
    assert pieces[0][0] == "a=T,U=1,i=77,f=100,c=30,r=10,q=2,m=1"
    assert [control.endswith("m=1") for control, _ in pieces] == [True] * (len(pieces) - 1) + [False]
    assert all("q=2" in control for control, _ in pieces), "an answer of the terminal would be read as keys"
    assert all(len(data) <= kitty.CHUNK for _, data in pieces)
    back = Image.open(io.BytesIO(standard_b64decode("".join(data for _, data in pieces))), formats=("PNG",))
    assert back.tobytes() == image.tobytes()


def test_deleting_frees_the_data_too() -> None:
    assert kitty.delete(77) == "\x1b_Ga=d,d=I,i=77,q=2\x1b\\"


def test_each_cell_says_its_row_and_column_in_one_column_of_text() -> None:
    row = kitty.placeholders(2, 5)
    assert cell_len(row) == 5
    assert row[:3] == "\U0010eeee\u030e\u0305"
    assert row[-3:] == "\U0010eeee\u030e\u0312"
    assert cell_len(kitty.placeholders(kitty.MOST_CELLS - 1, kitty.MOST_CELLS)) == kitty.MOST_CELLS


def test_the_numbers_are_those_of_the_protocol() -> None:
    """297 marks above that no normalisation changes, the last of them musical."""
    assert len(kitty.NUMBERS) == len(set(kitty.NUMBERS)) == 297
    assert list(kitty.NUMBERS) == sorted(kitty.NUMBERS)
    assert all(unicodedata.combining(mark) == 230 and not unicodedata.decomposition(mark) for mark in kitty.NUMBERS)
    assert kitty.NUMBERS[-1] == "\U0001d244"


@pytest.mark.parametrize("count", [3])
def test_ids_are_colours_and_never_come_twice(count: int) -> None:
    ids = {kitty.new_id() for _ in range(count)}
    assert len(ids) == count
    assert all(0 < one < 1 << 24 for one in ids)
