"""The drawn data set: complete, readable as any user's data is, true to its captions, and the same every time."""

import json
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from engine.dataset import Dataset, check_pictures, read_dataset, require_usable
from engine.demo.drawing import draw_dataset
from engine.demo.palette import BACKGROUNDS, COLOURS

Rgb = tuple[int, int, int]


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo") / "shoes"
    draw_dataset(folder)
    return folder


@pytest.fixture(scope="module")
def dataset(drawn: Path) -> Dataset:
    return read_dataset(drawn)


def words_of(caption: str) -> list[str]:
    return caption.replace(",", "").split()


def colour_in(caption: str) -> str:
    """The colour word stands before the kind of shoe."""
    words = words_of(caption)
    return next(word for word, after in pairwise(words) if after in {"casual", "shoes", "sneakers"})


def background_in(caption: str) -> str:
    words = words_of(caption)
    return words[words.index("background") - 1]


def nearest(pixel: Rgb, named: dict[str, Rgb]) -> str:
    return min(named, key=lambda name: sum((a - b) ** 2 for a, b in zip(pixel, named[name], strict=True)))


def test_it_is_a_data_set_like_any_user_s(dataset: Dataset) -> None:
    checked = check_pictures(dataset, 0, lambda _sample: False, lambda _done, _total: None)
    assert checked.problems == ()
    assert [sample.id for sample in checked.samples] == [f"{number:04d}" for number in range(1, 97)]
    require_usable(checked, effective_batch_size=16, held_out=8)


def test_pictures_have_the_size_asked_for(tmp_path: Path, dataset: Dataset) -> None:
    assert {Image.open(sample.image).size for sample in dataset.samples} == {(64, 64)}
    draw_dataset(tmp_path / "large", count=2, resolution=160)
    assert {Image.open(path).size for path in (tmp_path / "large" / "images").iterdir()} == {(160, 160)}


def test_captions_are_true(dataset: Dataset) -> None:
    """The corner has the background's colour, and somewhere in the middle is much of the shoe's."""
    for sample in dataset.samples:
        colour, background = colour_in(sample.captions[0]), background_in(sample.captions[0])
        pixels = np.asarray(Image.open(sample.image)).astype(int)
        red, green, blue = (int(channel) for channel in pixels[0, 0])
        assert nearest((red, green, blue), BACKGROUNDS) == background, sample
        near = np.abs(pixels - COLOURS[colour]).max(axis=2) < 45  # tint and shading move it by that much
        assert near[16:52, 8:56].sum() > 60, sample


def test_pictures_and_captions_vary(dataset: Dataset) -> None:
    captions = [sample.captions[0] for sample in dataset.samples]
    assert {colour_in(caption) for caption in captions} == set(COLOURS)
    assert {background_in(caption) for caption in captions} == set(BACKGROUNDS)
    assert all(colour_in(caption) != background_in(caption) for caption in captions)
    assert len(set(captions)) > 60
    assert len({sample.image.read_bytes() for sample in dataset.samples}) == 96


def test_the_same_seed_draws_the_same(tmp_path: Path) -> None:
    def content(folder: Path) -> dict[str, bytes]:
        return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*.*"))}

    for name, seed in {"one": 5, "two": 5, "three": 6}.items():
        draw_dataset(tmp_path / name, count=4, seed=seed)
    assert content(tmp_path / "one") == content(tmp_path / "two")
    assert content(tmp_path / "one")["images/0001.png"] != content(tmp_path / "three")["images/0001.png"]


def test_a_complete_set_is_left_alone(tmp_path: Path) -> None:
    draw_dataset(tmp_path / "shoes", count=2)
    (tmp_path / "shoes" / "captions.json").write_text(json.dumps({"0001": "mine", "0002": "mine too"}))
    (tmp_path / "shoes" / "note.txt").write_text("kept")
    draw_dataset(tmp_path / "shoes", count=2)
    assert "mine" in (tmp_path / "shoes" / "captions.json").read_text()
    assert (tmp_path / "shoes" / "note.txt").exists()


def test_a_set_that_lacks_something_is_drawn_again(tmp_path: Path) -> None:
    draw_dataset(tmp_path / "shoes", count=2)
    (tmp_path / "shoes" / "images" / "0002.png").unlink()
    draw_dataset(tmp_path / "shoes", count=2)
    assert len(read_dataset(tmp_path / "shoes").samples) == 2


def test_an_interrupted_drawing_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    really_save = Image.Image.save
    saved: list[Path] = []

    def save(self: Image.Image, path: Path) -> None:
        if len(saved) == 3:
            raise KeyboardInterrupt
        saved.append(path)
        really_save(self, path)

    monkeypatch.setattr(Image.Image, "save", save)
    with pytest.raises(KeyboardInterrupt):
        draw_dataset(tmp_path / "shoes", count=6)
    assert list(tmp_path.iterdir()) == []


def test_it_takes_about_a_second(tmp_path: Path) -> None:
    begin = time.process_time()
    draw_dataset(tmp_path / "shoes")
    assert time.process_time() - begin < 3  # 0.6 s alone on a slow core; this catches a slip by a factor
