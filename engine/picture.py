"""Opens a picture of any size and mode safely and turns it into a square of the wanted size."""

import io
import stat
import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms, UnidentifiedImageError

from engine.contract.errors import DataError

FORMATS = ("PNG", "JPEG", "WEBP", "BMP")  # named, so that Pillow's other decoders, with their faults, are never reached
MAX_MEGAPIXELS = 100  # medium-format cameras make that much; decoded it is 300 MB
REDUCING_GAP = 3.0  # shrink by whole numbers first, down to 3 times the size: looks the same, several times faster
TRUNCATION_WORDS = ("truncated", "could not create decoder")  # the latter is all that libwebp's binding says
ORIENTATION_TAG = 0x0112  # of EXIF; 1 is upright
ORIENTATIONS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

# Pillow warns from 89 megapixels and refuses from 179; the bound here lies between.
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)


class PictureError(DataError):
    """A picture cannot be read; its text is the reason in a few words, without the file's name."""


def open_picture(path: Path) -> Image.Image:
    """The whole picture, upright, in RGB (sRGB), transparency laid on white. Raises PictureError with the reason."""
    _check_file(path)
    try:
        with Image.open(path, formats=FORMATS) as image:
            megapixels = image.width * image.height / 1e6
            if megapixels > MAX_MEGAPIXELS:
                raise PictureError(f"has {megapixels:.0f} megapixels, more than {MAX_MEGAPIXELS}")
            image.load()
            return _upright(_to_rgb(image), _orientation(image))
    except PictureError:
        raise
    except UnidentifiedImageError as error:
        raise PictureError(f"not a {', '.join(FORMATS[:-1])} or {FORMATS[-1]} picture") from error
    except Image.DecompressionBombError as error:
        raise PictureError(f"has far more than {MAX_MEGAPIXELS} megapixels") from error
    except PermissionError as error:
        raise PictureError("no permission to read it") from error
    except Exception as error:  # damaged files make Pillow raise almost any built-in exception
        if any(words in str(error).lower() for words in TRUNCATION_WORDS):
            raise PictureError("truncated") from error
        raise PictureError(f"damaged ({type(error).__name__}: {error})") from error


def to_square(image: Image.Image, resolution: int) -> Image.Image:
    """The centred square of a picture of any size, at resolution x resolution pixels."""
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2  # whole pixels: a pure crop stays exact
    return image.resize(
        (resolution, resolution),
        Image.Resampling.LANCZOS,
        box=(left, top, left + side, top + side),
        reducing_gap=REDUCING_GAP,
    )


def _check_file(path: Path) -> None:
    """Faults that have nothing to do with pictures. Raises PictureError."""
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise PictureError("no such file") from error
    except OSError as error:
        raise PictureError(f"cannot be opened ({error.strerror})") from error
    if not stat.S_ISREG(status.st_mode):  # a pipe would block for ever
        raise PictureError("not a file")
    if status.st_size == 0:
        raise PictureError("empty file")


def _to_rgb(image: Image.Image) -> Image.Image:
    """Any mode that FORMATS can hold, to RGB."""
    if image.mode == "I" or image.mode.startswith("I;16"):
        return _grey16_to_rgb(image)
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        return _to_srgb(Image.alpha_composite(white, rgba).convert("RGB"), image.info.get("icc_profile"))
    if image.mode != "CMYK":
        image = image.convert("RGB")
    return _to_srgb(image, image.info.get("icc_profile"))


def _grey16_to_rgb(image: Image.Image) -> Image.Image:
    """16-bit grey, which Pillow's own conversion would clip at 255 and so turn white."""
    values = np.asarray(image).astype(np.int64)
    if (transparent := image.info.get("transparency")) is not None:
        values[values == transparent] = 65535
    return Image.fromarray(((values + 128) // 257).astype(np.uint8)).convert("RGB")  # 65535 = 255 * 257


def _to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """An RGB or CMYK picture in the colours its profile gives it, as phones and print shops rely on."""
    if profile:
        try:
            own = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            converted = ImageCms.profileToProfile(image, own, ImageCms.createProfile("sRGB"), outputMode="RGB")
        except (ImageCms.PyCMSError, OSError):
            pass  # a damaged profile, or one for another mode: then as if there were none
        else:
            assert converted is not None  # None only for in-place conversion
            return converted
    return image.convert("RGB")


def _orientation(image: Image.Image) -> int:
    """The EXIF orientation, 1 to 8; upright where the EXIF data is damaged, since the pixels are not."""
    try:
        return int(image.getexif().get(ORIENTATION_TAG, 1))
    except Exception:  # Pillow's EXIF parser raises almost any built-in exception
        return 1


def _upright(image: Image.Image, orientation: int) -> Image.Image:
    """The picture turned and mirrored back as its EXIF orientation says."""
    return image.transpose(ORIENTATIONS[orientation]) if orientation in ORIENTATIONS else image
