"""Pictures: every mode is converted right, every fault is found and named, squares are cut from any size."""

import io
import os
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageCms

from engine.contract.errors import DataError
from engine.picture import PictureError, open_picture, to_square

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)


def saved(image: Image.Image, path: Path, **options: Any) -> Path:
    image.save(path, **options)
    return path


def pixels(path: Path) -> NDArray[np.uint8]:
    image = open_picture(path)
    assert image.mode == "RGB"
    return np.asarray(image)


def encoded(format: str) -> bytes:
    noise = np.random.default_rng(0).integers(0, 256, (48, 40, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noise).save(buffer, format)
    return buffer.getvalue()


def png_claiming(width: int, height: int) -> bytes:
    """A PNG whose header announces a size and whose data is missing."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", len(header) - 4) + header + struct.pack(">I", zlib.crc32(header))
    data = struct.pack(">I", 0) + b"IDAT" + struct.pack(">I", zlib.crc32(b"IDAT"))
    return b"\x89PNG\r\n\x1a\n" + chunk + data


# ---- modes ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["a.png", "a.bmp", "a.webp"])
def test_rgb_comes_back_unchanged(tmp_path: Path, name: str) -> None:
    original = np.random.default_rng(1).integers(0, 256, (9, 7, 3), dtype=np.uint8)
    options = {"lossless": True} if name.endswith("webp") else {}
    assert np.array_equal(pixels(saved(Image.fromarray(original), tmp_path / name, **options)), original)


def test_jpeg_is_read(tmp_path: Path) -> None:
    path = saved(Image.new("RGB", (16, 8), (200, 100, 50)), tmp_path / "a.jpg", quality=95)
    assert np.abs(pixels(path).astype(int) - (200, 100, 50)).max() <= 3
    assert open_picture(path).size == (16, 8)


def test_the_format_is_read_from_the_content_not_from_the_name(tmp_path: Path) -> None:
    path = saved(Image.new("RGB", (2, 2), RED), tmp_path / "really_a_png.jpg", format="PNG")
    assert pixels(path)[0, 0].tolist() == [255, 0, 0]


@pytest.mark.parametrize(
    ("mode", "colour", "expected"),
    [
        ("RGBA", (255, 0, 0, 255), (255, 0, 0)),
        ("RGBA", (255, 0, 0, 0), (255, 255, 255)),
        ("RGBA", (255, 0, 0, 128), (255, 127, 127)),
        ("LA", (0, 255), (0, 0, 0)),
        ("LA", (0, 51), (204, 204, 204)),
        ("L", 77, (77, 77, 77)),
        ("1", 1, (255, 255, 255)),
        ("1", 0, (0, 0, 0)),
    ],
)
def test_transparency_is_laid_on_white_and_grey_is_spread(
    tmp_path: Path, mode: str, colour: tuple[int, ...] | int, expected: tuple[int, int, int]
) -> None:
    path = saved(Image.new(mode, (3, 2), colour), tmp_path / "a.png")
    assert (pixels(path) == expected).all()


def test_transparent_webp_is_laid_on_white(tmp_path: Path) -> None:
    path = saved(Image.new("RGBA", (4, 4), (0, 0, 255, 0)), tmp_path / "a.webp", lossless=True)
    assert (pixels(path) == 255).all()


def test_palette_colours_are_looked_up(tmp_path: Path) -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([*RED, *GREEN])
    image.putdata([0, 1])
    assert pixels(saved(image, tmp_path / "a.png")).tolist() == [[list(RED), list(GREEN)]]


@pytest.mark.parametrize("transparency", [0, b"\x00\xff"])
def test_transparent_palette_entries_turn_white(tmp_path: Path, transparency: int | bytes) -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([*RED, *GREEN])
    image.putdata([0, 1])
    path = saved(image, tmp_path / "a.png", transparency=transparency)
    assert pixels(path).tolist() == [[list(WHITE), list(GREEN)]]


def test_a_transparent_key_colour_turns_white(tmp_path: Path) -> None:
    image = Image.new("RGB", (2, 1), RED)
    image.putpixel((1, 0), BLUE)
    path = saved(image, tmp_path / "a.png", transparency=RED)
    assert pixels(path).tolist() == [[list(WHITE), list(BLUE)]]


def test_16_bit_grey_is_scaled_not_clipped(tmp_path: Path) -> None:
    values = np.array([[0, 257, 128 * 257, 40_000, 65535]], dtype=np.uint16)
    path = saved(Image.fromarray(values), tmp_path / "a.png")
    assert pixels(path)[0, :, 0].tolist() == [0, 1, 128, 156, 255]
    assert (pixels(path) == pixels(path)[..., :1]).all()


def test_32_bit_mode_of_16_bit_grey_is_scaled_too(tmp_path: Path) -> None:
    image = Image.fromarray(np.array([[0, 30_000, 65535]], dtype=np.int32))
    assert image.mode == "I"
    assert pixels(saved(image, tmp_path / "a.png"))[0, :, 0].tolist() == [0, 117, 255]


def test_16_bit_grey_with_a_transparent_value(tmp_path: Path) -> None:
    image = Image.fromarray(np.array([[1000, 2570]], dtype=np.uint16))
    path = saved(image, tmp_path / "a.png", transparency=1000)
    assert pixels(path)[0, :, 0].tolist() == [255, 10]


@pytest.mark.parametrize(
    ("ink", "expected"),
    [((0, 0, 0, 0), WHITE), ((0, 255, 255, 0), RED), ((255, 0, 255, 0), GREEN), ((0, 0, 0, 255), (0, 0, 0))],
)
def test_cmyk_ink_is_subtracted(tmp_path: Path, ink: tuple[int, ...], expected: tuple[int, ...]) -> None:
    path = saved(Image.new("CMYK", (8, 8), ink), tmp_path / "a.jpg", quality=100)
    assert np.abs(pixels(path).astype(int) - expected).max() <= 3


def test_an_srgb_profile_changes_nothing_and_a_broken_one_is_ignored(tmp_path: Path) -> None:
    image = Image.new("RGB", (2, 2), (10, 200, 90))
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for profile in (srgb, b"no profile"):
        assert (pixels(saved(image, tmp_path / "a.png", icc_profile=profile)) == (10, 200, 90)).all()


def test_a_profile_of_another_kind_of_picture_is_ignored(tmp_path: Path) -> None:
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    path = saved(Image.new("RGB", (2, 2), (10, 200, 90)), tmp_path / "a.png", icc_profile=lab)
    assert (pixels(path) == (10, 200, 90)).all()


def test_a_profile_decides_the_colours(tmp_path: Path) -> None:
    """Red and blue primaries swapped in the profile come out swapped."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    red, blue = profile.index(b"rXYZ"), profile.index(b"bXYZ")
    profile[red : red + 4], profile[blue : blue + 4] = b"bXYZ", b"rXYZ"
    path = saved(Image.new("RGB", (2, 2), RED), tmp_path / "a.png", icc_profile=bytes(profile))
    assert np.abs(pixels(path).astype(int) - BLUE).max() <= 2


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("name", ["a.png", "a.webp"])
def test_exif_orientation_is_undone(tmp_path: Path, orientation: int, name: str) -> None:
    """The stored rows and columns are where the EXIF standard says that tag 0x0112 has them."""
    upright = np.random.default_rng(2).integers(0, 256, (6, 4, 3), dtype=np.uint8)
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.transpose(1, 0, 2),
        6: np.rot90(upright, 1),
        7: np.rot90(upright, 2).transpose(1, 0, 2),
        8: np.rot90(upright, -1),
    }[orientation]
    exif = Image.new("RGB", (1, 1)).getexif()
    exif[0x0112] = orientation
    path = saved(Image.fromarray(np.ascontiguousarray(stored)), tmp_path / name, exif=exif, lossless=True)
    assert np.array_equal(pixels(path), upright)


