"""Inline images of iTerm2 and WezTerm."""

import io
import re
from base64 import standard_b64decode

from PIL import Image

from tui.graphics import inline


def test_one_sequence_with_a_jpeg_of_the_size_that_was_given() -> None:
    image = Image.effect_noise((120, 80), 60).convert("RGB")
    found = re.fullmatch(r"\x1b\]1337;File=([^:]*):([A-Za-z0-9+/=]+)\x1b\\", inline.draw(image, 30, 10))
    assert found
    assert {"width=30", "height=10", "preserveAspectRatio=0", "inline=1"} <= set(found[1].split(";"))
    back = Image.open(io.BytesIO(standard_b64decode(found[2])), formats=("JPEG",))
    assert back.size == (120, 80)
