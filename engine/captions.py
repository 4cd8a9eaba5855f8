"""Reads the captions a user has, in any accepted layout, into entries not yet matched with pictures."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from engine.contract.errors import DataError

LAYOUTS = (
    "captions.json (id or file name to caption, or a list of objects with id or image, and caption) beside images/, "
    "or metadata.jsonl (file_name and text on each line), or a .txt file of the same name beside each picture"
)
CAPTIONS_JSON, METADATA_JSONL, IDS_TXT = "captions.json", "metadata.jsonl", "ids.txt"


@dataclass(frozen=True)
class Entry:
    """One item as written: `picture` is a file name or an id, `captions` whatever stood in the caption's place."""

    id: str
    picture: str
    captions: object


@dataclass(frozen=True)
class Problem:
    """An item that cannot be used: the file or id it is known by, and why.

    `lacks` says which half of an item is not there: a caption's picture or a picture's caption.
    """

    file: str
    reason: str
    lacks: Literal["picture", "caption"] | None = None


class _Object(list[tuple[str, Any]]):
    """A JSON object that keeps repeated keys, which a dict would lose in silence."""


def read_entries(folder: Path, pictures: Path) -> Iterator[Entry | Problem]:
    """The items of captions.json, else of metadata.jsonl, else of the .txt files in `pictures`, in written order.

    Raises DataError if there is none of them, or if captions.json cannot be understood as a whole.
    """
    if (path := folder / CAPTIONS_JSON).exists():
        return _captions_json(path)
    for path in (folder / METADATA_JSONL, pictures / METADATA_JSONL):
        if path.exists():
            return _metadata_jsonl(path)
    hidden_or_ids = (".", IDS_TXT)
    texts = sorted(path for path in pictures.glob("*.txt") if not path.name.startswith(hidden_or_ids))
    if texts:
        return _text_files(texts)
    raise DataError(
        f"There are no captions in {folder}",
        f"It holds neither {CAPTIONS_JSON} nor {METADATA_JSONL}, and in {pictures} there is no .txt file either.",
        f"Add one of these: {LAYOUTS}.",
    )


def _captions_json(path: Path) -> Iterator[Entry | Problem]:
    try:
        document = json.loads(read_text(path), object_pairs_hook=_Object)
    except (ValueError, RecursionError) as error:  # the text of json's own error names line and column
        raise DataError(f"{path} is not valid JSON", str(error), "Mend that place.") from error
    if isinstance(document, _Object):
        return (Entry(key, key, _plain(value)) for key, value in document)
    if isinstance(document, list):
        return (_entry(item, CAPTIONS_JSON, f"entry {number}") for number, item in enumerate(document, 1))
    raise DataError(
        f"{path} holds neither an object nor a list",
        f"It holds a {type(document).__name__}.",
        f"Accepted is one of these: {LAYOUTS}.",
    )


def _metadata_jsonl(path: Path) -> Iterator[Entry | Problem]:
    for number, line in enumerate(_read_bytes(path).splitlines(), 1):
        if not line.strip():
            continue
        try:
            item = json.loads(line.decode("utf-8-sig"), object_pairs_hook=_Object)
        except json.JSONDecodeError as error:
            yield Problem(METADATA_JSONL, f"line {number}, column {error.colno}: {error.msg}", "picture")
        except (ValueError, RecursionError) as error:  # no UTF-8 among others
            yield Problem(METADATA_JSONL, f"line {number}: {error}", "picture")
        else:
            yield _entry(item, METADATA_JSONL, f"line {number}")


def _text_files(paths: list[Path]) -> Iterator[Entry | Problem]:
    for path in paths:
        written = _read_bytes(path)
        try:
            yield Entry(path.stem, path.stem, written.decode("utf-8-sig"))
        except UnicodeDecodeError:
            yield Entry(path.stem, path.stem, written)  # bytes are no text, and so reported with the picture


def _entry(item: object, file: str, where: str) -> Entry | Problem:
    """An object with id, image or file_name, and caption or text."""
    if not isinstance(item, _Object):
        return Problem(file, f"{where} is not an object", "picture")
    fields = {key: value for key, value in item if value is not None}
    picture = _name(fields.get("image", fields.get("file_name")))
    identity = _name(fields.get("id")) or picture
    if not identity:
        return Problem(file, f"{where} has neither id nor image nor file_name", "picture")
    return Entry(identity, picture or identity, _plain(fields.get("caption", fields.get("text"))))


def _name(value: object) -> str:
    """A text or a number as a name; empty for anything else."""
    return str(value).strip() if isinstance(value, str | int) and not isinstance(value, bool) else ""


def _plain(value: object) -> object:
    return dict(value) if isinstance(value, _Object) else value


def read_text(path: Path) -> str:
    """A file's text. Raises DataError if it cannot be read or is not UTF-8."""
    try:
        return _read_bytes(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not text", str(error), "Save it as UTF-8.") from error


def _read_bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"Cannot read {path}", str(error.strerror), "Check that it is a file you may read.") from error