def test_damaged_exif_does_not_spoil_the_picture(tmp_path: Path) -> None:
    path = saved(Image.new("RGB", (2, 2), RED), tmp_path / "a.png", exif=b"Exif\x00\x00nonsense")
    assert (pixels(path) == RED).all()


# ---- faults ---------------------------------------------------------------------------------------------------------


def reason(path: Path) -> str:
    with pytest.raises(PictureError) as caught:
        open_picture(path)
    assert isinstance(caught.value, DataError)
    return str(caught.value)


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP", "BMP"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_truncated(tmp_path: Path, format: str, share: float) -> None:
    data = encoded(format)
    (tmp_path / "a").write_bytes(data[: int(len(data) * share)])
    assert reason(tmp_path / "a") == "truncated"


def test_damaged_in_the_middle(tmp_path: Path) -> None:
    data = bytearray(encoded("PNG"))
    data[len(data) // 2] ^= 0xFF
    (tmp_path / "a.png").write_bytes(data)
    assert reason(tmp_path / "a.png").startswith("damaged")


@pytest.mark.parametrize("format", ["GIF", "TIFF", "PPM"])
def test_other_formats_are_not_decoded(tmp_path: Path, format: str) -> None:
    path = saved(Image.new("RGB", (2, 2), RED), tmp_path / "a.png", format=format)
    assert reason(path) == "not a PNG, JPEG, WEBP or BMP picture"


def test_text_is_no_picture(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_text("<html>404</html>")
    assert reason(tmp_path / "a.png") == "not a PNG, JPEG, WEBP or BMP picture"


def test_missing_empty_and_folder(tmp_path: Path) -> None:
    (tmp_path / "empty.png").touch()
    (tmp_path / "folder.png").mkdir()
    assert reason(tmp_path / "gone.png") == "no such file"
    assert reason(tmp_path / "empty.png" / "inside.png") == "no such file"
    assert reason(tmp_path / "empty.png") == "empty file"
    assert reason(tmp_path / "folder.png") == "not a file"


def test_a_pipe_is_refused_without_waiting_for_its_writer(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    assert reason(tmp_path / "pipe.png") == "not a file"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_unreadable(tmp_path: Path) -> None:
    path = saved(Image.new("RGB", (2, 2)), tmp_path / "a.png")
    path.chmod(0)
    assert reason(path) == "no permission to read it"


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_too_many_pixels_are_refused_from_the_header(tmp_path: Path) -> None:
    """The data of these is missing; a decoder would say `truncated`."""
    (tmp_path / "large.png").write_bytes(png_claiming(12_000, 10_000))
    (tmp_path / "bomb.png").write_bytes(png_claiming(40_000, 10_000))
    (tmp_path / "just_right.png").write_bytes(png_claiming(10, 10))
    assert reason(tmp_path / "large.png") == "has 120 megapixels, more than 100"
    assert reason(tmp_path / "bomb.png") == "has far more than 100 megapixels"
    assert reason(tmp_path / "just_right.png") == "truncated"


# ---- squares --------------------------------------------------------------------------------------------------------


@given(st.integers(1, 300), st.integers(1, 300), st.sampled_from([8, 64]))
def test_to_square_of_any_size(width: int, height: int, resolution: int) -> None:
    square = to_square(Image.new("RGB", (width, height), (12, 34, 56)), resolution)
    assert square.size == (resolution, resolution)
    assert square.getextrema() == ((12, 12), (34, 34), (56, 56))


@pytest.mark.parametrize(("width", "height"), [(8, 8), (8, 13), (21, 8)])
def test_to_square_of_the_right_short_side_is_an_exact_centre_crop(width: int, height: int) -> None:
    picture = np.random.default_rng(3).integers(0, 256, (height, width, 3), dtype=np.uint8)
    left, top = (width - 8) // 2, (height - 8) // 2
    square = to_square(Image.fromarray(picture), 8)
    assert np.array_equal(np.asarray(square), picture[top : top + 8, left : left + 8])


def test_to_square_keeps_the_middle_and_drops_the_ends() -> None:
    picture = Image.new("RGB", (300, 100), RED)
    picture.paste(BLUE, (100, 0, 200, 100))
    assert to_square(picture, 10).getpixel((5, 5)) == BLUE
    assert np.asarray(to_square(picture, 10))[:, 2:-2, 0].max() < 40  # only the edge feels the red beside it


def test_to_square_averages_what_it_shrinks() -> None:
    """A fine chequerboard turns grey; without antialiasing it would turn into stripes of black and white."""
    board = (np.indices((640, 640)).sum(axis=0) % 2 * 255).astype(np.uint8)
    square = np.asarray(to_square(Image.fromarray(board).convert("RGB"), 64))
    assert np.abs(square.astype(int) - 127).max() <= 2
