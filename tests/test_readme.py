"""The README's pictures: all there, small, and complete in themselves."""

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).parents[1]
PICTURES = sorted((ROOT / ".github" / "pictures").glob("*.svg"))
SCREENS = {"runs", "new_run", "monitor", "gallery", "generate", "environment"}


def test_every_screen_is_shown_in_the_readme() -> None:
    shown = re.findall(r"!\[[^\]]+\]\(\.github/pictures/(\w+)\.svg\)", (ROOT / "README.md").read_text(encoding="utf-8"))
    assert sorted(shown) == [file.stem for file in PICTURES] == sorted(SCREENS)


def test_pictures_are_kept_under_a_megabyte() -> None:
    assert sum(file.stat().st_size for file in PICTURES) < 1_000_000


@pytest.mark.parametrize("file", PICTURES, ids=lambda file: file.stem)
def test_a_picture_fetches_nothing_and_tells_no_place(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    svg = ElementTree.fromstring(text)
    letters = "".join(svg.itertext())
    assert "shoelora" in letters or "Runs" in letters
    assert not re.search(r"url\(|href|@import|<script", text)
    assert not re.search(r"/(tmp|home|root|Users|var)/", letters)
