"""A picture in five shades."""

from pathlib import Path

import pytest
from PIL import Image

from tui.widgets.drawing import draw
from tui.widgets.order import Order
from tui.widgets.shading import SHADES


def test_a_ramp_has_every_shade_and_no_colour(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    image = Image.new("RGB", (5, 2))
    image.putdata([(51 * x + 25,) * 3 for _ in range(2) for x in range(5)])
    image.save(tmp_path / "ramp.png")
    drawing = draw(Order(tmp_path / "ramp.png", "block", 5, 1))
    assert drawing and [strip.text for strip in drawing.strips] == [SHADES]
    assert not any(segment.style for strip in drawing.strips for segment in strip)
